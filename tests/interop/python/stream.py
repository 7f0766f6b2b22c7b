"""What all four programs share: see ../README.md."""

import os
import signal
import sys

import spsc_shm

_MASK = (1 << 64) - 1


class Stream:
    """The arguments, the ring, and the numbers."""

    def __init__(self) -> None:
        _, name, count, seed, end = sys.argv
        self.count, self.killed = int(count), end == "kill"
        self._state = int(seed) * 2 + 1
        self.ring = spsc_shm.Ring.connect(name, 10)

    def _next(self) -> int:
        state = self._state
        state ^= state >> 12
        state ^= state << 25 & _MASK
        state ^= state >> 27
        self._state = state
        return state * 0x2545F4914F6CDD1D & _MASK

    def _bytes(self, length: int) -> bytes:
        base = self._next().to_bytes(8, "little")
        return bytes(base[j & 7] ^ (j >> 3 & 0xFF) for j in range(length))

    def message(self) -> bytes:
        """The next message of bytes: length, checksum, payload."""
        payload = self._bytes(self._next() % 1500)
        checksum = 0x811C9DC5
        for byte in payload:
            checksum = (checksum ^ byte) * 0x01000193 & 0xFFFFFFFF
        return len(payload).to_bytes(4, "little") + checksum.to_bytes(4, "little") + payload

    def tagged(self) -> tuple[int, bytes]:
        """The next message of the library's own framing: tag and payload."""
        kind = self._next() % 4
        length = self._next() % (16385 if kind == 0 else 300)
        tag = self._next() & 0xFFFFFFFF
        return tag, self._bytes(length)

    def end(self) -> None:
        """The producer's end."""
        if self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        self.ring.close()

    @property
    def last(self) -> type[spsc_shm.Error]:
        """What the consumer must get after the last message."""
        return spsc_shm.PeerDead if self.killed else spsc_shm.Closed
