"""The exceptions, one for each status of the library."""

import enum
import errno


class Status(enum.IntEnum):
    """How a call ended. The numbers are those of the C interface."""

    TIMEOUT = 1
    INTERRUPTED = 2
    CLOSED = 3
    PEER_DEAD = 4
    INVALID_ARGUMENT = -1
    INVALID_NAME = -2
    ALREADY_EXISTS = -3
    NOT_FOUND = -4
    PERMISSION = -5
    NO_SPACE = -6
    NO_MEMORY = -7
    NOT_READY = -8
    NOT_A_RING = -9
    VERSION = -10
    ROLE_TAKEN = -11
    TOO_LARGE = -12
    MISUSE = -13
    CORRUPT = -14
    SYSTEM = -15


class Error(OSError):
    """What the library's calls raise. `status` says which of its outcomes it is."""

    status: Status = Status.SYSTEM


class Timeout(Error, TimeoutError):
    """The time ran out first."""

    status = Status.TIMEOUT


class Interrupted(Error):
    """`interrupt` or `wakeup_all` was called."""

    status = Status.INTERRUPTED


class Closed(Error, EOFError):
    """The other side closed its end: what is asked for can't come until somebody takes its place."""

    status = Status.CLOSED


class PeerDead(Error, ConnectionError):
    """The other side's process died without closing."""

    status = Status.PEER_DEAD


class InvalidArgument(Error, ValueError):
    """A bad descriptor or option, or a capacity that can't be represented."""

    status = Status.INVALID_ARGUMENT


class InvalidName(Error, ValueError):
    """A name that is empty, too long, a dot name, or has a slash other than one leading."""

    status = Status.INVALID_NAME


class AlreadyExists(Error, FileExistsError):
    """The name is taken, or somebody listens at the path."""

    status = Status.ALREADY_EXISTS


class NotFound(Error, FileNotFoundError):
    """There is no ring of this name, or nobody listens at the path."""

    status = Status.NOT_FOUND


class PermissionDenied(Error, PermissionError):
    """The operating system refused access."""

    status = Status.PERMISSION


class NoSpace(Error):
    """The shared-memory file system can't hold the ring."""

    status = Status.NO_SPACE


class NoMemory(Error):
    """Out of memory, address space or descriptors."""

    status = Status.NO_MEMORY


class NotReady(Error):
    """The ring's creator has not finished, or the ring was replaced under its name."""

    status = Status.NOT_READY


class NotARing(Error):
    """What is there is no ring, or is not sealed, or nobody listens there who speaks this protocol."""

    status = Status.NOT_A_RING


class VersionMismatch(Error):
    """The other side has another version, or pages of another size."""

    status = Status.VERSION


class RoleTaken(Error):
    """Another live process, or another handle, already has this role."""

    status = Status.ROLE_TAKEN


class TooLarge(Error, ValueError):
    """More than the capacity: it could never be satisfied."""

    status = Status.TOO_LARGE


class Misuse(Error, ValueError):
    """More than was claimed or peeked, or an end of the parent's in a forked child."""

    status = Status.MISUSE


class Corrupt(Error):
    """The shared counters contradict each other, or what is there is no message."""

    status = Status.CORRUPT


class SystemFailure(Error):
    """Any other error of the operating system."""

    status = Status.SYSTEM


# Those without an error number of the system's get the one that a file or a socket would give.
_KINDS: dict[int, tuple[type[Error], int]] = {
    Status.TIMEOUT: (Timeout, errno.ETIMEDOUT),
    Status.INTERRUPTED: (Interrupted, errno.ECANCELED),
    Status.CLOSED: (Closed, errno.EPIPE),
    Status.PEER_DEAD: (PeerDead, errno.ECONNRESET),
    Status.INVALID_ARGUMENT: (InvalidArgument, errno.EINVAL),
    Status.INVALID_NAME: (InvalidName, errno.EINVAL),
    Status.ALREADY_EXISTS: (AlreadyExists, errno.EEXIST),
    Status.NOT_FOUND: (NotFound, errno.ENOENT),
    Status.PERMISSION: (PermissionDenied, errno.EACCES),
    Status.NO_SPACE: (NoSpace, errno.ENOSPC),
    Status.NO_MEMORY: (NoMemory, errno.ENOMEM),
    Status.NOT_READY: (NotReady, errno.EAGAIN),
    Status.NOT_A_RING: (NotARing, errno.EINVAL),
    Status.VERSION: (VersionMismatch, errno.EPROTO),
    Status.ROLE_TAKEN: (RoleTaken, errno.EBUSY),
    Status.TOO_LARGE: (TooLarge, errno.EMSGSIZE),
    Status.MISUSE: (Misuse, errno.EINVAL),
    Status.CORRUPT: (Corrupt, errno.EBADMSG),
    Status.SYSTEM: (SystemFailure, errno.EIO),
}


def from_status(status: int, number: int | None, text: str) -> Error:
    """The exception for a status, with the system's error number if there is one."""
    kind, usual = _KINDS.get(status, (SystemFailure, errno.EIO))
    return kind(number or usual, text)
