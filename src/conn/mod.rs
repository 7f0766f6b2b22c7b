//! A connection: two rings without names, and the socket over which they were handed.
//!
//! The socket stays open beside the rings. It carries the doorbell, and its end tells of the peer's. Why
//! no doorbell is lost is argued in `wait/mod.rs`, under *doorbell*.

mod handshake;
mod hello;
mod listener;
mod path;

pub(crate) use handshake::{Ends, Handshake, Role, dial, meet};
pub(crate) use listener::Listener;

use crate::arm::{self, Asked, Readiness};
use crate::cursor::{Rx, Tx};
use crate::handle::{End, Handle};
use crate::options::Options;
use crate::registry::Maker;
use crate::status::{Result, Status};
use crate::sys::socket::{self, Credentials};
use crate::wait::bell::Door;
use crate::wait::spin::SPIN_ADAPTIVE;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

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
    door: Arc<Door>,
    credentials: Credentials,
    /// `None` where the kernel gives none. Asked for once.
    pidfd: OnceLock<Option<OwnedFd>>,
    maker: Maker,
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.maker.is_this_process() {
            socket::hang_up(self.socket.as_fd());
        }
    }
}

impl Line {
    pub(crate) fn credentials(&self) -> Credentials {
        self.credentials
    }

    /// A descriptor of the peer's process.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        let ask = || socket::peer_pidfd(self.socket.as_fd());
        self.pidfd.get_or_init(ask).as_ref().map(AsFd::as_fd)
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
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
    pub(crate) fn new(Ends { sender, receiver, peer, kick }: Ends, socket: OwnedFd) -> Self {
        let door = Arc::new(Door::new(socket.as_raw_fd(), kick));
        sender.bell::<Tx>().install(Arc::clone(&door));
        receiver.bell::<Rx>().install(Arc::clone(&door));
        let (pidfd, maker) = (OnceLock::new(), sender.maker());
        let line = Line { socket, door, credentials: peer, pidfd, maker };
        Self { sender, receiver, line }
    }

    /// As [`arm()`].
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
    unsafe {
        arm::arm(asked(receiver, need_data), asked(sender, need_space), || {
            line.door.drain_for_loop()
        })
    }
}

/// # Safety
/// If `need` is not 0, the caller is the only one on this side of this handle, for `'a`.
unsafe fn asked<S: End>(handle: &Handle, need: u64) -> Asked<'_, S> {
    // SAFETY: the caller's promise.
    let side = (need != 0).then(|| unsafe { (&mut *handle.endpoint::<S>(), need) });
    Asked { control: handle.control(), side }
}
