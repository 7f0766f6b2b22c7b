//! Waiting: spin for a while, then sleep, and be woken when there is cause.
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
//! sleeper would sleep beside its data. Release and Acquire do not forbid that, not even on x86-64:
//! a store may still be in the store buffer while the load after it is done. A full barrier between
//! store and load on *both* sides forbids it: one of the two barriers comes first in their total
//! order, and the load behind the other one sees the store before it. The waker's barrier would run
//! at every publish, the sleeper's only before a sleep. So the price is moved. The heavy barrier is
//! `membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED)`, which makes every running thread of every
//! registered process pass through a full barrier at some point during the call. The light one only
//! keeps the compiler from moving the load before the store. So the waker's thread passes through
//! the kernel's barrier somewhere in its instruction stream. If that is before the load of `parked`,
//! the load sees the 1, which was stored before the call began. If it is after the load, the store
//! of the counter, which comes before the load, is visible to the sleeper once the call returns,
//! when it looks again. A thread that does not run has passed through a barrier when it was switched
//! out, and passes through one when it is switched in.
//!
//! On AArch64 the light side is `stlr` followed by a plain `ldr`, which the processor may swap. The
//! argument does not need their order. It only needs that the kernel's barrier (`dmb ish` in an
//! interrupt, which is itself in program order) falls before or after the load. If it falls before
//! the load, the load comes after the barrier in program order, and is ordered behind it. If it
//! falls after the load in program order, the store before the load is before the barrier too, and
//! is done. The compiler fence keeps that program order what the source says.
//!
//! The flag is cleared by `swap`, so that of several publishes one wakes: one sleep, one syscall.
//! The kernel compares `parked` with 1 and enqueues the sleeper as one step with respect to wakes.
//! So a wake between the second look and the sleep ends the sleep before it begins.
//!
//! The sleeper also says how far the counter must get (`wanted`), stored before `parked`. A waker
//! that has not got there leaves it asleep: a claim of 64 KiB costs one wake, not one for each
//! message that the other side releases. `wanted` needs no argument of its own: by the one above
//! the waker sees both words of the announcement or the sleeper sees the counter.
//!
//! If the kernel refuses either half, each side helps itself, without a handshake. A waker that is
//! not registered runs a real `fence(SeqCst)`, and the sleeper's own barrier (membarrier is a full
//! barrier for its caller too) is the other half. A sleeper that can't issue membarrier runs a
//! fence. That is enough against wakers that fence, but not against light ones, so it sleeps for
//! a millisecond at most before it looks again.
//!
//! **role-state**. A side that closes stores `CLOSED` with Release after its last counter; the
//! other loads it with Acquire and then looks at the counter *again*, so that the end of the stream
//! never overtakes its last bytes. The closing side, like `wakeup_all`, then runs a full fence and
//! wakes, whatever `wanted` says. These events are rare, and pay for both halves themselves.
//!
//! **interrupt**. `interrupt` sets a word of the handle with Release, runs a full fence, and wakes
//! the side whatever it waits for. The sleeper looks at the word after its announcement, as it does
//! at the counter: the fence and the heavy barrier are the two halves, as in *park*.
//!
//! **doorbell**. A side of a connection that waits in `epoll` and not in a call here announces itself
//! with another value of `parked` (`ARMED`). The waker's fast path does not change: it looks whether the
//! word is 0. Out of line, the swap that clears the word says which it was, and the waker sends a byte
//! on the socket in the place of the futex wake. So the argument of *park* holds as it stands, with one
//! difference in its last line: nobody compares a word as the sleep begins. That is not needed, as the
//! byte stays in the socket until it is read. A wait in a call sleeps there, too, if no other thread of the
//! process does: then it hears of a death at once, and never wakes to look. One thing does not work here: a sleep of a millisecond
//! where the kernel refuses the heavy barrier. So the two processes tell each other when they meet
//! whether they have it, and if one does not, the other always fences (`Cursor::fenced`).

pub(crate) mod any;
pub(crate) mod bell;
pub(crate) mod pace;
pub(crate) mod park;
pub(crate) mod spin;

use crate::cursor::{Cursor, Side};
use crate::layout::{Control, PARKED, SEVERAL_CPUS};
use crate::role::{self, Locks, Role};
use crate::status::{Result, Status};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::sys::{barrier, clock, cpu, futex};
use bell::Bell;
use pace::Pace;
use spin::{BRIEF, BRIEF_NS, FAR, Spinner};
use std::marker::PhantomData;

/// A `timeout_ns` without limit.
pub(crate) const FOREVER: u64 = u64::MAX;

/// How often a waiter looks whether the other side is alive. A death is to be noticed within 250 ms
/// of the moment in which the kernel closes the process's descriptors, and with them drops the lock
/// that this looks at.
const LIVENESS_NS: u64 = 100_000_000;
/// The longest sleep where the kernel gives no barrier.
const UNSURE_SLEEP_NS: u64 = 1_000_000;

