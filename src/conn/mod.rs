//! A connection: two rings without names, and the socket over which they were handed.
//!
//! The socket stays open beside the rings. It carries the doorbell, and its end tells of the peer's. Why
//! no doorbell is lost is argued in `wait/mod.rs`, under *doorbell*.

mod handshake;
mod hello;
mod listener;
mod path;

pub(crate) use handshake::{Ends, Role, dial, meet};
pub(crate) use listener::Listener;

use crate::cursor::{Rx, Tx};
use crate::endpoint::Endpoint;
use crate::handle::{End, Handle};
use crate::options::Options;
use crate::status::{Result, Status};
use crate::sys::barrier;
use crate::sys::socket::{self, Credentials};
use crate::wait::Arming;
use crate::wait::any::Glance;
use crate::wait::spin::SPIN_ADAPTIVE;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What can be chosen for a listener, or for one connection.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Bytes of the ring from the client to the server; 0 leaves it to the other end.
    pub to_server: u64,
    /// Bytes of the ring from the server to the client.
    pub to_client: u64,
    /// How long a wait may spin. The server's choice holds for both ends.
    pub spin_ns: u64,
    /// Whether to enter all pages into the page tables at once.
    pub prefault: bool,
    /// Permission bits of the socket's path.
    pub mode: u32,
    /// How many clients may be on their way in.
    pub backlog: u32,
}

impl Settings {
    pub(crate) const DEFAULT: Self = Self {
        to_server: 0,
        to_client: 0,
        spin_ns: SPIN_ADAPTIVE,
        prefault: false,
        mode: 0o600,
        backlog: 128,
    };

    fn check(&self) -> Result<()> {
        let fits = self.mode & !0o777 == 0 && (1..=4096).contains(&self.backlog);
        if fits { Ok(()) } else { Err(Status::InvalidArgument.into()) }
    }

    fn ring_options(&self) -> Options {
        Options { spin_ns: self.spin_ns, prefault: self.prefault, ..Options::new() }
    }
}

/// The socket of a connection, and what is known of the peer by it.
#[derive(Debug)]
pub(crate) struct Line {
    socket: OwnedFd,
    credentials: Credentials,
    /// `None` where the kernel gives none. Asked for once.
    pidfd: OnceLock<Option<OwnedFd>>,
    /// Doorbells that were read.
    rung: AtomicU64,
}

/// In place of the number of doorbells: more came than a peer has cause to send.
const FLOODED: u64 = u64::MAX;

impl Line {
    fn new(socket: OwnedFd, credentials: Credentials) -> Self {
        Self { socket, credentials, pidfd: OnceLock::new(), rung: AtomicU64::new(0) }
    }

    pub(crate) fn credentials(&self) -> Credentials {
        self.credentials
    }

    /// A descriptor of the peer's process.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        let ask = || socket::peer_pidfd(self.socket.as_fd());
        self.pidfd.get_or_init(ask).as_ref().map(AsFd::as_fd)
    }

    /// Reads the doorbells that have come, of which there may be `expected` since the beginning. False
    /// at the end of the connection. More than expected is `Corrupt`, now and ever after: so a peer
    /// that floods the socket keeps nobody busy.
    fn drain(&self, expected: impl Fn() -> u64) -> Result<bool> {
        let mut bytes = [0; 64];
        while self.rung.load(Ordering::Relaxed) <= expected() {
            match socket::receive(self.socket.as_fd(), &mut bytes) {
                Ok(None) => return Ok(true),
                // In a forked child there is no socket any more.
                Ok(Some(0)) | Err(_) => return Ok(false),
                Ok(Some(n)) => self.rung.fetch_add(n as u64, Ordering::Relaxed),
            };
        }
        self.rung.store(FLOODED, Ordering::Relaxed);
        Err(Status::Corrupt.into())
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What can be done on a connection without waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// The data that was asked for is there, or can't come: the next peek says which.
    pub readable: bool,
    /// The space that was asked for is free, or can't become so: the next claim says which.
    pub writable: bool,
}

impl Readiness {
    /// Whether anything can be done.
    #[must_use]
    pub fn any(self) -> bool {
        self.readable || self.writable
    }
}

