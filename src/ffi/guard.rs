//! The one wrapper around every function that C calls: nothing unwinds across the boundary,
//! cancellation of the thread waits until the call is over, NULLs become a status, and errors leave
//! their number in `errno`.

use super::types::{spsc_ring, spsc_status};
use crate::handle::Handle;
use crate::status::{Result, Status};
use crate::sys;
use crate::sys::cancel::HeldOff;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of a C function that returns a status.
#[inline(always)]
pub(super) fn guard(body: impl FnOnce() -> Result<()>) -> spsc_status {
    let _held_off = HeldOff::new();
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => spsc_status::SPSC_OK,
        Ok(Err(error)) => {
            // 0 if the error did not come from there: a call that failed on the way may have left
            // its own number.
            sys::set_errno(error.os_error().unwrap_or(0));
            error.status().into()
        }
        Err(payload) => {
            forget(payload);
            spsc_status::SPSC_ERR_PANIC
        }
    }
}

/// Runs the body of a C function that returns something else, or `fallback` after a panic.
#[inline(always)]
pub(super) fn guard_or<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    let _held_off = HeldOff::new();
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        forget(payload);
        fallback
    })
}

/// Leaks a panic's payload: its destructor could panic again.
#[cold]
fn forget(payload: Box<dyn std::any::Any + Send>) {
    std::mem::forget(payload);
}

/// The handle behind a pointer from C.
///
/// # Safety
/// `ring` is NULL or an open handle, which stays open for `'a`.
#[inline(always)]
pub(super) unsafe fn handle<'a>(ring: *const spsc_ring) -> Result<&'a Handle> {
    // SAFETY: the caller's promise.
    unsafe { ring.cast::<Handle>().as_ref() }.ok_or_else(|| Status::InvalidArgument.into())
}

/// A place for an output.
///
/// # Safety
/// `out` is NULL, or valid for writing a `T` for `'a`.
#[inline(always)]
pub(super) unsafe fn place<'a, T>(out: *mut T) -> Result<&'a mut std::mem::MaybeUninit<T>> {
    // SAFETY: the caller's promise. What is there already is never read.
    unsafe { out.cast::<std::mem::MaybeUninit<T>>().as_mut() }
        .ok_or_else(|| Status::InvalidArgument.into())
}

/// The bytes of a C string, without the NUL.
///
/// # Safety
/// `string` is NULL, or NUL-terminated and unchanged for `'a`.
pub(super) unsafe fn bytes<'a>(string: *const c_char) -> Result<&'a [u8]> {
    if string.is_null() {
        return Err(Status::InvalidArgument.into());
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { CStr::from_ptr(string) }.to_bytes())
}
