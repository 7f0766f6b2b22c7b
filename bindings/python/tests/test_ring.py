"""Rings, claims, messages, and the life of their buffers."""

import array
import contextlib
import errno
import gc
import os
import resource
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import spsc_shm
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from spsc_shm import Ring

# A machine that is busy is no reason to fail.
ANY_SPEED: Any = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


def daemon(target: Callable[[], object]) -> threading.Thread:
    """A thread that does not keep a run alive that has failed."""
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def test_a_ring_by_name(name: str) -> None:
    with Ring.create(name, 5000) as made, Ring.connect(name) as connected:
        assert made.capacity == connected.capacity == 8192
        assert made.name == name
        with made.producer().claim(5) as buf:
            buf[:] = b"hello"
        assert connected.available == 5
        with connected.consumer().peek(5) as seen:
            assert bytes(seen) == b"hello"
        assert made.available == 0
    assert made.closed and connected.closed
    with pytest.raises(ValueError, match="closed"):
        made.producer()


def test_errors_are_python_s_own(name: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        Ring.connect(name, 0)
    assert isinstance(caught.value, spsc_shm.NotFound)
    assert caught.value.status is spsc_shm.Status.NOT_FOUND
    assert caught.value.errno == errno.ENOENT
    with pytest.raises(TimeoutError):
        Ring.connect(name, 0.001)
    with Ring.create(name, 4096) as ring:
        with pytest.raises(FileExistsError):
            Ring.create(name, 4096)
        with pytest.raises(spsc_shm.Timeout):
            ring.consumer().receive(0)
        with pytest.raises(spsc_shm.TooLarge):
            ring.producer().claim(4097)
        with pytest.raises(ValueError):
            ring.consumer().receive(-1)
        with pytest.raises(ValueError):
            ring.fileno()
        with Ring.connect(name) as other, pytest.raises(spsc_shm.RoleTaken):
            ring.producer().wait_for_space()
            other.producer().wait_for_space()
    with pytest.raises(spsc_shm.InvalidName):
        Ring.create("a/b", 4096)


def test_a_claim_publishes_what_it_commits() -> None:
    with Ring.anonymous(4096) as ring:
        producer, consumer = ring.producer(), ring.consumer()
        with producer.claim(10) as buf:
            assert len(buf) == 10
            buf[0] = 65
            buf[1:3] = b"BC"
            assert buf[-10] == 65 and buf[0:3] == b"ABC"
            with pytest.raises(ValueError):
                buf[0:3] = b"AB"
            with pytest.raises(IndexError):
                buf[10]
            with pytest.raises(ValueError):
                buf.commit(11)
            buf.commit(3)
        assert ring.available == 3
        with pytest.raises(ZeroDivisionError), producer.claim(10):
            1 / 0  # noqa: B018
        assert ring.available == 3
        with consumer.peek_some() as seen:
            assert seen == b"ABC" and seen != b"abc"
            seen.release(2)
        with pytest.raises(ZeroDivisionError), consumer.peek(1):
            1 / 0  # noqa: B018
        with consumer.peek(1) as seen:
            assert seen[0] == ord("C")
            with pytest.raises(TypeError):
                seen[0] = 1  # type: ignore[index]
        with pytest.raises(ValueError, match="went back"):
            seen[0]
        with producer.claim_some() as buf:
            assert len(buf) == 4096
            buf.cancel()
        assert ring.available == 0


def test_views_are_counted() -> None:
    """Each call that would take the bytes back raises while a view is alive, and works afterwards."""
    with Ring.anonymous(4096) as ring:
        producer, consumer = ring.producer(), ring.consumer()
        with pytest.raises(BufferError), producer.claim(8) as buf:
            view = memoryview(buf)
        view[:] = b"8 bytes!"  # still the claim's
        for refused in (
            lambda: producer.claim(1, 0),
            lambda: producer.send(b"", 0, 0),
            producer.close,
            ring.close,
            buf.cancel,
            buf.publish,
        ):
            with pytest.raises(BufferError):
                refused()
        view.release()
        buf.publish()
        assert ring.available == 8
        with pytest.raises(BufferError):
            memoryview(buf)

        with pytest.raises(BufferError), consumer.peek(8) as seen:
            numbers = np.frombuffer(seen, dtype=np.uint8)  # type: ignore[call-overload]
        assert bytes(numbers) == b"8 bytes!" and not numbers.flags.writeable
        with pytest.raises(BufferError):
            consumer.peek(1, 0)
        with pytest.raises(BufferError):
            ring.close()
        del numbers
        seen.release()
        assert ring.available == 0


def test_a_view_outlives_its_ring_s_objects() -> None:
    producer = Ring.anonymous(4096).producer()
    view = memoryview(producer.claim(100))
    del producer
    gc.collect()
    view[:] = bytes(100)
    view.release()


def test_an_exception_passes_a_block_that_has_views() -> None:
    with Ring.anonymous(4096) as ring:
        producer = ring.producer()
        with pytest.raises(ZeroDivisionError), producer.claim(8) as buf:
            view = memoryview(buf)
            1 / 0  # noqa: B018
        view.release()
        producer.send(b"x")
        assert bytes(ring.consumer().receive()) == b"x"


def test_messages() -> None:
    with Ring.anonymous(4096) as ring:
        producer, consumer = ring.producer(), ring.consumer()
        producer.send(b"one", 7)
        producer.send(array.array("i", [1, 2]), tag=2**32 - 1)
        message = consumer.receive()
        assert (bytes(message), message.tag, len(message)) == (b"one", 7, 3)
        view = memoryview(message)
        with pytest.raises(BufferError):
            consumer.receive(0)
        view.release()
        second = consumer.receive()
        assert second.tag == 2**32 - 1 and array.array("i", bytes(second)).tolist() == [1, 2]
        with pytest.raises(ValueError):
            bytes(message)
        with pytest.raises(TypeError):
            producer.send("text")
        with pytest.raises(OverflowError):
            producer.send(b"", 2**32)

        assert producer.send_many([b"a", (b"b", 1), bytearray(b"c")]) == 3
        many = consumer.receive_many(limit=2)
        assert [(bytes(m), m.tag) for m in many] == [(b"a", 0), (b"b", 1)]
        assert [bytes(m) for m in consumer.receive_many()] == [b"c"]
        with producer.claim_message(100, tag=9) as buf:
            buf[0:2] = b"hi"
            buf.commit(2)
        with consumer.receive() as message:
            assert message == b"hi" and message.tag == 9
        assert ring.available == 0
        assert producer.send_many([b"x" * 1000] * 10, 0) < 10
        producer.close()
        assert sum(1 for _ in consumer) > 2
        with pytest.raises(EOFError) as caught:
            consumer.receive()
        assert caught.value.status is spsc_shm.Status.CLOSED  # type: ignore[attr-defined]


def test_a_message_larger_than_the_ring() -> None:
    data = os.urandom(1 << 20)
    with Ring.anonymous(4096) as ring:
        thread = daemon(lambda: ring.producer().send(data, 3))
        message = ring.consumer().receive()
        assert bytes(message) == data and message.tag == 3
        thread.join()
        consumer = ring.consumer()
        consumer.set_max_message(1000)
        thread = daemon(lambda: ring.producer().send_many([data, b"next"]))
        with pytest.raises(spsc_shm.TooLarge):
            consumer.receive()
        consumer.skip_message()
        assert bytes(consumer.receive()) == b"next"
        thread.join()


def test_one_thread_at_a_time() -> None:
    with Ring.anonymous(4096) as ring:
        consumer = ring.consumer()
        failures: list[BaseException] = []

        def wait() -> None:
            try:
                consumer.receive()
            except BaseException as error:
                failures.append(error)

        thread = daemon(wait)
        while True:
            try:
                consumer.wait_for_data(1, 0)
            except TimeoutError:
                continue
            except RuntimeError:
                break
        consumer.interrupt()
        thread.join()
        assert isinstance(failures[0], spsc_shm.Interrupted)


def test_interrupts_and_wake_ups() -> None:
    with Ring.anonymous(4096) as ring:
        for wake in (ring.consumer().interrupt, ring.wakeup_all):
            wake()
            with pytest.raises(spsc_shm.Interrupted):
                ring.consumer().receive()
        ring.producer().interrupt()
        with pytest.raises(spsc_shm.Timeout):
            ring.consumer().receive(0.001)


def test_wait_any() -> None:
    rings = [Ring.anonymous(4096) for _ in range(4)]
    consumers = [ring.consumer() for ring in rings]
    with pytest.raises(TimeoutError):
        spsc_shm.wait_any(consumers, 0.001)
    rings[2].producer().write(b"x")
    assert spsc_shm.wait_any(consumers) == [consumers[2]]
    assert spsc_shm.wait_any([consumers[0], rings[1].producer()]) == [rings[1].producer()]
    threading.Timer(0.01, consumers[1].interrupt).start()
    with pytest.raises(spsc_shm.Interrupted):
        spsc_shm.wait_any(consumers[:2])
    with pytest.raises(ValueError):
        spsc_shm.wait_any([])
    with pytest.raises(TypeError):
        spsc_shm.wait_any([rings[0]])  # type: ignore[list-item]
    with pytest.raises(RuntimeError):
        spsc_shm.wait_any([consumers[0], consumers[0]])


PEER = """
import sys, spsc_shm, signal, os
ring = spsc_shm.Ring.connect(sys.argv[1])
producer = ring.producer()
producer.send(b"alive")
print("ready", flush=True)
sys.stdin.readline()
"""


def peer(name: str) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-c", PEER, name], stdin=-1, stdout=-1, text=True)
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    return child


def test_a_peer_that_closes_and_one_that_is_killed(name: str) -> None:
    with Ring.create(name, 4096) as ring:
        consumer = ring.consumer()
        with peer(name) as child:
            assert bytes(consumer.receive()) == b"alive"
            child.communicate("\n")
            with pytest.raises(EOFError):
                consumer.receive()
        with peer(name) as child:
            assert bytes(consumer.receive()) == b"alive"
            child.kill()
            with pytest.raises(ConnectionError) as caught:
                consumer.receive()
            assert isinstance(caught.value, spsc_shm.PeerDead)


def test_a_ring_by_descriptor() -> None:
    with Ring.anonymous(4096) as ring:
        code = "import spsc_shm,sys; spsc_shm.Ring.from_fd(int(sys.argv[1])).producer().send(b'hi')"
        fd = ring.fileno()
        subprocess.run([sys.executable, "-c", code, str(fd)], pass_fds=[fd], check=True)
        assert bytes(ring.consumer().receive()) == b"hi"
        with pytest.raises(spsc_shm.NotARing):
            Ring.from_fd(0)


def test_a_forked_child_leaves_the_parent_s_roles_alone() -> None:
    with Ring.anonymous(4096) as ring:
        ring.producer().send(b"parent's")
        ring.consumer().wait_for_data()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        assert bytes(ring.consumer().receive()) == b"parent's"


INTERRUPTED = {
    "receive": "ring.consumer().receive()",
    "peek": "ring.consumer().peek(1)",
    "next": "next(iter(ring.consumer()))",
    "receive_many": "ring.consumer().receive_many()",
    "wait_for_data": "ring.consumer().wait_for_data()",
    "read": "ring.consumer().read()",
    "readinto": "ring.consumer().readinto(bytearray(9))",
    "claim": "full.producer().claim(1)",
    "send": "full.producer().send(b'x')",
    "send_many": "full.producer().send_many([b'x'])",
    "large": "ring.producer().send(bytes(1 << 20))",
    "write": "full.producer().write(b'x')",
    "wait_for_space": "full.producer().wait_for_space()",
    "wait_any": "spsc_shm.wait_any([ring.consumer(), full.producer()])",
    "connect": "spsc_shm.Ring.connect('/nobody-makes-this')",
    "open": "spsc_shm.open('/nobody-makes-this')",
    "accept": "listener.accept()",
    "dial": "spsc_shm.dial(path)",
    "connection": "(ends := pair())[0].receiver.receive()",
    "pipe": "(ends := spsc_shm.Pipe())[0].recv()",
}

WAITER = """
import contextlib, os, signal, sys, threading, time
import spsc_shm
ring, full = spsc_shm.Ring.anonymous(4096), spsc_shm.Ring.anonymous(4096)
full.producer().claim(4096).publish()
path = sys.argv[1]
listener = spsc_shm.listen(path)

def pair():
    there = []
    def dial():
        while not there:
            # One that does not run for a second is dropped.
            with contextlib.suppress(EOFError):
                there.append(spsc_shm.dial(path))
    thread = threading.Thread(target=dial)
    thread.start()
    here = listener.accept()
    thread.join()
    return here, there[0]

# A shell may have had it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
# A handler that raises nothing lets the wait go on, even if it waits itself.
seen = []
other = spsc_shm.Ring.anonymous(4096)
handled, handling = os.pipe()
def handler(number, frame):
    seen.append(number)
    try:
        other.consumer().receive(0.002)
    except TimeoutError:
        pass
    os.write(handling, b"x")
signal.signal(signal.SIGUSR1, handler)
def shoot():
    # The main thread sleeps by then, most likely; whatever it does, it is to be interrupted.
    time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGUSR1)
    os.read(handled, 1)
    time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)
try:
    threading.Thread(target=shoot, daemon=True).start()
    WAIT
except KeyboardInterrupt:
    assert seen == [signal.SIGUSR1], seen
    print("interrupted")
"""


@pytest.mark.parametrize("wait", INTERRUPTED)
def test_ctrl_c_ends_every_wait(wait: str, path: str) -> None:
    command = [sys.executable, "-c", WAITER.replace("WAIT", INTERRUPTED[wait]), path]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "interrupted\n"


def test_no_signal_is_lost_before_a_sleep() -> None:
    """Signals at all instants of many waits, with nothing else that ends one."""
    code = """
import os, signal, spsc_shm, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
ring = spsc_shm.Ring.anonymous(4096)
waiting, wait = os.pipe()
rounds = 2000
def shoot():
    import time
    for n in range(rounds):
        os.read(waiting, 1)
        time.sleep((n % 100) * 3e-6)
        os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=shoot, daemon=True).start()
for n in range(rounds):
    try:
        os.write(wait, b"x")
        ring.consumer().receive()
        raise AssertionError
    except KeyboardInterrupt:
        pass
print("all")
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=-1, text=True, check=True)
    assert done.stdout == "all\n"


def test_many_calls_at_constant_memory() -> None:
    rounds = int(os.environ.get("SPSC_PY_CALLS", "200000"))
    with Ring.anonymous(1 << 16) as ring:
        producer, consumer = ring.producer(), ring.consumer()
        data = bytes(64)

        def go(rounds: int) -> None:
            for _ in range(rounds):
                producer.send(data)
                with consumer.receive() as message, memoryview(message):
                    pass
                with producer.claim(64) as buf:
                    buf[:] = data
                with consumer.peek(64):
                    pass
                with contextlib.suppress(TimeoutError):
                    consumer.peek(1, 0)

        go(10000)
        references = [sys.getrefcount(it) for it in (ring, producer, consumer, data)]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        go(rounds)
        gc.collect()
        assert [sys.getrefcount(it) for it in (ring, producer, consumer, data)] == references
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 1024


@settings(max_examples=60, stateful_step_count=40, **ANY_SPEED)
class AgainstQueue(RuleBasedStateMachine):
    """The ring beside a queue of messages."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = Ring.anonymous(4096)
        self.queue: deque[tuple[bytes, int]] = deque()

    @rule(data=st.binary(max_size=1500), tag=st.integers(0, 2**32 - 1))
    def send(self, data: bytes, tag: int) -> None:
        needed = 8 + (len(data) + 7) // 8 * 8
        try:
            self.ring.producer().send(data, tag, 0)
            self.queue.append((data, tag))
        except TimeoutError:
            assert needed > 4096 - self.ring.available

    @rule(data=st.lists(st.binary(max_size=300), max_size=9))
    def send_many(self, data: list[bytes]) -> None:
        try:
            sent = self.ring.producer().send_many(data, 0)
        except TimeoutError:
            sent = 0
        self.queue.extend((item, 0) for item in data[:sent])

    @rule()
    def receive(self) -> None:
        if not self.queue:
            with pytest.raises(TimeoutError):
                self.ring.consumer().receive(0)
            return
        message = self.ring.consumer().receive(0)
        assert (bytes(message), message.tag) == self.queue.popleft()

    @rule(limit=st.integers(1, 5))
    @precondition(lambda self: self.queue)
    def receive_many(self, limit: int) -> None:
        for message in self.ring.consumer().receive_many(0, limit):
            assert (bytes(message), message.tag) == self.queue.popleft()

    @invariant()
    def there_is_something_if_the_queue_says_so(self) -> None:
        assert self.ring.available > 0 or not self.queue

    def teardown(self) -> None:
        self.ring.close()


TestAgainstQueue = AgainstQueue.TestCase


@given(st.lists(st.binary(max_size=2000), max_size=20))
@settings(max_examples=30, **ANY_SPEED)
def test_bytes_come_out_as_they_went_in(pieces: list[bytes]) -> None:
    with Ring.anonymous(4096) as ring:

        def write() -> None:
            with ring.producer() as producer:
                producer.wait_for_space()
                for piece in pieces:
                    view = memoryview(piece)
                    while view:
                        view = view[producer.write(view) :]

        thread = daemon(write)
        read = b""
        while part := ring.consumer().read():
            read += part
        thread.join()
        assert read == b"".join(pieces)
