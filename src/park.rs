//! Waiting: spin for a while, then sleep, and be woken exactly when there is cause.
//!
//! # Memory ordering
//!
//! Three things are synchronised between the two processes. Each has a name, and the name stands
//! in a comment at both ends.
//!
//! **counter** (`head` from producer to consumer, `tail` back). The owner stores its counter with
//! Release after it is done with the bytes that the counter passes; the other side loads it with
//! Acquire before it touches them. On x86-64 both are plain moves. On AArch64 they are `stlr` and
//! `ldar`/`ldapr`: every access to the data before the store is visible to whoever sees the store.
//! Either counter has a single writer, so no read-modify-write is ever needed.
//!
//! **park** (lost wake-ups). The sleeper announces itself and then looks at the counter once more;
//! the waker advances the counter and then looks for an announcement:
//!
//! ```text
//!     sleeper                              waker
//!     parked = 1                           counter = n          (Release)
//!     heavy barrier                        light barrier
//!     counter?  enough: don't sleep        parked?  set: clear it, wake
//!     sleep while parked == 1
//! ```
//!
//! Each side stores one word and loads the other's. If both loads could miss both stores, the
//! sleeper would sleep beside its data; Release and Acquire do not forbid that, on x86-64 either,
//! as a store may still be in the store buffer while the load after it is done. A full barrier
//! between store and load on *both* sides forbids it: whichever barrier comes first in their one
//! total order, the load behind the other sees the store before it. The waker's barrier would run
//! at every publish, the sleeper's only before a sleep. So the price is moved: the heavy barrier is
//! `membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED)`, which makes every running thread of every
//! registered process pass through a full barrier at some point during the call, and the light one
//! only keeps the compiler from moving the load before the store. The waker's thread passes through
//! the kernel's barrier somewhere in its instruction stream. Is it before the load of `parked`,
//! then the load sees the 1, which was stored before the call began. Is it after, then the store
//! of the counter, which comes before the load, is visible to the sleeper once the call returns,
//! when it looks again. A thread that does not run has passed through a barrier when it was
//! switched out, and passes through one when it is switched in.
//!
//! On AArch64 the light side is `stlr` followed by a plain `ldr`, which the processor may swap: the
//! argument above does not need their order, only that the kernel's barrier (`dmb ish` in an
//! interrupt, which is itself in program order) falls before or after the load. If it falls before
//! the load, the load comes after the barrier in program order, and is ordered behind it. If it
//! falls after the load in program order, the store before the load is before the barrier too,
//! and done with. The compiler fence keeps that program order what the source says.
//!
//! The flag is cleared by `swap`, so that of several publishes one wakes: one sleep, one syscall.
//! The kernel compares `parked` with 1 and enqueues the sleeper as one step with respect to wakes,
//! so that a wake between the second look and the sleep ends the sleep before it begins.
//!
//! The sleeper also says how far the counter must get (`wanted`), stored before `parked`. A waker
//! that has not got there leaves it asleep: a claim of 64 KiB costs one wake, not one for each
//! message that the other side releases. `wanted` needs no argument of its own: by the one above
//! the waker sees both words of the announcement or the sleeper sees the counter.
//!
//! Where the kernel refuses either half, each side helps itself, with no handshake: a waker that is
//! not registered runs a real `fence(SeqCst)`, and then the sleeper's own barrier (membarrier is a
//! full barrier for its caller too) is the other half. A sleeper that can't issue membarrier runs a
//! fence, which is enough against wakers that fence but not against light ones, and so sleeps for
//! a millisecond at most before it looks again.
//!
//! **role-state**. A side that closes stores `CLOSED` with Release after its last counter; the
//! other loads it with Acquire and then looks at the counter *again*, so that the end of the stream
//! never overtakes its last bytes. The closing side, like `wakeup_all`, then runs a full fence and
//! wakes, whatever `wanted` says: rare events pay both halves themselves.

use crate::layout::{Control, ParkWord, SEVERAL_CPUS};
use crate::pace::Pace;
use crate::role::{self, Locks, Role};
use crate::spin::{BRIEF_NS, Spinner};
use crate::status::{Result, Status};
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::sys::{barrier, clock, cpu, futex};

/// A `timeout_ns` without limit.
pub(crate) const FOREVER: u64 = u64::MAX;

/// How often a waiter looks whether the other side is alive. Half of it and a scheduling delay
/// are to spare in the 250 ms that are promised.
const LIVENESS_NS: u64 = 100_000_000;
/// The longest sleep where the kernel gives no barrier.
const UNSURE_SLEEP_NS: u64 = 1_000_000;

/// The waker's half of *park*: to be asked after the counter's Release store. True if
/// [`attend`] must follow: there may be a sleeper, or no telling without a fence (`fenced`).
#[inline(always)]
pub(crate) fn must_attend(word: &ParkWord, fenced: u32) -> bool {
    barrier::light();
    word.parked.load(Ordering::Relaxed) | fenced != 0
}

