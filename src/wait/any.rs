//! Waiting on many: one wait for several sides of several rings.
//!
//! Each ring has its park word, and the argument that no wake-up is lost is that of
//! [a wait for one](super). The sleeper announces itself on every word, passes through **one** heavy
//! barrier, looks at everything again, and only then sleeps on all words at once. The argument is
//! about pairs of a waker and a ring, and holds for each pair by itself. The barrier comes after
//! every announcement and before every second look. So for each ring its waker sees the
//! announcement, or the second look sees its counter. When the kernel enqueues the sleeper, it compares
//! all words with what they should be, each as one step with respect to wakes, and does not sleep if
//! one differs.
//!
//! When the sleeper wakes, for whatever reason, it withdraws every announcement and looks at everything
//! once more. Whoever clears a word later has nobody to wake, and nothing is lost.
//!
//! A round of looks always includes all items. So none has precedence, and all that are ready are
//! reported.
//!
//! There are two kinds of looks. A *glance* reads the other side's counter and nothing else. While
//! anything is ready, most calls make only glances. A *look* also asks whether the other side is gone
//! and whether anybody interrupts.

use super::spin::LOOKS;
use super::{LIVENESS_NS, UNSURE_SLEEP_NS, Wait, Waiter, park};
use crate::cursor::{Rx, Side, Tx};
use crate::layout::PARKED;
use crate::role;
use crate::status::{Result, Status};
use crate::sync::{AtomicU32, Ordering};
use crate::sys::{barrier, clock, futex};

/// How often to look at whether the other sides are gone, while something is ready.
const ROUND_NS: u64 = 1_000_000;
/// The most items that one call waits for. The kernel sleeps on 128 words at once.
pub(crate) const MOST: usize = 127;

/// What a glance at an item shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glance {
    /// Its bytes are there.
    Ready,
    NotYet,
    /// Only a look can tell: this handle has no role yet, or something is wrong.
    Doubt,
}

/// One of the things that a call waits for. Its caller keeps it.
pub(crate) trait Item {
    /// Whether its bytes are there, by the other side's counter alone. Takes no role.
    fn glance(&mut self) -> Glance;

    /// What to wait for, or why that is impossible. Takes the role, if this handle does not have it.
    fn member(&mut self) -> Result<Member<'_>>;

    /// Notes its outcome: `None` is "not yet".
    fn note(&mut self, outcome: Option<Result<()>>);
}

/// One wait among several, with what its side remembers.
pub(crate) struct Pending<'a, S> {
    pub wait: Wait<'a, S>,
    pub waiter: &'a mut Waiter,
}

/// A wait of either side.
pub(crate) enum Member<'a> {
    Producer(Pending<'a, Tx>),
    Consumer(Pending<'a, Rx>),
}

impl<'a> From<Pending<'a, Tx>> for Member<'a> {
    fn from(pending: Pending<'a, Tx>) -> Self {
        Self::Producer(pending)
    }
}

impl<'a> From<Pending<'a, Rx>> for Member<'a> {
    fn from(pending: Pending<'a, Rx>) -> Self {
        Self::Consumer(pending)
    }
}

impl<'a> Member<'a> {
    fn awaited(&mut self) -> &mut (dyn Awaited + 'a) {
        match self {
            Self::Producer(pending) => pending,
            Self::Consumer(pending) => pending,
        }
    }

    /// The word that it sleeps on.
    fn word(&self) -> &'a AtomicU32 {
        match self {
            Self::Producer(Pending { wait, .. }) => &Tx::park(wait.control).parked,
            Self::Consumer(Pending { wait, .. }) => &Rx::park(wait.control).parked,
        }
    }
}

/// What a wait for several needs of each, whichever side it is.
trait Awaited {
    /// Whether the bytes are there; an error if they can't come.
    fn look(&mut self, now: u64) -> Result<bool>;
    /// Whether it is time to look at all items, beginning with this one. True once in a while.
    fn is_round_due(&mut self, now: u64) -> bool;
    /// When to look next whether the other side is alive.
    fn next_liveness(&self) -> u64;
    /// Lets the next look ask whether the other side is alive.
    fn hurry(&mut self);

    fn is_interrupted(&self) -> bool;
    /// Answers the interrupts, unless they were taken back.
    fn answer(&mut self) -> bool;

    /// A wait begins: forgets earlier interrupts, if that is asked for.
    fn begin(&mut self);
    /// Whether the other side can run only where this one does.
    fn shares_its_cpu(&self) -> bool;
    /// When a spin for this side alone that begins at `start` ends.
    fn spins_until(&self, start: u64) -> u64;
    /// Whether there is a reason to stop spinning, other than bytes.
    fn is_disturbed(&self) -> bool;
    /// Asks for the data to come along with the counter.
    fn await_data(&self);

    fn announce(&self);
    fn withdraw(&self);
    /// Counts a sleep.
    fn count(&self);
    /// The wait took `ns`, with a sleep.
    fn slept(&mut self, ns: u64);
}

