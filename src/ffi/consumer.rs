//! The consumer's functions.

use super::side;
use super::types::{spsc_ring, spsc_status};
use crate::cursor::Rx;
use std::ffi::c_void;

/// Waits until want bytes are there, and returns them: contiguous, wherever they lie, and the
/// caller's to read until they are released. They need not have been published in one piece.
///
/// want: bytes, at most the capacity. 0 succeeds at once with a valid pointer.
/// timeout_ns: nanoseconds for the whole call. 0 does not wait; SPSC_WAIT_FOREVER has no limit.
/// out_data: valid until the bytes are released, spsc_leave or spsc_close. If the other process
/// breaks the rules, it can change the bytes at any time: copy before you validate.
///
/// The first peek of more than 0 bytes makes this handle the ring's consumer, until spsc_leave or
/// spsc_close.
///
/// Outcomes, if it would have to wait: SPSC_TIMEOUT, SPSC_INTERRUPTED, SPSC_CLOSED,
/// SPSC_PEER_DEAD. Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_TOO_LARGE, SPSC_ERR_ROLE_TAKEN,
/// SPSC_ERR_CORRUPT, SPSC_ERR_NOT_READY, SPSC_ERR_PERMISSION, SPSC_ERR_NO_MEMORY,
/// SPSC_ERR_SYSTEM. With any of these the earlier peek still stands.
///
/// Thread: consumer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_peek(
    ring: *mut spsc_ring,
    want: usize,
    timeout_ns: u64,
    out_data: *mut *const c_void,
) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one consumer thread.
    unsafe { side::reserve::<Rx>(ring, want, timeout_ns, out_data.cast()) }
}

/// Waits until min bytes are there, and returns all that are there: one call for many messages.
/// With min = 0 it never waits, and may return 0 bytes. Otherwise as spsc_peek.
///
/// out_len: bytes returned, at least min.
///
/// Thread: consumer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_peek_some(
    ring: *mut spsc_ring,
    min: usize,
    timeout_ns: u64,
    out_data: *mut *const c_void,
    out_len: *mut usize,
) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one consumer thread.
    unsafe { side::reserve_some::<Rx>(ring, min, timeout_ns, out_data.cast(), out_len) }
}

/// Consumes the first n peeked bytes, which the producer may then write over, and wakes it if it
/// sleeps. n may be less than was peeked. The rest stays peeked. 0 does nothing and succeeds.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT; SPSC_ERR_MISUSE if n is more than is peeked. Then nothing is
/// released.
///
/// Thread: consumer. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_release(ring: *mut spsc_ring, n: usize) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one consumer thread.
    unsafe { side::advance::<Rx>(ring, n) }
}

/// Waits until need bytes are there. Peeks nothing, but makes this handle the consumer. Outcomes
/// and errors as spsc_peek.
///
/// Thread: consumer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_wait_for_data(
    ring: *mut spsc_ring,
    need: usize,
    timeout_ns: u64,
) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one consumer thread.
    unsafe { side::wait_for::<Rx>(ring, need, timeout_ns) }
}
