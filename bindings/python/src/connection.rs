//! Connections, as far as nothing waits: that is Python's part, in its own event loops.

use crate::consumer::Consumer;
use crate::end::{NOW, close_both, lock};
use crate::error::{closed, raised};
use crate::producer::Producer;
use crate::ring::spin;
use pyo3::prelude::*;
use spsc_shm::{ConnOptions, Doorbell, Status, Step};
use std::ffi::OsString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Mutex;

/// A connection between two processes: a ring for each direction, and a descriptor that tells of both.
#[pyclass(frozen, subclass, module = "spsc_shm")]
pub struct Connection {
    /// The end of the ring to the peer.
    #[pyo3(get)]
    sender: Py<Producer>,
    /// The end of the ring from the peer.
    #[pyo3(get)]
    receiver: Py<Consumer>,
    doorbell: Mutex<Option<Doorbell>>,
}

impl Connection {
    fn over(py: Python<'_>, connection: spsc_shm::Connection) -> PyResult<Self> {
        let (sender, receiver, doorbell) = connection.into_parts();
        Ok(Self {
            sender: Py::new(py, Producer::over(sender))?,
            receiver: Py::new(py, Consumer::over(receiver))?,
            doorbell: Mutex::new(Some(doorbell)),
        })
    }
}

#[pymethods]
impl Connection {
    /// The descriptor: it becomes readable once what `arm` asked for can be done, and when the peer goes.
    fn fileno(&self) -> PyResult<RawFd> {
        lock(&self.doorbell).as_ref().map(AsRawFd::as_raw_fd).ok_or_else(closed)
    }

    /// Asks for the descriptor to become readable, once, as soon as `data` bytes can be read or `space` bytes
    /// written; 0 does not ask. Gives what can be done already: whether there is data, and whether there is
    /// space. If there is either, nothing is asked for: arm again once that is done.
    #[pyo3(signature = (data=1, space=0))]
    fn arm(&self, py: Python<'_>, data: usize, space: usize) -> PyResult<(bool, bool)> {
        let doorbell = lock(&self.doorbell);
        let doorbell = doorbell.as_ref().ok_or_else(closed)?;
        let mut receiver = if data > 0 { Some(self.receiver.get().end.look()?) } else { None };
        let mut sender = if space > 0 { Some(self.sender.get().end.look()?) } else { None };
        let data = receiver.as_mut().map(|call| (call.side(), data));
        let space = sender.as_mut().map(|call| (call.side(), space));
        let ready = doorbell.arm(data, space).map_err(|error| raised(py, error))?;
        Ok((ready.readable, ready.writable))
    }

    /// Who is on the other end, by what the kernel says: process, user, group.
    #[getter]
    fn peer(&self) -> PyResult<(i32, u32, u32)> {
        let doorbell = lock(&self.doorbell);
        let peer = doorbell.as_ref().ok_or_else(closed)?.peer();
        Ok((peer.pid, peer.uid, peer.gid))
    }

    /// Ends both directions. Raises `BufferError` while a view of bytes in a ring is alive.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let (sender, receiver) = (self.sender.get(), self.receiver.get());
        close_both(py, &sender.end, &receiver.end)?;
        *lock(&self.doorbell) = None;
        Ok(())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        lock(&self.doorbell).is_none()
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_reason))]
    fn __exit__(&self, py: Python<'_>, _reason: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        self.close(py)
    }
}

/// A connection on its way, over a connected socket that now belongs to it.
#[pyclass(frozen, module = "spsc_shm")]
pub struct Handshake {
    state: Mutex<Option<spsc_shm::Handshake>>,
}

#[pymethods]
impl Handshake {
    #[new]
    #[pyo3(signature = (fd, server, to_server=0, to_client=0, prefault=false, spin=None))]
    fn new(
        py: Python<'_>,
        fd: RawFd,
        server: bool,
        to_server: usize,
        to_client: usize,
        prefault: bool,
        spin: Option<f64>,
    ) -> PyResult<Self> {
        // SAFETY: the caller has detached it from its socket.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let options = ConnOptions::new().to_server(to_server).to_client(to_client);
        let options = options.prefault(prefault).spin(self::spin(spin)?);
        let begun =
            if server { options.begin_as_server(socket) } else { options.begin_as_client(socket) };
        let handshake = begun.map_err(|error| raised(py, error))?;
        Ok(Self { state: Mutex::new(Some(handshake)) })
    }

    fn fileno(&self) -> PyResult<RawFd> {
        lock(&self.state).as_ref().map(AsRawFd::as_raw_fd).ok_or_else(closed)
    }

    /// Goes as far as it can without waiting: `None` if the peer has to say more.
    fn step(&self, py: Python<'_>) -> PyResult<Option<Connection>> {
        let mut state = lock(&self.state);
        let step = state.take().ok_or_else(closed)?.step();
        match step.map_err(|error| raised(py, error))? {
            Step::Done(connection) => Connection::over(py, connection).map(Some),
            Step::Waiting(handshake) => {
                *state = Some(handshake);
                Ok(None)
            }
        }
    }

    fn close(&self) {
        *lock(&self.state) = None;
    }
}

/// Waits for clients at a path.
#[pyclass(frozen, module = "spsc_shm")]
pub struct Listener {
    inner: Mutex<Option<spsc_shm::Listener>>,
}

#[pymethods]
impl Listener {
    #[new]
    #[pyo3(signature = (path, to_server=0, to_client=0, mode=0o600, backlog=128, prefault=false, spin=None))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn new(
        py: Python<'_>,
        path: OsString,
        to_server: usize,
        to_client: usize,
        mode: u32,
        backlog: u32,
        prefault: bool,
        spin: Option<f64>,
    ) -> PyResult<Self> {
        let options = ConnOptions::new().to_server(to_server).to_client(to_client).mode(mode);
        let options = options.backlog(backlog).prefault(prefault).spin(self::spin(spin)?);
        let listener = options.listen(path).map_err(|error| raised(py, error))?;
        Ok(Self { inner: Mutex::new(Some(listener)) })
    }

    fn fileno(&self) -> PyResult<RawFd> {
        lock(&self.inner).as_ref().map(AsRawFd::as_raw_fd).ok_or_else(closed)
    }

    /// The next client's connection, or `None` if there is none yet.
    fn accept(&self, py: Python<'_>) -> PyResult<Option<Connection>> {
        let inner = lock(&self.inner);
        match inner.as_ref().ok_or_else(closed)?.accept(NOW) {
            Ok(connection) => Connection::over(py, connection).map(Some),
            Err(error) if error.status() == Status::Timeout => Ok(None),
            Err(error) => Err(raised(py, error)),
        }
    }

    fn close(&self) {
        *lock(&self.inner) = None;
    }

    #[getter]
    fn closed(&self) -> bool {
        lock(&self.inner).is_none()
    }
}
