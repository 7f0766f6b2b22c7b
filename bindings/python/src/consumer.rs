//! The end that reads.
#![allow(unsafe_op_in_unsafe_fn, reason = "what pyo3 makes of an unsafe method, within a macro")]

use crate::buffer::{Bytes, Lent};
use crate::end::{Call, End, NOW};
use crate::error::raised;
use crate::wait::call;
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyEOFError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use spsc_shm::{Payload, Result, Status};
use std::ffi::c_int;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

/// The end of a ring that reads. It becomes the ring's consumer with its first peek, receive or wait, and
/// is it until it is closed. What was not released stays for the next consumer.
///
/// One thread at a time may use it. As an iterator it gives messages, up to the end of the stream.
#[pyclass(frozen, module = "spsc_shm")]
pub struct Consumer {
    pub end: Arc<End<spsc_shm::Consumer>>,
}

/// A message as the library gives it.
struct Given {
    lent: Lent,
    tag: u32,
}

impl Given {
    fn of(payload: &Payload<'_>) -> Self {
        let lent = Lent { data: payload.as_ptr().cast_mut(), len: payload.len() };
        Self { lent, tag: payload.tag() }
    }
}

impl Consumer {
    pub fn over(consumer: spsc_shm::Consumer) -> Self {
        Self { end: Arc::new(End::new(consumer)) }
    }

    fn call<T: Send>(
        &self,
        py: Python<'_>,
        seconds: Option<f64>,
        step: impl FnMut(&mut spsc_shm::Consumer, Option<Duration>) -> Result<T> + Send,
    ) -> PyResult<(T, Call<'_, spsc_shm::Consumer>)> {
        call(py, &self.end, seconds, |_| true, step)
    }

    fn peeked(
        &self,
        py: Python<'_>,
        seconds: Option<f64>,
        step: impl FnMut(&mut spsc_shm::Consumer, Option<Duration>) -> Result<Lent> + Send,
    ) -> PyResult<Peek> {
        let (lent, mut call) = self.call(py, seconds, step)?;
        Ok(Peek { end: Arc::clone(&self.end), lent, loan: call.lend(0) })
    }
}

#[pymethods]
impl Consumer {
    /// Waits until `n` bytes are there, and gives a read-only buffer of them, in the ring.
    ///
    /// Use it in a `with` block: at its end the bytes are released to the producer. If the block raises,
    /// they stay. They need not have been published in one piece.
    #[pyo3(signature = (n, timeout=None))]
    fn peek(&self, py: Python<'_>, n: usize, timeout: Option<f64>) -> PyResult<Peek> {
        self.peeked(py, timeout, move |consumer, limit| {
            let grant = consumer.peek(n, limit)?;
            Ok(Lent { data: grant.as_ptr().cast_mut(), len: n })
        })
    }

    /// As `peek`, for all that is there once `min` bytes are.
    #[pyo3(signature = (min=1, timeout=None))]
    fn peek_some(&self, py: Python<'_>, min: usize, timeout: Option<f64>) -> PyResult<Peek> {
        self.peeked(py, timeout, move |consumer, limit| {
            let grant = consumer.peek_some(min, limit)?;
            Ok(Lent { data: grant.as_ptr().cast_mut(), len: grant.len() })
        })
    }

    /// Waits until `n` bytes are there. Reads nothing, but takes the role.
    #[pyo3(signature = (n=1, timeout=None))]
    fn wait_for_data(&self, py: Python<'_>, n: usize, timeout: Option<f64>) -> PyResult<()> {
        let wait = |consumer: &mut spsc_shm::Consumer, limit| consumer.wait_for_data(n, limit);
        self.call(py, timeout, wait)?;
        Ok(())
    }

