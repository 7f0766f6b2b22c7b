//! The safe Rust interface of connections: [`Listener`], [`Connection`], and their [`ConnOptions`].

use crate::arm::Readiness;
use crate::conn::{self, Conn, Line, Role, Settings};
use crate::options::{Spin, spin_ns};
use crate::ring::{Consumer, Producer, Ring, limit};
use crate::status::{Result, Status};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What can be chosen for a listener or a connection.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("doc-options-{}", std::process::id()));
/// use spsc_shm::ConnOptions;
/// // Clients may send much and are answered with little.
/// let listener = ConnOptions::new().to_server(1 << 20).to_client(1 << 12).listen(&path)?;
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options make no connection by themselves"]
pub struct ConnOptions {
    settings: Settings,
}

impl Default for ConnOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ConnOptions {
    /// Rings of 64 KiB, adaptive spinning, a path for this user only.
    pub const fn new() -> Self {
        Self { settings: Settings::DEFAULT }
    }

    /// Bytes of the ring from the client to the server, at least; rounded up as for
    /// [`Ring::create`]. The server's choice counts. Where it makes none (0, the default), a client
    /// gets what it asks for, up to 1 MiB, and else 64 KiB.
    pub const fn to_server(mut self, min_capacity: usize) -> Self {
        self.settings.to_server = min_capacity as u64;
        self
    }

    /// Bytes of the ring from the server to the client, by the same rules.
    pub const fn to_client(mut self, min_capacity: usize) -> Self {
        self.settings.to_client = min_capacity as u64;
        self
    }

    /// How long a wait spins before it sleeps, at both ends. Only the server's choice counts.
    pub fn spin(mut self, spin: Spin) -> Self {
        self.settings.spin_ns = spin_ns(spin);
        self
    }

    /// Whether the server enters all pages of a connection into its page tables at once, so that the
    /// first lap takes no page faults.
    pub const fn prefault(mut self, yes: bool) -> Self {
        self.settings.prefault = yes;
        self
    }

    /// Permission bits of a listener's path, whatever the umask. Whoever may write the socket may
    /// connect. The default is 0600.
    pub const fn mode(mut self, mode: u32) -> Self {
        self.settings.mode = mode;
        self
    }

    /// How many clients of a listener may be on their way in: so many wait in the kernel until they are
    /// accepted, and so many may be in the handshake. 128 by default, at most 4096.
    pub const fn backlog(mut self, clients: u32) -> Self {
        self.settings.backlog = clients;
        self
    }

    /// Listens at `path`, as [`Listener::bind`].
    ///
    /// # Errors
    /// As [`Listener::bind`], and [`Status::InvalidArgument`] for a mode or a backlog out of range.
    pub fn listen(&self, path: impl AsRef<Path>) -> Result<Listener> {
        let path = path.as_ref().as_os_str().as_bytes();
        Ok(Listener { inner: conn::Listener::bind(path, &self.settings)? })
    }

    /// Connects to the listener at `path`, as [`Connection::dial`].
    ///
    /// # Errors
    /// As [`Connection::dial`].
    pub fn dial(&self, path: impl AsRef<Path>, timeout: Option<Duration>) -> Result<Connection> {
        let path = path.as_ref().as_os_str().as_bytes();
        Ok(conn::dial(path, &self.settings, limit(timeout))?.into())
    }

    /// Makes the server's end of a connection out of a connected Unix socket, such as one of a
    /// `socketpair` or one that a service manager has accepted. The other end must be
    /// [adopted as the client](Self::adopt_as_client) at the same time, by a process that may be of
    /// any language. After an error the socket is closed. Copies of it end with the connection.
    ///
    /// ```
    /// use spsc_shm::ConnOptions;
    /// use std::io::{Read, Write};
    /// use std::os::unix::net::UnixStream;
    /// let (ours, theirs) = UnixStream::pair()?;
    /// std::thread::spawn(move || {
    ///     let mut client = ConnOptions::new().adopt_as_client(theirs, None)?;
    ///     client.sender().write_all(b"hello")?;
    ///     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// });
    /// let mut server = ConnOptions::new().adopt_as_server(ours, None)?;
    /// let mut text = String::new();
    /// server.receiver().read_to_string(&mut text)?;
    /// assert_eq!(text, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if it is no connected Unix socket of a kind that keeps the order of
    /// bytes; else as [`Connection::dial`].
    pub fn adopt_as_server(
        &self,
        socket: impl Into<OwnedFd>,
        timeout: Option<Duration>,
    ) -> Result<Connection> {
        self.adopt(socket.into(), Role::Server, timeout)
    }

