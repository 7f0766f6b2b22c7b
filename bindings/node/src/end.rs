//! What the two ends have in common: one call at a time, from JavaScript or in the thread pool.

use crate::code;
use crate::lend::{self, Lent};
use napi::{Env, sys};
use spsc_shm::{Consumer, Interrupter, Producer, Result, Ring};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

pub const NOW: Option<Duration> = Some(Duration::ZERO);

/// An end of a ring of the library.
pub trait Side: Send + 'static {
    fn ring(&self) -> &Arc<Ring>;
    fn interrupter(&self) -> Interrupter;
}

impl Side for Producer {
    fn ring(&self) -> &Arc<Ring> {
        Producer::ring(self)
    }

    fn interrupter(&self) -> Interrupter {
        Producer::interrupter(self)
    }
}

impl Side for Consumer {
    fn ring(&self) -> &Arc<Ring> {
        Consumer::ring(self)
    }

    fn interrupter(&self) -> Interrupter {
        Consumer::interrupter(self)
    }
}

pub struct End<S> {
    /// `None` once it is closed.
    side: Mutex<Option<S>>,
    /// Likewise: it, too, keeps the ring mapped.
    interrupter: Mutex<Option<Interrupter>>,
}

/// The value behind a mutex. What a panic left there is as good as before.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds as JavaScript gives them. Fewer than none are without limit.
pub fn timeout(milliseconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(milliseconds / 1e3).ok()
}

impl<S: Side> End<S> {
    pub fn new(side: S) -> Self {
        let interrupter = side.interrupter();
        Self { side: Mutex::new(Some(side)), interrupter: Mutex::new(Some(interrupter)) }
    }

    /// Does something with the end, unless a wait goes on. Gives a code otherwise.
    pub fn with<T>(&self, call: impl FnOnce(&mut S) -> T) -> std::result::Result<T, i64> {
        let mut side = match self.side.try_lock() {
            Ok(side) => side,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(code::IN_USE),
        };
        side.as_mut().map(call).ok_or(code::CLOSED)
    }

    /// A call whose result is a number.
    pub fn call(&self, call: impl FnOnce(&mut S) -> Result<i64>) -> i64 {
        match self.with(call) {
            Ok(result) => code::of_result(result),
            Err(code) => code,
        }
    }

    /// A call that finds bytes: an `ArrayBuffer` over them, or a code.
    pub fn lend(
        &self,
        env: Env,
        find: impl FnOnce(&mut S) -> Result<(*mut u8, usize)>,
    ) -> napi::Result<sys::napi_value> {
        let lent = self.with(|side| {
            let (data, len) = find(side)?;
            Ok(Lent { data, len, ring: Arc::clone(side.ring()) })
        });
        lend::value(env, lent)
    }

    /// A call in the thread pool. JavaScript begins no other meanwhile.
    pub fn wait(&self, call: impl FnOnce(&mut S) -> Result<i64>) -> i64 {
        lock(&self.side).as_mut().map_or(code::CLOSED, |side| code::of_result(call(side)))
    }

    /// Ends the current wait or the next one.
    pub fn interrupt(&self) {
        if let Some(interrupter) = lock(&self.interrupter).as_ref() {
            interrupter.interrupt();
        }
    }

    /// Takes an interrupt back that ended no wait.
    pub fn clear_interrupt(&self) {
        if let Some(interrupter) = lock(&self.interrupter).as_ref() {
            interrupter.clear();
        }
    }

    /// Gives the role up.
    pub fn close(&self) -> i64 {
        match self.side.try_lock() {
            Ok(mut side) => *side = None,
            Err(TryLockError::Poisoned(poisoned)) => *poisoned.into_inner() = None,
            Err(TryLockError::WouldBlock) => return code::IN_USE,
        }
        *lock(&self.interrupter) = None;
        0
    }
}
