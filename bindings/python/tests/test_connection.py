"""Connections: in calls, in asyncio, and for multiprocessing."""

import asyncio
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import spsc_shm
from spsc_shm import aio

# It takes whatever has a fileno, and is typed for less.
wait_readable: Any = multiprocessing.connection.wait


def test_a_question_and_an_answer(path: str) -> None:
    def ask() -> None:
        with spsc_shm.dial(path, to_server=100_000) as client:
            assert client.sender.capacity == 131072
            client.sender.send(b"a question")
            answers.append(bytes(client.receiver.receive()))

    answers: list[bytes] = []
    with spsc_shm.listen(path) as listener:
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        with listener.accept() as server:
            assert server.peer == (os.getpid(), os.getuid(), os.getgid())
            assert server.receiver.receive() == b"a question"
            server.sender.send(b"an answer")
            with pytest.raises(EOFError):
                server.receiver.receive()
        thread.join()
        assert answers == [b"an answer"]
        with pytest.raises(TimeoutError):
            listener.accept(0.001)
        with pytest.raises(FileExistsError):
            spsc_shm.listen(path)
        with pytest.raises(TimeoutError):
            spsc_shm.dial(path, 0.01)
    assert not Path(path).exists()
    with pytest.raises(FileNotFoundError) as caught:
        spsc_shm.dial(path)
    assert isinstance(caught.value, spsc_shm.NotFound)
    with pytest.raises(spsc_shm.InvalidName):
        spsc_shm.dial("x" * 200)


def test_arming(path: str) -> None:
    with spsc_shm.listen(path) as listener:
        there: list[spsc_shm.Connection] = []
        thread = threading.Thread(target=lambda: there.append(spsc_shm.dial(path)), daemon=True)
        thread.start()
        here = listener.accept()
        thread.join()
        assert here.arm(1, 1) == (False, True)
        assert here.arm(1) == (False, False)
        assert wait_readable([here], 0) == []
        there[0].sender.write(b"x")
        assert wait_readable([here], None) == [here]
        assert here.arm(1) == (True, False)
        assert here.receiver.read() == b"x"
        there[0].close()
        assert here.receiver.read() == b""


def run(body: Any) -> None:
    async def within() -> None:
        before = threading.active_count()
        await body
        assert threading.active_count() == before, "there are no threads"

    asyncio.run(within())


class Late:
    """A connection whose peer sends in the moment in which the transport arms."""

    def __init__(self, connection: spsc_shm.Connection, send: Any) -> None:
        self.connection = connection
        self.send = send

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def arm(self, data: int, space: int) -> tuple[bool, bool]:
        send, self.send = self.send, None
        if send:
            send()
        return self.connection.arm(data, space)


def test_data_that_comes_while_the_transport_arms(path: str) -> None:
    async def body() -> None:
        with spsc_shm.listen(path) as listener:
            dialling = asyncio.create_task(aio.open_connection(path))
            accepted: Any = None
            while accepted is None or not dialling.done():
                with contextlib.suppress(TimeoutError):
                    accepted = listener.accept(0)
                await asyncio.sleep(0)
            _, writer = await dialling
            late: Any = Late(accepted, lambda: writer.write(b"x"))
            loop = asyncio.get_running_loop()
            reader = asyncio.StreamReader()
            transport = aio._Transport(loop, late, asyncio.StreamReaderProtocol(reader))
            assert await reader.read(1) == b"x"
            transport.abort()
            writer.close()

    run(body())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 20):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_asyncio_streams(path: str) -> None:
    async def one(number: int) -> None:
        reader, writer = await aio.open_connection(path)
        writer.write(b"line %d\n" % number)
        assert await reader.readline() == b"line %d\n" % number
        data = os.urandom(300_000)

        async def write() -> None:
            for at in range(0, len(data), 7000):
                writer.write(data[at : at + 7000])
                await writer.drain()
            writer.write_eof()

        _, back = await asyncio.gather(write(), reader.read())
        assert back == data
        writer.close()
        await writer.wait_closed()

    async def all_of_them() -> None:
        async with await aio.start_server(echo, path) as server:
            assert server.is_serving()
            await asyncio.gather(*(one(number) for number in range(40)))

    run(all_of_them())


