//! The doorbell of a connection: the socket on which the two sides of its rings wake each other where
//! one of them waits for a descriptor and not in a call. Its use of memory ordering is argued in the
//! [module above](super), under *doorbell*.

use super::Count;
use crate::sync::{AtomicU32, Ordering};
use crate::sys::bell as line;

/// One side's view of the socket, which belongs to the connection.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// The number of the descriptor plus 1. 0: the ring is not part of a connection, or no longer.
    socket: AtomicU32,
    /// Not 0 once the peer's end was seen closed.
    over: AtomicU32,
    /// How often this side was armed: the peer has no cause to ring more often.
    expected: Count,
}

impl Bell {
    /// From now on, wakes go by this socket, which stays open for as long as the bell is used.
    pub(crate) fn install(&self, socket: i32) {
        self.socket.store(socket.cast_unsigned() + 1, Ordering::Relaxed);
    }

    fn socket(&self) -> Option<i32> {
        let socket = self.socket.load(Ordering::Relaxed);
        socket.checked_sub(1).map(u32::cast_signed)
    }

    /// Whether the ring belongs to a connection.
    pub(crate) fn is_there(&self) -> bool {
        self.socket().is_some() || self.is_over()
    }

    /// Makes the peer's descriptor readable.
    pub(crate) fn ring(&self) {
        if let Some(socket) = self.socket() {
            line::ring(socket);
        }
    }

    /// The peer may ring once more.
    pub(crate) fn expect(&self) {
        self.expected.add();
    }

    /// How often the peer may have rung so far.
    pub(crate) fn expected(&self) -> u64 {
        self.expected.get()
    }

    /// Notes that the peer's end is closed.
    pub(crate) fn end(&self) {
        self.over.store(1, Ordering::Relaxed);
    }

    /// Whether the peer's end was seen closed.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) != 0
    }

    /// Looks whether the peer's end is closed. Makes a system call if there is a socket.
    pub(crate) fn has_hung_up(&self) -> bool {
        if !self.is_over() && self.socket().is_some_and(line::has_hung_up) {
            self.end();
        }
        self.is_over()
    }

    /// In a forked child: the connection is the parent's.
    pub(crate) fn disconnect(&self) -> Option<i32> {
        let socket = self.socket();
        if socket.is_some() {
            self.end();
            self.socket.store(0, Ordering::Relaxed);
        }
        socket
    }
}