/// What all threads of a process see of one side of a handle, and how they interrupt it.
#[derive(Debug, Default)]
pub(crate) struct Monitor {
    /// Times it went to sleep.
    pub parks: Count,
    /// Times it woke the other side.
    pub wakes: Count,
    /// Waits that `wakeup_all` or `interrupt` ended.
    pub interruptions: Count,
    /// How the other side is told where it waits for a connection's descriptor.
    pub bell: Bell,
    /// Not 0 while an interrupt waits for its answer. Any thread sets it.
    interrupted: AtomicU32,
}

impl Monitor {
    /// Ends the current or the next wait of the side that this belongs to, once.
    /// Async-signal-safe.
    pub(crate) fn interrupt<S: Side>(&self, control: &Control) {
        // interrupt: pairs with the load in `is_interrupted`.
        self.interrupted.store(1, Ordering::Release);
        park::rouse(S::park(control));
        self.bell.rouse_own(S::park(control));
    }

    /// Takes back an interrupt that no wait has answered, or answers it. False if there was none.
    pub(crate) fn clear_interrupt(&self) -> bool {
        self.interrupted.swap(0, Ordering::Relaxed) != 0
    }

    fn is_interrupted(&self) -> bool {
        // interrupt: pairs with the store in `interrupt`. Acquire: whoever sees the interrupt sees
        // what its caller published before it.
        self.interrupted.load(Ordering::Acquire) != 0
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

/// Ends the current or the next wait of both sides, once. Async-signal-safe.
pub(crate) fn interrupt_all(control: &Control) {
    control.interrupts.fetch_add(1, Ordering::Release);
    park::rouse(&control.producer_park);
    park::rouse(&control.consumer_park);
}

/// How a wait differs from the usual one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    /// A peer that is gone does not end the wait: the next one may come.
    pub next_peer: bool,
    /// Interrupts from before the wait do not end it.
    pub fresh: bool,
}

/// One wait: by whom, and for how much.
pub(crate) struct Wait<'a, S> {
    pub control: &'a Control,
    pub locks: &'a Locks,
    pub monitor: &'a Monitor,
    pub cursor: &'a mut Cursor,
    /// Bytes from the cursor's position on.
    pub need: u64,
    pub patience: Patience,
    pub side: PhantomData<S>,
}

impl<S: Side> Wait<'_, S> {
    /// Looks at the other side's counter.
    fn is_ready(&mut self) -> Result<bool> {
        S::await_data(self.cursor.here());
        self.cursor.look::<S>(self.control)?;
        Ok(self.need <= self.cursor.room())
    }

    /// The value of the other side's counter that ends the wait.
    fn wanted(&self) -> u64 {
        let Cursor { position, lead, .. } = *self.cursor;
        position.wrapping_add(self.need).wrapping_sub(lead)
    }

    /// The number of calls of `wakeup_all`, if this side has answered fewer: `seen`.
    fn unanswered(&self, seen: u32) -> Option<u32> {
        // Acquire: whoever sees the call sees what its caller published before it.
        let calls = self.control.interrupts.load(Ordering::Acquire);
        (calls != seen).then_some(calls)
    }
}

/// What became of an attempt to arm the doorbell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arming {
    /// There is nothing to wait for.
    Decided,
    /// It was armed for the same already.
    Stands,
    /// The other side can see it as soon as the barrier has been passed.
    Announced,
}

/// What one side remembers from wait to wait.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// The calls of `wakeup_all` that this side has answered.
    seen_interrupts: u32,
    /// When to look next whether the other side is alive.
    next_liveness: u64,
    /// When to look next at all items of which this side is the first, though one is ready.
    next_round: u64,
    /// Whether it was dead at the last look.
    was_dead: bool,
    /// The only CPU that this side may run on, plus 1.
    only_cpu: Option<u32>,
    spinner: Spinner,
    pace: Pace,
    /// Whether the last wait took so long that this one's looks may stand further apart.
    apart: bool,
}

impl Waiter {
    pub(crate) fn new(control: &Control, spin_ns: u64) -> Self {
        Self {
            seen_interrupts: control.interrupts.load(Ordering::Relaxed),
            next_liveness: 0,
            next_round: 0,
            was_dead: false,
            only_cpu: None,
            spinner: Spinner::new(spin_ns),
            pace: Pace::default(),
            apart: false,
        }
    }

    /// Notes where this thread may run, and tells the other side.
    pub(crate) fn look_at_cpus(&mut self, control: &Control, role: Role) {
        self.only_cpu = cpu::only().map(|cpu| cpu + 1);
        role.word(control).cpu.store(self.only_cpu.unwrap_or(SEVERAL_CPUS), Ordering::Relaxed);
    }

