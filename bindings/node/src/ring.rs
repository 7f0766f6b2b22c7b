//! Rings, and their names.

use crate::code;
use crate::consumer::Consumer;
use crate::end::{lock, timeout};
use crate::producer::Producer;
use napi::bindgen_prelude::Either;
use napi_derive::napi;
use spsc_shm::{Options, Spin};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Arc, Mutex};

/// What `Ring.create` and `Ring.anonymous` may be told.
#[napi(object)]
pub struct RingOptions {
    pub mode: u32,
    pub replace_stale: bool,
    pub prefault: bool,
    /// Milliseconds; fewer than none adapt it.
    pub spin: f64,
}

pub fn spin(milliseconds: f64) -> Spin {
    match timeout(milliseconds) {
        None => Spin::Adaptive,
        Some(time) if time.is_zero() => Spin::Never,
        Some(time) => Spin::For(time),
    }
}

impl RingOptions {
    fn options(&self) -> Options {
        let options = Options::new().mode(self.mode).replace_stale(self.replace_stale);
        options.prefault(self.prefault).spin(spin(self.spin))
    }
}

/// A ring, whose two ends are taken once.
#[napi]
pub struct Ring {
    ring: Mutex<Option<Arc<spsc_shm::Ring>>>,
    ends: Mutex<(Option<Producer>, Option<Consumer>)>,
}

fn opened(ring: spsc_shm::Result<spsc_shm::Ring>) -> Either<i64, Ring> {
    match ring {
        Ok(ring) => {
            let (producer, consumer) = ring.split();
            let ring = Arc::clone(producer.ring());
            let ends = (Some(Producer::over(producer)), Some(Consumer::over(consumer)));
            Either::B(Ring { ring: Mutex::new(Some(ring)), ends: Mutex::new(ends) })
        }
        Err(error) => Either::A(code::of(&error)),
    }
}

#[napi]
pub fn create(name: String, capacity: i64, options: RingOptions) -> Either<i64, Ring> {
    opened(options.options().create(name, capacity as usize))
}

#[napi]
pub fn connect_ring(name: String, milliseconds: f64) -> Either<i64, Ring> {
    opened(spsc_shm::Ring::connect_timeout(name, timeout(milliseconds)))
}

#[napi]
pub fn anonymous(capacity: i64, options: RingOptions) -> Either<i64, Ring> {
    opened(options.options().anonymous(capacity as usize))
}

#[napi]
pub fn from_fd(fd: i32) -> Either<i64, Ring> {
    // SAFETY: it is the caller's, and is duplicated by the call. JavaScript has seen that it is one.
    opened(spsc_shm::Ring::connect_fd(unsafe { BorrowedFd::borrow_raw(fd) }))
}

#[napi]
pub fn unlink(name: String) -> i64 {
    code::of_result(spsc_shm::Ring::unlink(name).map(|()| 0))
}

#[napi]
impl Ring {
    fn with(&self, question: impl FnOnce(&spsc_shm::Ring) -> i64) -> i64 {
        lock(&self.ring).as_deref().map_or(code::CLOSED, question)
    }

    /// The end that writes: once.
    #[napi]
    pub fn producer(&self) -> Option<Producer> {
        lock(&self.ends).0.take()
    }

    /// The end that reads: once.
    #[napi]
    pub fn consumer(&self) -> Option<Consumer> {
        lock(&self.ends).1.take()
    }

    #[napi]
    pub fn capacity(&self) -> i64 {
        self.with(|ring| ring.capacity() as i64)
    }

    #[napi]
    pub fn available(&self) -> i64 {
        self.with(|ring| ring.available() as i64)
    }

    /// The descriptor of a ring without a name, or -1.
    #[napi]
    pub fn fd(&self) -> i64 {
        self.with(|ring| ring.sealed_fd().map_or(-1, |fd| i64::from(fd.as_raw_fd())))
    }

    #[napi]
    pub fn wakeup_all(&self) -> i64 {
        self.with(|ring| {
            ring.wakeup_all();
            0
        })
    }

    #[napi]
    pub fn debug_dump(&self) -> Option<String> {
        lock(&self.ring).as_ref().map(|ring| format!("{:#?}", ring.stats()))
    }

    #[napi]
    pub fn close(&self) {
        *lock(&self.ends) = (None, None);
        *lock(&self.ring) = None;
    }
}
