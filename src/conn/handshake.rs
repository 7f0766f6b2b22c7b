//! How two processes become the ends of a connection.
//!
//! The server makes both rings, takes its roles, and hands the descriptors over; the client takes its
//! roles before it says so. So when either has a connection, all four roles are held, and a peer that
//! dies or closes is seen by them. Nothing here waits but [`dial`] and [`meet`]: the listener, and who
//! has a [`Handshake`], takes a step whenever there is something to read.

use super::hello::{HEAVY_BARRIER, Hello, Kind, SIZE};
use super::{Conn, Settings};
use crate::cursor::{Rx, Tx};
use crate::handle::Handle;
use crate::status::{Error, Result, Status};
use crate::sys::bell::Kick;
use crate::sys::socket::{self, Address, Credentials, Received};
use crate::sys::{barrier, clock};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Bytes of a ring if neither end asks for more.
const DEFAULT_CAPACITY: u64 = 64 << 10;
/// The most that a client gets for the asking.
const GRANTED_CAPACITY: u64 = 1 << 20;

/// What this process can do.
fn features() -> u64 {
    // A fence more or less does no harm here.
    if barrier::heavy() { HEAVY_BARRIER } else { 0 }
}

/// Takes both roles of this end.
fn take_roles(sender: &Handle, receiver: &Handle, peer_features: u64) -> Result<()> {
    let always_fences = peer_features & HEAVY_BARRIER == 0;
    // SAFETY: nobody else has the handles yet.
    unsafe {
        (*sender.endpoint::<Tx>()).take_role(always_fences)?;
        (*receiver.endpoint::<Rx>()).take_role(always_fences)
    }
}

/// What a handshake leads to: this end's rings, with the roles taken, and who the peer is.
pub(crate) struct Ends {
    pub sender: Box<Handle>,
    pub receiver: Box<Handle>,
    pub peer: Credentials,
    pub kick: Kick,
}

/// A message that arrives in pieces, and descriptors that may come along.
#[derive(Debug)]
struct Incoming {
    bytes: [u8; SIZE],
    len: usize,
    fds: [Option<OwnedFd>; 2],
    /// More or fewer descriptors came than were sent.
    truncated: bool,
}

impl Incoming {
    fn new() -> Self {
        Self { bytes: [0; SIZE], len: 0, fds: [None, None], truncated: false }
    }

    /// Reads what is there. `None` if the message is not whole yet. Descriptors are dropped.
    fn read(&mut self, socket: BorrowedFd<'_>) -> Result<Option<Hello>> {
        while self.len < SIZE {
            match socket::receive(socket, &mut self.bytes[self.len..])? {
                None => return Ok(None),
                Some(0) => return Err(Status::Closed.into()),
                Some(n) => self.len += n,
            }
        }
        Hello::from_bytes(&self.bytes).map(Some)
    }

    /// As [`read`](Self::read), and keeps descriptors.
    fn read_with_fds(&mut self, socket: BorrowedFd<'_>) -> Result<Option<Hello>> {
        while self.len < SIZE {
            let Received { bytes, fds, truncated } =
                match socket::receive_with_fds(socket, &mut self.bytes[self.len..])? {
                    None => return Ok(None),
                    Some(received) if received.bytes == 0 => return Err(Status::Closed.into()),
                    Some(received) => received,
                };
            self.len += bytes;
            self.truncated |= truncated;
            if fds[0].is_some() {
                // They come all at once, with the first byte.
                self.truncated |= self.fds[0].is_some();
                self.fds = fds;
            }
        }
        Hello::from_bytes(&self.bytes).map(Some)
    }

    /// The descriptors, which must be two.
    fn take_fds(&mut self) -> Result<[OwnedFd; 2]> {
        match (std::mem::take(&mut self.fds), self.truncated) {
            ([Some(first), Some(second)], false) => Ok([first, second]),
            // The kernel leaves out what does not fit into this process's table.
            ([_, None], true) => Err(Status::NoMemory.into()),
            _ => Err(Status::NotARing.into()),
        }
    }
}

