//! What a listener does with its path, and with the files beside it.

use super::file::{self, Identity, beyond_stdio};
use super::socket::Address;
use super::{last_error, retry};
use crate::status::{Error, Result, Status};
use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd};

/// The longest suffix of a name beside a socket's path.
pub(crate) const SUFFIX_MAX: usize = 8;

/// A NUL-terminated path, on the stack.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    bytes: [u8; Address::LONGEST + SUFFIX_MAX + 1],
    len: usize,
}

impl Path {
    /// `path` with `suffix` at its end.
    pub(crate) fn new(path: &[u8], suffix: &[u8]) -> Result<Self> {
        let mut bytes = [0; Address::LONGEST + SUFFIX_MAX + 1];
        let room = bytes.len() - 1;
        let mut to = &mut bytes[..room];
        let written = to.write_all(path).and_then(|()| to.write_all(suffix));
        if written.is_err() || path.is_empty() || path.contains(&0) {
            return Err(Status::InvalidName.into());
        }
        Ok(Self { bytes, len: path.len() + suffix.len() })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn as_ptr(&self) -> *const libc::c_char {
        self.bytes.as_ptr().cast()
    }

    /// Opens a file that others lock as well, and makes it if it is not there.
    pub(crate) fn open_lock_file(&self) -> Result<OwnedFd> {
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC | libc::O_NOFOLLOW;
        // SAFETY: the path is NUL-terminated.
        let fd = retry(|| unsafe { libc::open(self.as_ptr(), flags | libc::O_NONBLOCK, 0o600) })
            .map_err(not_found)?;
        // SAFETY: `open` gave a new descriptor, which is nobody else's.
        beyond_stdio(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// What stands under this path: which file, and whether it is a socket. `None` if nothing does.
    pub(crate) fn look(&self) -> Result<Option<(Identity, bool)>> {
        // SAFETY: a stat is plain numbers, for which zero is a valid value.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: the path is NUL-terminated, and `stat` a valid place for the answer.
        if unsafe { libc::lstat(self.as_ptr(), &raw mut stat) } == 0 {
            let is_socket = stat.st_mode & libc::S_IFMT == libc::S_IFSOCK;
            return Ok(Some((file::identity(&stat), is_socket)));
        }
        let error = last_error();
        if error.os_error() == Some(libc::ENOENT) { Ok(None) } else { Err(error) }
    }

    /// Sets the permission bits.
    pub(crate) fn set_mode(&self, mode: u32) -> Result<()> {
        // SAFETY: the path is NUL-terminated.
        retry(|| unsafe { libc::chmod(self.as_ptr(), mode) })?;
        Ok(())
    }

    /// Renames what has this path to `to`, in the place of what is there.
    pub(crate) fn rename(&self, to: &Self) -> Result<()> {
        // SAFETY: both paths are NUL-terminated.
        retry(|| unsafe { libc::rename(self.as_ptr(), to.as_ptr()) })?;
        Ok(())
    }

    /// Removes what has this path, if anything has.
    pub(crate) fn remove(&self) {
        // SAFETY: the path is NUL-terminated.
        unsafe { libc::unlink(self.as_ptr()) };
    }
}

fn not_found(error: Error) -> Error {
    match error.os_error() {
        Some(libc::ENOENT) => error.with_status(Status::NotFound),
        _ => error,
    }
}