def test_cancelling_ends_a_wait(path: str) -> None:
    async def body() -> None:
        with spsc_shm.listen(path):
            # Nobody accepts.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await aio.open_connection(path)
        with pytest.raises(FileNotFoundError):
            await aio.open_connection(path)
        async with await aio.start_server(echo, path):
            reader, writer = await aio.open_connection(path)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.005):
                        await reader.read(1)
            writer.write(b"still here")
            assert await reader.readexactly(10) == b"still here"
            writer.close()
            await writer.wait_closed()

    run(body())


CLIENT = """
import spsc_shm, sys, time
connection = None
while not connection:
    try:
        connection = spsc_shm.dial(sys.argv[1])
    except EOFError:
        pass  # One that does not run for a second is dropped.
connection.sender.write(b"alive")
time.sleep(1000)
"""


def test_a_killed_client_ends_the_stream_with_an_error(path: str) -> None:
    async def body() -> None:
        told = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.readexactly(5) == b"alive"
            child.kill()
            try:
                await reader.read()
            except ConnectionError as error:
                told.set_result(error)
            writer.close()

        async with await aio.start_server(serve, path):
            child = subprocess.Popen([sys.executable, "-c", CLIENT, path])
            assert isinstance(await told, spsc_shm.PeerDead)
            child.wait()

    run(body())


def test_a_writer_waits_for_its_reader(path: str) -> None:
    async def body() -> None:
        go = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await go.wait()
            got.append(len(await reader.read()))
            writer.close()

        got: list[int] = []
        async with await aio.start_server(serve, path):
            _, writer = await aio.open_connection(path)
            writer.write(bytes(3_000_000))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await writer.drain()
            go.set()
            await writer.drain()
            writer.write_eof()
            with contextlib.suppress(ConnectionError):
                while not got:
                    await asyncio.sleep(0)
            assert got == [3_000_000]
            writer.close()

    run(body())


def worker(connection: spsc_shm.PipeConnection) -> None:
    with connection, contextlib.suppress(EOFError):
        while True:
            connection.send(("echo", connection.recv()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method: str) -> None:
    context = multiprocessing.get_context(method)
    ours, theirs = spsc_shm.Pipe()
    process = context.Process(target=worker, args=(theirs,))  # type: ignore[attr-defined]
    process.start()
    theirs.close()
    for thing in (1, "two", {"three": [3.0]}, os.urandom(1 << 20)):
        ours.send(thing)
        assert wait_readable([ours]) == [ours]
        assert ours.recv() == ("echo", thing)
        # What has come already, and was waited for in a call, is seen, too.
        ours.send(thing)
        assert ours.poll(None) and ours.poll()
        assert wait_readable([ours]) == [ours]
        assert ours.recv() == ("echo", thing)
        # A byte that was sent for what has been taken may be late.
        while wait_readable([ours], 0):
            pass
        assert not ours.poll() and not ours.poll(0.001)
    ours.close()
    process.join()
    assert process.exitcode == 0
    with pytest.raises(OSError):
        ours.send(1)


def bytes_worker(connection: spsc_shm.PipeConnection) -> None:
    connection.send_bytes(b"0123456789", 2, 3)
    connection.send_bytes(connection.recv_bytes())
    connection.recv()
    os.kill(os.getpid(), signal.SIGKILL)


def test_multiprocessing_bytes_and_a_death() -> None:
    ours, theirs = spsc_shm.Pipe()
    with pytest.raises(RuntimeError):
        multiprocessing.reduction.ForkingPickler.dumps(ours)
    process = multiprocessing.get_context("fork").Process(target=bytes_worker, args=(theirs,))
    process.start()
    theirs.close()
    assert ours.recv_bytes() == b"234"
    ours.send_bytes(b"hello")
    target = bytearray(8)
    assert ours.recv_bytes_into(target, 1) == 5
    assert target == b"\0hello\0\0"
    ours.send(None)
    with pytest.raises(ConnectionError):
        ours.recv()
    assert ours.poll()
    process.join()
    ours.close()
    assert ours.closed
