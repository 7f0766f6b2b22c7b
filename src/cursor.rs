//! One side's position in the stream, and the whole lock-free algorithm on it.
//!
//! Producer and consumer are mirror images. Each owns a counter, and may go as far as the other's
//! counter lets it: the consumer up to `head`, the producer up to `tail + capacity`. With that
//! limit, claim is peek and publish is release.

use crate::layout::{Control, ParkWord};
use crate::role::Role;
use crate::status::{Result, Status};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::sys::cpu;

/// What differs between the two sides.
pub(crate) trait Side {
    const ROLE: Role;
    /// The counter that this side advances.
    fn own(control: &Control) -> &AtomicU64;
    /// The counter of the other side.
    fn other(control: &Control) -> &AtomicU64;
    /// Where this side sleeps.
    fn park(control: &Control) -> &ParkWord;
    /// Where the other side sleeps.
    fn other_park(control: &Control) -> &ParkWord;
    /// How far beyond the other's counter this side may go.
    fn lead(capacity: u64) -> u64;
    /// What to do about the next data while the side waits for it.
    fn await_data(here: *const u8);
}

/// The side that writes.
#[derive(Debug)]
pub(crate) struct Tx;

impl Side for Tx {
    const ROLE: Role = Role::Producer;

    #[inline(always)]
    fn own(control: &Control) -> &AtomicU64 {
        &control.head
    }

    #[inline(always)]
    fn other(control: &Control) -> &AtomicU64 {
        &control.tail
    }

    #[inline(always)]
    fn park(control: &Control) -> &ParkWord {
        &control.producer_park
    }

    #[inline(always)]
    fn other_park(control: &Control) -> &ParkWord {
        &control.consumer_park
    }

    #[inline(always)]
    fn lead(capacity: u64) -> u64 {
        capacity
    }

    #[inline(always)]
    fn await_data(_here: *const u8) {}
}

/// The side that reads.
#[derive(Debug)]
pub(crate) struct Rx;

impl Side for Rx {
    const ROLE: Role = Role::Consumer;

    #[inline(always)]
    fn own(control: &Control) -> &AtomicU64 {
        &control.tail
    }

    #[inline(always)]
    fn other(control: &Control) -> &AtomicU64 {
        &control.head
    }

    #[inline(always)]
    fn park(control: &Control) -> &ParkWord {
        &control.consumer_park
    }

    #[inline(always)]
    fn other_park(control: &Control) -> &ParkWord {
        &control.producer_park
    }

    #[inline(always)]
    fn lead(_capacity: u64) -> u64 {
        0
    }

    /// Data and counter lie on two lines. If the data is asked for at each look, it comes together with
    /// the counter and not after it. This saves one transfer in a round trip.
    #[inline(always)]
    fn await_data(here: *const u8) {
        cpu::prefetch(here);
    }
}

// This is `spsc_cursor` in the C interface, and these comments are its documentation there.
/// One side's position in the stream, and how far it may move: for callers that claim, publish, peek
/// and release without a call. spsc_cursor_of gives it.
///
/// spsc_claim, spsc_publish, spsc_peek and spsc_release work on the same struct. So both ways may be
/// mixed freely, in the one thread that uses the side. A caller may write position, limit and granted
/// only, and only as spsc_shm_inline.h does:
///
/// claim or peek of n bytes: if n > limit - position, load *other_counter with acquire and add
/// lead. If the sum minus position is still less than n, or more than window, call the function.
/// Else the sum is the new limit. Then granted = n, and the bytes are at data + (position & mask).
///
/// publish or release of n bytes: if n - 1 >= granted (unsigned), call the function. Else subtract
/// n from granted, add it to position, and store position to *own_counter with release. After a
/// compiler barrier, if *other_parked | fenced is not 0, call spsc_wake.
///
/// Stronger atomics than these are right, too. The thread may change in between, if the other one is
/// synchronised with it, as a goroutine's next thread is. docs/PROTOCOL.md says why this is enough.
///
/// It may get members at its end in any version.
#[repr(C)]
#[derive(Debug)]
pub struct Cursor {
    /// This side's counter: bytes since the ring was made.
    pub position: u64,
    /// How far position may go, by what was last seen of the other side. It is never more than window
    /// ahead of position, whatever the other process writes.
    pub limit: u64,
    /// Bytes from position on that were claimed or peeked, and not yet published or released.
    pub granted: u64,
    /// The capacity less 1. position & mask is an offset in the data.
    pub mask: u64,
    /// The most that limit may be ahead of position. It is the capacity once this handle has the role,
    /// and 0 before: without the role nothing in the shared memory gives any room.
    pub window: u64,
    /// What to add to the other side's counter to get the limit: the capacity for a producer, 0 for
    /// a consumer.
    pub lead: u64,
    /// The ring's data: 2 * capacity bytes are mapped from here.
    pub data: *mut u8,
    /// This side's counter in the shared memory: stored with release.
    pub own_counter: *mut AtomicU64,
    /// The other side's counter in the shared memory: loaded with acquire.
    pub other_counter: *const AtomicU64,
    /// Not 0 while the other side sleeps or is about to sleep: loaded relaxed, after a compiler
    /// barrier.
    pub other_parked: *const AtomicU32,
    /// Not 0 if a compiler barrier is not enough in this process. Then spsc_wake is always called.
    pub fenced: u32,
    /// Always 0.
    pub reserved: u32,
}

