"""Connections for programs that wait in calls."""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from . import _native
from ._errors import Status, from_status

StrPath = str | os.PathLike[str]


class Deadline:
    """What is left of a timeout."""

    def __init__(self, timeout: float | None) -> None:
        if timeout is not None and timeout < 0:
            raise ValueError("a timeout is not negative")
        self._at = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def wait_readable(self, fd: int) -> None:
        """Waits for a descriptor. A signal's handler runs meanwhile, and may raise."""
        left = self.left()
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(None if left is None else left * 1000):
            raise from_status(Status.TIMEOUT, None, "the time ran out first")


def address(path: StrPath) -> str:
    """A path as a socket's address. A leading @ or NUL would not be a file's."""
    text = os.fspath(path)
    return text if text.startswith("/") else os.path.join(".", text)


def connect_error(error: OSError) -> OSError:
    """What a socket raised, as the library says it."""
    if error.errno is None:
        # Python's own check of the address.
        return from_status(Status.INVALID_NAME, None, "the path is too long")
    status = {
        errno.ENOENT: Status.NOT_FOUND,
        errno.ENOTDIR: Status.NOT_FOUND,
        errno.ECONNREFUSED: Status.NOT_FOUND,
        errno.EACCES: Status.PERMISSION,
        errno.EPERM: Status.PERMISSION,
        errno.EPROTOTYPE: Status.NOT_A_RING,
        errno.EAGAIN: Status.TIMEOUT,
    }.get(error.errno, Status.SYSTEM)
    return from_status(status, error.errno, os.strerror(error.errno))


def connect_blocking(path: StrPath, deadline: Deadline) -> socket.socket:
    """A socket that is connected to whoever listens at `path`, once there is room in its queue."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        left = deadline.left()
        if left is not None:
            # The kernel waits for a place in the queue only in a call that blocks. 0 is for ever.
            seconds, fraction = divmod(max(left, 1e-6), 1)
            limit = struct.pack("@ll", int(seconds), int(fraction * 1e6))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        sock.connect(address(path))
    except OSError as error:
        sock.close()
        raise connect_error(error) from None
    except BaseException:
        sock.close()
        raise
    return sock


def finish(handshake: _native.Handshake, deadline: Deadline) -> _native.Connection:
    """Goes through a handshake."""
    try:
        while (connection := handshake.step()) is None:
            deadline.wait_readable(handshake.fileno())
        return connection
    except BaseException:
        handshake.close()
        raise


def dial(
    path: StrPath, timeout: float | None = None, *, to_server: int = 0, to_client: int = 0
) -> _native.Connection:
    """Connects to the listener at `path`, and waits until it accepts.

    `to_server` and `to_client` are bytes of the two rings, at least; the server's choice counts.
    """
    deadline = Deadline(timeout)
    sock = connect_blocking(path, deadline)
    handshake = _native.Handshake(sock.detach(), server=False, to_server=to_server, to_client=to_client)
    return finish(handshake, deadline)


class Closing:
    """Is closed at the end of a `with` block."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Listener(Closing):
    """Waits for clients at a path: what `listen` gives. Iterating over it accepts for ever."""

    def __init__(self, native: _native.Listener, path: str) -> None:
        self._native = native
        self.path = path

    def accept(self, timeout: float | None = None) -> _native.Connection:
        """The next client's connection. No client keeps another waiting."""
        deadline = Deadline(timeout)
        while (connection := self._native.accept()) is None:
            deadline.wait_readable(self._native.fileno())
        return connection

    def fileno(self) -> int:
        """The descriptor, which is readable whenever `accept(0)` has something to do."""
        return self._native.fileno()

    def close(self) -> None:
        """Stops listening, and removes the path."""
        self._native.close()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._native.closed

    def __iter__(self) -> Iterator[_native.Connection]:
        while True:
            yield self.accept()


def listen(
    path: StrPath,
    *,
    to_server: int = 0,
    to_client: int = 0,
    mode: int = 0o600,
    backlog: int = 128,
    prefault: bool = False,
    spin: float | None = None,
) -> Listener:
    """Listens at `path`, the file of a Unix socket. A path whose listener is gone is taken over.

    `to_server` and `to_client` are bytes of a connection's two rings; 0 leaves them to the client.
    """
    text = os.fspath(path)
    native = _native.Listener(text, to_server, to_client, mode, backlog, prefault, spin)
    return Listener(native, text)
