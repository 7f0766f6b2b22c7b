//! Connections for [tokio](https://docs.rs/tokio), behind the feature `tokio`.
//!
//! ```
//! # let path = std::env::temp_dir().join(format!("doc-aio-{}", std::process::id()));
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
//! # runtime.block_on(async {
//! use spsc_shm::aio::{Connection, Listener};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let mut listener = Listener::bind(&path)?;
//! let client = tokio::spawn(async move {
//!     let mut client = Connection::dial(&path).await?;
//!     client.write_all(b"hello").await
//! });
//! let mut server = listener.accept().await?;
//! let mut text = String::new();
//! server.read_to_string(&mut text).await?; // ends when the client is dropped
//! assert_eq!(text, "hello");
//! # client.await.unwrap()
//! # })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Whatever waits does so in the runtime, on the connection's descriptor, and holds no thread. While both
//! sides are busy there is no system call.

use crate::arm::Readiness;
use crate::connection::{self, ConnOptions, Doorbell, Step};
use crate::ring::{Consumer, Producer};
use crate::status::{Error, Result, Status};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::sync::oneshot;

const NOW: Option<Duration> = Some(Duration::ZERO);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the runtime watches. Every descriptor here tells all by being readable.
fn registered<T: AsRawFd>(owner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: each kind of owner keeps its one descriptor open as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(owner, Interest::READABLE)? })
}

/// Waits for clients at a path: [`Listener`](crate::Listener), with an `accept` that is a future.
#[derive(Debug)]
pub struct Listener {
    inner: AsyncFd<connection::Listener>,
}

impl Listener {
    /// Listens at `path`, as [`Listener::bind`](crate::Listener::bind).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// Outside of a runtime with IO enabled.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        connection::Listener::bind(path)?.try_into()
    }

    /// The next client's connection. No client keeps another waiting. Cancel-safe: no connection is
    /// lost if the future is dropped.
    ///
    /// # Errors
    /// As [`Listener::accept`](crate::Listener::accept).
    pub async fn accept(&mut self) -> io::Result<Connection> {
        loop {
            match self.inner.get_ref().accept(NOW) {
                Ok(connection) => return connection.try_into(),
                Err(error) if error.status() == Status::Timeout => {}
                Err(error) => return Err(error.into()),
            }
            let mut guard = self.inner.readable().await?;
            guard.clear_ready();
            // What has come since the last look was the reason, or is found by the next.
        }
    }
}

impl TryFrom<connection::Listener> for Listener {
    type Error = io::Error;

    fn try_from(listener: connection::Listener) -> io::Result<Self> {
        Ok(Self { inner: registered(listener)? })
    }
}

/// Wakes the tasks that wait, of which there is one for each direction.
#[derive(Default)]
struct Tasks {
    /// The readers' and the writers'. A task that is there is armed for, or about to be.
    waiting: Mutex<[Option<Waker>; 2]>,
}

const READER: usize = 0;
const WRITER: usize = 1;

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        // Not under the lock: a waker may do anything.
        let all = std::mem::take(&mut *lock(&self.waiting));
        all.into_iter().flatten().for_each(Waker::wake);
    }
}

/// What both halves of a connection share.
struct Shared {
    /// `None` once this direction was shut down.
    sender: Mutex<Option<Producer>>,
    receiver: Mutex<Consumer>,
    doorbell: AsyncFd<Doorbell>,
    tasks: Arc<Tasks>,
    /// For the runtime: it keeps one waker for the descriptor, and there are two directions.
    waker: Waker,
}