    /// Makes the client's end of a connection out of a connected Unix socket.
    ///
    /// # Errors
    /// As [`adopt_as_server`](Self::adopt_as_server).
    pub fn adopt_as_client(
        &self,
        socket: impl Into<OwnedFd>,
        timeout: Option<Duration>,
    ) -> Result<Connection> {
        self.adopt(socket.into(), Role::Client, timeout)
    }

    fn adopt(&self, socket: OwnedFd, role: Role, timeout: Option<Duration>) -> Result<Connection> {
        let ends = conn::meet(socket.as_fd(), role, &self.settings, limit(timeout))?;
        Ok(Conn::new(ends, socket).into())
    }

    /// As [`adopt_as_server`](Self::adopt_as_server), for an event loop: nothing waits.
    ///
    /// # Errors
    /// As there.
    pub fn begin_as_server(&self, socket: impl Into<OwnedFd>) -> Result<Handshake> {
        self.begin(socket.into(), Role::Server)
    }

    /// As [`adopt_as_client`](Self::adopt_as_client), for an event loop: nothing waits.
    ///
    /// # Errors
    /// As there.
    pub fn begin_as_client(&self, socket: impl Into<OwnedFd>) -> Result<Handshake> {
        self.begin(socket.into(), Role::Client)
    }

    fn begin(&self, socket: OwnedFd, role: Role) -> Result<Handshake> {
        let state = conn::Handshake::begin(socket.as_fd(), role, &self.settings)?;
        Ok(Handshake { socket, state, settings: self.settings.clone() })
    }
}

/// A connection on its way, which an event loop takes further. Dropping it closes the socket.
///
/// ```
/// use spsc_shm::{ConnOptions, Connection, Handshake, Step};
/// use std::os::unix::net::UnixStream;
/// let (ours, theirs) = UnixStream::pair()?;
/// let server = ConnOptions::new().begin_as_server(ours)?;
/// let client = ConnOptions::new().begin_as_client(theirs)?;
/// // Whenever the descriptor is readable:
/// fn go_on(end: Step) -> spsc_shm::Result<Step> {
///     match end {
///         Step::Waiting(handshake) => handshake.step(),
///         done => Ok(done),
///     }
/// }
/// let (mut server, mut client) = (Step::Waiting(server), Step::Waiting(client));
/// while !matches!((&server, &client), (Step::Done(_), Step::Done(_))) {
///     server = go_on(server)?;
///     client = go_on(client)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Handshake {
    socket: OwnedFd,
    state: conn::Handshake,
    settings: Settings,
}

/// How far a [`Handshake`] has got.
#[derive(Debug)]
pub enum Step {
    /// There is a connection.
    Done(Connection),
    /// The peer has to say more: the next [`step`](Handshake::step) is for when the descriptor is
    /// readable.
    Waiting(Handshake),
}

impl Handshake {
    /// Goes as far as it can without waiting.
    ///
    /// # Errors
    /// As [`Connection::dial`]. The socket is closed then.
    pub fn step(mut self) -> Result<Step> {
        Ok(match self.state.step(self.socket.as_fd(), &self.settings)? {
            Some(ends) => Step::Done(Conn::new(ends, self.socket).into()),
            None => Step::Waiting(self),
        })
    }
}

impl AsFd for Handshake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Handshake {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("fd", &self.as_raw_fd()).finish_non_exhaustive()
    }
}

/// Waits for clients at a path.
///
/// Its descriptor is readable whenever [`accept`](Self::accept) has something to do, which may be only
/// to read what a client says on its way in. So it can wait beside others in `poll` or `epoll`: then
/// accept with a timeout of zero. No client, however it behaves, keeps another waiting.
///
/// A forked child's copy can only be dropped, which leaves the path alone.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("doc-listener-{}", std::process::id()));
/// use spsc_shm::{Connection, Listener};
/// use std::io::{Read, Write};
///
/// let listener = Listener::bind(&path)?;
/// # let path = path.clone();
/// std::thread::spawn(move || -> std::io::Result<()> {
///     let mut client = Connection::dial(path, None)?;
///     client.sender().write_all(b"hello")
/// });
/// let mut server = listener.accept(None)?;
/// let mut text = String::new();
/// server.receiver().read_to_string(&mut text)?; // ends when the client is dropped
/// assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Listener {
    inner: conn::Listener,
}

impl Listener {
    /// Listens at `path`: the file of a Unix socket, which is removed when the listener is dropped. A
    /// path whose listener is gone is taken over. A file `path.lock` beside it tells one from the other.
    ///
    /// # Errors
    /// [`Status::AlreadyExists`] if somebody listens there, or if it is no socket;
    /// [`Status::InvalidName`] if it is longer than 103 bytes; [`Status::NotFound`] if there is no such
    /// directory; [`Status::Permission`], [`Status::NoMemory`], [`Status::System`].
    pub fn bind(path: impl AsRef<Path>) -> Result<Self> {
        ConnOptions::new().listen(path)
    }

