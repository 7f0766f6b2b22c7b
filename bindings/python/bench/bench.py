"""Round trips and streams between two processes, beside what Python has for it.

    python bench/bench.py [--turns 30] [--plot FILE.svg]

Every transport runs in one pair of processes, in turns, so that all of them meet the same machine. What is
shown is the median of the turns, and the ratio to the ring's.
"""

import argparse
import math
import multiprocessing
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as MpConnection
from typing import Any

import numpy as np
import spsc_shm

try:
    import zmq
except ImportError:
    zmq = None  # type: ignore[assignment,unused-ignore]

SMALL = bytes(64)
BIG = 1 << 20
BATCH = 64


class Ring:
    """A ring for each direction."""

    def __init__(self) -> None:
        self.rings = [spsc_shm.Ring.anonymous(4 << 20) for _ in range(2)]

    def side(self, which: int) -> None:
        self.out = self.rings[which].producer()
        self.back = self.rings[1 - which].consumer()

    def send(self, data: bytes) -> None:
        self.out.send(data)

    def receive(self) -> None:
        self.back.receive()

    def send_batch(self, batch: list[bytes]) -> None:
        self.out.send_many(batch)

    def receive_batch(self, count: int) -> None:
        while count:
            count -= len(self.back.receive_many(None, count))

    def send_array(self, array: Any) -> None:
        with self.out.claim(array.nbytes) as buf, memoryview(buf) as view:
            np.frombuffer(view, dtype=array.dtype)[:] = array

    def receive_array(self, into: Any) -> None:
        with self.back.peek(into.nbytes) as buf, memoryview(buf) as view:
            into[:] = np.frombuffer(view, dtype=into.dtype)


class Plain:
    """Anything that sends and receives messages of bytes."""

    def side(self, which: int) -> None: ...

    def send(self, data: Any) -> None: ...

    def receive(self) -> Any: ...

    def send_batch(self, batch: list[bytes]) -> None:
        for data in batch:
            self.send(data)

    def receive_batch(self, count: int) -> None:
        for _ in range(count):
            self.receive()

    def send_array(self, array: Any) -> None:
        self.send(memoryview(array).cast("B"))

    def receive_array(self, into: Any) -> None:
        into[:] = np.frombuffer(self.receive(), dtype=into.dtype)


class Pipe(Plain):
    """multiprocessing.Pipe."""

    def __init__(self) -> None:
        self.ends: tuple[MpConnection[Any, Any], ...] = multiprocessing.Pipe()

    def side(self, which: int) -> None:
        self.end = self.ends[which]

    def send(self, data: Any) -> None:
        self.end.send_bytes(data)

    def receive(self) -> Any:
        return self.end.recv_bytes()


class Queue(Plain):
    """multiprocessing.Queue."""

    def __init__(self) -> None:
        self.queues: list[Any] = [multiprocessing.Queue(), multiprocessing.Queue()]

    def side(self, which: int) -> None:
        self.out, self.back = self.queues[which], self.queues[1 - which]

    def send(self, data: Any) -> None:
        self.out.put(bytes(data))

    def receive(self) -> Any:
        return self.back.get()


class UnixSocket(Plain):
    """A Unix socket of stream type, with messages of a size that both know."""

    def __init__(self) -> None:
        self.ends = socket.socketpair()
        self.size = len(SMALL)

    def side(self, which: int) -> None:
        self.end = self.ends[which]

    def send(self, data: Any) -> None:
        self.end.sendall(data)

    def receive(self) -> Any:
        return self.end.recv(self.size, socket.MSG_WAITALL)

    def receive_array(self, into: Any) -> None:
        view = memoryview(into).cast("B")
        while view:
            view = view[self.end.recv_into(view) :]


class ZeroMq(Plain):
    """pyzmq over ipc."""

    def __init__(self) -> None:
        self.address = f"ipc:///tmp/spsc-shm-bench-{os.getpid()}"

    socket: Any

    def side(self, which: int) -> None:
        self.socket = zmq.Context.instance().socket(zmq.PAIR)
        (self.socket.bind if which == 0 else self.socket.connect)(self.address)

    def send(self, data: Any) -> None:
        self.socket.send(data)

    def receive(self) -> Any:
        return self.socket.recv()


