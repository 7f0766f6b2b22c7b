//! Connections, as far as nothing waits: that is JavaScript's part, in the event loop.

use crate::code;
use crate::consumer::Consumer;
use crate::end::{NOW, lock, timeout};
use crate::producer::Producer;
use crate::ring::spin;
use crate::wait::in_pool;
use napi::bindgen_prelude::Either;
use napi::{Env, Result, sys};
use napi_derive::napi;
use spsc_shm::{ConnOptions, Doorbell, Status, Step};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

/// What `connect` and `createServer` may be told.
#[napi(object)]
pub struct ConnectionOptions {
    pub to_server: i64,
    pub to_client: i64,
    pub mode: u32,
    pub backlog: u32,
    pub prefault: bool,
    /// Milliseconds; fewer than none adapt it.
    pub spin: f64,
}

impl ConnectionOptions {
    fn options(&self) -> ConnOptions {
        let options = ConnOptions::new().prefault(self.prefault).spin(spin(self.spin));
        let options = options.mode(self.mode).backlog(self.backlog);
        options.to_server(self.to_server as usize).to_client(self.to_client as usize)
    }
}

/// A ring for each direction, and a descriptor that tells of both.
#[napi]
pub struct Connection {
    ends: Mutex<Option<(Producer, Consumer)>>,
    doorbell: Mutex<Option<Doorbell>>,
}

impl Connection {
    fn over(connection: spsc_shm::Connection) -> Self {
        let (sender, receiver, doorbell) = connection.into_parts();
        let ends = (Producer::over(sender), Consumer::over(receiver));
        Self { ends: Mutex::new(Some(ends)), doorbell: Mutex::new(Some(doorbell)) }
    }
}

#[napi]
impl Connection {
    /// The end of the ring to the peer, and that of the ring from it: once.
    #[napi]
    pub fn ends(&self) -> Option<(Producer, Consumer)> {
        lock(&self.ends).take()
    }

    #[napi]
    pub fn fd(&self) -> i32 {
        lock(&self.doorbell).as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// Asks for the descriptor to become readable, once, as soon as there is data or space. Gives what
    /// there is already, 1 for data and 2 for space: then nothing is asked for.
    #[napi]
    pub fn arm(&self, producer: &Producer, consumer: &Consumer, data: bool, space: bool) -> i64 {
        let doorbell = lock(&self.doorbell);
        let Some(doorbell) = doorbell.as_ref() else { return code::CLOSED };
        // An end that is not asked for may be closed already.
        let ready = match (data, space) {
            (true, false) => consumer.end.with(|consumer| doorbell.arm(Some((consumer, 1)), None)),
            (false, true) => producer.end.with(|producer| doorbell.arm(None, Some((producer, 1)))),
            (false, false) => Ok(doorbell.arm(None, None)),
            (true, true) => consumer
                .end
                .with(|consumer| {
                    producer
                        .end
                        .with(|producer| doorbell.arm(Some((consumer, 1)), Some((producer, 1))))
                })
                .and_then(|armed| armed),
        };
        match ready {
            Ok(Ok(ready)) => i64::from(ready.readable) + 2 * i64::from(ready.writable),
            Ok(Err(error)) => code::of(&error),
            Err(code) => code,
        }
    }

    /// Who is on the other end, by what the kernel says: process, user, group.
    #[napi]
    pub fn peer(&self) -> Option<(i32, u32, u32)> {
        let doorbell = lock(&self.doorbell);
        doorbell.as_ref().map(|doorbell| {
            let peer = doorbell.peer();
            (peer.pid, peer.uid, peer.gid)
        })
    }

    #[napi]
    pub fn close(&self) {
        *lock(&self.ends) = None;
        *lock(&self.doorbell) = None;
    }
}

/// A connection on its way.
#[napi]
pub struct Handshake {
    state: Mutex<Option<spsc_shm::Handshake>>,
}

#[napi]
impl Handshake {
    /// Over a connected socket, which belongs to it from now on.
    #[napi(factory)]
    pub fn over(fd: i32, options: ConnectionOptions) -> Result<Self> {
        // SAFETY: `connect_later` gave it, for this.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let begun = options.options().begin_as_client(socket);
        let handshake = begun.map_err(|error| napi::Error::from_reason(error.to_string()))?;
        Ok(Self { state: Mutex::new(Some(handshake)) })
    }

