//! Open-file-description locks on single bytes of a file. The kernel drops one when the last
//! descriptor of its description goes, however the process ends and in whatever PID namespace.

use super::{last_error, retry};
use crate::status::Result;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

fn flock(kind: libc::c_int, bytes: Range<i64>) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: bytes.start,
        l_len: bytes.end - bytes.start,
        l_pid: 0, // must be 0 for OFD locks
    }
}

/// Locks `bytes` for the description of `fd`, all of them or none. False if another holds one.
pub(crate) fn acquire(fd: BorrowedFd<'_>, bytes: Range<i64>) -> Result<bool> {
    let lock = flock(libc::F_WRLCK, bytes);
    // SAFETY: the descriptor is open and `lock` valid.
    match retry(|| unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }) {
        Ok(_) => Ok(true),
        Err(error) if error.os_error() == Some(libc::EAGAIN) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Lets go of `bytes`.
pub(crate) fn release(fd: BorrowedFd<'_>, bytes: Range<i64>) {
    let lock = flock(libc::F_UNLCK, bytes);
    // SAFETY: the descriptor is open and `lock` valid. Unlocking fails only if there is no memory to
    // split a range. Then the lock goes with the descriptor.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
}

/// A file with locks that end with this value. Closing the file would not be enough: a child that
/// another thread has forked keeps the description until its `exec`.
#[derive(Debug)]
pub(crate) struct Held {
    file: OwnedFd,
    bytes: Range<i64>,
}

impl Held {
    /// `None` if another holds one of the locks.
    pub(crate) fn acquire(file: OwnedFd, bytes: Range<i64>) -> Result<Option<Self>> {
        Ok(acquire(file.as_fd(), bytes.clone())?.then_some(Self { file, bytes }))
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        release(self.file.as_fd(), self.bytes.clone());
    }
}

/// Whether a description other than that of `fd` holds a lock in `bytes`.
pub(crate) fn held_by_another(fd: BorrowedFd<'_>, bytes: Range<i64>) -> Result<bool> {
    let mut lock = flock(libc::F_WRLCK, bytes);
    // SAFETY: the descriptor is open and `lock` a valid place for the answer.
    if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) } == -1 {
        return Err(last_error());
    }
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}