    /// The next client's connection. Waits up to `timeout`; `None` is for ever. Several threads may
    /// accept at once.
    ///
    /// # Errors
    /// [`Status::Timeout`], [`Status::Interrupted`], [`Status::NoMemory`] (also if this process has no
    /// descriptors left), [`Status::Misuse`] in a forked child, [`Status::System`]. What is wrong with a
    /// client is not reported.
    pub fn accept(&self, timeout: Option<Duration>) -> Result<Connection> {
        Ok(self.inner.accept(limit(timeout))?.into())
    }

    /// Ends the current wait in [`accept`](Self::accept), or the next one, once. One with a timeout of
    /// zero is no wait. Any thread may call it.
    pub fn interrupt(&self) {
        self.inner.interrupt();
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("fd", &self.as_raw_fd()).finish_non_exhaustive()
    }
}

/// A connection between two processes: a ring for each direction, and a descriptor that tells of both.
///
/// The rings are without names, sealed, and nobody else's. Each is used and ends as any other ring. Use
/// them by [`sender`](Self::sender) and [`receiver`](Self::receiver), or take them apart for a thread
/// each ([`into_split`](Self::into_split)). While both sides are busy there is no system call.
///
/// In an event loop, wait for the descriptor ([`AsFd`]) to become readable, after
/// [`arm`](Self::arm) has said that there is nothing to do.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("doc-connection-{}", std::process::id()));
/// use spsc_shm::{Connection, Listener};
/// let listener = Listener::bind(&path)?;
/// # let dialled = path.clone();
/// # let dialling = std::thread::spawn(move || {
/// let mut client = Connection::dial(&path, None)?;
/// client.sender().send(1, b"a question", None)?;
/// let answer = client.receiver().receive(None)?;
/// assert_eq!(answer.into_vec(), b"an answer");
/// # Ok::<(), spsc_shm::Error>(())
/// # });
/// # let mut server = listener.accept(None)?;
/// # assert_eq!(server.receiver().receive(None)?.into_vec(), b"a question");
/// # server.sender().send(1, b"an answer", None)?;
/// # dialling.join().unwrap()?;
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    sender: Producer,
    receiver: Consumer,
    line: Arc<Line>,
}

impl From<Conn> for Connection {
    fn from(Conn { sender, receiver, line }: Conn) -> Self {
        let line = Arc::new(line);
        Self {
            sender: Ring::of_connection(sender, Arc::clone(&line)).into_producer(),
            receiver: Ring::of_connection(receiver, Arc::clone(&line)).into_consumer(),
            line,
        }
    }
}

impl Connection {
    /// Connects to the listener at `path`. Waits until it accepts, up to `timeout`; `None` is for
    /// ever.
    ///
    /// ```
    /// use spsc_shm::{Connection, Status};
    /// let error = Connection::dial("/nobody/listens/here", None).unwrap_err();
    /// assert_eq!(error.status(), Status::NotFound);
    /// ```
    ///
    /// # Errors
    /// [`Status::NotFound`] if nobody listens there, [`Status::Permission`], [`Status::Timeout`],
    /// [`Status::Closed`] if the listener goes or has no patience, [`Status::NotARing`] if what listens
    /// there is something else, [`Status::Version`], [`Status::TooLarge`] if it grants no ring of the
    /// size asked for, [`Status::InvalidName`], [`Status::NoMemory`] of either side,
    /// [`Status::System`].
    pub fn dial(path: impl AsRef<Path>, timeout: Option<Duration>) -> Result<Self> {
        ConnOptions::new().dial(path, timeout)
    }

    /// The end of the ring to the peer.
    pub fn sender(&mut self) -> &mut Producer {
        &mut self.sender
    }

    /// The end of the ring from the peer.
    pub fn receiver(&mut self) -> &mut Consumer {
        &mut self.receiver
    }

    /// Both, to use them at once.
    pub fn split(&mut self) -> (&mut Producer, &mut Consumer) {
        (&mut self.sender, &mut self.receiver)
    }

    /// Both, for a thread each. The connection ends when the last of them is dropped. Each direction
    /// ends with its producer.
    #[must_use]
    pub fn into_split(self) -> (Producer, Consumer) {
        (self.sender, self.receiver)
    }