/// Wakes the sleeper on `word`, if there is one and the counter has got where it waits for.
pub(crate) fn attend(word: &ParkWord, counter: u64, fenced: u32, wakes: &Count) {
    if fenced != 0 {
        // The waker's own full barrier, where the kernel's does not reach it.
        fence(Ordering::SeqCst);
        if word.parked.load(Ordering::Relaxed) == 0 {
            return;
        }
    }
    // Pairs with the Release store of `parked` in `Waiter::sleep`: `wanted` is that sleep's.
    fence(Ordering::Acquire);
    let wanted = word.wanted.load(Ordering::Relaxed);
    if counter.wrapping_sub(wanted).cast_signed() >= 0 && wake(word) {
        wakes.add();
    }
}

fn wake(word: &ParkWord) -> bool {
    let sleeping = word.parked.swap(0, Ordering::AcqRel) != 0;
    if sleeping {
        futex::wake(&word.parked);
    }
    sleeping
}

/// Wakes whoever sleeps on `word`, whatever it waits for: after a store other than a counter's.
pub(crate) fn rouse(word: &ParkWord) {
    fence(Ordering::SeqCst);
    if word.parked.load(Ordering::Relaxed) != 0 {
        wake(word);
    }
}

/// Ends the current or the next wait of one side of one handle, once. Async-signal-safe.
pub(crate) fn interrupt(word: &ParkWord, tally: &Tally) {
    // Release: whoever answers sees what the caller did before. park: the fence in `rouse` follows.
    tally.interrupted.store(1, Ordering::Release);
    rouse(word);
}

/// Ends the current or the next wait of both sides, once. Async-signal-safe.
pub(crate) fn interrupt_all(control: &Control) {
    control.interrupts.fetch_add(1, Ordering::Release);
    rouse(&control.producer_park);
    rouse(&control.consumer_park);
}

/// What one side of a handle has been through. Written by its own thread, read by any.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Times it went to sleep.
    pub parks: Count,
    /// Times it woke the other side.
    pub wakes: Count,
    /// Waits that `wakeup_all` or `interrupt` ended.
    pub interruptions: Count,
    /// Not 0 while an `interrupt` of this side waits for its answer. Any thread sets it.
    pub interrupted: AtomicU32,
}

impl Tally {
    /// Answers an `interrupt`, if there is one.
    fn answer(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) != 0
            && self.interrupted.swap(0, Ordering::Acquire) != 0
    }
}

/// A number that one thread counts up and any may read.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more. Only the owning thread calls this, so that no read-modify-write is needed.
    pub(crate) fn add(&self) {
        self.0.store(self.get() + 1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One wait: on what, and for how long.
pub(crate) struct Wait<'a> {
    pub control: &'a Control,
    pub locks: &'a dyn Locks,
    pub tally: &'a Tally,
    /// The side that waits.
    pub role: Role,
    /// Where it sleeps.
    pub word: &'a ParkWord,
    /// The value of the other side's counter that ends the wait.
    pub wanted: u64,
    pub timeout_ns: u64,
}

/// What one side remembers from wait to wait.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// The calls of `wakeup_all` that this side has answered.
    seen_interrupts: u32,
    /// When to look next whether the other side is alive.
    next_liveness: u64,
    /// Whether it was dead at the last look.
    was_dead: bool,
    /// The only CPU that this side may run on, plus 1.
    only_cpu: Option<u32>,
    spin: Spinner,
    pub pace: Pace,
}

impl Waiter {
    pub(crate) fn new(control: &Control, spin_ns: u64) -> Self {
        Self {
            seen_interrupts: control.interrupts.load(Ordering::Relaxed),
            next_liveness: 0,
            was_dead: false,
            only_cpu: None,
            spin: Spinner::new(spin_ns),
            pace: Pace::default(),
        }
    }

    /// Notes where this thread may run, and tells the other side.
    pub(crate) fn look_at_cpus(&mut self, control: &Control, role: Role) {
        self.only_cpu = cpu::only().map(|cpu| cpu + 1);
        role.word(control).cpu.store(self.only_cpu.unwrap_or(SEVERAL_CPUS), Ordering::Relaxed);
    }

    /// As new, but for what was learned.
    pub(crate) fn reset(&mut self, control: &Control) {
        self.seen_interrupts = control.interrupts.load(Ordering::Relaxed);
        self.next_liveness = 0;
        self.was_dead = false;
    }

