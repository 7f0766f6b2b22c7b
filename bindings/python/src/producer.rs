//! The end that writes.

use crate::buffer::{Lent, Source};
use crate::end::{End, NOW};
use crate::error::raised;
use crate::wait::call;
use pyo3::exceptions::{PyTimeoutError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use spsc_shm::Result;
use std::ffi::c_int;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// The end of a ring that writes. It becomes the ring's producer with its first claim, send or wait, and is
/// it until it is closed: the consumer then reads what was published and learns of the end.
///
/// One thread at a time may use it.
#[pyclass(frozen, module = "spsc_shm")]
pub struct Producer {
    pub end: Arc<End<spsc_shm::Producer>>,
}

impl Producer {
    pub fn over(producer: spsc_shm::Producer) -> Self {
        Self { end: Arc::new(End::new(producer)) }
    }
}

#[pymethods]
impl Producer {
    /// Waits until `n` bytes are free, and gives a writable buffer of them, in the ring.
    ///
    /// Use it in a `with` block: at its end the bytes are published, as far as `commit` said, or all.
    /// If the block raises, nothing is.
    #[pyo3(signature = (n, timeout=None))]
    fn claim(&self, py: Python<'_>, n: usize, timeout: Option<f64>) -> PyResult<Claim> {
        self.claimed(py, timeout, None, move |producer, limit| {
            let mut grant = producer.claim(n, limit)?;
            Ok(Lent { data: grant.as_mut_ptr(), len: n })
        })
    }

    /// As `claim`, for all that is free once `min` bytes are.
    #[pyo3(signature = (min=1, timeout=None))]
    fn claim_some(&self, py: Python<'_>, min: usize, timeout: Option<f64>) -> PyResult<Claim> {
        self.claimed(py, timeout, None, move |producer, limit| {
            let mut grant = producer.claim_some(min, limit)?;
            Ok(Lent { data: grant.as_mut_ptr(), len: grant.len() })
        })
    }

    /// As `claim`, for a message of up to `n` bytes, at most half the capacity.
    #[pyo3(signature = (n, tag=0, timeout=None))]
    fn claim_message(
        &self,
        py: Python<'_>,
        n: usize,
        tag: u32,
        timeout: Option<f64>,
    ) -> PyResult<Claim> {
        self.claimed(py, timeout, Some(tag), move |producer, limit| {
            let mut grant = producer.claim_message(n, limit)?;
            Ok(Lent { data: grant.as_mut_ptr(), len: n })
        })
    }

    /// Waits until `n` bytes are free. Claims nothing, but takes the role.
    #[pyo3(signature = (n=1, timeout=None))]
    fn wait_for_space(&self, py: Python<'_>, n: usize, timeout: Option<f64>) -> PyResult<()> {
        self.call(py, timeout, 0, |producer, limit| producer.wait_for_space(n, limit))
    }

    /// Sends a bytes-like object as one message, once there is room for it. `tag` is a number of 32 bits,
    /// to tell kinds of messages apart. A message may be larger than the ring, if the consumer receives
    /// meanwhile.
    #[pyo3(signature = (data, tag=0, timeout=None))]
    fn send(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        tag: u32,
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let source = Source::of(data)?;
        let bytes = source.as_slice();
        self.call(py, timeout, bytes.len(), |producer, limit| producer.send(tag, bytes, limit))
    }

    /// Sends many messages: bytes-like objects, or pairs of one and its tag. All that fit are published at
    /// once. Gives how many were sent: all, unless the time ran out.
    #[pyo3(signature = (messages, timeout=None))]
    fn send_many(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        let sources =
            messages.try_iter()?.map(|item| message(&item?)).collect::<PyResult<Vec<_>>>()?;
        let all: Vec<(u32, &[u8])> =
            sources.iter().map(|(tag, source)| (*tag, source.as_slice())).collect();
        let mut sent = 0;
        let largest = all.iter().map(|(_, data)| data.len()).max().unwrap_or(0);
        let done = self.call(py, timeout, largest, |producer, limit| {
            while sent < all.len() {
                sent += producer.send_some(&all[sent..], limit)?;
            }
            Ok(())
        });
        match done {
            Err(error) if sent > 0 && error.is_instance_of::<PyTimeoutError>(py) => Ok(sent),
            done => done.map(|()| sent),
        }
    }

    /// Writes as much of a bytes-like object as there is room for, once there is any. Gives how many bytes
    /// those are.
    #[pyo3(signature = (data, timeout=None))]
    fn write(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        let source = Source::of(data)?;
        let bytes = source.as_slice();
        if bytes.is_empty() {
            return Ok(0);
        }
        self.call(py, timeout, 0, |producer, limit| {
            let mut grant = producer.claim_some(1, limit)?;
            let n = grant.write(bytes).expect("a grant takes what fits");
            grant.publish(n)?;
            Ok(n)
        })
    }

    /// Ends this end's current wait, or its next one, with `Interrupted`. Any thread may call it.
    fn interrupt(&self) -> PyResult<()> {
        self.end.interrupt()
    }

    /// Ends the stream. Raises `BufferError` while a view of a claim is alive.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.end.close(py)
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.end.is_closed()
    }

    /// Bytes that the ring holds at most.
    #[getter]
    fn capacity(&self) -> PyResult<usize> {
        Ok(self.end.ring()?.capacity())
    }

    /// Bytes published and not yet released.
    #[getter]
    fn available(&self) -> PyResult<usize> {
        Ok(self.end.ring()?.available())
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_reason))]
    fn __exit__(&self, py: Python<'_>, _reason: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py)
    }
}

