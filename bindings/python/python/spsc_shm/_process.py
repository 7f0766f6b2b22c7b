"""Connections for `multiprocessing`: `Pipe`, with two rings in the place of a socket."""

import contextlib
import os
import pickle
import select
import socket
from multiprocessing import reduction
from multiprocessing.context import assert_spawning
from typing import Any

from . import _native
from ._connection import Closing, Deadline, finish
from ._errors import PeerDead, Timeout

_MESSAGE_MAX = 1 << 40


class PipeConnection(Closing):
    """One end of a `Pipe`, with the methods of `multiprocessing`'s own connections.

    It may be given to a process, by fork or by spawn, until it is used. Its first use waits for the other
    end's first: start the process before you send.
    """

    def __init__(self, sock: socket.socket, server: bool) -> None:
        self._sock: socket.socket | None = sock
        self._server = server
        self._connection: _native.Connection | None = None
        self._epoll: select.epoll | None = None
        self._ready_fd = -1

    def _met(self) -> _native.Connection:
        """The connection, which is made at the first use."""
        if self._connection is not None:
            return self._connection
        if self._sock is None:
            raise OSError("handle is closed")
        handshake = _native.Handshake(os.dup(self._sock.fileno()), server=self._server)
        connection = finish(handshake, Deadline(None))
        connection.receiver.set_max_message(_MESSAGE_MAX)
        self._sock.close()
        self._sock = None
        self._connection = connection
        return connection

    def send(self, obj: Any) -> None:
        """Sends an object, pickled."""
        self.send_bytes(reduction.ForkingPickler.dumps(obj))

    def recv(self) -> Any:
        """Waits for an object. Raises `EOFError` at the end."""
        with self._met().receiver.receive() as message, memoryview(message) as view:
            return pickle.loads(view)

    def send_bytes(self, buf: Any, offset: int = 0, size: int | None = None) -> None:
        """Sends bytes as one message."""
        view = memoryview(buf).cast("B")
        end = len(view) if size is None else offset + size
        if not 0 <= offset <= end <= len(view):
            raise ValueError("offset and size are beyond the buffer")
        self._met().sender.send(view[offset:end])

    def recv_bytes(self, maxlength: int | None = None) -> bytes:
        """Waits for a message of bytes."""
        with self._met().receiver.receive() as message:
            if maxlength is not None and len(message) > maxlength:
                raise OSError("bad message length")
            return bytes(message)

    def recv_bytes_into(self, buf: Any, offset: int = 0) -> int:
        """Waits for a message of bytes, and writes it into a buffer. Gives its length."""
        target = memoryview(buf).cast("B")
        with self._met().receiver.receive() as message:
            if offset < 0 or offset + len(message) > len(target):
                raise ValueError("the buffer is too short")
            target[offset : offset + len(message)] = bytes(message)
            return len(message)

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Whether there is something to receive, or the end, within `timeout` seconds."""
        if self._connection is None:
            return bool(select.select([self.fileno()], [], [], timeout)[0])
        try:
            self._connection.receiver.wait_for_data(1, timeout)
        except Timeout:
            return False
        except (EOFError, PeerDead):
            pass
        return True

    def fileno(self) -> int:
        """A descriptor that is readable while there is something to receive, as of this call and until
        something comes. `multiprocessing.connection.wait` asks for it each time.
        """
        if self._connection is None:
            if self._sock is None:
                raise OSError("handle is closed")
            return self._sock.fileno()
        if self._epoll is None:
            self._ready_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._epoll = select.epoll()
            self._epoll.register(self._ready_fd, select.EPOLLIN)
            self._epoll.register(self._connection.fileno(), select.EPOLLIN)
        readable, _ = self._connection.arm(1, 0)
        if readable:
            os.eventfd_write(self._ready_fd, 1)
        else:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._ready_fd)
        return self._epoll.fileno()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._sock is None and self._connection is None

    @property
    def readable(self) -> bool:
        """True."""
        return True

    @property
    def writable(self) -> bool:
        """True."""
        return True

    def close(self) -> None:
        """Closes this end. The other reads what was sent, and then the end."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._epoll is not None:
            self._epoll.close()
            os.close(self._ready_fd)
            self._epoll = None

    def __del__(self) -> None:
        # Everything else closes itself.
        if getattr(self, "_epoll", None) is not None:
            os.close(self._ready_fd)

    def __reduce__(self) -> tuple[Any, ...]:
        assert_spawning(self)
        if self._sock is None:
            raise TypeError("a connection that is in use stays with its process")
        return _rebuild, (reduction.DupFd(self._sock.fileno()), self._server)


def _rebuild(handed: Any, server: bool) -> PipeConnection:
    return PipeConnection(socket.socket(fileno=handed.detach()), server)


def Pipe() -> tuple[PipeConnection, PipeConnection]:
    """Two ends of a connection, for one process each; both send and receive."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return PipeConnection(one, True), PipeConnection(other, False)
