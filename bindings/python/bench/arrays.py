"""numpy arrays of 1 MiB, copied in and out. Run it in turns with bench/arrays.c."""

import os
import time

import numpy as np
import spsc_shm

SIZE, ROUNDS = 1 << 20, 20000


def receive(ring: spsc_shm.Ring, array: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> None:
    consumer = spsc_shm.Ring.from_fd(ring.fileno()).consumer()
    os.sched_setaffinity(0, {1})
    for _ in range(ROUNDS):
        with consumer.peek(SIZE) as buf, memoryview(buf) as view:
            array[:] = np.frombuffer(view, dtype=array.dtype)


def send(ring: spsc_shm.Ring, array: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> None:
    os.sched_setaffinity(0, {0})
    producer = ring.producer()
    for _ in range(ROUNDS):
        with producer.claim(SIZE) as buf, memoryview(buf) as view:
            np.frombuffer(view, dtype=array.dtype)[:] = array


def main() -> None:
    ring = spsc_shm.Ring.anonymous(4 << 20)
    array = np.ones(SIZE // 8)
    pid = os.fork()
    if pid == 0:
        receive(ring, array)
        os._exit(0)
    start = time.perf_counter()
    send(ring, array)
    os.waitpid(pid, 0)
    print(f"Python: {(time.perf_counter() - start) / ROUNDS * 1e6:.1f} us for each MiB")


if __name__ == "__main__":
    main()