/// One end of a connection. The rings come first, so that they close before the socket does: whoever
/// sees its end sees that they are closed.
pub(crate) struct Conn {
    pub sender: Box<Handle>,
    pub receiver: Box<Handle>,
    pub line: Line,
}

impl Conn {
    /// The connection that a handshake on this socket led to.
    pub(crate) fn new(Ends { sender, receiver, peer }: Ends, socket: OwnedFd) -> Self {
        let number = socket.as_raw_fd();
        sender.bell::<Tx>().install(number);
        receiver.bell::<Rx>().install(number);
        Self { sender, receiver, line: Line::new(socket, peer) }
    }

    /// As [`arm`].
    ///
    /// # Safety
    /// The caller is the only one who produces into the sender and who consumes from the receiver, as
    /// far as it asks.
    #[cfg(feature = "capi")]
    pub(crate) unsafe fn arm(&self, need_data: u64, need_space: u64) -> Result<Readiness> {
        // SAFETY: the caller's promise.
        unsafe { arm(&self.line, &self.sender, &self.receiver, need_data, need_space) }
    }
}

/// Asks for the descriptor of `line` to become readable once `need_data` bytes are there, or
/// `need_space` are free; 0 does not ask, and takes back what was asked. What is so already is returned,
/// and only if nothing is, the line is armed.
///
/// # Safety
/// As [`Conn::arm`].
pub(crate) unsafe fn arm(
    line: &Line,
    sender: &Handle,
    receiver: &Handle,
    need_data: u64,
    need_space: u64,
) -> Result<Readiness> {
    // SAFETY: the caller's promise.
    let (mut data, mut space) =
        unsafe { (Asked::<Rx>::new(receiver, need_data), Asked::<Tx>::new(sender, need_space)) };
    let mut ready = Readiness { readable: data.glance(), writable: space.glance() };
    if !ready.any() {
        let expected = || sender.bell::<Tx>().expected() + receiver.bell::<Rx>().expected();
        if !line.drain(expected)? {
            sender.bell::<Tx>().end();
            receiver.bell::<Rx>().end();
        }
        let armed = (data.arm()?, space.arm()?);
        if armed.0 == Arming::Announced || armed.1 == Arming::Announced {
            // park: pairs with the light barrier in `needs_wakeup`. If the kernel refuses, the other
            // side fences.
            let _ = barrier::heavy();
        }
        ready.readable = data.confirm(armed.0)?;
        ready.writable = space.confirm(armed.1)?;
    }
    if ready.any() {
        sender.disarm::<Tx>();
        receiver.disarm::<Rx>();
    }
    Ok(ready)
}

/// One direction, of which something may be asked.
struct Asked<'a, S> {
    handle: &'a Handle,
    need: u64,
    side: PhantomData<S>,
}

impl<'a, S: End> Asked<'a, S> {
    /// # Safety
    /// If `need` is not 0, the caller is the only one on this side of this handle.
    unsafe fn new(handle: &'a Handle, need: u64) -> Self {
        Self { handle, need, side: PhantomData }
    }

    fn endpoint(&mut self) -> Option<&mut Endpoint<S>> {
        // SAFETY: nobody else uses it, by the promise in `new`.
        (self.need != 0).then(|| unsafe { &mut *self.handle.endpoint::<S>() })
    }

    fn glance(&mut self) -> bool {
        let need = self.need;
        self.endpoint().is_some_and(|endpoint| endpoint.glance(need) == Glance::Ready)
    }

    fn arm(&mut self) -> Result<Arming> {
        let need = self.need;
        if let Some(endpoint) = self.endpoint() {
            return endpoint.arm(need);
        }
        self.handle.disarm::<S>();
        Ok(Arming::Stands)
    }

    fn confirm(&mut self, arming: Arming) -> Result<bool> {
        let need = self.need;
        match (arming, self.endpoint()) {
            (Arming::Decided, _) => Ok(true),
            (Arming::Announced, Some(endpoint)) => endpoint.confirm(need),
            _ => Ok(false),
        }
    }
}