impl Shared {
    /// Asks the peer to ring for each task that waits. Says whether there is something for this one, and
    /// wakes the other if there is something for that.
    fn arm(&self, own: usize) -> io::Result<bool> {
        let mut waiting = lock(&self.tasks.waiting);
        let mut found = [None, None];
        let mut failed = None;
        // What is ready is not armed, and nor is the other direction: that is asked for once more.
        while failed.is_none() && waiting.iter().any(Option::is_some) {
            let ready = match self.arm_once(&waiting) {
                Ok(Readiness { readable, writable }) => [readable, writable],
                Err(error) => {
                    failed = Some(error);
                    [true, true]
                }
            };
            if ready == [false, false] {
                break;
            }
            for task in [READER, WRITER] {
                if ready[task] && waiting[task].is_some() {
                    found[task] = waiting[task].take();
                }
            }
        }
        // Not under the lock: a waker may do anything.
        drop(waiting);
        let is_own = found[own].take().is_some();
        found.into_iter().flatten().for_each(Waker::wake);
        failed.map_or(Ok(is_own), |error| Err(error.into()))
    }

    fn arm_once(&self, waiting: &[Option<Waker>; 2]) -> Result<Readiness> {
        // In this order, and neither is held by anybody who asks for `waiting`.
        let mut receiver = lock(&self.receiver);
        let mut sender = lock(&self.sender);
        let data = waiting[READER].is_some().then_some((&mut *receiver, 1));
        let space = sender.as_mut().filter(|_| waiting[WRITER].is_some()).map(|sender| (sender, 1));
        self.doorbell.get_ref().arm(data, space)
    }

    /// Does `step` once it can be done: until then the task waits. `step` gives `None` if it can't be
    /// done now.
    fn poll<T>(
        &self,
        own: usize,
        cx: &mut Context<'_>,
        mut step: impl FnMut() -> io::Result<Option<T>>,
    ) -> Poll<io::Result<T>> {
        // A task that always finds something must let the others have their turn, too.
        let turn = ready!(tokio::task::coop::poll_proceed(cx));
        loop {
            if let Some(done) = step()? {
                turn.made_progress();
                return Poll::Ready(Ok(done));
            }
            lock(&self.tasks.waiting)[own] = Some(cx.waker().clone());
            let watched = self.watch()?;
            if !self.arm(own)? && watched {
                return Poll::Pending;
            }
        }
    }

    /// Has the runtime wake both tasks once the descriptor becomes readable. Says whether it will: not
    /// if the descriptor is so already.
    ///
    /// This comes before arming, so that nobody is armed whom the runtime would not wake. In the other
    /// order, one task could clear what the runtime noted for another that is armed and not registered
    /// yet, find what it wants, and leave the other asleep.
    fn watch(&self) -> io::Result<bool> {
        let mut whoever = Context::from_waker(&self.waker);
        // What the runtime noted before is read by arming. Mostly nothing new comes meanwhile.
        for _ in 0..2 {
            match self.doorbell.poll_read_ready(&mut whoever)? {
                Poll::Ready(mut guard) => guard.clear_ready(),
                Poll::Pending => return Ok(true),
            }
        }
        Ok(false)
    }

    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.poll(READER, cx, || {
            let mut receiver = lock(&self.receiver);
            let mut grant = match receiver.peek_some(1, NOW) {
                Ok(grant) => grant,
                Err(error) if error.status() == Status::Closed => return Ok(Some(())),
                Err(error) => return not_now(error),
            };
            let n = grant.len().min(buf.remaining());
            grant.read_exact(buf.initialize_unfilled_to(n))?;
            buf.advance(n);
            grant.release(n)?;
            Ok(Some(()))
        })
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll(WRITER, cx, || {
            let mut sender = lock(&self.sender);
            let Some(sender) = &mut *sender else { return Err(io::ErrorKind::BrokenPipe.into()) };
            let mut grant = match sender.claim_some(1, NOW) {
                Ok(grant) => grant,
                Err(error) => return not_now(error),
            };
            let n = grant.write(buf)?;
            grant.publish(n)?;
            Ok(Some(n))
        })
    }

    /// The peer reads what was written, and then the end.
    fn shutdown(&self) {
        drop(lock(&self.sender).take());
    }
}

