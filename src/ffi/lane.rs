//! What the producer's and the consumer's functions have in common: all but their names.

use super::guard::{guard, handle, place};
use super::types::{spsc_ring, spsc_status};
use crate::handle::{End, Lane};
use crate::status::{Result, Status};
use std::ffi::c_void;

/// # Safety
/// `ring` is NULL or an open handle, and this is the only thread that uses this side of it.
#[inline(always)]
unsafe fn lane<'a, S: End>(ring: *mut spsc_ring) -> Result<Lane<'a, S>> {
    // SAFETY: the caller's promise.
    unsafe { Ok(handle(ring)?.lane()) }
}

/// Claim and peek.
///
/// # Safety
/// `out_data` is NULL or valid for writing; `ring` as for [`lane`].
#[inline(always)]
pub(super) unsafe fn acquire<S: End>(
    ring: *mut spsc_ring,
    want: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
) -> spsc_status {
    // SAFETY: the caller's promise.
    if let (Ok(mut lane), Ok(out)) = unsafe { (lane::<S>(ring), place(out_data)) }
        && let Some(data) = lane.try_acquire(want as u64)
    {
        out.write(data.as_ptr().cast());
        return spsc_status::SPSC_OK;
    }
    // All else, out of line, so that the common case needs no stack.
    // SAFETY: the caller's promise.
    unsafe { acquire_slow::<S>(ring, want, timeout_ns, out_data) }
}

#[inline(never)]
unsafe fn acquire_slow<S: End>(
    ring: *mut spsc_ring,
    want: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (mut lane, out) = unsafe { (lane::<S>(ring)?, place(out_data)?) };
        out.write(lane.acquire(want as u64, timeout_ns)?.as_ptr().cast());
        Ok(())
    })
}

/// Claim and peek of all that there is.
///
/// # Safety
/// Both outputs are NULL or valid for writing; `ring` as for [`lane`].
#[inline(always)]
pub(super) unsafe fn acquire_some<S: End>(
    ring: *mut spsc_ring,
    min: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
    out_len: *mut usize,
) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (mut lane, out_data, out_len) =
            unsafe { (lane::<S>(ring)?, place(out_data)?, place(out_len)?) };
        let (data, len) = lane.acquire_some(min as u64, timeout_ns)?;
        out_data.write(data.as_ptr().cast());
        out_len.write(len as usize);
        Ok(())
    })
}

/// Publish and release.
///
/// # Safety
/// `ring` as for [`lane`].
#[inline(always)]
pub(super) unsafe fn advance<S: End>(ring: *mut spsc_ring, n: usize) -> spsc_status {
    // SAFETY: the caller's promise.
    let Ok(mut lane) = (unsafe { lane::<S>(ring) }) else {
        return not_advanced(ring, n);
    };
    if !lane.try_advance(n as u64) {
        return not_advanced(ring, n);
    }
    if lane.must_attend() {
        // SAFETY: the caller's promise.
        return unsafe { attend::<S>(ring) };
    }
    spsc_status::SPSC_OK
}

/// Why nothing has moved.
#[cold]
#[inline(never)]
fn not_advanced(ring: *mut spsc_ring, n: usize) -> spsc_status {
    guard(|| match n {
        _ if ring.is_null() => Err(Status::InvalidArgument.into()),
        0 => Ok(()),
        _ => Err(Status::Misuse.into()),
    })
}

#[cold]
#[inline(never)]
unsafe fn attend<S: End>(ring: *mut spsc_ring) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { lane::<S>(ring)? }.attend();
        Ok(())
    })
}

/// Waiting for space and for data.
///
/// # Safety
/// `ring` as for [`lane`].
#[inline(always)]
pub(super) unsafe fn wait_for<S: End>(
    ring: *mut spsc_ring,
    need: usize,
    timeout_ns: u64,
) -> spsc_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { lane::<S>(ring)? }.wait_for(need as u64, timeout_ns))
}
