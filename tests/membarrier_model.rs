//! Why the waking side needs no fence: a search of everything that two processors can do.
//!
//! The sleeper and the waker of `src/wait` run on processors whose store buffers are explicit. Loads and
//! stores take effect in any order that the processor allows. membarrier takes effect at any moment at
//! which the other processor is between two instructions and has nothing pending: an interrupt's full
//! barrier brings it there. If the waker is done in the end and the sleeper sleeps, a wake-up was lost.
//!
//! The sleeper may also be one that waits for the doorbell of a connection. Then nobody compares the word
//! as the sleep begins, but the byte stays in the socket until it is read. The socket's lock orders what
//! comes after a read behind it, and what came before a write before it.
//!
//! The waker may also interrupt. Then the sleeper gets every message and one interruption, and what
//! was published before the interrupt comes first. A caller of `wakeup_all` does the same.

use std::collections::HashSet;

#[derive(Clone, Copy, PartialEq)]
enum Processor {
    /// x86-64: stores wait in a buffer, and leave it in order. Loads are done in order.
    Tso,
    /// AArch64, and weaker: stores leave the buffer in any order, except those to one word, and a
    /// Release, which leaves after all earlier ones. A load may be done at any time since the last barrier
    /// or Acquire. It is never done after a store that follows it, as in both programs there is a branch
    /// on the loaded value between the two.
    Weak,
}

#[derive(Clone, Copy, PartialEq)]
enum Barrier {
    None,
    Fence,
    Membarrier,
}

#[derive(Clone, Copy)]
struct Setting {
    processor: Processor,
    waker: Barrier,
    sleeper: Barrier,
    /// Whether the sleep ends by itself after a while.
    bounded_sleep: bool,
    /// What the waker does.
    waker_does: &'static [Action],
    /// Messages that the sleeper waits for at first. Once interrupted, it takes one by one.
    first_need: u8,
    /// Whether the sleeper waits for the doorbell.
    doorbell: bool,
    /// What is left out.
    without: Option<Order>,
}

#[derive(Clone, Copy, PartialEq)]
enum Action {
    Publish,
    Interrupt,
}
use Action::{Interrupt, Publish};

/// What orders the rest, beside the barriers.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// What the sleeper waits for, said before it sleeps: each time anew.
    Wanted,
    /// The store that interrupts: after the counter.
    ReleaseOfInterrupt,
    /// The load that sees the interrupt: before the last look at the counter.
    AcquireOfInterrupt,
    /// The look at the counter between the interrupt and the return.
    LookAfterInterrupt,
    /// The doorbells are read before the announcement, and not after it.
    DrainFirst,
}

impl Setting {
    fn has(&self, order: Order) -> bool {
        self.without != Some(order)
    }

    fn messages(&self) -> u8 {
        self.waker_does.iter().filter(|action| **action == Publish).count() as u8
    }

    fn interrupts(&self) -> bool {
        self.waker_does.contains(&Interrupt)
    }

    /// Messages that are published before the interrupt.
    fn messages_before_interrupt(&self) -> u8 {
        self.waker_does.iter().take_while(|action| **action == Publish).count() as u8
    }
}

const COUNTER: usize = 0;
const PARKED: usize = 1;
const WANTED: usize = 2;
const INTERRUPT: usize = 3;
const WORDS: usize = 4;