impl<S: Side> Awaited for Pending<'_, S> {
    fn look(&mut self, now: u64) -> Result<bool> {
        self.wait.cursor.look::<S>(self.wait.control)?;
        if self.wait.need <= self.wait.cursor.room() {
            return Ok(true);
        }
        // A peer that is gone decides nothing here. Now and then is enough: otherwise a set with a dead
        // peer in it would cost a system call for each message of another.
        if self.wait.patience.next_peer && now < self.waiter.next_liveness {
            return Ok(false);
        }
        self.waiter.ended(&mut self.wait, now)
    }

    fn is_round_due(&mut self, now: u64) -> bool {
        let due = now >= self.waiter.next_round;
        if due {
            self.waiter.next_round = now + ROUND_NS;
        }
        due
    }

    fn next_liveness(&self) -> u64 {
        self.waiter.next_liveness
    }

    fn hurry(&mut self) {
        self.waiter.next_liveness = 0;
    }

    fn is_interrupted(&self) -> bool {
        self.waiter.is_interrupted(&self.wait)
    }

    fn answer(&mut self) -> bool {
        let called = self.wait.unanswered(self.waiter.seen_interrupts);
        self.waiter.answer(&self.wait, called)
    }

    fn begin(&mut self) {
        self.waiter.begin(&self.wait);
    }

    fn shares_its_cpu(&self) -> bool {
        let peer = S::ROLE.other().word(self.wait.control).cpu.load(Ordering::Relaxed);
        self.waiter.only_cpu == Some(peer)
    }

    fn spins_until(&self, start: u64) -> u64 {
        let nobody = self.waiter.was_dead || role::is_closed(self.wait.control, S::ROLE.other());
        if nobody || !self.waiter.may_spin::<S>(self.wait.control) {
            return start;
        }
        self.waiter.spinner.until(start)
    }

    fn is_disturbed(&self) -> bool {
        self.is_interrupted()
            || !self.wait.patience.next_peer && role::is_closed(self.wait.control, S::ROLE.other())
    }

    fn await_data(&self) {
        S::await_data(self.wait.cursor.here());
    }

    fn announce(&self) {
        park::announce_nearer(S::park(self.wait.control), self.wait.wanted());
    }

    fn withdraw(&self) {
        park::withdraw(S::park(self.wait.control));
    }

    fn count(&self) {
        self.wait.monitor.parks.add();
    }

    fn slept(&mut self, ns: u64) {
        self.waiter.spinner.slept(ns);
    }
}

/// Waits until at least one item is decided, and notes of every item how it stands: the number of
/// those that are decided. Nothing is noted for a bad number of items.
///
/// An interrupt of any item ends the wait, if nothing else does, and is noted for that item.
pub(crate) fn any<I: Item>(items: &mut [I], timeout_ns: u64) -> Result<usize> {
    if items.is_empty() {
        return Err(Status::InvalidArgument.into());
    }
    if items.len() > MOST {
        return Err(Status::TooLarge.into());
    }
    let now = clock::now_coarse();
    let mut decided = glance_at_all(items, now);
    if decided == 0 || is_round_due(&mut items[0], now) {
        decided = look_at_all(items, now).decided;
    }
    if decided != 0 {
        return Ok(decided);
    }
    if timeout_ns == 0 {
        return Err(Status::Timeout.into());
    }
    wait(items, timeout_ns)
}

/// The rest of [`any`], if nothing was decided at the first look. Every item has its role by then.
#[cold]
fn wait<I: Item>(items: &mut [I], timeout_ns: u64) -> Result<usize> {
    let start = clock::now();
    let deadline = start.saturating_add(timeout_ns);
    if spin(items, start, deadline) {
        let decided = glance_at_all(items, start);
        if decided != 0 {
            return Ok(decided);
        }
    }
    sleep(items, start, deadline)
}

/// Whether it is time to look at all items, though something is ready. The first item remembers.
fn is_round_due(first: &mut impl Item, now: u64) -> bool {
    first.member().map_or(true, |mut member| member.awaited().is_round_due(now))
}

fn for_each<I: Item>(items: &mut [I], mut act: impl FnMut(&mut dyn Awaited)) {
    for item in items {
        if let Ok(mut member) = item.member() {
            act(member.awaited());
        }
    }
}

fn some<I: Item>(items: &mut [I], mut is_so: impl FnMut(&mut dyn Awaited) -> bool) -> bool {
    items.iter_mut().any(|item| item.member().is_ok_and(|mut member| is_so(member.awaited())))
}

/// What a look at all items shows.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// How many are decided.
    decided: usize,
    /// Whether anybody interrupts.
    interrupted: bool,
}