// Until the role is taken, position, limit and window are 0. So the fast paths find no room and
// nothing to hand over, and need not check for the role.
impl Cursor {
    /// A cursor for a handle that does not have the role yet.
    pub(crate) fn new<S: Side>(control: &Control, data: *mut u8, capacity: u64) -> Self {
        Self {
            position: 0,
            limit: 0,
            granted: 0,
            mask: capacity - 1,
            window: 0,
            lead: S::lead(capacity),
            data,
            own_counter: std::ptr::from_ref(S::own(control)).cast_mut(),
            other_counter: S::other(control),
            other_parked: &raw const S::other_park(control).parked,
            fenced: 0,
            reserved: 0,
        }
    }

    /// Bytes that this side could claim or peek, by what it last saw.
    #[inline(always)]
    pub(crate) fn room(&self) -> u64 {
        self.limit.wrapping_sub(self.position)
    }

    /// Where the position is in the data. `capacity` bytes from there on are mapped.
    #[inline(always)]
    pub(crate) fn here(&self) -> *mut u8 {
        self.data.wrapping_add((self.position & self.mask) as usize)
    }

    /// Whether there is room for `need` bytes. Looks at the other side only if it must.
    #[inline(always)]
    pub(crate) fn has<S: Side>(&mut self, control: &Control, need: u64) -> bool {
        need <= self.room() || self.sees::<S>(control, need)
    }

    /// Whether a look at the other side shows room for `need` bytes, which is more room than was known.
    #[inline(always)]
    pub(crate) fn sees<S: Side>(&mut self, control: &Control, need: u64) -> bool {
        let limit = other_limit::<S>(control, self.window);
        let room = limit.wrapping_sub(self.position);
        // If still short or implausible, the slow path decides.
        if need > room || room > self.window {
            return false;
        }
        self.limit = limit;
        true
    }

    /// Looks at the other side up to `looks` times, until there is room for `need` bytes, which is at
    /// most the window. Gives the number of looks that were in vain. With `apart` they are twice as far
    /// apart. Between the look that sees the room and the return there is nothing: the other side waits
    /// for its answer as long as this side takes to leave its wait.
    #[inline(always)]
    pub(crate) fn watch<S: Side>(
        &mut self,
        control: &Control,
        need: u64,
        looks: u32,
        apart: bool,
    ) -> Option<u32> {
        let (position, window, here) = (self.position, self.window, self.here());
        let mut counter = std::ptr::from_ref(S::other(control));
        let mut zero = 0;
        for look in 0..looks {
            S::await_data(here.wrapping_add(zero));
            counter = counter.wrapping_byte_add(zero);
            // SAFETY: `zero` is 0, so this is the counter in the control block.
            let limit = limit_at::<S>(unsafe { &*counter }, window);
            let room = limit.wrapping_sub(position);
            if need <= room {
                // If implausible, the slow path decides.
                if room > window {
                    return None;
                }
                self.limit = limit;
                return Some(look);
            }
            zero = cpu::zero_after(limit);
            if apart {
                zero = cpu::zero_after(zero as u64);
            }
        }
        None
    }

