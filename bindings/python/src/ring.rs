//! A ring, and its name.

use crate::consumer::Consumer;
use crate::end::{NOW, close_both, lock};
use crate::error::{closed, raised};
use crate::producer::Producer;
use crate::wait::timeout;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use spsc_shm::{Options, Spin, Status};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A single-producer single-consumer ring in shared memory.
///
/// `producer()` and `consumer()` are its ends. A process uses one of them, or both. Closing the ring closes
/// them: the other process then reads what was published, and learns of the end. A name stays until
/// `unlink`.
#[pyclass(frozen, module = "spsc_shm")]
pub struct Ring {
    ring: Mutex<Option<Arc<spsc_shm::Ring>>>,
    producer: Py<Producer>,
    consumer: Py<Consumer>,
    /// The ring's name, or `None`.
    #[pyo3(get)]
    name: Option<String>,
}

/// How long a wait spins: `None` as recent waits suggest, or for so many seconds.
pub fn spin(seconds: Option<f64>) -> PyResult<Spin> {
    Ok(match seconds {
        None => Spin::Adaptive,
        Some(0.0) => Spin::Never,
        Some(_) => Spin::For(timeout(seconds)?.unwrap_or(Duration::MAX)),
    })
}

impl Ring {
    fn over(py: Python<'_>, ring: spsc_shm::Ring, name: Option<String>) -> PyResult<Self> {
        let (producer, consumer) = ring.split();
        Ok(Self {
            ring: Mutex::new(Some(Arc::clone(producer.ring()))),
            producer: Py::new(py, Producer::over(producer))?,
            consumer: Py::new(py, Consumer::over(consumer))?,
            name,
        })
    }

    fn ring(&self) -> PyResult<Arc<spsc_shm::Ring>> {
        lock(&self.ring).clone().ok_or_else(closed)
    }
}

#[pymethods]
impl Ring {
    /// Makes a ring of at least `capacity` bytes under `name`. The capacity is rounded up to a power of two.
    ///
    /// `mode` are the permission bits, less the umask. With `replace_stale` a ring of the same name that
    /// nobody uses is replaced. With `prefault` all pages are entered at once. `spin` is how long a wait
    /// spins before it sleeps, in seconds; `None` adapts it.
    #[staticmethod]
    #[pyo3(signature = (name, capacity, *, mode=0o600, replace_stale=false, prefault=false, spin=None))]
    fn create(
        py: Python<'_>,
        name: String,
        capacity: usize,
        mode: u32,
        replace_stale: bool,
        prefault: bool,
        spin: Option<f64>,
    ) -> PyResult<Self> {
        let options = Options::new().mode(mode).replace_stale(replace_stale).prefault(prefault);
        let options = options.spin(self::spin(spin)?);
        let ring = options.create(&name, capacity).map_err(|error| raised(py, error))?;
        Self::over(py, ring, Some(name))
    }

    /// Opens the ring of this name. Waits for it to appear and be ready: for ever, or up to `timeout`
    /// seconds.
    #[staticmethod]
    #[pyo3(signature = (name, timeout=None))]
    fn connect(py: Python<'_>, name: String, timeout: Option<f64>) -> PyResult<Self> {
        const LONGEST: Duration = Duration::from_millis(5);
        let timeout = self::timeout(timeout)?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut pause = Duration::from_micros(50);
        // Nothing tells that a name has appeared: the library, too, looks again and again.
        loop {
            let error = match spsc_shm::Ring::connect(&name) {
                Ok(ring) => return Self::over(py, ring, Some(name)),
                Err(error) => error,
            };
            let may_come = matches!(error.status(), Status::NotFound | Status::NotReady);
            if !may_come || timeout == NOW {
                return Err(raised(py, error));
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == NOW {
                return Err(raised(py, Status::Timeout.into()));
            }
            py.detach(|| std::thread::sleep(left.map_or(pause, |left| left.min(pause))));
            py.check_signals()?;
            pause = (2 * pause).min(LONGEST);
        }
    }

    /// Makes a ring without a name. Hand `fileno()` to another process, and there say `Ring.from_fd`.
    #[staticmethod]
    #[pyo3(signature = (capacity, *, prefault=false, spin=None))]
    fn anonymous(
        py: Python<'_>,
        capacity: usize,
        prefault: bool,
        spin: Option<f64>,
    ) -> PyResult<Self> {
        let options = Options::new().prefault(prefault).spin(self::spin(spin)?);
        let ring = options.anonymous(capacity).map_err(|error| raised(py, error))?;
        Self::over(py, ring, None)
    }

    /// Opens the ring without a name that is behind a descriptor. The descriptor stays the caller's.
    #[staticmethod]
    fn from_fd(py: Python<'_>, fd: RawFd) -> PyResult<Self> {
        if fd < 0 {
            return Err(PyValueError::new_err("a descriptor is not negative"));
        }
        // SAFETY: it is the caller's, and is duplicated by the call.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let ring = spsc_shm::Ring::connect_fd(fd).map_err(|error| raised(py, error))?;
        Self::over(py, ring, None)
    }

    /// The end that writes: the same object each time.
    fn producer(&self, py: Python<'_>) -> PyResult<Py<Producer>> {
        self.ring()?;
        Ok(self.producer.clone_ref(py))
    }

    /// The end that reads: the same object each time.
    fn consumer(&self, py: Python<'_>) -> PyResult<Py<Consumer>> {
        self.ring()?;
        Ok(self.consumer.clone_ref(py))
    }

    /// Bytes that the ring holds at most.
    #[getter]
    fn capacity(&self) -> PyResult<usize> {
        Ok(self.ring()?.capacity())
    }

    /// Bytes published and not yet released.
    #[getter]
    fn available(&self) -> PyResult<usize> {
        Ok(self.ring()?.available())
    }

    /// The descriptor of a ring without a name, which stays the ring's. A ring with a name has none to
    /// give: whoever had it could cut the ring short.
    fn fileno(&self) -> PyResult<RawFd> {
        let ring = self.ring()?;
        let fd = ring.sealed_fd().map(|fd| fd.as_raw_fd());
        fd.ok_or_else(|| PyValueError::new_err("a ring with a name has no descriptor to give"))
    }

    /// Ends the current or next wait of both sides, in every process, with `Interrupted`.
    fn wakeup_all(&self) -> PyResult<()> {
        self.ring()?.wakeup_all();
        Ok(())
    }

    /// What can be seen of the ring, for people.
    fn debug_dump(&self) -> PyResult<String> {
        Ok(format!("{:#?}", self.ring()?.stats()))
    }

    /// Closes both ends. Raises `BufferError` while a view of bytes in the ring is alive.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let (producer, consumer) = (self.producer.get(), self.consumer.get());
        close_both(py, &producer.end, &consumer.end)?;
        *lock(&self.ring) = None;
        Ok(())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.ring().is_err()
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_reason))]
    fn __exit__(&self, py: Python<'_>, _reason: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self) -> String {
        match (self.ring(), &self.name) {
            (Err(_), _) => "<spsc_shm.Ring, closed>".into(),
            (Ok(ring), None) => format!("<spsc_shm.Ring of {} bytes>", ring.capacity()),
            (Ok(ring), Some(name)) => {
                format!("<spsc_shm.Ring {name:?} of {} bytes>", ring.capacity())
            }
        }
    }
}

/// Removes a name. Whoever has the ring open keeps it.
#[pyfunction]
pub fn unlink(py: Python<'_>, name: &str) -> PyResult<()> {
    spsc_shm::Ring::unlink(name).map_err(|error| raised(py, error))
}
