//! One side of the ring, as a position in the stream: the whole lock-free algorithm, without any
//! memory but the control block.
//!
//! Producer and consumer are mirror images. Each owns a counter, and may go as far as the other's
//! counter lets it: the consumer up to `head`, the producer up to `tail + capacity`. With that
//! bound, claim is peek and publish is release.

use crate::layout::{Control, ParkWord};
use crate::park::{self, Tally, Wait, Waiter};
use crate::role::{self, Locks, Role};
use crate::status::{Result, Status};
use crate::sync::{AtomicU64, Ordering};
use crate::sys::{barrier, cpu};
use std::marker::PhantomData;

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
    /// What to do about the next data while waiting for it.
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

    /// Data and counter lie on two lines. Asked for at each look, the data comes along with the
    /// counter instead of after it: one transfer less in a round trip.
    #[inline(always)]
    fn await_data(here: *const u8) {
        cpu::prefetch(here);
    }
}

/// What a cursor works on and does not own.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub control: &'a Control,
    /// The first byte of the data; used for hints only.
    pub data: *const u8,
    /// The handle's locks.
    pub locks: &'a dyn Locks,
    /// What this side of the handle has been through.
    pub tally: &'a Tally,
}

/// A position in the stream, and how far it may move.
///
/// Invariant: `granted <= bound - own <= reach` (wrapping), whatever the other process writes.
/// Until the role is taken all three are 0, and `reach` too, so that the fast paths find no room and
/// nothing to advance over, and need not ask for the role.
///
/// `repr(C)`, so that what the fast paths touch stays together, on one cache line.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Cursor<S> {
    /// This side's counter: bytes since the ring was made.
    own: u64,
    /// How far `own` may go, by what was last seen of the other side's counter.
    bound: u64,
    /// Bytes from `own` on that were handed out by the last `acquire` and not advanced over.
    granted: u64,
    /// Bytes of data in the ring, less 1: all ones, as the capacity is a power of two.
    mask: u64,
    /// The most that `bound` may be ahead of `own`: the capacity once this handle has the role,
    /// and 0 before, so that nothing that stands in the shared memory gives it any room.
    reach: u64,
    /// Not 0 where the light half of the barrier is not enough in this process.
    fenced: u32,
    waiter: Waiter,
    side: PhantomData<S>,
}

impl<S: Side> Cursor<S> {
    /// A cursor for a handle that does not have the role yet.
    pub(crate) fn new(control: &Control, capacity: u64, spin_ns: u64) -> Self {
        Self {
            own: 0,
            bound: 0,
            granted: 0,
            mask: capacity - 1,
            reach: 0,
            fenced: 0,
            waiter: Waiter::new(control, spin_ns),
            side: PhantomData,
        }
    }

    fn is_attached(&self) -> bool {
        self.reach != 0
    }

    /// Bytes that this side could move over, by what it last saw.
    #[inline(always)]
    fn room(&self) -> u64 {
        self.bound.wrapping_sub(self.own)
    }

    /// Where in the data area the position lies.
    #[inline(always)]
    pub(crate) fn offset(&self) -> usize {
        (self.own & self.mask) as usize
    }

    /// Grants `want` bytes from the position on, if they are there, and says where that lies in
    /// the data.
    #[inline(always)]
    pub(crate) fn try_acquire(&mut self, control: &Control, want: u64) -> Option<usize> {
        let own = self.own;
        if want > self.bound.wrapping_sub(own) {
            // Possibly not enough: look. More than before it is, if it is enough now; what else
            // `look` would check is left to the caller, who waits where it really is not enough.
            let bound = other_bound::<S>(control, self.reach);
            let room = bound.wrapping_sub(own);
            if want > room || room > self.reach {
                return None;
            }
            self.bound = bound;
        }
        self.granted = want;
        Some((own & self.mask) as usize)
    }

    /// Grants `want` bytes from the position on, waiting for them if need be. On failure the last
    /// grant stands.
    #[inline(always)]
    pub(crate) fn acquire(&mut self, shared: Shared<'_>, want: u64, timeout_ns: u64) -> Result<()> {
        if self.try_acquire(shared.control, want).is_none() {
            self.wait_slow(shared, want, timeout_ns)?;
            self.granted = want;
        }
        Ok(())
    }

    /// Grants all that there is now, once there are `min` bytes; says how much.
    #[inline]
    pub(crate) fn acquire_some(
        &mut self,
        shared: Shared<'_>,
        min: u64,
        timeout_ns: u64,
    ) -> Result<u64> {
        self.attach(shared)?;
        self.refresh(shared.control)?;
        self.wait_for(shared, min, timeout_ns)?;
        self.granted = self.room();
        Ok(self.granted)
    }

    /// Waits until this side could move over `need` bytes. Grants nothing.
    #[inline(always)]
    pub(crate) fn wait_for(
        &mut self,
        shared: Shared<'_>,
        need: u64,
        timeout_ns: u64,
    ) -> Result<()> {
        if need <= self.room() { Ok(()) } else { self.wait_slow(shared, need, timeout_ns) }
    }