    /// Waits for the next message. It is a read-only buffer, valid until the next call on this end, and is
    /// consumed by that: `bytes(message)` keeps it.
    #[pyo3(signature = (timeout=None))]
    fn receive(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Message> {
        let (given, mut call) = self.call(py, timeout, |consumer, limit| {
            let message = consumer.receive(limit)?;
            Ok(Given::of(&message))
        })?;
        let Given { lent, tag } = given;
        Ok(Message { end: Arc::clone(&self.end), lent, loan: call.lend(1), tag })
    }

    /// Waits for the next message, and gives a list of all that are there, but of no more than `limit`.
    /// They are valid until the next call on this end.
    #[pyo3(signature = (timeout=None, limit=1024))]
    fn receive_many(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        limit: usize,
    ) -> PyResult<Vec<Message>> {
        let (all, mut call) = self.call(py, timeout, |consumer, wait| {
            let batch = consumer.receive_up_to(limit, wait)?;
            Ok(batch.iter().map(|payload| Given::of(&payload)).collect::<Vec<_>>())
        })?;
        let loan = call.lend(all.len());
        let messages = all.into_iter();
        let message = |Given { lent, tag }| Message { end: Arc::clone(&self.end), lent, loan, tag };
        Ok(messages.map(message).collect())
    }

    /// Gives up the message for which the last `receive` raised `TooLarge` or `NoMemory`.
    fn skip_message(&self, py: Python<'_>) -> PyResult<()> {
        let mut call = self.end.take(py)?;
        call.side().skip_message().map_err(|error| raised(py, error))
    }

    /// Sets how many bytes of fragments are put together to one message at most: 64 MiB by default.
    fn set_max_message(&self, n: usize) -> PyResult<()> {
        self.end.look()?.side().set_max_message(n);
        Ok(())
    }

    /// Reads what is there into a writable bytes-like object, once there is anything. Gives how many bytes
    /// those are: 0 at the end of the stream.
    #[pyo3(signature = (buffer, timeout=None))]
    fn readinto(
        &self,
        py: Python<'_>,
        buffer: &Bound<'_, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        let mut target = Bytes::writable(buffer)?;
        let target = target.as_mut_slice();
        if target.is_empty() {
            return Ok(0);
        }
        let read = self.call(py, timeout, |consumer, limit| {
            let mut grant = match consumer.peek_some(1, limit) {
                Err(error) if error.status() == Status::Closed => return Ok(0),
                granted => granted?,
            };
            let n = grant.read(target).expect("a grant gives what it has");
            grant.release(n)?;
            Ok(n)
        })?;
        Ok(read.0)
    }

    /// Reads what is there, up to `n` bytes, once there is anything: `b""` at the end of the stream.
    #[pyo3(signature = (n=65536, timeout=None))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        n: usize,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (lent, mut call) =
            self.call(py, timeout, |consumer, limit| match consumer.peek_some(1, limit) {
                Err(error) if error.status() == Status::Closed => Ok(None),
                granted => {
                    let grant = granted?;
                    let len = grant.len().min(n);
                    Ok(Some(Lent { data: grant.as_ptr().cast_mut(), len }))
                }
            })?;
        let Some(lent) = lent else { return Ok(PyBytes::new(py, b"")) };
        // SAFETY: the bytes are there until they are released, and this call goes on.
        let bytes = unsafe { lent.to_bytes(py) };
        let released = call.side().peek(lent.len, NOW).and_then(|grant| grant.release(lent.len));
        released.map(|()| bytes).map_err(|error| raised(py, error))
    }

    /// Ends this end's current wait, or its next one, with `Interrupted`. Any thread may call it.
    fn interrupt(&self) -> PyResult<()> {
        self.end.interrupt()
    }

    /// Gives the role up. Raises `BufferError` while a view of a peek or a message is alive.
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

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Message>> {
        match self.receive(py, None) {
            // The end of the stream.
            Err(error) if error.is_instance_of::<PyEOFError>(py) => Ok(None),
            received => received.map(Some),
        }
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_reason))]
    fn __exit__(&self, py: Python<'_>, _reason: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py)
    }
}

