//! A byte on a socket: what wakes a peer that waits for a descriptor.

use super::errno;
use super::socket::{self, Flag};
use crate::status::{Result, Status};
use std::os::fd::{AsFd, BorrowedFd, RawFd};

/// How often to try again where the kernel is short of memory for a byte.
const TRIES: usize = 1000;

/// Sends one byte. If that fails, the peer is gone, or has a queue full of unread bytes: it will look in
/// either case. Async-signal-safe.
pub(crate) fn ring(socket: RawFd) {
    let byte = 0u8;
    let how = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    for _ in 0..TRIES {
        // SAFETY: the byte is valid for the call. A number that is no open socket is an error.
        let sent = unsafe { libc::send(socket, (&raw const byte).cast(), 1, how) };
        let is_over = matches!(
            errno(),
            libc::EAGAIN
                | libc::EPIPE
                | libc::ECONNRESET
                | libc::ENOTCONN
                | libc::EBADF
                | libc::ENOTSOCK
        );
        if sent == 1 || is_over {
            break;
        }
        // Nobody would ring for it again.
        // SAFETY: takes no arguments.
        unsafe { libc::sched_yield() };
    }
}

/// The most bytes that one [`drain`] reads.
pub(crate) const MOST: u64 = 64;

/// Reads bytes that are there, and says how many: all, if it is fewer than [`MOST`] and the socket keeps
/// no bounds between messages. `Closed` at the end.
pub(crate) fn drain(socket: RawFd) -> Result<u64> {
    let mut bytes = [0; MOST as usize];
    // SAFETY: the number is used during the call only. If it is no open socket, that is an error.
    match socket::receive(unsafe { BorrowedFd::borrow_raw(socket) }, &mut bytes) {
        Ok(None) => Ok(0),
        Ok(Some(0)) => Err(Status::Closed.into()),
        Ok(Some(n)) => Ok(n as u64),
        // In a forked child there is no socket any more.
        Err(error) if matches!(error.os_error(), Some(libc::EBADF | libc::ENOTSOCK)) => {
            Err(Status::Closed.into())
        }
        Err(error) => Err(error),
    }
}

/// Whether the peer's end is closed.
pub(crate) fn has_hung_up(socket: RawFd) -> bool {
    let mut looked = libc::pollfd { fd: socket, events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one valid pollfd; the call does not wait.
    let ready = unsafe { libc::poll(&raw mut looked, 1, 0) };
    ready == 1 && looked.revents & (libc::POLLRDHUP | libc::POLLHUP | libc::POLLNVAL) != 0
}

/// What ends a [`sleep`] from within the process.
#[derive(Debug)]
pub(crate) struct Kick(Flag);

impl Kick {
    pub(crate) fn new(_socket: RawFd) -> Result<Self> {
        Flag::new().map(Self)
    }

    /// Async-signal-safe.
    pub(crate) fn raise(&self) {
        self.0.raise();
    }

    /// Takes back what was raised.
    pub(crate) fn take(&self) {
        self.0.take();
    }
}

/// Sleeps until there is a byte, or the end, or a kick, or it is `deadline`.
pub(crate) fn sleep(socket: RawFd, kick: &Kick, deadline: u64) {
    // SAFETY: the number is used during the call only. If it is no open socket, there is no sleep.
    let socket = unsafe { BorrowedFd::borrow_raw(socket) };
    // Whatever ends it, the caller looks.
    let _ = socket::wait_readable(&[socket, kick.0.as_fd()], deadline);
}