    /// As new, except that it keeps what was learned.
    pub(crate) fn reset(&mut self, control: &Control) {
        self.seen_interrupts = control.interrupts.load(Ordering::Relaxed);
        self.next_liveness = 0;
        self.was_dead = false;
    }

    /// Whether spinning leaves the other side a CPU to run on: a side that may run on one CPU only
    /// spins if the other is known to run elsewhere.
    #[inline(always)]
    fn may_spin<S: Side>(&self, control: &Control) -> bool {
        if !self.spinner.is_wanted() {
            return false;
        }
        let Some(cpu) = self.only_cpu else { return true };
        let peer = S::ROLE.other().word(control).cpu.load(Ordering::Relaxed);
        peer != 0 && peer != cpu
    }

    /// Looks for `need` bytes a number of times, before it looks at the clock or at anything else. True
    /// as soon as they are there. Most waits of a busy ring end here. The side must have its role.
    #[inline(always)]
    pub(crate) fn spin<S: Side>(
        &mut self,
        control: &Control,
        cursor: &mut Cursor,
        need: u64,
        timeout_ns: u64,
    ) -> bool {
        // A wait with a shorter limit than this may take begins with the clock.
        if timeout_ns <= BRIEF_NS || !self.may_spin::<S>(control) {
            return false;
        }
        self.pace.begin(cursor.position, need);
        let apart = self.apart;
        let scale = if apart { 2 } else { 1 };
        let looks = cursor.watch::<S>(control, need, BRIEF / scale, apart);
        self.apart = looks.is_none_or(|looks| looks * scale >= FAR);
        looks.is_some()
    }

    /// A wait begins: forgets earlier interrupts, if that is asked for.
    fn begin<S: Side>(&mut self, wait: &Wait<'_, S>) {
        if wait.patience.fresh {
            self.seen_interrupts = wait.control.interrupts.load(Ordering::Acquire);
            wait.monitor.clear_interrupt();
        }
    }

    /// Whether anybody interrupts.
    fn is_interrupted<S: Side>(&self, wait: &Wait<'_, S>) -> bool {
        wait.monitor.is_interrupted() || wait.unanswered(self.seen_interrupts).is_some()
    }

    /// Answers `called`, which is what [`Wait::unanswered`] gave, or else the interrupt of this handle.
    /// False if there is none: it was taken back in this moment.
    fn answer<S: Side>(&mut self, wait: &Wait<'_, S>, called: Option<u32>) -> bool {
        match called {
            Some(calls) => self.seen_interrupts = calls,
            None if !wait.monitor.clear_interrupt() => return false,
            None => {}
        }
        wait.monitor.interruptions.add();
        true
    }

    /// Waits until the bytes are there. The cursor has just been looked at, and they were not.
    pub(crate) fn wait<S: Side>(&mut self, wait: &mut Wait<'_, S>, timeout_ns: u64) -> Result<()> {
        if timeout_ns == 0 {
            wait.patience = Patience::default();
            let now = clock::now_coarse();
            return if self.ended(wait, now)? { Ok(()) } else { Err(Status::Timeout.into()) };
        }
        self.begin(wait);
        let start = clock::now();
        let deadline = start.saturating_add(timeout_ns);
        // After a death every wait looks again, so that the next peer is seen at once.
        if self.was_dead && !wait.patience.next_peer && self.ended(wait, start)? {
            return Ok(());
        }
        let may_spin = !self.was_dead && self.may_spin::<S>(wait.control);
        if may_spin && self.spin_for(wait, start, deadline)? {
            return Ok(());
        }
        let done = self.sleep(wait, deadline);
        if done.is_ok() {
            self.spinner.slept(clock::now().wrapping_sub(start));
        }
        done
    }

    /// Looks for as long as the spinner allows. True once the bytes are there, false if the time is up or
    /// there is another reason to return.
    fn spin_for<S: Side>(&self, wait: &mut Wait<'_, S>, start: u64, deadline: u64) -> Result<bool> {
        let until = deadline.min(self.spinner.until(start));
        while clock::now() < until {
            // If nobody is on the other side, there is nothing to spin for.
            if self.is_interrupted(wait) || role::is_closed(wait.control, S::ROLE.other()) {
                break;
            }
            for _ in 0..spin::LOOKS {
                if wait.is_ready()? {
                    return Ok(true);
                }
                std::hint::spin_loop();
            }
        }
        Ok(false)
    }