/// What a read-only buffer of lent bytes does. How it is given back differs.
macro_rules! read_only {
    ($name:ident { $($methods:tt)* }) => {
        #[pymethods]
        impl $name {
            $($methods)*

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
                let Ok(mut call) = self.end.loan(self.loan) else {
                    // It was released already.
                    return Ok(());
                };
                if kind.is_none() {
                    drop(call);
                    return self.end_block(py);
                }
                // As for a claim.
                let _ = call.settle(py);
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

            fn __bytes__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
                let _call = self.end.loan(self.loan)?;
                // SAFETY: as above.
                Ok(unsafe { self.lent.to_bytes(py) })
            }

            fn __richcmp__<'py>(
                &self,
                other: &Bound<'py, PyAny>,
                how: CompareOp,
            ) -> PyResult<Bound<'py, PyAny>> {
                let py = other.py();
                let own = self.__bytes__(py)?;
                match Bytes::of(other) {
                    Ok(other) if matches!(how, CompareOp::Eq | CompareOp::Ne) => {
                        let equal = own.as_bytes() == other.as_slice();
                        let answer = equal == matches!(how, CompareOp::Eq);
                        Ok(answer.into_pyobject(py)?.to_owned().into_any())
                    }
                    _ => Ok(py.NotImplemented().into_bound(py)),
                }
            }

            unsafe fn __getbuffer__(
                slf: Bound<'_, Self>,
                view: *mut ffi::Py_buffer,
                flags: c_int,
            ) -> PyResult<()> {
                let this = slf.get();
                // SAFETY: Python passes a place for a view. It is counted, and the bytes stay lent while
                // it lives.
                this.end.view(this.loan, || unsafe {
                    this.lent.export(slf.as_any(), view, true, flags)
                })
            }

            unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
                self.end.view_is_over();
            }
        }
    };
}

/// Bytes of the ring to read, released at the end of a `with` block. A read-only buffer: what makes a view
/// of it, such as `memoryview` or `numpy.frombuffer`, must be released within the block.
#[pyclass(frozen, module = "spsc_shm")]
pub struct Peek {
    end: Arc<End<spsc_shm::Consumer>>,
    lent: Lent,
    loan: u64,
}

read_only!(Peek {
    /// Releases the first `n` bytes, or all, as the end of the block does.
    #[pyo3(signature = (n=None))]
    fn release(&self, py: Python<'_>, n: Option<usize>) -> PyResult<()> {
        let mut call = self.end.loan(self.loan)?;
        call.settle(py)?;
        let n = n.unwrap_or(self.lent.len);
        // The same bytes as before, without a wait.
        let released = call.side().peek(self.lent.len, NOW).and_then(|grant| grant.release(n));
        released.map_err(|error| raised(py, error))
    }
});

impl Peek {
    fn end_block(&self, py: Python<'_>) -> PyResult<()> {
        self.release(py, None)
    }
}

/// A message that was received: a read-only buffer with a `tag`, valid until the next call on its
/// consumer.
#[pyclass(frozen, module = "spsc_shm")]
pub struct Message {
    end: Arc<End<spsc_shm::Consumer>>,
    lent: Lent,
    loan: u64,
    /// What the sender marked it with.
    #[pyo3(get)]
    tag: u32,
}

read_only!(Message {
    /// Consumes the message, and all that were received with it. The next call on the consumer would do so,
    /// too.
    fn release(&self, py: Python<'_>) -> PyResult<()> {
        match self.end.loan(self.loan) {
            Ok(mut call) => call.settle(py),
            Err(_) => Ok(()),
        }
    }

    fn __repr__(&self) -> String {
        format!("<spsc_shm.Message of {} bytes, tag {}>", self.lent.len, self.tag)
    }
});

impl Message {
    fn end_block(&self, py: Python<'_>) -> PyResult<()> {
        self.release(py)
    }
}
