//! Linux, x86-64 and AArch64.

pub(crate) mod barrier;
pub(crate) mod bell;
#[cfg(feature = "capi")]
pub(crate) mod cancel;
pub(crate) mod clock;
pub(crate) mod cpu;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod path;
pub(crate) mod socket;

use crate::status::Error;

/// The error number that the last failed call of this thread left.
fn errno() -> i32 {
    // SAFETY: the pointer is to this thread's own errno and always valid.
    unsafe { *libc::__errno_location() }
}

#[cfg(feature = "capi")]
/// Sets `errno` for the C caller, after any clean-up that may have changed it.
pub(crate) fn set_errno(number: i32) {
    // SAFETY: as in `errno`.
    unsafe { *libc::__errno_location() = number }
}

/// The last failed call of this thread, as an [`Error`].
fn last_error() -> Error {
    Error::from_os(errno())
}

/// Calls again for as long as a signal interrupts. -1 becomes an error.
fn retry(mut call: impl FnMut() -> libc::c_int) -> Result<libc::c_int, Error> {
    loop {
        match call() {
            -1 if errno() == libc::EINTR => {}
            -1 => return Err(last_error()),
            value => return Ok(value),
        }
    }
}

/// The number of the calling process, for people who look at a ring. It never decides anything.
pub(crate) fn process_id() -> u32 {
    std::process::id()
}
