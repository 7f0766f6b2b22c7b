"""Connections for asyncio, with the interface of its streams::

    async def serve(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    server = await spsc_shm.aio.start_server(serve, "/tmp/echo")

    reader, writer = await spsc_shm.aio.open_connection("/tmp/echo")

Whatever waits does so in the event loop, on the connection's descriptor. There is no thread, but
for a client that waits while a listener's queue is full.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from . import _native
from ._connection import Deadline, StrPath, address, connect_blocking, connect_error, listen
from ._errors import Error, Timeout

__all__ = ["Server", "open_connection", "start_server"]

_LIMIT = 2**16
_READ = 1 << 18
Callback = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]


class _Transport(asyncio.Transport):
    """A connection as asyncio's protocols know it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: _native.Connection,
        protocol: asyncio.BaseProtocol,
    ) -> None:
        super().__init__({"peer": connection.peer, "connection": connection})
        self._loop = loop
        self._connection = connection
        # Any: which of its methods there are is the protocol's kind.
        self._protocol: Any = protocol
        self._buffer = bytearray()
        self._low, self._high = 1 << 14, 1 << 16
        self._paused_writing = False
        self._reading = True
        self._ended = False
        self._eof = False
        self._closing = False
        self._lost = False
        self._scheduled = False
        self._fd = connection.fileno()
        protocol.connection_made(self)
        loop.add_reader(self._fd, self._go_on)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and not self._lost:
            self._scheduled = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Does what can be done, and asks for the descriptor to tell of more."""
        self._scheduled = False
        if self._lost:
            return
        try:
            busy = self._read_some()
            busy = self._write_some() or busy
            if self._lost:
                return
            if busy:
                # Others have their turn first.
                self._schedule()
                return
            wants_data = self._reading and not self._ended and not self._closing
            readable, writable = self._connection.arm(int(wants_data), int(bool(self._buffer)))
            if readable or writable:
                self._schedule()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._lose(error)

    def _read_some(self) -> bool:
        if not self._reading or self._ended or self._closing:
            return False
        try:
            data = self._connection.receiver.read(_READ, 0)
        except Timeout:
            return False
        if data:
            self._protocol.data_received(data)
            return True
        self._ended = True
        if not self._protocol.eof_received():
            self.close()
        return False

    def _write_some(self) -> bool:
        if not self._buffer:
            return False
        try:
            n = self._connection.sender.write(self._buffer, 0)
        except Timeout:
            return False
        del self._buffer[:n]
        self._wrote()
        return bool(self._buffer)

    def _wrote(self) -> None:
        if self._paused_writing and len(self._buffer) <= self._low:
            self._paused_writing = False
            self._protocol.resume_writing()
        if not self._buffer:
            if self._closing:
                self._lose(None)
            elif self._eof:
                self._connection.sender.close()

    def _lose(self, error: BaseException | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        self._buffer.clear()
        self._loop.remove_reader(self._fd)
        # In this order: who is told finds the connection closed.
        self._connection.close()
        told = error if error is None or isinstance(error, Exception) else None
        self._loop.call_soon(self._protocol.connection_lost, told)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._eof:
            raise RuntimeError("can't write after write_eof")
        if self._closing or not data:
            return
        if not self._buffer:
            try:
                n = self._connection.sender.write(data, 0)
            except Timeout:
                n = 0
            except Error as error:
                self._lose(error)
                return
            if n == len(data):
                return
            data = memoryview(data)[n:]
        self._buffer += data
        self._schedule()
        if not self._paused_writing and len(self._buffer) > self._high:
            self._paused_writing = True
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        if not self._eof and not self._closing:
            self._eof = True
            if not self._buffer:
                self._connection.sender.close()

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high if high is not None else (4 * low if low is not None else 1 << 16)
        self._low = low if low is not None else self._high // 4

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._schedule()

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self._buffer:
                self._lose(None)

    def abort(self) -> None:
        self._lose(None)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol


def _begin(
    loop: asyncio.AbstractEventLoop,
    connection: _native.Connection,
    limit: int,
    callback: Callback | None = None,
) -> tuple[asyncio.StreamReader, asyncio.StreamReaderProtocol, _Transport]:
    """Puts asyncio's streams over a connection, and calls `callback` with them."""
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, callback, loop=loop)
    return reader, protocol, _Transport(loop, connection, protocol)


async def _readable(fd: int) -> None:
    """Waits for a descriptor. Cancelling the task ends the wait."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(fd, tell)
    try:
        await ready
    finally:
        loop.remove_reader(fd)


async def _connect(path: StrPath) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect(address(path))
        return sock
    except BlockingIOError:
        sock.close()
    except OSError as error:
        sock.close()
        raise connect_error(error) from None
    # The listener's queue is full, and the kernel lets only a call that blocks wait for a place in it.
    waiting = asyncio.get_running_loop().run_in_executor(None, connect_blocking, path, Deadline(None))
    return await asyncio.shield(waiting)


async def open_connection(
    path: StrPath, *, limit: int = _LIMIT, to_server: int = 0, to_client: int = 0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connects to the listener at `path`: `asyncio.open_unix_connection`, over rings."""
    sock = await _connect(path)
    handshake = _native.Handshake(sock.detach(), server=False, to_server=to_server, to_client=to_client)
    try:
        while (connection := handshake.step()) is None:
            await _readable(handshake.fileno())
    except BaseException:
        handshake.close()
        raise
    loop = asyncio.get_running_loop()
    reader, protocol, transport = _begin(loop, connection, limit)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class Server:
    """What `start_server` gives: the interface of `asyncio.Server`."""

    def __init__(self, callback: Callback, path: StrPath, limit: int, **options: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._callback = callback
        self._limit = limit
        self._listener = listen(path, **options)
        self._closed = self._loop.create_future()
        self._fd = self._listener.fileno()
        self._loop.add_reader(self._fd, self._accept)

    def _accept(self) -> None:
        try:
            connection = self._listener.accept(0)
        except Timeout:
            return
        _begin(self._loop, connection, self._limit, self._callback)

    def close(self) -> None:
        """Stops listening. Connections that were accepted live on."""
        if not self._listener.closed:
            self._loop.remove_reader(self._fd)
            self._listener.close()
            if not self._closed.done():
                self._closed.set_result(None)

    async def wait_closed(self) -> None:
        """Waits until `close` was called."""
        await asyncio.shield(self._closed)

    def is_serving(self) -> bool:
        """Whether it listens."""
        return not self._listener.closed

    async def serve_forever(self) -> None:
        """Serves until the task is cancelled, and then closes."""
        try:
            await self.wait_closed()
        finally:
            self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        await self.wait_closed()


async def start_server(callback: Callback, path: StrPath, *, limit: int = _LIMIT, **options: Any) -> Server:
    """Listens at `path`, and calls `callback` with a reader and a writer for each client:
    `asyncio.start_unix_server`, over rings. The options are those of `spsc_shm.listen`.
    """
    return Server(callback, path, limit, **options)
