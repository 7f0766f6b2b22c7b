//! The path of a listener: who may have it, and what tells a path in use from one whose listener is
//! gone.
//!
//! A socket's file stays when its process dies. So each listener holds a lock on a file beside it,
//! `PATH.lock`, which the kernel drops with the process. Whoever has the lock may take the path over. Of
//! two that race for it, one gets the lock, and the other learns that the path is taken. The new socket
//! is bound under a name beside the path and then renamed, so that a client finds either the old one or
//! one that listens.

use crate::status::{Result, Status};
use crate::sys::file::{self, Identity};
use crate::sys::path::Path;
use crate::sys::socket::{self, Address};
use crate::sys::{clock, lock};
use std::os::fd::{AsFd, OwnedFd};

/// A path at which a socket of this process listens.
#[derive(Debug)]
pub(super) struct BoundPath {
    path: Path,
    /// Which file the socket is.
    identity: Identity,
    lock_path: Path,
    /// Holds the lock until [`remove`](Self::remove), and not until it is dropped: a forked child drops
    /// its copy.
    lock: OwnedFd,
}

/// A socket that listens at `path`, with these permission bits.
pub(super) fn bind(path: &[u8], mode: u32, backlog: u32) -> Result<(OwnedFd, BoundPath)> {
    let address = Address::new(path)?;
    let (path, lock_path) = (Path::new(path, b"")?, Path::new(path, b".lock")?);
    let lock = take_lock(&lock_path)?;
    match bind_locked(&path, &address, mode, backlog) {
        Ok((socket, identity)) => Ok((socket, BoundPath { path, identity, lock_path, lock })),
        Err(error) => {
            let_go(&lock_path, &lock);
            Err(error)
        }
    }
}

/// The same, for who holds the path's lock; and which file the socket is.
fn bind_locked(
    path: &Path,
    address: &Address,
    mode: u32,
    backlog: u32,
) -> Result<(OwnedFd, Identity)> {
    match path.look()? {
        // A server of another make holds no lock of ours. It answers, though.
        Some((_, true)) if !is_abandoned(address) => return Err(Status::AlreadyExists.into()),
        Some((_, false)) => return Err(Status::AlreadyExists.into()),
        _ => {}
    }
    let new = Path::new(path.as_bytes(), b".new")?;
    // Left by a process that died on the way.
    new.remove();
    let socket = socket::bind(&Address::new(new.as_bytes())?)?;
    let listening = || {
        new.set_mode(mode)?;
        socket::listen(socket.as_fd(), backlog)?;
        let (identity, _) = new.look()?.ok_or(Status::System)?;
        new.rename(path)?;
        Ok(identity)
    };
    match listening() {
        Ok(identity) => Ok((socket, identity)),
        Err(error) => {
            new.remove();
            Err(error)
        }
    }
}

/// Whether nobody listens at `address`. Where that can't be told, somebody may.
fn is_abandoned(address: &Address) -> bool {
    socket::connect(address, clock::now()).is_err_and(|error| error.status() == Status::NotFound)
}

/// The lock of the file, which counts if the file that was locked still has its path: its last holder
/// removes it.
fn take_lock(path: &Path) -> Result<OwnedFd> {
    loop {
        let file = path.open_lock_file()?;
        if !lock::acquire(file.as_fd(), 0..1)? {
            return Err(Status::AlreadyExists.into());
        }
        let opened = file::metadata(file.as_fd())?.identity;
        if path.look()?.is_some_and(|(named, _)| named == opened) {
            return Ok(file);
        }
    }
}

impl BoundPath {
    /// Removes what this listener has put there, and nothing of another's.
    pub(super) fn remove(&self) {
        if matches!(self.path.look(), Ok(Some((there, _))) if there == self.identity) {
            self.path.remove();
        }
        let_go(&self.lock_path, &self.lock);
    }
}

/// Ends the lock, by name: a child that another thread has forked keeps a copy of the descriptor until
/// its `exec`.
fn let_go(path: &Path, lock: &OwnedFd) {
    // While it is still held.
    path.remove();
    lock::release(lock.as_fd(), 0..1);
}