    /// Whether a look at the other side shows room for `min` bytes. Fails without the role.
    #[inline(always)]
    pub(crate) fn sees_some<S: Side>(&mut self, control: &Control, min: u64) -> bool {
        let limit = other_limit::<S>(control, self.window);
        let room = limit.wrapping_sub(self.position);
        if room < min || room < self.room() || room > self.window || self.window == 0 {
            return false;
        }
        self.limit = limit;
        true
    }

    /// Looks at the other side's counter, and refuses a value that it can't have reached: one behind
    /// what was seen of it, or further from this side's counter than the window. Both are comparisons of
    /// distances from `position`, which hold when counters wrap.
    pub(crate) fn look<S: Side>(&mut self, control: &Control) -> Result<()> {
        let limit = other_limit::<S>(control, self.window);
        let room = limit.wrapping_sub(self.position);
        if self.room() <= room && room <= self.window {
            self.limit = limit;
            Ok(())
        } else {
            Err(Status::Corrupt.into())
        }
    }

    /// Moves the position over the first `n` granted bytes, which are the other side's afterwards.
    /// False if `n` is 0 or more than was granted: then nothing has moved.
    #[inline(always)]
    pub(crate) fn advance<S: Side>(&mut self, control: &Control, n: u64) -> bool {
        // One comparison for both: 0 - 1 wraps to the largest number.
        if n.wrapping_sub(1) >= self.granted {
            return false;
        }
        self.granted -= n;
        self.position = self.position.wrapping_add(n);
        // counter: pairs with the Acquire load in `other_limit`.
        S::own(control).store(self.position, Ordering::Release);
        true
    }

    /// Once the role's lock is held: goes on where the stream stands, if the counters make sense.
    pub(crate) fn enter<S: Side>(&mut self, control: &Control) -> Result<()> {
        // Whoever had the role before is gone. So this side's counter stands still, while the other
        // side's may move.
        let position = S::own(control).load(Ordering::Acquire);
        let window = self.mask + 1;
        let limit = other_limit::<S>(control, window);
        if limit.wrapping_sub(position) > window {
            return Err(Status::Corrupt.into());
        }
        (self.position, self.limit, self.granted, self.window) = (position, limit, 0, window);
        Ok(())
    }

    /// After the role was given up, and in a forked child, which does not have it.
    pub(crate) fn leave(&mut self) {
        (self.position, self.limit, self.granted, self.window) = (0, 0, 0, 0);
    }
}

/// The limit that the other side's counter gives, unchecked.
#[inline(always)]
fn other_limit<S: Side>(control: &Control, window: u64) -> u64 {
    limit_at::<S>(S::other(control), window)
}

#[inline(always)]
fn limit_at<S: Side>(counter: &AtomicU64, window: u64) -> u64 {
    // counter: pairs with the Release store in `advance`.
    counter.load(Ordering::Acquire).wrapping_add(S::lead(window))
}

#[cfg(not(loom))]
mod offsets {
    //! The struct is an interface between separately built programs.
    use super::Cursor;
    use static_assertions::const_assert_eq;
    use std::mem::offset_of;

    const_assert_eq!(offset_of!(Cursor, position), 0);
    const_assert_eq!(offset_of!(Cursor, limit), 8);
    const_assert_eq!(offset_of!(Cursor, granted), 16);
    const_assert_eq!(offset_of!(Cursor, mask), 24);
    const_assert_eq!(offset_of!(Cursor, window), 32);
    const_assert_eq!(offset_of!(Cursor, lead), 40);
    const_assert_eq!(offset_of!(Cursor, data), 48);
    const_assert_eq!(offset_of!(Cursor, own_counter), 56);
    const_assert_eq!(offset_of!(Cursor, other_counter), 64);
    const_assert_eq!(offset_of!(Cursor, other_parked), 72);
    const_assert_eq!(offset_of!(Cursor, fenced), 80);
    const_assert_eq!(size_of::<Cursor>(), 88);
}