    /// Waits until `met` says so. `met` looks at the counter, and has just said no.
    pub(crate) fn wait(
        &mut self,
        wait: &Wait<'_>,
        met: &mut impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        if wait.timeout_ns == 0 {
            let now = clock::now_coarse();
            return if self.ended(wait, met, now)? { Ok(()) } else { Err(Status::Timeout.into()) };
        }
        if self.was_dead && self.ended(wait, met, clock::now())? {
            return Ok(());
        }
        let may_spin = self.spin.is_wanted() && may_spin(self.only_cpu, wait);
        // Most waits of a busy ring end here, before the clock has been looked at. A wait that is to
        // be shorter than that may take begins with the clock.
        if may_spin && wait.timeout_ns > BRIEF_NS {
            self.pace.pause();
            if self.spin.briefly(met)? {
                return Ok(());
            }
        }
        let start = clock::now();
        let deadline = start.saturating_add(wait.timeout_ns);
        let disturbed = || {
            wait.tally.interrupted.load(Ordering::Relaxed) != 0
                || unanswered(wait, self.seen_interrupts).is_some()
                || role::is_closed(wait.control, wait.role.other())
        };
        if may_spin && self.spin.until(start, deadline, disturbed, met)? {
            return Ok(());
        }
        let done = self.sleep(wait, deadline, met);
        if done.is_ok() {
            self.spin.slept(clock::now().wrapping_sub(start));
        }
        done
    }

    /// Sleeps until the wait is over, one way or another.
    fn sleep(
        &mut self,
        wait: &Wait<'_>,
        deadline: u64,
        met: &mut impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        loop {
            wait.word.wanted.store(wait.wanted, Ordering::Relaxed);
            wait.word.parked.store(1, Ordering::Release);
            // park: pairs with the light barrier in `must_attend` and the fence in `rouse`.
            let sure = barrier::heavy();
            let outcome = self.look_again(wait, deadline, sure, met);
            if let Ok(Some(until)) = outcome {
                wait.tally.parks.add();
                futex::wait(&wait.word.parked, 1, until);
            }
            // Awake, for whatever reason. A waker has cleared the flag already; and should one
            // set out just now, it finds nobody: a syscall, no harm.
            wait.word.parked.store(0, Ordering::Relaxed);
            if outcome?.is_none() || met()? {
                return Ok(());
            }
        }
    }

    /// The look between the announcement and the sleep: how long to sleep, or `None` if there is
    /// nothing left to wait for. What has arrived comes before every other reason to return.
    fn look_again(
        &mut self,
        wait: &Wait<'_>,
        deadline: u64,
        sure: bool,
        met: &mut impl FnMut() -> Result<bool>,
    ) -> Result<Option<u64>> {
        let now = clock::now();
        if met()? || self.ended(wait, met, now)? {
            return Ok(None);
        }
        if let Some(interrupts) = unanswered(wait, self.seen_interrupts) {
            if met()? {
                return Ok(None);
            }
            self.seen_interrupts = interrupts;
            wait.tally.interruptions.add();
            return Err(Status::Interrupted.into());
        }
        if wait.tally.answer() {
            if met()? {
                return Ok(None);
            }
            wait.tally.interruptions.add();
            return Err(Status::Interrupted.into());
        }
        // A deadline at the end of time is none: the clock never gets there.
        if now >= deadline {
            return Err(Status::Timeout.into());
        }
        let unsure = if sure { u64::MAX } else { now + UNSURE_SLEEP_NS };
        Ok(Some(deadline.min(self.next_liveness).min(unsure)))
    }

    /// Whether the other side is gone: an error if so, unless the wait is met after all (true).
    fn ended(
        &mut self,
        wait: &Wait<'_>,
        met: &mut impl FnMut() -> Result<bool>,
        now: u64,
    ) -> Result<bool> {
        let peer = wait.role.other();
        let status = if role::is_closed(wait.control, peer) {
            Status::Closed
        } else if self.died(wait, peer, now) {
            Status::PeerDead
        } else {
            return Ok(false);
        };
        // role-state: the last counter was stored before; see it.
        if met()? { Ok(true) } else { Err(status.into()) }
    }

    fn died(&mut self, wait: &Wait<'_>, peer: Role, now: u64) -> bool {
        // Once it was dead, every wait asks again: the next peer must be seen at once.
        if now >= self.next_liveness || self.was_dead {
            self.next_liveness = now + LIVENESS_NS;
            self.was_dead = role::has_died(wait.control, wait.locks, peer);
            self.look_at_cpus(wait.control, wait.role);
        }
        self.was_dead
    }
}

/// The number of calls of `wakeup_all`, if this side has answered fewer: `seen`.
fn unanswered(wait: &Wait<'_>, seen: u32) -> Option<u32> {
    // Acquire: whoever sees the call sees what its caller published before it.
    let calls = wait.control.interrupts.load(Ordering::Acquire);
    (calls != seen).then_some(calls)
}

/// Whether spinning leaves the other side a CPU to run on: a side that may run on one CPU only
/// spins if the other is known to run elsewhere.
fn may_spin(only_cpu: Option<u32>, wait: &Wait<'_>) -> bool {
    let Some(cpu) = only_cpu else { return true };
    let peer = wait.role.other().word(wait.control).cpu.load(Ordering::Relaxed);
    peer != 0 && peer != cpu
}