/// `None` if the call would have had to wait.
fn not_now<T>(error: Error) -> io::Result<Option<T>> {
    if error.status() == Status::Timeout { Ok(None) } else { Err(error.into()) }
}

/// A connection between two processes: [`Connection`](crate::Connection), as an [`AsyncRead`] and an
/// [`AsyncWrite`]. What is written can be read at once; there is nothing to flush. A shutdown ends the
/// direction to the peer alone. Cancel-safe: a read or a write that is dropped has done nothing.
pub struct Connection {
    shared: Arc<Shared>,
}

impl Connection {
    /// Connects to the listener at `path`, and waits until it accepts. Dropping the future gives up.
    /// While more clients wait than the listener's backlog, one that waits for a place in it holds a
    /// thread, also after it has given up.
    ///
    /// # Errors
    /// As [`Connection::dial`](crate::Connection::dial).
    pub async fn dial(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::dial_with(path, &ConnOptions::new()).await
    }

    /// As [`dial`](Self::dial), with options.
    ///
    /// # Errors
    /// As there.
    pub async fn dial_with(path: impl AsRef<Path>, options: &ConnOptions) -> io::Result<Self> {
        let mut handshake = options.begin_as_client(connect(path.as_ref()).await?)?;
        loop {
            match handshake.step()? {
                Step::Done(connection) => return connection.try_into(),
                Step::Waiting(waiting) => handshake = waiting,
            }
            let fd = registered(handshake)?;
            fd.readable().await?.clear_ready();
            handshake = fd.into_inner();
        }
    }

    /// Both halves, for a task each. The connection ends with the last of them; the direction to the
    /// peer ends when the [`WriteHalf`] is dropped.
    #[must_use]
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        (ReadHalf { shared: Arc::clone(&self.shared) }, WriteHalf { shared: self.shared })
    }
}

async fn connect(path: &Path) -> io::Result<UnixStream> {
    match tokio::net::UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        done => return done?.into_std(),
    }
    // The listener's queue is full, and the kernel lets only a call that blocks wait for a place in it.
    // Nothing ends that call. So it is not for a thread of the runtime, whose end would wait for it.
    let (done, connected) = oneshot::channel();
    let path = path.to_owned();
    let blocking = move || {
        loop {
            match UnixStream::connect(&path) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break drop(done.send(result)),
            }
        }
    };
    thread::Builder::new().name("spsc-dial".into()).spawn(blocking)?;
    connected.await.map_err(io::Error::other)?
}

impl TryFrom<connection::Connection> for Connection {
    type Error = io::Error;

    fn try_from(connection: connection::Connection) -> io::Result<Self> {
        let (sender, receiver, doorbell) = connection.into_parts();
        let tasks = Arc::<Tasks>::default();
        Ok(Self {
            shared: Arc::new(Shared {
                sender: Mutex::new(Some(sender)),
                receiver: Mutex::new(receiver),
                doorbell: registered(doorbell)?,
                waker: Arc::clone(&tasks).into(),
                tasks,
            }),
        })
    }
}

/// The half of a [`Connection`] that reads.
pub struct ReadHalf {
    shared: Arc<Shared>,
}

/// The half of a [`Connection`] that writes. The peer reads the end when it is dropped.
pub struct WriteHalf {
    shared: Arc<Shared>,
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        self.shared.shutdown();
    }
}

macro_rules! reads {
    ($name:ident) => {
        impl AsyncRead for $name {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.shared.poll_read(cx, buf)
            }
        }
    };
}

macro_rules! writes {
    ($name:ident) => {
        impl AsyncWrite for $name {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.shared.poll_write(cx, buf)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.shared.shutdown();
                Poll::Ready(Ok(()))
            }
        }
    };
}

macro_rules! debug {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.shared.doorbell.as_raw_fd()).finish()
            }
        }
    )*};
}

reads!(Connection);
reads!(ReadHalf);
writes!(Connection);
writes!(WriteHalf);
debug!(Connection ReadHalf WriteHalf);