    #[napi]
    pub fn fd(&self) -> i32 {
        lock(&self.state).as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// Goes as far as it can without waiting: nothing if the peer has to say more.
    #[napi]
    pub fn step(&self) -> Option<Either<i64, Connection>> {
        let mut state = lock(&self.state);
        match state.take().map(spsc_shm::Handshake::step) {
            None => Some(Either::A(code::CLOSED)),
            Some(Err(error)) => Some(Either::A(code::of(&error))),
            Some(Ok(Step::Done(connection))) => Some(Either::B(Connection::over(connection))),
            Some(Ok(Step::Waiting(handshake))) => {
                *state = Some(handshake);
                None
            }
        }
    }

    #[napi]
    pub fn close(&self) {
        *lock(&self.state) = None;
    }
}

/// Connects a socket to a path, if that takes no wait: its descriptor, or the system's error number,
/// made negative.
#[napi]
pub fn connect_now(path: String) -> i32 {
    descriptor(connect(&path, libc::SOCK_NONBLOCK, None))
}

/// The same in the thread pool, where the kernel lets a call wait for a place in the listener's queue.
#[napi]
pub fn connect_later(env: Env, path: String, milliseconds: f64) -> Result<sys::napi_value> {
    // Nothing hastens it but the listener.
    in_pool(env, move || i64::from(descriptor(connect(&path, 0, Some(milliseconds)))), || {})
}

fn descriptor(socket: io::Result<OwnedFd>) -> i32 {
    match socket {
        Ok(socket) => socket.into_raw_fd(),
        Err(error) => -error.raw_os_error().unwrap_or(libc::EINVAL),
    }
}

fn connect(path: &str, flags: i32, milliseconds: Option<f64>) -> io::Result<OwnedFd> {
    // SAFETY: plain bytes.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as _;
    let bytes = path.as_bytes();
    if bytes.is_empty() || bytes[0] == 0 || bytes.len() >= address.sun_path.len() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as _;
    }
    // SAFETY: a call without pointers.
    let fd =
        unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | flags, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is new.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    if let Some(limit) = milliseconds.and_then(timeout) {
        // 0 would be without limit.
        let limit = limit.max(std::time::Duration::from_micros(1));
        UnixStream::from(socket.try_clone()?).set_write_timeout(Some(limit))?;
    }
    // SAFETY: an address of the length that is given.
    let connected = unsafe {
        libc::connect(fd, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t)
    };
    if connected < 0 { Err(io::Error::last_os_error()) } else { Ok(socket) }
}

/// Waits for clients at a path.
#[napi]
pub struct Listener {
    inner: Mutex<Option<spsc_shm::Listener>>,
}

#[napi]
pub fn listen(path: String, options: ConnectionOptions) -> Either<i64, Listener> {
    match options.options().listen(path) {
        Ok(listener) => Either::B(Listener { inner: Mutex::new(Some(listener)) }),
        Err(error) => Either::A(code::of(&error)),
    }
}

#[napi]
impl Listener {
    #[napi]
    pub fn fd(&self) -> i32 {
        lock(&self.inner).as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// The next client's connection, or nothing if there is none yet.
    #[napi]
    pub fn accept(&self) -> Option<Either<i64, Connection>> {
        let inner = lock(&self.inner);
        let Some(listener) = inner.as_ref() else { return Some(Either::A(code::CLOSED)) };
        match listener.accept(NOW) {
            Ok(connection) => Some(Either::B(Connection::over(connection))),
            Err(error) if error.status() == Status::Timeout => None,
            Err(error) => Some(Either::A(code::of(&error))),
        }
    }

    #[napi]
    pub fn close(&self) {
        *lock(&self.inner) = None;
    }
}