/// The server's part of a handshake, as far as it has got.
pub(crate) struct Server {
    incoming: Incoming,
    /// This end's rings, once the client has said what it wants.
    rings: Option<(Box<Handle>, Box<Handle>)>,
}

impl Server {
    pub(super) fn new() -> Self {
        Self { incoming: Incoming::new(), rings: None }
    }

    /// Whether the client has been given its rings, and has to say that it is ready.
    pub(super) fn has_answered(&self) -> bool {
        self.rings.is_some()
    }

    /// Goes as far as it can without waiting. `None` if the client has to say more.
    pub(super) fn step(
        &mut self,
        socket: BorrowedFd<'_>,
        settings: &Settings,
    ) -> Result<Option<Ends>> {
        let ends = self.advance(socket, settings);
        if let Err(error) = &ends {
            // The client may still be listening.
            let mut refusal = Hello::new(Kind::Refused, 0);
            refusal.status = error.status() as i32;
            let _ = socket::send(socket, &refusal.to_bytes(), &[]);
        }
        ends
    }

    fn advance(&mut self, socket: BorrowedFd<'_>, settings: &Settings) -> Result<Option<Ends>> {
        if self.rings.is_none() {
            let Some(hello) = self.incoming.read(socket)? else { return Ok(None) };
            self.incoming = Incoming::new();
            self.rings = Some(welcome(hello.expect(Kind::Hello)?, socket, settings)?);
        }
        let Some(ready) = self.incoming.read(socket)? else { return Ok(None) };
        ready.expect(Kind::Ready)?;
        let peer = socket::credentials(socket)?;
        let kick = Kick::new(socket.as_raw_fd())?;
        Ok(self.rings.take().map(|(sender, receiver)| Ends { sender, receiver, peer, kick }))
    }
}

/// Makes the rings and hands them over: this end's sender and receiver.
fn welcome(
    hello: Hello,
    socket: BorrowedFd<'_>,
    settings: &Settings,
) -> Result<(Box<Handle>, Box<Handle>)> {
    let options = settings.ring_options();
    let make = |own: u64, wish: u64| {
        let capacity = match (own, wish) {
            (0, 0) => DEFAULT_CAPACITY,
            (0, wish) if wish > GRANTED_CAPACITY => return Err(Status::TooLarge.into()),
            (0, wish) => wish,
            (own, _) => own,
        };
        Handle::create_anonymous(capacity, &options)
    };
    let receiver = make(settings.to_server, hello.to_server)?;
    let sender = make(settings.to_client, hello.to_client)?;
    take_roles(&sender, &receiver, hello.features)?;
    let mut welcome = Hello::new(Kind::Welcome, features());
    welcome.to_server = receiver.capacity();
    welcome.to_client = sender.capacity();
    let fds = [receiver.file().as_raw_fd(), sender.file().as_raw_fd()];
    socket::send(socket, &welcome.to_bytes(), &fds)?;
    Ok((sender, receiver))
}

/// The client's part of a handshake, as far as it has got.
pub(crate) struct Client {
    incoming: Incoming,
}

impl Client {
    /// Says what this end wants.
    pub(super) fn greet(socket: BorrowedFd<'_>, settings: &Settings) -> Result<Self> {
        let mut hello = Hello::new(Kind::Hello, features());
        hello.to_server = settings.to_server;
        hello.to_client = settings.to_client;
        socket::send(socket, &hello.to_bytes(), &[])?;
        Ok(Self { incoming: Incoming::new() })
    }

