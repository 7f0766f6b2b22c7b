//! Waiting on many rings at once.

use super::guard::{guard, place};
use super::side::endpoint;
use super::types::{
    SPSC_CONSUMER, SPSC_PRODUCER, SPSC_WAIT_FRESH, SPSC_WAIT_NEXT_PEER, spsc_ring, spsc_status,
};
use crate::cursor::{Rx, Tx};
use crate::endpoint::Endpoint;
use crate::status::{Result, Status};
use crate::wait::Patience;
use crate::wait::any::{Glance, Item, Member, any};
use static_assertions::const_assert_eq;
use std::mem::MaybeUninit;

/// The most items of one spsc_wait_any.
pub const SPSC_WAIT_ANY_MAX: usize = 127;
const_assert_eq!(SPSC_WAIT_ANY_MAX, crate::wait::any::MOST);

/// Added to the side of an spsc_wait_item: SPSC_WAIT_NEXT_PEER for this item. A peer that closed or
/// died does not decide the item. It stays SPSC_TIMEOUT until the next peer has published or released
/// enough.
pub const SPSC_ITEM_NEXT_PEER: u32 = 0x100;

/// Added to the side of an spsc_wait_item: SPSC_WAIT_FRESH for this item. Interrupts from before the
/// call do not end it.
pub const SPSC_ITEM_FRESH: u32 = 0x200;

const_assert_eq!(SPSC_ITEM_NEXT_PEER, SPSC_WAIT_NEXT_PEER << 8);
const_assert_eq!(SPSC_ITEM_FRESH, SPSC_WAIT_FRESH << 8);

/// One side of one ring, to be waited for together with others.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct spsc_wait_item {
    /// The ring. NULL makes the item's status SPSC_ERR_INVALID_ARGUMENT.
    pub ring: *mut spsc_ring,
    /// SPSC_PRODUCER waits for need free bytes, SPSC_CONSUMER for need bytes of data.
    /// SPSC_ITEM_NEXT_PEER and SPSC_ITEM_FRESH may be added. Anything else makes the item's status
    /// SPSC_ERR_INVALID_ARGUMENT.
    pub side: u32,
    /// Set by spsc_wait_any: SPSC_OK if the bytes are there, SPSC_TIMEOUT if they are not yet, or what
    /// ends a wait for this item alone.
    pub status: MaybeUninit<spsc_status>,
    /// Bytes to wait for. 0 is there at once. More than the capacity is SPSC_ERR_TOO_LARGE.
    pub need: usize,
}

/// The side that an item names.
enum End<'a> {
    Producer(&'a mut Endpoint<Tx>),
    Consumer(&'a mut Endpoint<Rx>),
}

impl spsc_wait_item {
    #[inline(always)]
    fn end(&mut self) -> Result<End<'_>> {
        match self.side & !(SPSC_ITEM_NEXT_PEER | SPSC_ITEM_FRESH) {
            // SAFETY: a caller of `spsc_wait_any` passes NULL or an open handle, from the one thread
            // of the side. No two of the references that are made here live at a time, so that two
            // items may name the same side.
            SPSC_PRODUCER => Ok(End::Producer(unsafe { endpoint(self.ring)? })),
            // SAFETY: as above.
            SPSC_CONSUMER => Ok(End::Consumer(unsafe { endpoint(self.ring)? })),
            _ => Err(Status::InvalidArgument.into()),
        }
    }
}

impl Item for spsc_wait_item {
    #[inline]
    fn glance(&mut self) -> Glance {
        let need = self.need as u64;
        match self.end() {
            Ok(End::Producer(endpoint)) => endpoint.glance(need),
            Ok(End::Consumer(endpoint)) => endpoint.glance(need),
            Err(_) => Glance::Doubt,
        }
    }

    #[inline]
    fn member(&mut self) -> Result<Member<'_>> {
        let need = self.need as u64;
        let patience = Patience {
            next_peer: self.side & SPSC_ITEM_NEXT_PEER != 0,
            fresh: self.side & SPSC_ITEM_FRESH != 0,
        };
        Ok(match self.end()? {
            End::Producer(endpoint) => endpoint.pending(need, patience)?.into(),
            End::Consumer(endpoint) => endpoint.pending(need, patience)?.into(),
        })
    }

    fn note(&mut self, outcome: Option<Result<()>>) {
        self.status.write(match outcome {
            None => spsc_status::SPSC_TIMEOUT,
            Some(Ok(())) => spsc_status::SPSC_OK,
            Some(Err(error)) => error.status().into(),
        });
    }
}

/// Waits until at least one item is decided, and sets the status of every item.
///
/// items: count of them. Only their status is written.
/// count: 1 to SPSC_WAIT_ANY_MAX. More gives SPSC_ERR_TOO_LARGE, and 0 SPSC_ERR_INVALID_ARGUMENT, as a
/// wait for nothing would not end.
/// timeout_ns: nanoseconds for the whole call; 0 does not wait, SPSC_WAIT_FOREVER has no limit.
/// out_ready: how many items are decided.
///
/// An item is decided as soon as a wait for it alone would have returned. Its status is that of such
/// a wait: SPSC_OK (its bytes are there), SPSC_CLOSED, SPSC_PEER_DEAD, or an error, also for a mistake
/// in the item itself. All others are SPSC_TIMEOUT. An item's error leaves no number in errno. An
/// item that is closed, dead or in error stays so: leave it out of the next call, or that returns at
/// once, too.
///
/// SPSC_OK: at least one item is decided. All that are ready are reported. Serve each of them before
/// the next call, and none is starved.
/// SPSC_TIMEOUT: no item is decided, and the time ran out.
/// SPSC_INTERRUPTED: no item is decided, and spsc_interrupt or spsc_wakeup_all was called for at least
/// one. That one's status is SPSC_INTERRUPTED, and the others' SPSC_TIMEOUT. As in a wait for one
/// ring, a call that does not have to wait leaves the interrupt to the next one that does.
/// After an error of the call, no status is written.
///
/// Takes each item's role, as a wait on that ring does. Claims and peeks nothing: what was claimed or
/// peeked before still stands. The same ring may be there with both sides, and the same side of it
/// more than once. Each item's bytes are visible when its status is SPSC_OK.
///
/// While anything is ready, no system call is made, except a look at whether the other sides are
/// alive, ten times a second; and that the other side of another item has closed is noticed some
/// milliseconds later. One sleep is for all (futex_waitv). If the kernel is older than 5.16 or
/// a sandbox refuses that, a wait for more than one item looks at all of them every millisecond.
///
/// Thread: that of every item's side. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_wait_any(
    items: *mut spsc_wait_item,
    count: usize,
    timeout_ns: u64,
    out_ready: *mut usize,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or a place for the output.
        let out_ready = unsafe { place(out_ready)? };
        if items.is_null() || count == 0 {
            return Err(Status::InvalidArgument.into());
        }
        if count > SPSC_WAIT_ANY_MAX {
            return Err(Status::TooLarge.into());
        }
        // SAFETY: a caller passes as many items, which nobody else uses during the call.
        let items = unsafe { std::slice::from_raw_parts_mut(items, count) };
        out_ready.write(any(items, timeout_ns)?);
        Ok(())
    })
}
