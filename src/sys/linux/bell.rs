//! A byte on a socket: what wakes a peer that waits for a descriptor.

use std::os::fd::RawFd;

/// Sends one byte. If that fails, the peer is gone, or has a queue full of unread bytes: it will look in
/// either case. Async-signal-safe.
pub(crate) fn ring(socket: RawFd) {
    let byte = 0u8;
    let how = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the byte is valid for the call. A number that is no open socket is an error.
    unsafe { libc::send(socket, (&raw const byte).cast(), 1, how) };
}

/// Whether the peer's end is closed.
pub(crate) fn has_hung_up(socket: RawFd) -> bool {
    let mut looked = libc::pollfd { fd: socket, events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one valid pollfd; the call does not wait.
    let ready = unsafe { libc::poll(&raw mut looked, 1, 0) };
    ready == 1 && looked.revents & (libc::POLLRDHUP | libc::POLLHUP | libc::POLLNVAL) != 0
}
