"""A lock-free single-producer single-consumer ring in shared memory.

Two processes stream bytes or messages to each other without a copy and, while both are busy, without a
system call. The other process may be written in C, C++, Go, Rust or Python::

    import spsc_shm

    # One process:
    with spsc_shm.Ring.create("/greetings", 65536) as ring:
        ring.producer().send(b"hello")

    # Another:
    with spsc_shm.Ring.connect("/greetings") as ring:
        spsc_shm.unlink("/greetings")  # both have it open
        for message in ring.consumer():
            print(bytes(message))

`open` is the built-in `open` for rings. `listen` and `dial` make connections, `spsc_shm.aio` has them for
asyncio, and `Pipe` for `multiprocessing`. Timeouts are in seconds: `None` is for ever, and 0 not at all.
"""

from ._connection import Listener, dial, listen
from ._errors import (
    AlreadyExists,
    Closed,
    Corrupt,
    Error,
    Interrupted,
    InvalidArgument,
    InvalidName,
    Misuse,
    NoMemory,
    NoSpace,
    NotARing,
    NotFound,
    NotReady,
    PeerDead,
    PermissionDenied,
    RoleTaken,
    Status,
    SystemFailure,
    Timeout,
    TooLarge,
    VersionMismatch,
)
from ._native import Claim, Connection, Consumer, Message, Peek, Producer, Ring, unlink, wait_any
from ._process import Pipe, PipeConnection
from ._stream import open

__all__ = [
    "AlreadyExists",
    "Claim",
    "Closed",
    "Connection",
    "Consumer",
    "Corrupt",
    "Error",
    "Interrupted",
    "InvalidArgument",
    "InvalidName",
    "Listener",
    "Message",
    "Misuse",
    "NoMemory",
    "NoSpace",
    "NotARing",
    "NotFound",
    "NotReady",
    "Peek",
    "PeerDead",
    "PermissionDenied",
    "Pipe",
    "PipeConnection",
    "Producer",
    "Ring",
    "RoleTaken",
    "Status",
    "SystemFailure",
    "Timeout",
    "TooLarge",
    "VersionMismatch",
    "dial",
    "listen",
    "open",
    "unlink",
    "wait_any",
]
