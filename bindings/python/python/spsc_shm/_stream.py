"""The built-in `open`, for rings."""

import contextlib
import io
from typing import IO, Any

from . import _native
from ._errors import AlreadyExists, Timeout

_CAPACITY = 1 << 20


class _RingFile(io.RawIOBase):
    """A raw stream that closes its ring."""

    def __init__(self, ring: _native.Ring) -> None:
        super().__init__()
        self._ring = ring

    def close(self) -> None:
        if not self.closed:
            try:
                super().close()
            finally:
                self._ring.close()


class RingReader(_RingFile):
    """The end of a ring that reads, as a raw stream. A closed producer is the end of the file."""

    def __init__(self, ring: _native.Ring) -> None:
        super().__init__(ring)
        self._consumer = ring.consumer()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._consumer.readinto(buffer)


class RingWriter(_RingFile):
    """The end of a ring that writes, as a raw stream. Closing it ends the file."""

    def __init__(self, ring: _native.Ring) -> None:
        super().__init__(ring)
        self._producer = ring.producer()
        # Takes the role: even if nothing is written, the reader is to learn of the end.
        with contextlib.suppress(Timeout):
            self._producer.wait_for_space(1, 0)

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self._producer.write(data)


def open(
    name: str | int,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    *,
    capacity: int = _CAPACITY,
    timeout: float | None = None,
) -> IO[Any]:
    """Opens a ring as a file, with the modes of the built-in `open`.

    "r" connects to the ring of this name, and waits up to `timeout` seconds for it to appear. "w" makes it,
    with `capacity` bytes, or connects to it if it is there; a leftover that nobody uses is made anew. "x"
    makes it, and raises `FileExistsError` if it is there. A number for a name is the descriptor of a ring
    without one. The file has an end once the writer closes it; if the writer dies, reading raises
    `PeerDead`.
    """
    kinds = set(mode) - {"b", "t"}
    if len(mode) != len(set(mode)) or len(kinds) != 1 or not kinds <= set("rwx"):
        raise ValueError(f"invalid mode: {mode!r}")
    if {"b", "t"} <= set(mode):
        raise ValueError("can't have text and binary mode at once")
    binary, kind = "b" in mode, kinds.pop()
    if binary and (encoding is not None or errors is not None or newline is not None):
        raise ValueError("binary mode takes no encoding, errors or newline argument")
    if buffering == 0 and not binary:
        raise ValueError("can't have unbuffered text I/O")
    if isinstance(name, int):
        ring = _native.Ring.from_fd(name)
    elif kind == "r":
        ring = _native.Ring.connect(name, timeout)
    else:
        try:
            ring = _native.Ring.create(name, capacity, replace_stale=kind == "w")
        except AlreadyExists:
            if kind == "x":
                raise
            ring = _native.Ring.connect(name, timeout)
    try:
        raw = RingReader(ring) if kind == "r" else RingWriter(ring)
    except BaseException:
        ring.close()
        raise
    if buffering == 0:
        return raw  # type: ignore[return-value]
    size = buffering if buffering > 1 else 1 << 16
    buffered = io.BufferedReader(raw, size) if isinstance(raw, RingReader) else io.BufferedWriter(raw, size)
    if binary:
        return buffered
    return io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)
