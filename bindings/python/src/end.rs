//! What the two ends have in common: one thread at a time, and bytes that are lent to Python.
//!
//! A claim, a peek or a message is lent until the next call on its end that would take it back. Each loan
//! has a number. Views of it are counted, and while one is alive every such call raises `BufferError`: no
//! view can outlive its bytes.

use crate::error::{closed, in_use, raised};
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::prelude::*;
use spsc_shm::{Consumer, Interrupter, Producer, Result, Ring};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

pub const NOW: Option<Duration> = Some(Duration::ZERO);

/// An end of a ring of the library.
pub trait Side {
    fn ring(&self) -> &Arc<Ring>;
    fn interrupter(&self) -> Interrupter;
    /// Takes back what is lent: so many messages are consumed.
    fn settle(&mut self, messages: usize) -> Result<()>;
}

impl Side for Producer {
    fn ring(&self) -> &Arc<Ring> {
        Producer::ring(self)
    }

    fn interrupter(&self) -> Interrupter {
        Producer::interrupter(self)
    }

    fn settle(&mut self, _: usize) -> Result<()> {
        // A claim that is not published is forgotten.
        Ok(())
    }
}

impl Side for Consumer {
    fn ring(&self) -> &Arc<Ring> {
        Consumer::ring(self)
    }

    fn interrupter(&self) -> Interrupter {
        Consumer::interrupter(self)
    }

    fn settle(&mut self, messages: usize) -> Result<()> {
        // What was received and is not done is received again, without a wait.
        match messages {
            0 => {}
            1 => self.receive(NOW)?.done(),
            _ => self.receive_up_to(messages, NOW)?.done(),
        }
        Ok(())
    }
}

pub struct End<S> {
    state: Mutex<State<S>>,
    /// What any thread may use during a call. `None` once it is closed.
    open: Mutex<Option<(Arc<Ring>, Interrupter)>>,
    /// Whether somebody has called `interrupt`, and no wait has ended with it yet.
    asked: AtomicBool,
    /// How many views there are of what is lent.
    views: AtomicUsize,
}

pub struct State<S> {
    side: Option<S>,
    /// The number of the latest loan.
    loan: u64,
    /// How many messages are lent.
    messages: usize,
}

/// The value behind a mutex. What a panic left there is as good as before.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Side> End<S> {
    pub fn new(side: S) -> Self {
        let open = (Arc::clone(side.ring()), side.interrupter());
        Self {
            state: Mutex::new(State { side: Some(side), loan: 0, messages: 0 }),
            open: Mutex::new(Some(open)),
            asked: AtomicBool::new(false),
            views: AtomicUsize::new(0),
        }
    }

    /// The end for a call, which takes back what is lent.
    pub fn take<'a>(&'a self, py: Python<'_>) -> PyResult<Call<'a, S>> {
        let mut call = self.look()?;
        call.settle(py)?;
        Ok(call)
    }

    /// The end for a call that leaves what is lent.
    pub fn look(&self) -> PyResult<Call<'_, S>> {
        let state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(in_use()),
        };
        if state.side.is_none() {
            return Err(closed());
        }
        Ok(Call { end: self, state })
    }

    /// The end, if this loan is still the latest.
    pub fn loan(&self, loan: u64) -> PyResult<Call<'_, S>> {
        let call = self.look()?;
        if call.state.loan == loan { Ok(call) } else { Err(ended()) }
    }

    /// Counts a view of a loan, which `export` makes while nobody can take the bytes back.
    pub fn view(&self, loan: u64, export: impl FnOnce() -> PyResult<()>) -> PyResult<()> {
        let _call = self.loan(loan).map_err(|error| PyBufferError::new_err(error.to_string()))?;
        export()?;
        self.views.fetch_add(1, SeqCst);
        Ok(())
    }

    pub fn view_is_over(&self) {
        self.views.fetch_sub(1, SeqCst);
    }

    pub fn ring(&self) -> PyResult<Arc<Ring>> {
        lock(&self.open).as_ref().map(|(ring, _)| Arc::clone(ring)).ok_or_else(closed)
    }

    pub fn is_closed(&self) -> bool {
        lock(&self.open).is_none()
    }

    /// Ends the current wait or the next one.
    pub fn interrupt(&self) -> PyResult<()> {
        let open = lock(&self.open);
        let (_, interrupter) = open.as_ref().ok_or_else(closed)?;
        self.asked.store(true, SeqCst);
        interrupter.interrupt();
        Ok(())
    }

    /// What ends a wait of this end for the sake of a signal.
    pub fn waiting(&self) -> PyResult<Waiting<'_>> {
        let open = lock(&self.open);
        let (_, interrupter) = open.as_ref().ok_or_else(closed)?;
        Ok(Waiting { interrupter: interrupter.clone(), asked: &self.asked })
    }

    /// Raises if a view is alive.
    pub fn check_views(&self) -> PyResult<()> {
        if self.views.load(SeqCst) == 0 {
            return Ok(());
        }
        Err(PyBufferError::new_err("a view of bytes in the ring is still alive: release it first"))
    }

    pub fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.take(py) {
            Ok(mut call) => {
                *lock(&self.open) = None;
                // Ends the stream, or gives up reading it.
                call.state.side = None;
                Ok(())
            }
            Err(_) if self.is_closed() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Closes two ends that belong together: both, or neither while a view of either is alive.
pub fn close_both(
    py: Python<'_>,
    producer: &End<Producer>,
    consumer: &End<Consumer>,
) -> PyResult<()> {
    producer.check_views()?;
    consumer.check_views()?;
    producer.close(py)?;
    consumer.close(py)
}

fn ended() -> PyErr {
    PyValueError::new_err("its bytes went back to the ring")
}

/// A wait, for whoever would interrupt it.
pub struct Waiting<'a> {
    interrupter: Interrupter,
    asked: &'a AtomicBool,
}

impl Waiting<'_> {
    /// Async-signal-safe.
    pub fn interrupt(&self) {
        self.interrupter.interrupt();
    }

    /// Takes an interrupt back, but for one that somebody asked for. Whether there was one.
    pub fn take_back(&self) -> bool {
        !self.asked.load(SeqCst) && self.interrupter.take()
    }

    /// Whether somebody asked for the interrupt that has just ended a wait.
    pub fn was_asked(&self) -> bool {
        self.asked.swap(false, SeqCst)
    }
}

/// A call on an end.
pub struct Call<'a, S> {
    end: &'a End<S>,
    state: MutexGuard<'a, State<S>>,
}

impl<S: Side> Call<'_, S> {
    pub fn side(&mut self) -> &mut S {
        self.state.side.as_mut().expect("a call begins with an end that is open")
    }

    /// Takes back what is lent.
    pub fn settle(&mut self, py: Python<'_>) -> PyResult<()> {
        self.end.check_views()?;
        let messages = std::mem::take(&mut self.state.messages);
        self.state.loan += 1;
        if messages == 0 {
            return Ok(());
        }
        self.side().settle(messages).map_err(|error| raised(py, error))
    }

    /// The number of a new loan, with so many messages.
    pub fn lend(&mut self, messages: usize) -> u64 {
        self.state.messages = messages;
        self.state.loan += 1;
        self.state.loan
    }
}
