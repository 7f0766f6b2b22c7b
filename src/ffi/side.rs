//! What the producer's and the consumer's functions have in common: all but their names.
//!
//! Each has three steps: the fast path; a moment's spinning, out of line, so that the fast path
//! needs no stack; and all else, behind the boundary's guard.

use super::guard::{guard, handle, place};
use super::types::{spsc_ring, spsc_status};
use crate::endpoint::Endpoint;
use crate::handle::End;
use crate::status::{Result, Status};
use std::ffi::c_void;

/// # Safety
/// `ring` is NULL or an open handle, and this is the only thread that uses this side of it.
#[inline(always)]
pub(super) unsafe fn endpoint<'a, S: End + 'a>(
    ring: *mut spsc_ring,
) -> Result<&'a mut Endpoint<S>> {
    // SAFETY: the caller's promise.
    unsafe { Ok(&mut *handle(ring)?.endpoint()) }
}

/// Claim and peek.
///
/// # Safety
/// `out_data` is NULL or valid for writing; `ring` as for [`endpoint`].
#[inline(always)]
pub(super) unsafe fn reserve<S: End>(
    ring: *mut spsc_ring,
    want: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
) -> spsc_status {
    // SAFETY: the caller's promise.
    if let (Ok(endpoint), Ok(out)) = unsafe { (endpoint::<S>(ring), place(out_data)) }
        && let Some(data) = endpoint.try_reserve(want as u64)
    {
        out.write(data.cast());
        return spsc_status::SPSC_OK;
    }
    // SAFETY: the caller's promise.
    unsafe { reserve_spinning::<S>(ring, want, timeout_ns, out_data) }
}

#[inline(never)]
unsafe fn reserve_spinning<S: End>(
    ring: *mut spsc_ring,
    want: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
) -> spsc_status {
    // SAFETY: the caller's promise.
    if let (Ok(endpoint), Ok(out)) = unsafe { (endpoint::<S>(ring), place(out_data)) }
        && let Some(data) = endpoint.spin_reserve(want as u64, timeout_ns)
    {
        out.write(data.cast());
        return spsc_status::SPSC_OK;
    }
    // SAFETY: the caller's promise.
    unsafe { reserve_waiting::<S>(ring, want, timeout_ns, out_data) }
}

#[cold]
#[inline(never)]
unsafe fn reserve_waiting<S: End>(
    ring: *mut spsc_ring,
    want: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (endpoint, out) = unsafe { (endpoint::<S>(ring)?, place(out_data)?) };
        out.write(endpoint.wait_and_reserve(want as u64, timeout_ns)?.cast());
        Ok(())
    })
}

/// Claim and peek of all that there is.
///
/// # Safety
/// Both outputs are NULL or valid for writing; `ring` as for [`endpoint`].
#[inline(always)]
pub(super) unsafe fn reserve_some<S: End>(
    ring: *mut spsc_ring,
    min: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
    out_len: *mut usize,
) -> spsc_status {
    // SAFETY: the caller's promise.
    let places = unsafe { (endpoint::<S>(ring), place(out_data), place(out_len)) };
    if let (Ok(endpoint), Ok(out_data), Ok(out_len)) = places {
        let granted = endpoint.try_reserve_some(min as u64);
        if let Some((data, len)) =
            granted.or_else(|| endpoint.spin_reserve_some(min as u64, timeout_ns))
        {
            out_data.write(data.cast());
            out_len.write(len as usize);
            return spsc_status::SPSC_OK;
        }
    }
    // SAFETY: the caller's promise.
    unsafe { reserve_some_waiting::<S>(ring, min, timeout_ns, out_data, out_len) }
}

#[cold]
#[inline(never)]
unsafe fn reserve_some_waiting<S: End>(
    ring: *mut spsc_ring,
    min: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
    out_len: *mut usize,
) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (endpoint, out_data, out_len) =
            unsafe { (endpoint::<S>(ring)?, place(out_data)?, place(out_len)?) };
        let (data, len) = endpoint.wait_and_reserve_some(min as u64, timeout_ns)?;
        out_data.write(data.cast());
        out_len.write(len as usize);
        Ok(())
    })
}

/// Publish and release.
///
/// # Safety
/// `ring` as for [`endpoint`].
#[inline(always)]
pub(super) unsafe fn advance<S: End>(ring: *mut spsc_ring, n: usize) -> spsc_status {
    // SAFETY: the caller's promise.
    let Ok(endpoint) = (unsafe { endpoint::<S>(ring) }) else {
        return not_advanced(ring, n);
    };
    if !endpoint.try_advance(n as u64) {
        return not_advanced(ring, n);
    }
    // SAFETY: the caller's promise.
    unsafe { handed_over(ring, endpoint) }
}

/// The end of a call that has advanced: wakes the other side, if that may be asleep.
///
/// # Safety
/// `ring` as for [`endpoint`], and `endpoint` is that side of it.
#[inline(always)]
pub(super) unsafe fn handed_over<S: End>(
    ring: *mut spsc_ring,
    endpoint: &Endpoint<S>,
) -> spsc_status {
    if endpoint.needs_wakeup() {
        // SAFETY: the caller's promise.
        return unsafe { wake_if_waiting::<S>(ring) };
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

/// Wakes the other side, if it sleeps and what it waits for is there.
///
/// # Safety
/// `ring` as for [`endpoint`].
#[cold]
#[inline(never)]
pub(super) unsafe fn wake_if_waiting<S: End>(ring: *mut spsc_ring) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { endpoint::<S>(ring)? }.wake_if_waiting();
        Ok(())
    })
}

/// Waiting for space and for data.
///
/// # Safety
/// `ring` as for [`endpoint`].
#[inline(always)]
pub(super) unsafe fn wait_for<S: End>(
    ring: *mut spsc_ring,
    need: usize,
    timeout_ns: u64,
) -> spsc_status {
    // SAFETY: the caller's promise.
    if let Ok(endpoint) = unsafe { endpoint::<S>(ring) }
        && endpoint.try_wait_for(need as u64, timeout_ns)
    {
        return spsc_status::SPSC_OK;
    }
    // SAFETY: the caller's promise.
    guard(|| unsafe { endpoint::<S>(ring)? }.wait(need as u64, timeout_ns))
}
