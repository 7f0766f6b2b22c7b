//! How a call ended, as a number.

use napi_derive::napi;
use spsc_shm::Error;
use std::cell::Cell;

/// The library's status is this much more than the code.
const STATUS: i64 = -100;
/// The handle is closed.
pub const CLOSED: i64 = -200;
/// A wait of the same end goes on in the thread pool.
pub const IN_USE: i64 = -201;
/// A message does not fit: the code is so much less its length.
pub const LARGER: i64 = -1000;

thread_local! {
    /// What the system said to the latest call that failed.
    static OS_ERROR: Cell<i32> = const { Cell::new(0) };
}

/// Why a call failed.
pub fn of(error: &Error) -> i64 {
    OS_ERROR.set(error.os_error().unwrap_or(0));
    STATUS - error.status() as i64
}

/// What a call gave.
pub fn of_result(result: spsc_shm::Result<i64>) -> i64 {
    result.unwrap_or_else(|error| of(&error))
}

/// The system's error number of this thread's latest call that failed, or 0.
#[napi]
pub fn os_error() -> i32 {
    OS_ERROR.get()
}
