//! One side of one handle: its cursor, and how it waits. Both the C functions and the Rust types
//! are thin layers over it.

use crate::cursor::{Cursor, Side};
use crate::layout::Control;
use crate::role::{self, Locks};
use crate::status::{Result, Status};
use crate::sync::Ordering;
use crate::sys::barrier;
use crate::wait::any::{Glance, Pending};
use crate::wait::park;
use crate::wait::{Arming, Monitor, Patience, Wait, Waiter};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// One side of a handle, on cache lines that the other side does not touch.
///
/// `repr(C)`: the cursor comes first. It is all that the fast paths touch.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Endpoint<S> {
    cursor: Cursor,
    control: NonNull<Control>,
    monitor: NonNull<Monitor>,
    locks: NonNull<Locks>,
    /// The generation of the process that took the role. A forked child has another.
    taken_in: u64,
    /// Whether the other side can't issue the heavy barrier, so that this one has to fence.
    always_fences: bool,
    waiter: Waiter,
    side: PhantomData<S>,
}

impl<S: Side> Endpoint<S> {
    /// The side of a handle that does not have the role yet. `data` is where the ring's data is
    /// mapped twice.
    ///
    /// # Safety
    /// The references stay valid for as long as the endpoint is used.
    pub(crate) unsafe fn new(
        control: &Control,
        locks: &Locks,
        monitor: &Monitor,
        data: *mut u8,
        capacity: u64,
        spin_ns: u64,
    ) -> Self {
        Self {
            cursor: Cursor::new::<S>(control, data, capacity),
            control: control.into(),
            monitor: monitor.into(),
            locks: locks.into(),
            taken_in: 0,
            always_fences: false,
            waiter: Waiter::new(control, spin_ns),
            side: PhantomData,
        }
    }

    #[inline(always)]
    fn control<'a>(&self) -> &'a Control {
        // SAFETY: it lives as long as the endpoint is used (`new`), and no caller keeps it.
        unsafe { self.control.as_ref() }
    }

    fn monitor<'a>(&self) -> &'a Monitor {
        // SAFETY: as in `control`.
        unsafe { self.monitor.as_ref() }
    }

    fn locks<'a>(&self) -> &'a Locks {
        // SAFETY: as in `control`.
        unsafe { self.locks.as_ref() }
    }

    /// Bytes that could be granted, by what was last seen of the other side.
    pub(crate) fn room(&self) -> u64 {
        self.cursor.room()
    }

    /// The most that could ever be granted.
    pub(crate) fn capacity(&self) -> u64 {
        self.cursor.mask + 1
    }

    /// Bytes that are granted.
    #[inline(always)]
    pub(crate) fn granted(&self) -> u64 {
        self.cursor.granted
    }

    /// Where they begin.
    #[inline(always)]
    pub(crate) fn here(&self) -> *mut u8 {
        self.cursor.here()
    }

    /// Takes back what is granted.
    #[inline(always)]
    pub(crate) fn drop_grant(&mut self) {
        self.cursor.granted = 0;
    }

    /// Grants `want` bytes from `here` on. There is room for them.
    #[inline(always)]
    pub(crate) fn grant(&mut self, want: u64) -> *mut u8 {
        self.cursor.granted = want;
        self.cursor.here()
    }

    /// Grants `want` contiguous bytes at the position, if they are there. Can't panic.
    #[inline(always)]
    pub(crate) fn try_reserve(&mut self, want: u64) -> Option<*mut u8> {
        let control = self.control();
        self.cursor.has::<S>(control, want).then(|| self.grant(want))
    }

    /// As [`try_reserve`](Self::try_reserve), which has just failed, but spins for a moment.
    #[inline(always)]
    pub(crate) fn spin_reserve(&mut self, want: u64, timeout_ns: u64) -> Option<*mut u8> {
        self.spin(want, timeout_ns).then(|| self.grant(want))
    }

