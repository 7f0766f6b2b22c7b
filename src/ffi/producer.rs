//! The producer's functions.

use super::side;
use super::types::{spsc_ring, spsc_status};
use crate::cursor::Tx;
use std::ffi::c_void;

/// Waits until want bytes are free, and claims them: contiguous, wherever they lie, and the
/// caller's to write until they are published. A new claim replaces the old one.
///
/// want: bytes, at most the capacity. 0 succeeds at once with a valid pointer.
/// timeout_ns: nanoseconds for the whole call. 0 does not wait; SPSC_WAIT_FOREVER has no limit.
/// out_data: valid until the bytes are published, the next claim, spsc_leave or spsc_close.
///
/// The first claim of more than 0 bytes makes this handle the ring's producer, until spsc_leave or
/// spsc_close. After non-temporal stores, issue a store fence before you publish.
///
/// Outcomes, if it would have to wait: SPSC_TIMEOUT, SPSC_INTERRUPTED, SPSC_CLOSED,
/// SPSC_PEER_DEAD. Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_TOO_LARGE, SPSC_ERR_ROLE_TAKEN,
/// SPSC_ERR_CORRUPT, SPSC_ERR_NOT_READY, SPSC_ERR_PERMISSION, SPSC_ERR_NO_MEMORY,
/// SPSC_ERR_SYSTEM. With any of these the earlier claim still stands.
///
/// Thread: producer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_claim(
    ring: *mut spsc_ring,
    want: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one producer thread.
    unsafe { side::reserve::<Tx>(ring, want, timeout_ns, out_data) }
}

/// Waits until min bytes are free, and claims all that are free: one call for many messages. With
/// min = 0 it never waits, and may claim 0 bytes. Otherwise as spsc_claim.
///
/// out_len: bytes claimed, at least min.
///
/// Thread: producer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_claim_some(
    ring: *mut spsc_ring,
    min: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
    out_len: *mut usize,
) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one producer thread.
    unsafe { side::reserve_some::<Tx>(ring, min, timeout_ns, out_data, out_len) }
}

/// Makes the first n claimed bytes visible to the consumer, and wakes it if it sleeps. n may be
/// less than was claimed. The rest stays claimed, so that several publishes may share one claim.
/// 0 does nothing and succeeds.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT; SPSC_ERR_MISUSE if n is more than is claimed. Then nothing is
/// published.
///
/// Thread: producer. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_publish(ring: *mut spsc_ring, n: usize) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one producer thread.
    unsafe { side::advance::<Tx>(ring, n) }
}

/// Waits until need bytes are free. Claims nothing, but makes this handle the producer. Outcomes
/// and errors as spsc_claim.
///
/// Thread: producer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_wait_for_space(
    ring: *mut spsc_ring,
    need: usize,
    timeout_ns: u64,
) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one producer thread.
    unsafe { side::wait_for::<Tx>(ring, need, timeout_ns) }
}
