//! The fast path in the caller's own language.

use super::guard::{guard, guard_or, handle};
use super::side;
use super::types::{SPSC_CONSUMER, SPSC_PRODUCER, spsc_ring, spsc_status};
use crate::cursor::{Cursor, Rx, Tx};
use crate::status::Status;
use std::ptr;

/// One side's cursor, to claim and publish or to peek and release without a call: see spsc_cursor,
/// and spsc_shm_inline.h for C and C++. NULL if ring is NULL, or side is not one side.
///
/// side: SPSC_PRODUCER or SPSC_CONSUMER.
///
/// The cursor lives as long as the handle. Only the one thread that uses this side of the handle may
/// touch it. This function takes no role. The first claim or peek finds no room in the cursor and so
/// calls the function, which takes the role.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_cursor_of(ring: *mut spsc_ring, side: u32) -> *mut Cursor {
    guard_or(ptr::null_mut(), || {
        // SAFETY: a caller passes NULL or an open handle. The cursor is the endpoint's first member.
        let Ok(handle) = (unsafe { handle(ring) }) else { return ptr::null_mut() };
        match side {
            SPSC_PRODUCER => handle.endpoint::<Tx>().cast(),
            SPSC_CONSUMER => handle.endpoint::<Rx>().cast(),
            _ => ptr::null_mut(),
        }
    })
}

/// Wakes the other side, if it sleeps and what it waits for is there. To be called after the counter
/// was advanced by hand, if *other_parked | fenced is not 0.
///
/// side: the side that advanced, SPSC_PRODUCER or SPSC_CONSUMER; anything else gives
/// SPSC_ERR_INVALID_ARGUMENT.
///
/// Thread: the side's. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_wake(ring: *mut spsc_ring, side: u32) -> spsc_status {
    match side {
        // SAFETY: a caller passes NULL or an open handle, from the one thread of this side.
        SPSC_PRODUCER => unsafe { side::wake_if_waiting::<Tx>(ring) },
        // SAFETY: as above.
        SPSC_CONSUMER => unsafe { side::wake_if_waiting::<Rx>(ring) },
        _ => guard(|| Err(Status::InvalidArgument.into())),
    }
}