    /// Grants `want` contiguous bytes at the position, and waits for them if it must. On failure the
    /// last grant still stands.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, want: u64, timeout_ns: u64) -> Result<*mut u8> {
        if let Some(granted) = self.try_reserve(want) {
            return Ok(granted);
        }
        if let Some(granted) = self.spin_reserve_apart(want, timeout_ns) {
            return Ok(granted);
        }
        self.wait_and_reserve(want, timeout_ns)
    }

    /// [`spin_reserve`](Self::spin_reserve), not inlined.
    #[inline(never)]
    fn spin_reserve_apart(&mut self, want: u64, timeout_ns: u64) -> Option<*mut u8> {
        self.spin_reserve(want, timeout_ns)
    }

    /// The rest of [`reserve`](Self::reserve), after a moment's spinning was in vain.
    pub(crate) fn wait_and_reserve(&mut self, want: u64, timeout_ns: u64) -> Result<*mut u8> {
        self.wait(want, timeout_ns)?;
        Ok(self.grant(want))
    }

    /// Grants all that is there, if it is at least `min` bytes and this side has its role. Can't
    /// panic.
    #[inline(always)]
    pub(crate) fn try_reserve_some(&mut self, min: u64) -> Option<(*mut u8, u64)> {
        let control = self.control();
        self.cursor.sees_some::<S>(control, min).then(|| self.grant_all())
    }

    /// As [`try_reserve_some`](Self::try_reserve_some), which has just failed, but spins for a
    /// moment.
    #[inline(never)]
    pub(crate) fn spin_reserve_some(
        &mut self,
        min: u64,
        timeout_ns: u64,
    ) -> Option<(*mut u8, u64)> {
        // With less than `min` bytes there, `min` is more than 0.
        (self.cursor.room() < min && self.spin(min, timeout_ns)).then(|| self.grant_all())
    }

    /// Grants all that is there, once it is at least `min` bytes, and says how much it is.
    #[inline(always)]
    pub(crate) fn reserve_some(&mut self, min: u64, timeout_ns: u64) -> Result<(*mut u8, u64)> {
        if let Some(granted) = self.try_reserve_some(min) {
            return Ok(granted);
        }
        if let Some(granted) = self.spin_reserve_some(min, timeout_ns) {
            return Ok(granted);
        }
        self.wait_and_reserve_some(min, timeout_ns)
    }

    /// The rest of [`reserve_some`](Self::reserve_some), after a moment's spinning was in vain.
    pub(crate) fn wait_and_reserve_some(
        &mut self,
        min: u64,
        timeout_ns: u64,
    ) -> Result<(*mut u8, u64)> {
        self.wait(min, timeout_ns)?;
        Ok(self.grant_all())
    }

    #[inline(always)]
    fn grant_all(&mut self) -> (*mut u8, u64) {
        let all = self.cursor.room();
        (self.grant(all), all)
    }

    /// Waits until `need` bytes could be granted. Grants nothing.
    #[inline(always)]
    pub(crate) fn wait_for(&mut self, need: u64, timeout_ns: u64) -> Result<()> {
        if self.try_wait_for(need, timeout_ns) { Ok(()) } else { self.wait(need, timeout_ns) }
    }

    /// Whether `need` bytes could be granted now or in a moment.
    #[inline(always)]
    pub(crate) fn try_wait_for(&mut self, need: u64, timeout_ns: u64) -> bool {
        let control = self.control();
        self.cursor.has::<S>(control, need) || self.spin_apart(need, timeout_ns)
    }

    /// [`spin`](Self::spin), not inlined.
    #[inline(never)]
    fn spin_apart(&mut self, need: u64, timeout_ns: u64) -> bool {
        self.spin(need, timeout_ns)
    }

    /// Looks for bytes that are about to come. Inlined into the function that hands them out, to save
    /// a return on the way out of a wait.
    #[inline(always)]
    fn spin(&mut self, need: u64, timeout_ns: u64) -> bool {
        let control = self.control();
        // Without the role the window is 0.
        need <= self.cursor.window
            && self.waiter.spin::<S>(control, &mut self.cursor, need, timeout_ns)
    }

    /// All else that a wait may need, after a moment's spinning: the role, sleep, and errors.
    #[inline(always)]
    pub(crate) fn wait(&mut self, need: u64, timeout_ns: u64) -> Result<()> {
        self.wait_with(need, timeout_ns, Patience::default())
    }

    /// As [`wait`](Self::wait), with patience.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait_with(
        &mut self,
        need: u64,
        timeout_ns: u64,
        patience: Patience,
    ) -> Result<()> {
        let Pending { mut wait, waiter } = self.pending(need, patience)?;
        wait.cursor.look::<S>(wait.control)?;
        if need <= wait.cursor.room() {
            return Ok(());
        }
        waiter.wait(&mut wait, timeout_ns)
    }

    /// A wait for `need` bytes, with its role taken.
    #[inline]
    pub(crate) fn pending(&mut self, need: u64, patience: Patience) -> Result<Pending<'_, S>> {
        if need > self.capacity() {
            return Err(Status::TooLarge.into());
        }
        self.attach()?;
        let wait = Wait {
            control: self.control(),
            locks: self.locks(),
            monitor: self.monitor(),
            cursor: &mut self.cursor,
            need,
            patience,
            side: PhantomData,
        };
        Ok(Pending { wait, waiter: &mut self.waiter })
    }

    /// Takes the role now, and not at the first use.
    ///
    /// `always_fences`: the other side can't issue the heavy barrier.
    pub(crate) fn take_role(&mut self, always_fences: bool) -> Result<()> {
        self.always_fences = always_fences;
        self.attach()
    }

    /// Asks the other side to ring the doorbell once `need` bytes are there; see [`Waiter::arm`].
    pub(crate) fn arm(&mut self, need: u64) -> Result<Arming> {
        let Pending { mut wait, waiter } = self.pending(need, Patience::default())?;
        Ok(waiter.arm(&mut wait))
    }

    /// The look after [`arm`](Self::arm) and the barrier. True if there is nothing to wait for.
    pub(crate) fn confirm(&mut self, need: u64) -> Result<bool> {
        let Pending { mut wait, waiter } = self.pending(need, Patience::default())?;
        Ok(waiter.confirm(&mut wait))
    }

    /// Whether `need` bytes are there, by the counters alone. Can't panic.
    #[inline(always)]
    pub(crate) fn glance(&mut self, need: u64) -> Glance {
        let control = self.control();
        if self.cursor.has::<S>(control, need) {
            Glance::Ready
        } else if need > self.cursor.window {
            // No role yet, or more than there is.
            Glance::Doubt
        } else {
            Glance::NotYet
        }
    }

    /// Hands the first `n` granted bytes to the other side. Ask [`needs_wakeup`](Self::needs_wakeup)
    /// afterwards. False if `n` is 0 or more than was granted: then nothing has changed. Can't panic.
    #[inline(always)]
    pub(crate) fn try_advance(&mut self, n: u64) -> bool {
        let control = self.control();
        self.cursor.advance::<S>(control, n)
    }

    /// Whether the other side may be asleep, after an advance.
    #[inline(always)]
    pub(crate) fn needs_wakeup(&self) -> bool {
        // park: pairs with the heavy barrier in `Waiter::sleep`.
        park::needs_wakeup(S::other_park(self.control()), self.cursor.fenced)
    }

    /// Wakes the other side, if it sleeps and what it waits for is there.
    #[cold]
    pub(crate) fn wake_if_waiting(&self) {
        let Cursor { position, fenced, .. } = self.cursor;
        let word = S::other_park(self.control());
        park::wake_if_waiting(word, position, fenced, self.monitor());
    }

    /// Wakes the other side after an advance, if it may be asleep.
    #[inline(always)]
    pub(crate) fn notify(&self) {
        if self.needs_wakeup() {
            self.wake_if_waiting();
        }
    }

    /// Hands the first `n` granted bytes to the other side.
    #[inline(always)]
    pub(crate) fn advance(&mut self, n: u64) -> Result<()> {
        if self.try_advance(n) {
            self.notify();
        } else if n != 0 {
            return Err(Status::Misuse.into());
        }
        Ok(())
    }

    fn is_attached(&self) -> bool {
        self.cursor.window != 0 && self.taken_in == self.locks().generation()
    }

    /// Takes the role, if this handle does not have it.
    fn attach(&mut self) -> Result<()> {
        if self.is_attached() {
            return Ok(());
        }
        if self.cursor.window != 0 {
            // This is a forked child, and the role is the parent's.
            self.forget_role();
        }
        let (control, locks) = (self.control(), self.locks());
        role::attach(control, locks, S::ROLE, || self.cursor.enter::<S>(control))?;
        // Whoever had the role before may have died asleep.
        S::park(control).parked.store(0, Ordering::Relaxed);
        self.taken_in = locks.generation();
        self.cursor.fenced = u32::from(self.always_fences || !barrier::register());
        self.waiter.look_at_cpus(control, S::ROLE);
        Ok(())
    }

    /// Gives the role up, if this handle has it, and tells the other side.
    pub(crate) fn detach(&mut self) {
        if self.is_attached() {
            role::detach(self.control(), self.locks(), S::ROLE);
            park::wake(S::other_park(self.control()), &self.monitor().bell);
            self.forget_role();
        }
    }

    /// Goes back to the state of a handle that has just connected: after `detach`, and in a forked
    /// child, where the role is the parent's.
    pub(crate) fn forget_role(&mut self) {
        self.cursor.leave();
        self.waiter.reset(self.control());
    }
}