def round_trip(it: Any, which: int, rounds: int) -> None:
    for _ in range(rounds):
        if which == 0:
            it.send(SMALL)
            it.receive()
        else:
            it.receive()
            it.send(SMALL)


def one_by_one(it: Any, which: int, rounds: int) -> None:
    for _ in range(rounds):
        if which == 0:
            it.send(SMALL)
        else:
            it.receive()


def batches(it: Any, which: int, rounds: int) -> None:
    batch = [SMALL] * BATCH
    for _ in range(rounds // BATCH):
        if which == 0:
            it.send_batch(batch)
        else:
            it.receive_batch(BATCH)


def arrays(it: Any, which: int, rounds: int) -> None:
    array = np.ones(BIG // 8)
    for _ in range(rounds):
        if which == 0:
            it.send_array(array)
        else:
            it.receive_array(array)


TASKS: dict[str, tuple[Callable[[Any, int, int], None], int]] = {
    "round trip of 64 B": (round_trip, 2048),
    "64 B, one by one": (one_by_one, 8192),
    f"64 B, {BATCH} at once": (batches, 8192),
    "1 MiB numpy arrays": (arrays, 64),
}


class Teller:
    """Tells the other process when a turn begins and ends."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end

    def send(self) -> None:
        self.end.sendall(b"!")

    def receive(self) -> None:
        assert self.end.recv(1)


def both(transports: dict[str, Any], which: int, turns: int, tell: Teller) -> dict[Any, list[float]]:
    """One of the two processes."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[which % os.cpu_count()]})  # type: ignore[operator]
    for it in transports.values():
        it.side(which)
    times: dict[Any, list[float]] = {}
    for _ in range(turns):
        for task, (work, rounds) in TASKS.items():
            for name, it in transports.items():
                count = rounds if name == "ring" else max(rounds // 8, BATCH)
                tell.receive() if which else tell.send()
                start = time.perf_counter()
                work(it, which, count)
                # The sender waits for the receiver's last.
                tell.receive() if which == 0 else tell.send()
                took = (time.perf_counter() - start) / count
                times.setdefault((task, name), []).append(took)
    return times


def plot(rows: dict[str, dict[str, float]], file: str) -> None:
    """Bars on a logarithmic scale, as SVG."""
    names = list(next(iter(rows.values())))
    colours = ["#2a6fbb", "#c8553d", "#e09f3e", "#588157", "#7b5ea7"]
    parts = []
    y = 30
    for task, row in rows.items():
        parts.append(f'<text x="10" y="{y}" font-weight="bold">{task}</text>')
        for name, took in row.items():
            y += 18
            width = 60 * max(math.log10(took * 1e9), 0.2)
            colour = colours[names.index(name) % len(colours)]
            parts.append(
                f'<text x="10" y="{y}">{name}</text><rect x="160" y="{y - 11}" width="{width:.0f}" '
                f'height="13" fill="{colour}"/><text x="{170 + width:.0f}" y="{y}">'
                f"{took * 1e6:.2f} µs</text>"
            )
        y += 34
    with open(file, "w", encoding="utf-8") as out:
        out.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{y}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" '
            f'fill="white"/>{"".join(parts)}</svg>\n'
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--plot")
    options = parser.parse_args()
    # Fork: the transports go along.
    context = multiprocessing.get_context("fork")
    transports: dict[str, Any] = {
        "ring": Ring(),
        "Pipe": Pipe(),
        "Queue": Queue(),
        "Unix socket": UnixSocket(),
    }
    if zmq is not None:
        transports["pyzmq"] = ZeroMq()
    ours, theirs = socket.socketpair()
    child = context.Process(target=both, args=(transports, 1, options.turns, Teller(theirs)))
    child.start()
    times = both(transports, 0, options.turns, Teller(ours))
    child.join()
    rows: dict[str, dict[str, float]] = {}
    for (task, name), took in times.items():
        rows.setdefault(task, {})[name] = statistics.median(took)
    print("| | " + " | ".join(transports) + " |")
    print("|---|" + "--:|" * len(transports))
    for task, row in rows.items():
        cells = (f"{took * 1e6:.2f} µs ({took / row['ring']:.1f})" for took in row.values())
        print(f"| {task} | " + " | ".join(cells) + " |")
    if options.plot:
        plot(rows, options.plot)
    sys.exit(child.exitcode)


if __name__ == "__main__":
    main()