/// Notes of every item whether it is ready, and looks if in doubt. Gives how many are decided.
fn glance_at_all<I: Item>(items: &mut [I], now: u64) -> usize {
    let mut seen = Seen::default();
    for item in items {
        match item.glance() {
            Glance::Ready => {
                seen.decided += 1;
                item.note(Some(Ok(())));
            }
            Glance::NotYet => item.note(None),
            Glance::Doubt => look_at(item, now, &mut seen),
        }
    }
    seen.decided
}

/// Notes of every item how it stands.
fn look_at_all<I: Item>(items: &mut [I], now: u64) -> Seen {
    let mut seen = Seen::default();
    for item in items {
        look_at(item, now, &mut seen);
    }
    seen
}

fn look_at<I: Item>(item: &mut I, now: u64, seen: &mut Seen) {
    // Only a need of 0 bytes is met without a role.
    let looked = if item.glance() == Glance::Ready {
        Ok(true)
    } else {
        item.member().and_then(|mut member| {
            let member = member.awaited();
            seen.interrupted |= member.is_interrupted();
            member.look(now)
        })
    };
    let outcome = match looked {
        Ok(ready) => ready.then_some(Ok(())),
        Err(error) => Some(Err(error)),
    };
    seen.decided += usize::from(outcome.is_some());
    item.note(outcome);
}

/// Looks for as long as the most patient spinner allows. True once the bytes of an item are there, false
/// if the time is up or there is another reason to stop.
fn spin<I: Item>(items: &mut [I], start: u64, deadline: u64) -> bool {
    let (mut until, mut only_cpu) = (start, false);
    for_each(items, |member| {
        member.begin();
        until = until.max(member.spins_until(start));
        only_cpu |= member.shares_its_cpu();
    });
    // A side that may run on one CPU only keeps from it whoever else may run only there.
    if only_cpu {
        return false;
    }
    let until = until.min(deadline);
    while clock::now() < until {
        let mut disturbed = false;
        for_each(items, |member| {
            disturbed |= member.is_disturbed();
            member.await_data();
        });
        if disturbed {
            return false;
        }
        for _ in 0..LOOKS {
            if items.iter_mut().any(|item| item.glance() == Glance::Ready) {
                return true;
            }
            std::hint::spin_loop();
        }
    }
    false
}

/// Sleeps until the wait, which began at `start`, is over.
fn sleep<I: Item>(items: &mut [I], start: u64, deadline: u64) -> Result<usize> {
    loop {
        let now = clock::now();
        // When one look at who is alive is due, all are made together.
        if some(items, |member| member.next_liveness() <= now) {
            for_each(items, |member| member.hurry());
        }
        // What needs no sleep needs no announcement and no barrier either.
        if let Some(over) = is_over(items, now) {
            return over;
        }
        // The clock never gets to the end of time: that is a wait without limit.
        if now >= deadline {
            return Err(Status::Timeout.into());
        }
        for_each(items, |member| member.announce());
        // park: pairs with the light barrier in `needs_wakeup` and the fence in `wake` of every
        // item's other side.
        let sure = barrier::heavy();
        let over = is_over(items, now).or_else(|| {
            let unsure = if sure { u64::MAX } else { now + UNSURE_SLEEP_NS };
            doze(items, now, deadline.min(unsure));
            // Awake, for whatever reason. Mostly there are bytes.
            let decided = glance_at_all(items, now);
            (decided != 0).then_some(Ok(decided))
        });
        let learn = matches!(over, Some(Ok(_))).then(|| clock::now().wrapping_sub(start));
        for_each(items, |member| {
            member.withdraw();
            if let Some(took) = learn {
                member.slept(took);
            }
        });
        if let Some(over) = over {
            return over;
        }
    }
}

/// Sleeps until some item's word is cleared, until `until` or the next look at who is alive, or for
/// no reason. If the kernel can sleep on one word only, not for long.
fn doze<I: Item>(items: &mut [I], now: u64, until: u64) {
    let mut words = futex::Words::new();
    let mut until = until.min(now + LIVENESS_NS);
    for item in items {
        if let Ok(mut member) = item.member() {
            words.push(member.word());
            let member = member.awaited();
            member.count();
            until = until.min(member.next_liveness());
        }
    }
    words.wait(PARKED, until, now + UNSURE_SLEEP_NS);
}

/// How the wait ends, if there is nothing left to wait for. What has arrived, and who is gone, comes
/// before an interrupt.
fn is_over<I: Item>(items: &mut [I], now: u64) -> Option<Result<usize>> {
    let Seen { decided, interrupted } = look_at_all(items, now);
    if decided != 0 {
        return Some(Ok(decided));
    }
    if !interrupted {
        return None;
    }
    // Whoever interrupts may have published before.
    let decided = look_at_all(items, now).decided;
    if decided != 0 {
        return Some(Ok(decided));
    }
    let mut answered = false;
    for item in items {
        if item.member().is_ok_and(|mut member| member.awaited().answer()) {
            item.note(Some(Err(Status::Interrupted.into())));
            answered = true;
        }
    }
    // None is left if all were taken back in this moment.
    answered.then(|| Err(Status::Interrupted.into()))
}