    /// Both, and what waits for both in an event loop. The connection ends when the last of them is
    /// dropped.
    ///
    /// ```
    /// # use std::os::unix::net::UnixStream;
    /// # use spsc_shm::{ConnOptions, Readiness};
    /// # let (ours, theirs) = UnixStream::pair()?;
    /// # let other = std::thread::spawn(move || ConnOptions::new().adopt_as_client(theirs, None));
    /// # let connection = ConnOptions::new().adopt_as_server(ours, None)?;
    /// # let _client = other.join().unwrap()?;
    /// let (mut sender, mut receiver, doorbell) = connection.into_parts();
    /// let ready = doorbell.arm(Some((&mut receiver, 1)), None)?;
    /// assert!(!ready.any()); // the descriptor tells when there is data
    /// let ready = doorbell.arm(None, Some((&mut sender, 1)))?;
    /// assert!(ready.writable);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_parts(self) -> (Producer, Consumer, Doorbell) {
        let Self { sender, receiver, line } = self;
        let doorbell = Doorbell {
            sending: Arc::clone(sender.ring()),
            receiving: Arc::clone(receiver.ring()),
            line,
        };
        (sender, receiver, doorbell)
    }

    /// Who is on the other end, by what the kernel says.
    #[must_use]
    pub fn peer(&self) -> Peer<'_> {
        Peer::over(&self.line)
    }

    /// Asks for the descriptor to become readable, once, as soon as `need_data` bytes can be peeked
    /// at or `need_space` bytes claimed; 0 does not ask. What can be done already is returned, and
    /// only if that is nothing is the connection armed. What can't come any more counts as done: the
    /// next peek or claim says why.
    ///
    /// The loop is: do what can be done; arm; if that says that nothing can be done, wait for the
    /// descriptor. It also becomes readable when the peer closes its end or dies, whatever is armed.
    /// Don't read from it: arming again does so. Arm again after a wait on either end.
    ///
    /// # Errors
    /// [`Status::TooLarge`], [`Status::Corrupt`] if the peer rings without cause, [`Status::System`].
    pub fn arm(&mut self, need_data: usize, need_space: usize) -> Result<Readiness> {
        let (sender, receiver) = (self.sender.ring().handle(), self.receiver.ring().handle());
        // SAFETY: both ends are borrowed mutably, and there is one of each.
        unsafe { conn::arm(&self.line, sender, receiver, need_data as u64, need_space as u64) }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// What tells of both directions of a connection that was
/// [taken apart](Connection::into_parts), in an event loop.
pub struct Doorbell {
    sending: Arc<Ring>,
    receiving: Arc<Ring>,
    line: Arc<Line>,
}

impl Doorbell {
    /// As [`Connection::arm`]: asks for so many bytes of data, or of space, if it is given an end to ask
    /// for. What was asked for an end that is not given is taken back.
    ///
    /// # Errors
    /// As there. [`Status::InvalidArgument`] if an end is not this connection's, or if nothing is asked of
    /// one.
    pub fn arm(
        &self,
        data: Option<(&mut Consumer, usize)>,
        space: Option<(&mut Producer, usize)>,
    ) -> Result<Readiness> {
        let is_own = |given: &Arc<Ring>, own: &Arc<Ring>, need| need > 0 && Arc::ptr_eq(given, own);
        let need_data = data.map_or(Some(0), |(end, need)| {
            is_own(end.ring(), &self.receiving, need).then_some(need as u64)
        });
        let need_space = space.map_or(Some(0), |(end, need)| {
            is_own(end.ring(), &self.sending, need).then_some(need as u64)
        });
        let (Some(need_data), Some(need_space)) = (need_data, need_space) else {
            return Err(Status::InvalidArgument.into());
        };
        let (sender, receiver) = (self.sending.handle(), self.receiving.handle());
        // SAFETY: an end of which something is asked is borrowed mutably, and there is one of each.
        unsafe { conn::arm(&self.line, sender, receiver, need_data, need_space) }
    }

    /// Who is on the other end, by what the kernel says.
    #[must_use]
    pub fn peer(&self) -> Peer<'_> {
        Peer::over(&self.line)
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }
}

impl AsRawFd for Doorbell {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorbell").field("fd", &self.as_raw_fd()).finish_non_exhaustive()
    }
}

/// Who is on the other end of a connection: the process that dialled, listened, or made the pair of
/// sockets.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Peer<'a> {
    /// Its number in this process's PID namespace; 0 if it has none there.
    pub pid: i32,
    /// Its effective user, as of then.
    pub uid: u32,
    /// Its effective group, as of then.
    pub gid: u32,
    /// A descriptor of the process, which stays the connection's. `None` where the kernel gives none
    /// (before Linux 6.5).
    pub pidfd: Option<BorrowedFd<'a>>,
}

impl<'a> Peer<'a> {
    fn over(line: &'a Line) -> Self {
        let credentials = line.credentials();
        Self {
            pid: credentials.pid,
            uid: credentials.uid,
            gid: credentials.gid,
            pidfd: line.pidfd(),
        }
    }
}