    /// Sleeps until the wait is over.
    fn sleep<S: Side>(&mut self, wait: &mut Wait<'_, S>, deadline: u64) -> Result<()> {
        let word = S::park(wait.control);
        loop {
            // What needs no sleep needs no announcement and no barrier either.
            let now = clock::now();
            if self.is_over(wait, now)? {
                return Ok(());
            }
            // The clock never gets to the end of time: that is a wait without limit.
            if now >= deadline {
                wait.patience.next_peer = false;
                return if self.ended(wait, now)? { Ok(()) } else { Err(Status::Timeout.into()) };
            }
            let place = wait.monitor.bell.enter();
            if place.is_some() {
                // Before it can be rung for.
                wait.monitor.bell.expect();
                park::arm(word, wait.wanted());
            } else {
                park::announce(word, wait.wanted());
            }
            // park: pairs with the light barrier in `needs_wakeup` and the fence in `wake`.
            let sure = barrier::heavy();
            let over = self.is_over(wait, now);
            let mut woken = Ok(());
            if let Ok(false) = over {
                wait.monitor.parks.add();
                if let Some(place) = &place {
                    // The socket tells of the peer's end, and a peer that needs to fence does.
                    woken = place.sleep(deadline);
                } else {
                    let unsure = if sure { u64::MAX } else { now + UNSURE_SLEEP_NS };
                    futex::wait(&word.parked, PARKED, deadline.min(self.next_liveness).min(unsure));
                }
            }
            // Awake, for whatever reason.
            park::withdraw(word);
            drop(place);
            if over? || wait.is_ready()? {
                return Ok(());
            }
            woken?;
        }
    }

    /// Whether there is nothing left to wait for: true if the bytes are there, an error if they
    /// can't come or somebody interrupts. Bytes that have arrived come before every other reason.
    fn is_over<S: Side>(&mut self, wait: &mut Wait<'_, S>, now: u64) -> Result<bool> {
        if wait.is_ready()? || self.ended(wait, now)? {
            return Ok(true);
        }
        let called = wait.unanswered(self.seen_interrupts);
        if called.is_none() && !wait.monitor.is_interrupted() {
            return Ok(false);
        }
        // Whoever interrupts may have published before.
        if wait.is_ready()? {
            return Ok(true);
        }
        if self.answer(wait, called) { Err(Status::Interrupted.into()) } else { Ok(false) }
    }

    /// False if the other side is still there. If it is gone, an error, or true if the bytes are there
    /// after all.
    fn ended<S: Side>(&mut self, wait: &mut Wait<'_, S>, now: u64) -> Result<bool> {
        let status = if role::is_closed(wait.control, S::ROLE.other()) {
            // A closed peer can't die. The next look is at whoever comes after it.
            self.next_liveness = now + LIVENESS_NS;
            self.was_dead = false;
            Status::Closed
        } else if self.has_died(wait, now) {
            Status::PeerDead
        } else {
            return Ok(false);
        };
        // role-state: the last counter was stored before that, and must be seen.
        if wait.is_ready()? {
            return Ok(true);
        }
        // To a connection no other peer can come.
        let next_peer = wait.patience.next_peer && !wait.monitor.bell.is_there();
        if next_peer { Ok(false) } else { Err(status.into()) }
    }

    fn has_died<S: Side>(&mut self, wait: &Wait<'_, S>, now: u64) -> bool {
        let bell = &wait.monitor.bell;
        // After a death every look asks again, so that the next peer is seen at once.
        if now >= self.next_liveness || self.was_dead || bell.is_over() {
            self.next_liveness = now + LIVENESS_NS;
            self.was_dead =
                bell.has_hung_up() || role::has_died(wait.control, wait.locks, S::ROLE.other());
            self.look_at_cpus(wait.control, S::ROLE);
        }
        self.was_dead
    }

    /// Asks the other side to ring the doorbell once the bytes are there or can't come any more. The
    /// heavy barrier and [`confirm`](Self::confirm) must follow where that is the answer.
    pub(crate) fn arm<S: Side>(&mut self, wait: &mut Wait<'_, S>) -> Arming {
        let word = S::park(wait.control);
        if self.is_decided(wait) {
            park::disarm(word);
            return Arming::Decided;
        }
        let wanted = wait.wanted();
        if park::is_armed(word, wanted) {
            return Arming::Stands;
        }
        // Before it can be rung for.
        wait.monitor.bell.expect();
        park::arm(word, wanted);
        Arming::Announced
    }

    /// The look after the announcement and the barrier. True if there is nothing to wait for.
    pub(crate) fn confirm<S: Side>(&mut self, wait: &mut Wait<'_, S>) -> bool {
        let decided = self.is_decided(wait);
        if decided {
            park::disarm(S::park(wait.control));
        }
        decided
    }

    /// Whether a wait would end at once, well or badly. Answers no interrupt.
    fn is_decided<S: Side>(&mut self, wait: &mut Wait<'_, S>) -> bool {
        let now = clock::now_coarse();
        !matches!(wait.is_ready(), Ok(false)) || !matches!(self.ended(wait, now), Ok(false))
    }
}