const SLEEPER: usize = 0;
const WAKER: usize = 1;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    // The sleeper's.
    Look,
    SayWanted,
    Announce,
    SleeperBarrier,
    LookAgain,
    LookForInterrupt { parked: bool },
    LookAfterInterrupt { parked: bool },
    Drain,
    LookAfterDrain,
    LookIfArmed,
    Disarm,
    Sleep,
    Asleep,
    Clear,
    // The waker's.
    Act,
    WakerBarrier,
    LookForSleeper,
    LookAtWanted,
    InterrupterBarrier,
    LookForAnySleeper,
    ClearForSleeper,
    Wake,
    // Either's.
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Core {
    at: Step,
    /// Messages taken, or published.
    messages: u8,
    /// The waker's: actions done.
    actions: usize,
    /// The sleeper's: messages that it waits for, and whether it was interrupted.
    need: u8,
    interrupted: bool,
    /// Stores that are not visible to the other side yet, oldest first.
    buffer: Vec<Store>,
    /// Loads that were done early.
    early: [Option<u8>; WORDS],
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Store {
    word: usize,
    value: u8,
    release: bool,
}

impl Core {
    fn new(at: Step, need: u8) -> Self {
        Self {
            at,
            messages: 0,
            actions: 0,
            need,
            interrupted: false,
            buffer: Vec::new(),
            early: [None; WORDS],
        }
    }

    fn store(&mut self, word: usize, value: u8, release: bool) {
        self.early[word] = None;
        self.buffer.push(Store { word, value, release });
    }

    /// What a load returns, given what the memory holds.
    fn load(&mut self, word: usize, memory: [u8; WORDS]) -> u8 {
        let own = self.buffer.iter().rev().find(|store| store.word == word);
        let early = self.early[word].take();
        own.map(|store| store.value).or(early).unwrap_or(memory[word])
    }

    /// A full barrier: waits until the buffer is empty, and forgets early loads.
    fn barrier(&mut self) -> bool {
        self.acquire();
        self.buffer.is_empty()
    }

    /// What follows is loaded anew.
    fn acquire(&mut self) {
        self.early = [None; WORDS];
    }

    /// Whether all messages that it waits for are there.
    fn is_ready(&mut self, memory: [u8; WORDS]) -> bool {
        self.load(COUNTER, memory) >= self.messages + self.need
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    memory: [u8; WORDS],
    cores: [Core; 2],
    /// Doorbells that were not read yet.
    rung: u8,
}

impl State {
    fn new(setting: Setting) -> Self {
        let sleeper = Core::new(Step::Look, setting.first_need);
        Self { memory: [0; WORDS], cores: [sleeper, Core::new(Step::Act, 0)], rung: 0 }
    }

    /// All states that may come next.
    fn successors(&self, setting: Setting) -> Vec<Self> {
        let mut next = Vec::new();
        for core in [SLEEPER, WAKER] {
            self.drain_one_store(core, setting, &mut next);
            self.load_early(core, setting, &mut next);
        }
        next.extend(self.sleeper_step(setting));
        next.extend(self.waker_step(setting));
        next
    }

    fn drain_one_store(&self, core: usize, setting: Setting, next: &mut Vec<Self>) {
        let buffer = &self.cores[core].buffer;
        for (at, &Store { word, value, release }) in buffer.iter().enumerate() {
            let oldest = match setting.processor {
                Processor::Weak if !release => {
                    buffer[..at].iter().all(|earlier| earlier.word != word)
                }
                _ => at == 0,
            };
            if oldest {
                let mut state = self.clone();
                state.cores[core].buffer.remove(at);
                state.memory[word] = value;
                next.push(state);
            }
        }
    }

    fn load_early(&self, core: usize, setting: Setting, next: &mut Vec<Self>) {
        let words: &[usize] = match core {
            SLEEPER if setting.doorbell => &[COUNTER, PARKED],
            SLEEPER => &[COUNTER],
            _ => &[PARKED],
        };
        for &word in words {
            if setting.processor == Processor::Weak && self.cores[core].early[word].is_none() {
                let mut state = self.clone();
                state.cores[core].early[word] = Some(self.memory[word]);
                next.push(state);
            }
        }
    }

    fn sleeper_step(&self, setting: Setting) -> Option<Self> {
        let mut state = self.clone();
        let State { memory, cores: [sleeper, waker], rung } = &mut state;
        let at = sleeper.at;
        sleeper.at = match at {
            Step::Look => {
                let all = sleeper.messages == setting.messages();
                if all && sleeper.interrupted == setting.interrupts() {
                    Step::Done
                } else if sleeper.is_ready(*memory) {
                    sleeper.messages += sleeper.need;
                    Step::Look
                } else if setting.interrupts() && !sleeper.interrupted {
                    Step::LookForInterrupt { parked: false }
                } else if setting.doorbell && setting.has(Order::DrainFirst) {
                    Step::Drain
                } else {
                    Step::SayWanted
                }
            }
            Step::Drain => {
                *rung = 0;
                sleeper.acquire();
                if setting.has(Order::DrainFirst) { Step::LookAfterDrain } else { Step::Sleep }
            }
            Step::LookAfterDrain if sleeper.is_ready(*memory) => Step::Disarm,
            Step::LookAfterDrain => {
                sleeper.acquire();
                Step::LookIfArmed
            }
            Step::LookIfArmed => {
                let armed = sleeper.load(PARKED, *memory) == 1;
                let same = sleeper.load(WANTED, *memory) == sleeper.messages + sleeper.need;
                if armed && same { Step::Sleep } else { Step::SayWanted }
            }
            // A compare-and-swap with Acquire and Release.
            Step::Disarm if !sleeper.barrier() => return None,
            Step::Disarm => {
                memory[PARKED] = 0;
                Step::Look
            }
            Step::SayWanted => {
                if setting.has(Order::Wanted) || !sleeper.interrupted {
                    sleeper.store(WANTED, sleeper.messages + sleeper.need, false);
                }
                Step::Announce
            }
            Step::Announce => {
                // A Release in the code. Beside these barriers it changes nothing.
                sleeper.store(PARKED, 1, false);
                Step::SleeperBarrier
            }
            Step::SleeperBarrier => {
                let passed = match setting.sleeper {
                    Barrier::None => true,
                    Barrier::Fence => sleeper.barrier(),
                    // The caller's barriers at both ends of the call are one here, as it does nothing in
                    // between.
                    Barrier::Membarrier => sleeper.barrier() && waker.barrier(),
                };
                if !passed {
                    return None;
                }
                Step::LookAgain
            }
            Step::LookAgain if sleeper.is_ready(*memory) => {
                if setting.doorbell {
                    Step::Disarm
                } else {
                    Step::Clear
                }
            }
            Step::LookAgain if !setting.has(Order::DrainFirst) => Step::Drain,
            Step::LookAgain if setting.interrupts() && !sleeper.interrupted => {
                Step::LookForInterrupt { parked: true }
            }
            Step::LookAgain => Step::Sleep,
            // In its place: the loads before it are Acquires, so that it overtakes none.
            Step::LookForInterrupt { parked } => {
                let is_there = sleeper.load(INTERRUPT, *memory) == 1;
                if setting.has(Order::AcquireOfInterrupt) {
                    sleeper.acquire();
                }
                match (is_there, parked) {
                    (true, _) => Step::LookAfterInterrupt { parked },
                    (false, true) => Step::Sleep,
                    (false, false) => Step::SayWanted,
                }
            }
            Step::LookAfterInterrupt { parked } => {
                if !setting.has(Order::LookAfterInterrupt) || !sleeper.is_ready(*memory) {
                    sleeper.interrupted = true;
                    sleeper.need = 1;
                }
                if parked { Step::Clear } else { Step::Look }
            }
            Step::Sleep if setting.doorbell => {
                if *rung == 0 {
                    Step::Asleep
                } else {
                    Step::Look
                }
            }
            // The kernel takes its lock before it compares: a barrier.
            Step::Sleep if !sleeper.barrier() => return None,
            Step::Sleep => {
                if memory[PARKED] == 1 {
                    Step::Asleep
                } else {
                    Step::Clear
                }
            }
            Step::Asleep if setting.bounded_sleep => Step::Clear,
            Step::Clear => {
                sleeper.store(PARKED, 0, false);
                Step::Look
            }
            _ => return None,
        };
        Some(state)
    }

    fn waker_step(&self, setting: Setting) -> Option<Self> {
        let mut state = self.clone();
        let State { memory, cores: [sleeper, waker], rung } = &mut state;
        let at = waker.at;
        waker.at = match at {
            Step::Act => {
                let action = setting.waker_does.get(waker.actions);
                waker.actions += usize::from(action.is_some());
                match action {
                    Some(Publish) => {
                        waker.messages += 1;
                        waker.store(COUNTER, waker.messages, true);
                        Step::WakerBarrier
                    }
                    Some(Interrupt) => {
                        waker.store(INTERRUPT, 1, setting.has(Order::ReleaseOfInterrupt));
                        Step::InterrupterBarrier
                    }
                    None => Step::Done,
                }
            }
            Step::WakerBarrier => {
                if setting.waker == Barrier::Fence && !waker.barrier() {
                    return None;
                }
                Step::LookForSleeper
            }
            Step::LookForSleeper => {
                let parked = waker.load(PARKED, *memory) == 1;
                // The fence between the two loads.
                waker.acquire();
                if parked { Step::LookAtWanted } else { Step::Act }
            }
            Step::LookAtWanted => {
                let enough = waker.messages >= waker.load(WANTED, *memory);
                if enough { Step::ClearForSleeper } else { Step::Act }
            }
            Step::InterrupterBarrier if !waker.barrier() => return None,
            Step::InterrupterBarrier => Step::LookForAnySleeper,
            Step::LookForAnySleeper => {
                let parked = waker.load(PARKED, *memory) == 1;
                if parked { Step::ClearForSleeper } else { Step::Act }
            }
            // A swap with Acquire and Release.
            Step::ClearForSleeper if !waker.barrier() => return None,
            Step::ClearForSleeper => {
                let was = std::mem::replace(&mut memory[PARKED], 0);
                if was == 1 { Step::Wake } else { Step::Act }
            }
            Step::Wake if setting.doorbell => {
                *rung += 1;
                if sleeper.at == Step::Asleep {
                    sleeper.at = Step::Look;
                }
                Step::Act
            }
            Step::Wake => {
                if sleeper.at == Step::Asleep {
                    sleeper.at = Step::Clear;
                }
                Step::Act
            }
            _ => return None,
        };
        Some(state)
    }

    fn is_done(&self) -> bool {
        self.cores.iter().all(|core| core.at == Step::Done)
    }
}

struct Verdict {
    states: usize,
    lost_wakeups: usize,
    /// States in which the sleeper sleeps. A model without any shows nothing.
    asleep: usize,
    /// States in which an interrupt has overtaken what was published before it.
    overtaken: usize,
}

/// Goes through every reachable state.
fn search(setting: Setting) -> Verdict {
    let start = State::new(setting);
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start];
    let (mut lost_wakeups, mut asleep, mut overtaken) = (0, 0, 0);
    while let Some(state) = open.pop() {
        let sleeper = &state.cores[SLEEPER];
        asleep += usize::from(sleeper.at == Step::Asleep);
        let late = sleeper.messages < setting.messages_before_interrupt();
        overtaken += usize::from(sleeper.interrupted && late);
        // A load that was done early and never used is no progress.
        let stuck = !state.is_done()
            && state.cores.iter().all(|core| core.buffer.is_empty())
            && state.sleeper_step(setting).is_none()
            && state.waker_step(setting).is_none();
        if stuck {
            assert!(state.cores[SLEEPER].at == Step::Asleep, "there is no other way to be stuck");
            lost_wakeups += 1;
        }
        for next in state.successors(setting) {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    Verdict { states: seen.len(), lost_wakeups, asleep, overtaken }
}

/// A setting on either processor.
fn search_both(setting: Setting) -> [Verdict; 2] {
    [Processor::Tso, Processor::Weak].map(|processor| {
        let verdict = search(Setting { processor, ..setting });
        let Verdict { states, lost_wakeups, asleep, overtaken } = verdict;
        println!("{states} states, {lost_wakeups} lost wake-ups, {overtaken} early interruptions");
        assert!(asleep > 0);
        verdict
    })
}

/// A light waker that publishes, and a sleeper with membarrier that takes one by one.
const PLAIN: Setting = Setting {
    processor: Processor::Weak,
    waker: Barrier::None,
    sleeper: Barrier::Membarrier,
    bounded_sleep: false,
    waker_does: &[Publish, Publish, Publish],
    first_need: 1,
    doorbell: false,
    without: None,
};

/// Lost wake-ups with these barriers, on either processor.
fn lost_wakeups(waker: Barrier, sleeper: Barrier, bounded_sleep: bool) -> [usize; 2] {
    let verdicts = search_both(Setting { waker, sleeper, bounded_sleep, ..PLAIN });
    verdicts.map(|verdict| verdict.lost_wakeups)
}

fn never(lost_wakeups: [usize; 2]) {
    assert_eq!(lost_wakeups, [0, 0]);
}

fn on_every_processor(lost_wakeups: [usize; 2]) {
    assert!(lost_wakeups.iter().all(|&lost| lost > 0), "{lost_wakeups:?}");
}

#[test]
fn a_light_waker_and_a_sleeper_with_membarrier_never_lose_a_wake_up() {
    never(lost_wakeups(Barrier::None, Barrier::Membarrier, false));
}

#[test]
fn without_any_barrier_a_wake_up_can_be_lost() {
    on_every_processor(lost_wakeups(Barrier::None, Barrier::None, false));
}

#[test]
fn a_fence_on_the_sleepers_side_alone_is_not_enough() {
    on_every_processor(lost_wakeups(Barrier::None, Barrier::Fence, false));
}

#[test]
fn a_fence_on_the_wakers_side_alone_is_not_enough() {
    on_every_processor(lost_wakeups(Barrier::Fence, Barrier::None, false));
}

#[test]
fn a_waker_that_could_not_register_fences_and_a_sleeper_with_membarrier_is_safe() {
    // The kernel passes over a process that is not registered. Then membarrier is only its caller's own
    // fence.
    never(lost_wakeups(Barrier::Fence, Barrier::Fence, false));
}

#[test]
fn a_fence_on_the_wakers_side_does_no_harm_beside_membarrier() {
    never(lost_wakeups(Barrier::Fence, Barrier::Membarrier, false));
}

#[test]
fn a_sleeper_without_membarrier_beside_a_light_waker_gets_on_by_its_bounded_sleeps() {
    never(lost_wakeups(Barrier::None, Barrier::Fence, true));
}

#[test]
fn a_wait_for_several_messages_ends_with_the_last() {
    let all = Setting { first_need: 3, ..PLAIN };
    never(search_both(all).map(|verdict| verdict.lost_wakeups));
}

/// A sleeper that waits for the doorbell.
const ARMED: Setting = Setting { doorbell: true, ..PLAIN };

fn lost_doorbells(setting: Setting) -> [usize; 2] {
    search_both(setting).map(|verdict| verdict.lost_wakeups)
}

#[test]
fn a_light_waker_never_leaves_an_armed_sleeper_unrung() {
    never(lost_doorbells(ARMED));
    never(lost_doorbells(Setting { first_need: 2, waker_does: &[Publish; 4], ..ARMED }));
    // Where either can't do its half of the asymmetric barrier, the waker fences.
    never(lost_doorbells(Setting { waker: Barrier::Fence, sleeper: Barrier::Fence, ..ARMED }));
    never(lost_doorbells(Setting { waker: Barrier::Fence, ..ARMED }));
}

#[test]
fn without_either_half_a_doorbell_can_be_lost() {
    on_every_processor(lost_doorbells(Setting { sleeper: Barrier::None, ..ARMED }));
    on_every_processor(lost_doorbells(Setting { sleeper: Barrier::Fence, ..ARMED }));
    let fences = Setting { waker: Barrier::Fence, sleeper: Barrier::None, ..ARMED };
    on_every_processor(lost_doorbells(fences));
}

#[test]
fn a_doorbell_that_is_read_after_the_announcement_is_lost() {
    on_every_processor(lost_doorbells(Setting { without: Some(Order::DrainFirst), ..ARMED }));
}

/// Waits for two, is interrupted, and waits for one.
const GIVES_UP: Setting = Setting { waker_does: &[Interrupt, Publish], first_need: 2, ..PLAIN };

#[test]
fn a_wait_for_less_is_not_judged_by_the_one_before() {
    never(search_both(GIVES_UP).map(|verdict| verdict.lost_wakeups));
}

#[test]
fn it_would_be_if_it_did_not_say_what_it_waits_for() {
    let without = Some(Order::Wanted);
    let verdicts = search_both(Setting { without, ..GIVES_UP });
    on_every_processor(verdicts.map(|verdict| verdict.lost_wakeups));
}

/// Publishes, interrupts, and publishes again.
const INTERRUPTS: Setting = Setting { waker_does: &[Publish, Interrupt, Publish], ..PLAIN };

#[test]
fn an_interrupt_is_answered_once_and_after_what_was_published_before_it() {
    let fences = Setting { waker: Barrier::Fence, sleeper: Barrier::Fence, ..INTERRUPTS };
    for setting in [INTERRUPTS, fences] {
        for verdict in search_both(setting) {
            assert_eq!((verdict.lost_wakeups, verdict.overtaken), (0, 0));
        }
    }
}

#[test]
fn an_interrupt_needs_no_membarrier() {
    // What is published needs it, and so nothing is here.
    let alone = Setting { waker_does: &[Interrupt], sleeper: Barrier::Fence, ..PLAIN };
    never(search_both(alone).map(|verdict| verdict.lost_wakeups));
    let none = Setting { sleeper: Barrier::None, ..alone };
    on_every_processor(search_both(none).map(|verdict| verdict.lost_wakeups));
}

#[test]
fn an_interrupt_overtakes_what_was_published_if_nobody_looks_again() {
    let without = Some(Order::LookAfterInterrupt);
    let verdicts = search_both(Setting { without, ..INTERRUPTS });
    on_every_processor(verdicts.map(|verdict| verdict.overtaken));
}

#[test]
fn on_a_weak_order_it_does_so_without_acquire_or_without_release() {
    for order in [Order::ReleaseOfInterrupt, Order::AcquireOfInterrupt] {
        let [tso, weak] = search_both(Setting { without: Some(order), ..INTERRUPTS });
        assert_eq!(tso.overtaken, 0);
        assert_ne!(weak.overtaken, 0);
    }
}