    /// Looks once more, and waits.
    #[inline(never)]
    fn wait_slow(&mut self, shared: Shared<'_>, need: u64, timeout_ns: u64) -> Result<()> {
        if need > self.mask + 1 {
            return Err(Status::TooLarge.into());
        }
        self.attach(shared)?;
        if need <= self.refresh(shared.control)? {
            return Ok(());
        }
        let here = shared.data.wrapping_add(self.offset());
        let Self { own, bound, reach, waiter, .. } = self;
        let wait = Wait {
            control: shared.control,
            locks: shared.locks,
            tally: shared.tally,
            role: S::ROLE,
            word: S::park(shared.control),
            wanted: own.wrapping_add(need).wrapping_sub(S::lead(*reach)),
            timeout_ns,
        };
        waiter.wait(&wait, &mut || {
            S::await_data(here);
            *bound = look::<S>(shared.control, *own, *bound, *reach)?;
            Ok(need <= bound.wrapping_sub(*own))
        })?;
        // What was asked for is taken for one message. Mostly it is one, and dividing takes time
        // that the message would wait for.
        let room = self.room();
        self.waiter.pace.brought(if room < 2 * need { 1 } else { room / need });
        Ok(())
    }

    /// Looks at the other side's counter, and says how much room there is.
    fn refresh(&mut self, control: &Control) -> Result<u64> {
        self.bound = look::<S>(control, self.own, self.bound, self.reach)?;
        Ok(self.room())
    }

    /// Moves the position over the first `n` granted bytes: they are the other side's now, and
    /// [`must_attend`](Self::must_attend) is to be asked. False, and nothing has moved, if `n` is
    /// 0 or more than was granted.
    #[inline(always)]
    pub(crate) fn advance(&mut self, control: &Control, n: u64) -> bool {
        // One comparison for both: 0 wraps to the largest number there is.
        if n.wrapping_sub(1) >= self.granted {
            return false;
        }
        self.granted -= n;
        self.own = self.own.wrapping_add(n);
        // counter: pairs with the Acquire load in `other_bound`.
        S::own(control).store(self.own, Ordering::Release);
        true
    }

    /// Whether the other side may be asleep, after an advance.
    #[inline(always)]
    pub(crate) fn must_attend(&self, control: &Control) -> bool {
        // park: pairs with the heavy barrier in `Waiter::sleep`.
        park::must_attend(S::other_park(control), self.fenced)
    }

    /// Wakes the other side, if it sleeps and what it waits for is there.
    #[cold]
    pub(crate) fn attend(&self, shared: Shared<'_>) {
        let word = S::other_park(shared.control);
        park::attend(word, self.own, self.fenced, &shared.tally.wakes);
    }

    /// Takes the role, if this handle does not have it: goes on where the stream stands.
    fn attach(&mut self, shared: Shared<'_>) -> Result<()> {
        if self.is_attached() {
            return Ok(());
        }
        let (control, capacity) = (shared.control, self.mask + 1);
        let (own, bound) = role::attach(control, shared.locks, S::ROLE, || {
            // Whoever had the role before is gone: its counter stands still, the other moves.
            let own = S::own(control).load(Ordering::Acquire);
            Ok((own, look::<S>(control, own, own, capacity)?))
        })?;
        (self.own, self.bound, self.granted) = (own, bound, 0);
        // Whoever had the role before may have died asleep.
        S::park(control).parked.store(0, Ordering::Relaxed);
        self.fenced = u32::from(!barrier::register());
        self.waiter.look_at_cpus(control, S::ROLE);
        self.reach = capacity;
        Ok(())
    }

    /// Gives the role up, and tells the other side.
    pub(crate) fn detach(&mut self, shared: Shared<'_>) {
        if self.is_attached() {
            role::detach(shared.control, shared.locks, S::ROLE);
            park::rouse(S::other_park(shared.control));
            self.forget_role(shared.control);
        }
    }

    /// Back to the state of a handle that has just connected: after `detach`, and in a forked
    /// child, where the role is the parent's.
    pub(crate) fn forget_role(&mut self, control: &Control) {
        (self.own, self.bound, self.granted) = (0, 0, 0);
        self.reach = 0;
        self.waiter.reset(control);
    }
}

/// The bound that the other side's counter gives, if that is one it can have got to: not behind
/// what was seen of it, nor further from this side's counter than `reach`. One comparison of distances
/// from `own` says both, wherever the counters have wrapped.
#[inline(always)]
fn look<S: Side>(control: &Control, own: u64, bound: u64, reach: u64) -> Result<u64> {
    let seen = other_bound::<S>(control, reach);
    let (room, before) = (seen.wrapping_sub(own), bound.wrapping_sub(own));
    if before <= room && room <= reach { Ok(seen) } else { Err(Status::Corrupt.into()) }
}

/// The bound that the other side's counter gives, unchecked.
#[inline(always)]
fn other_bound<S: Side>(control: &Control, reach: u64) -> u64 {
    // counter: pairs with the Release store in `advance`.
    S::other(control).load(Ordering::Acquire).wrapping_add(S::lead(reach))
}