impl Producer {
    fn call<T: Send>(
        &self,
        py: Python<'_>,
        seconds: Option<f64>,
        largest: usize,
        step: impl FnMut(&mut spsc_shm::Producer, Option<Duration>) -> Result<T> + Send,
    ) -> PyResult<T> {
        // A larger message goes in fragments, and one that is given up half-way is lost.
        let brief = |producer: &spsc_shm::Producer| largest <= producer.ring().capacity() / 2;
        let (done, _) = call(py, &self.end, seconds, brief, step)?;
        Ok(done)
    }

    fn claimed(
        &self,
        py: Python<'_>,
        seconds: Option<f64>,
        tag: Option<u32>,
        step: impl FnMut(&mut spsc_shm::Producer, Option<Duration>) -> Result<Lent> + Send,
    ) -> PyResult<Claim> {
        let (lent, mut call) = call(py, &self.end, seconds, |_| true, step)?;
        let (loan, committed) = (call.lend(0), AtomicUsize::new(lent.len));
        Ok(Claim { end: Arc::clone(&self.end), lent, loan, tag, committed })
    }
}

fn message<'py>(item: &Bound<'py, PyAny>) -> PyResult<(u32, Source<'py>)> {
    if let Ok(pair) = item.cast::<PyTuple>() {
        let (data, tag) = pair.extract::<(Bound<'py, PyAny>, u32)>()?;
        return Ok((tag, Source::of(&data)?));
    }
    Source::of(item).map(|source| (0, source)).map_err(|_| {
        PyTypeError::new_err("a message is a bytes-like object, or a pair of one and its tag")
    })
}

/// Bytes of the ring to write, published at the end of a `with` block. A writable buffer: what makes a
/// view of it, such as `memoryview` or `numpy.frombuffer`, must be released within the block.
#[pyclass(frozen, module = "spsc_shm")]
pub struct Claim {
    end: Arc<End<spsc_shm::Producer>>,
    lent: Lent,
    loan: u64,
    /// A message's.
    tag: Option<u32>,
    committed: AtomicUsize,
}

#[pymethods]
impl Claim {
    /// Says how many bytes are to be published at the end of the block, from the first one on.
    fn commit(&self, n: usize) -> PyResult<()> {
        if n > self.lent.len {
            let len = self.lent.len;
            return Err(PyValueError::new_err(format!("{n} bytes of a claim of {len}")));
        }
        self.committed.store(n, Relaxed);
        Ok(())
    }

    /// Publishes, as the end of the block does.
    fn publish(&self, py: Python<'_>) -> PyResult<()> {
        let mut call = self.end.loan(self.loan)?;
        call.settle(py)?;
        let (n, len) = (self.committed.load(Relaxed), self.lent.len);
        let producer = call.side();
        // The same bytes as before, without a wait: nobody has taken them.
        let published = match self.tag {
            Some(tag) => producer.claim_message(len, NOW).and_then(|grant| grant.publish(tag, n)),
            None => producer.claim(len, NOW).and_then(|grant| grant.publish(n)),
        };
        published.map_err(|error| raised(py, error))
    }

    /// Gives the claim up: nothing is published.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.end.loan(self.loan)?.settle(py)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().end.loan(slf.get().loan)?;
        Ok(slf)
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if self.end.loan(self.loan).is_err() {
            // It was published or given up already.
            return Ok(());
        }
        if kind.is_none() {
            return self.publish(py);
        }
        // Views may be alive in the frames that the exception holds. It is what the caller is to see. The
        // claim is given up by the end's next call, once they are gone.
        let _ = self.cancel(py);
        Ok(())
    }

    fn __len__(&self) -> usize {
        self.lent.len
    }

    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let _call = self.end.loan(self.loan)?;
        // SAFETY: the loan is the latest, and the call keeps it so.
        unsafe { self.lent.get(key) }
    }

    fn __setitem__(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // Before the call: an object that exports its bytes may be a view of the claim itself.
        let assignment = self.lent.assign(key, value)?;
        let _call = self.end.loan(self.loan)?;
        // SAFETY: as above.
        unsafe { assignment.run() };
        Ok(())
    }

    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let this = slf.get();
        // SAFETY: Python passes a place for a view. It is counted, and the bytes stay lent while it lives.
        this.end.view(this.loan, || unsafe { this.lent.export(slf.as_any(), view, false, flags) })
    }

    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.end.view_is_over();
    }
}