    /// Goes as far as it can without waiting. `None` if the server has to say more.
    pub(super) fn step(&mut self, socket: BorrowedFd<'_>) -> Result<Option<Ends>> {
        let Some(heard) = self.incoming.read_with_fds(socket)? else { return Ok(None) };
        if heard.kind == Kind::Refused {
            let why = Status::from_number(heard.status).filter(|_| heard.status < 0);
            return Err(why.unwrap_or(Status::NotARing).into());
        }
        let welcome = heard.expect(Kind::Welcome)?;
        let [to_server, to_client] = self.incoming.take_fds()?;
        let sender = Handle::connect_fd(to_server.as_raw_fd()).map_err(no_listener)?;
        let receiver = Handle::connect_fd(to_client.as_raw_fd()).map_err(no_listener)?;
        if (sender.capacity(), receiver.capacity()) != (welcome.to_server, welcome.to_client) {
            return Err(Status::NotARing.into());
        }
        take_roles(&sender, &receiver, welcome.features).map_err(no_listener)?;
        let (peer, kick) = (socket::credentials(socket)?, Kick::new(socket.as_raw_fd())?);
        socket::send(socket, &Hello::new(Kind::Ready, 0).to_bytes(), &[])?;
        Ok(Some(Ends { sender, receiver, peer, kick }))
    }
}

/// A listener hands over new rings only: what is wrong with one is wrong with the listener.
fn no_listener(error: Error) -> Error {
    match error.status() {
        Status::NotReady | Status::RoleTaken | Status::Corrupt => {
            error.with_status(Status::NotARing)
        }
        _ => error,
    }
}

/// Either part of a handshake, which its owner takes further whenever there is something to read.
pub(crate) enum Handshake {
    Server(Server),
    Client(Client),
}

impl Handshake {
    /// Begins on a connected socket, which the caller may make a connection of afterwards.
    pub(crate) fn begin(socket: BorrowedFd<'_>, role: Role, settings: &Settings) -> Result<Self> {
        settings.check()?;
        socket::prepare(socket)?;
        Self::begin_prepared(socket, role, settings)
    }

    fn begin_prepared(socket: BorrowedFd<'_>, role: Role, settings: &Settings) -> Result<Self> {
        Ok(match role {
            Role::Server => Self::Server(Server::new()),
            Role::Client => Self::Client(Client::greet(socket, settings)?),
        })
    }

    /// Goes as far as it can without waiting. `None` if the peer has to say more.
    pub(crate) fn step(
        &mut self,
        socket: BorrowedFd<'_>,
        settings: &Settings,
    ) -> Result<Option<Ends>> {
        match self {
            Self::Server(server) => server.step(socket, settings),
            Self::Client(client) => client.step(socket),
        }
    }

    /// Goes on until it is over, or until `deadline`.
    fn finish(
        mut self,
        socket: BorrowedFd<'_>,
        settings: &Settings,
        deadline: u64,
    ) -> Result<Ends> {
        loop {
            if let Some(ends) = self.step(socket, settings)? {
                return Ok(ends);
            }
            if !socket::wait_readable(&[socket], deadline)? {
                return Err(Status::Timeout.into());
            }
        }
    }
}

/// Connects to the listener at `path`.
pub(crate) fn dial(path: &[u8], settings: &Settings, timeout_ns: u64) -> Result<Conn> {
    settings.check()?;
    let deadline = clock::now().saturating_add(timeout_ns);
    let socket = socket::connect(&Address::new(path)?, deadline)?;
    let handshake = Handshake::begin_prepared(socket.as_fd(), Role::Client, settings)?;
    let ends = handshake.finish(socket.as_fd(), settings, deadline)?;
    Ok(Conn::new(ends, socket))
}

/// Which end of a connection a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The end that makes the rings.
    Server,
    /// The end that is given them.
    Client,
}

/// The whole handshake on a connected socket, which the caller may make a connection of afterwards.
pub(crate) fn meet(
    socket: BorrowedFd<'_>,
    role: Role,
    settings: &Settings,
    timeout_ns: u64,
) -> Result<Ends> {
    let deadline = clock::now().saturating_add(timeout_ns);
    Handshake::begin(socket, role, settings)?.finish(socket, settings, deadline)
}
