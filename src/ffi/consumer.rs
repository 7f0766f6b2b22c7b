//! The consumer's functions.

use super::guard::{guard, handle, place};
use super::types::{spsc_ring, spsc_status};
use crate::cursor::Rx;
use crate::handle::Lane;
use crate::status::Result;
use std::ffi::c_void;

/// # Safety
/// `ring` is NULL or an open handle, and this is the only thread that consumes with it.
#[inline(always)]
unsafe fn lane<'a>(ring: *mut spsc_ring) -> Result<Lane<'a, Rx>> {
    // SAFETY: the caller's promise.
    unsafe { Ok(handle(ring)?.consumer()) }
}

/// Waits until want bytes are there, and returns them: contiguous, wherever they lie, and the
/// caller's to read until they are released. They need not have been published in one piece.
///
/// want: bytes, at most the capacity; 0 succeeds at once with a valid pointer.
/// timeout_ns: nanoseconds for the whole call; 0 does not wait, SPSC_WAIT_FOREVER has no limit.
/// out_data: valid until the bytes are released or spsc_close. What lies there is the other
/// process's to change at any time, should it break the rules: copy before you validate.
///
/// The first peek makes this handle the ring's consumer, until it is closed.
///
/// Outcomes where it would have to wait: SPSC_TIMEOUT, SPSC_INTERRUPTED, SPSC_CLOSED,
/// SPSC_PEER_DEAD. Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_TOO_LARGE, SPSC_ERR_ROLE_TAKEN,
/// SPSC_ERR_CORRUPT, SPSC_ERR_NOT_READY, SPSC_ERR_SYSTEM. The earlier peek stands then.
///
/// Thread: consumer. Blocks: up to timeout_ns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_peek(
    ring: *mut spsc_ring,
    want: usize,
    timeout_ns: u64,
    out_data: *mut *const c_void,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or what the types say, from the one consumer thread.
        let (mut lane, out) = unsafe { (lane(ring)?, place(out_data)?) };
        out.write(lane.acquire(want as u64, timeout_ns)?.as_ptr().cast_const().cast());
        Ok(())
    })
}

/// Waits until min bytes are there, and returns all that are: the way to amortise a call over many
/// messages. As spsc_peek otherwise; min 0 takes what there is, be it nothing.
///
/// out_len: bytes returned, at least min.
///
/// Thread: consumer. Blocks: up to timeout_ns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_peek_some(
    ring: *mut spsc_ring,
    min: usize,
    timeout_ns: u64,
    out_data: *mut *const c_void,
    out_len: *mut usize,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or what the types say, from the one consumer thread.
        let (mut lane, out, out_len) = unsafe { (lane(ring)?, place(out_data)?, place(out_len)?) };
        let (data, len) = lane.acquire_some(min as u64, timeout_ns)?;
        out.write(data.as_ptr().cast_const().cast());
        out_len.write(len as usize);
        Ok(())
    })
}

/// Consumes the first n peeked bytes, which the producer may then write over, and wakes it if it
/// sleeps. n may be less than was peeked; the rest stays peeked. 0 does nothing and succeeds.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT; SPSC_ERR_MISUSE if n is more than is peeked: nothing is
/// released then.
///
/// Thread: consumer. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_release(ring: *mut spsc_ring, n: usize) -> spsc_status {
    // SAFETY: a caller passes NULL or an open handle, from the one consumer thread.
    guard(|| unsafe { lane(ring)? }.advance(n as u64))
}

/// Waits until need bytes are there. Peeks nothing, but makes this handle the consumer. Outcomes
/// and errors as spsc_peek.
///
/// Thread: consumer. Blocks: up to timeout_ns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_wait_for_data(
    ring: *mut spsc_ring,
    need: usize,
    timeout_ns: u64,
) -> spsc_status {
    // SAFETY: a caller passes NULL or an open handle, from the one consumer thread.
    guard(|| unsafe { lane(ring)? }.wait_for(need as u64, timeout_ns))
}
