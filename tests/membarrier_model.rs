//! Why the waking side needs no fence: a search of everything that two processors can do.
//!
//! The sleeper and the waker of `src/wait` run on processors whose store buffers are explicit. Loads and
//! stores take effect in any order that the processor allows. membarrier takes effect at any moment at
//! which the other processor is between two instructions and has nothing pending: an interrupt's full
//! barrier brings it there. If the waker is done in the end and the sleeper sleeps, a wake-up was lost.

use std::collections::HashSet;

#[derive(Clone, Copy, PartialEq)]
enum Processor {
    /// x86-64: stores wait in a buffer, and leave it in order. Loads are done in order.
    Tso,
    /// AArch64, and weaker: stores leave the buffer in any order, except those to one word. A load may
    /// be done at any time since the last barrier. It is never done after a store that follows it, as in
    /// both programs there is a branch on the loaded value between the two.
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
}

/// Messages that the waker publishes and the sleeper takes, one by one.
const MESSAGES: u8 = 3;

const COUNTER: usize = 0;
const PARKED: usize = 1;

const SLEEPER: usize = 0;
const WAKER: usize = 1;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    // The sleeper's.
    Look,
    Announce,
    SleeperBarrier,
    LookAgain,
    Sleep,
    Asleep,
    Clear,
    // The waker's.
    Publish,
    WakerBarrier,
    LookForSleeper,
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
    /// Stores that are not visible to the other side yet, oldest first.
    buffer: Vec<(usize, u8)>,
    /// Loads that were done early.
    early: [Option<u8>; 2],
}

impl Core {
    fn new(at: Step) -> Self {
        Self { at, messages: 0, buffer: Vec::new(), early: [None; 2] }
    }

    fn store(&mut self, word: usize, value: u8) {
        self.early[word] = None;
        self.buffer.push((word, value));
    }

    /// What a load returns, given what the memory holds.
    fn load(&mut self, word: usize, memory: [u8; 2]) -> u8 {
        let own = self.buffer.iter().rev().find(|store| store.0 == word);
        let early = self.early[word].take();
        own.map(|store| store.1).or(early).unwrap_or(memory[word])
    }

    /// A full barrier: waits until the buffer is empty, and forgets early loads.
    fn barrier(&mut self) -> bool {
        self.early = [None; 2];
        self.buffer.is_empty()
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    memory: [u8; 2],
    cores: [Core; 2],
}

impl State {
    fn new() -> Self {
        Self { memory: [0; 2], cores: [Core::new(Step::Look), Core::new(Step::Publish)] }
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
        for (at, &(word, value)) in buffer.iter().enumerate() {
            let oldest = match setting.processor {
                Processor::Tso => at == 0,
                Processor::Weak => buffer[..at].iter().all(|earlier| earlier.0 != word),
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
        let word = if core == SLEEPER { COUNTER } else { PARKED };
        if setting.processor == Processor::Weak && self.cores[core].early[word].is_none() {
            let mut state = self.clone();
            state.cores[core].early[word] = Some(self.memory[word]);
            next.push(state);
        }
    }

    fn sleeper_step(&self, setting: Setting) -> Option<Self> {
        let mut state = self.clone();
        let State { memory, cores: [sleeper, waker] } = &mut state;
        let at = sleeper.at;
        sleeper.at = match at {
            Step::Look => {
                if sleeper.load(COUNTER, *memory) > sleeper.messages {
                    sleeper.messages += 1;
                    if sleeper.messages == MESSAGES { Step::Done } else { Step::Look }
                } else {
                    Step::Announce
                }
            }
            Step::Announce => {
                sleeper.store(PARKED, 1);
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
            Step::LookAgain => {
                let enough = sleeper.load(COUNTER, *memory) > sleeper.messages;
                if enough { Step::Clear } else { Step::Sleep }
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
                sleeper.store(PARKED, 0);
                Step::Look
            }
            _ => return None,
        };
        Some(state)
    }

    fn waker_step(&self, setting: Setting) -> Option<Self> {
        let mut state = self.clone();
        let State { memory, cores: [sleeper, waker] } = &mut state;
        let more = if waker.messages == MESSAGES { Step::Done } else { Step::Publish };
        let at = waker.at;
        waker.at = match at {
            Step::Publish => {
                waker.messages += 1;
                waker.store(COUNTER, waker.messages);
                Step::WakerBarrier
            }
            Step::WakerBarrier => {
                if setting.waker == Barrier::Fence && !waker.barrier() {
                    return None;
                }
                Step::LookForSleeper
            }
            Step::LookForSleeper => {
                if waker.load(PARKED, *memory) == 1 {
                    Step::ClearForSleeper
                } else {
                    more
                }
            }
            // A swap with Acquire and Release.
            Step::ClearForSleeper if !waker.barrier() => return None,
            Step::ClearForSleeper => {
                let was = std::mem::replace(&mut memory[PARKED], 0);
                if was == 1 { Step::Wake } else { more }
            }
            Step::Wake => {
                if sleeper.at == Step::Asleep {
                    sleeper.at = Step::Clear;
                }
                more
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
}

/// Goes through every reachable state.
fn search(setting: Setting) -> Verdict {
    let start = State::new();
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start];
    let (mut lost_wakeups, mut asleep) = (0, 0);
    while let Some(state) = open.pop() {
        asleep += usize::from(state.cores[SLEEPER].at == Step::Asleep);
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
    Verdict { states: seen.len(), lost_wakeups, asleep }
}

/// Lost wake-ups with these barriers, on either processor.
fn lost_wakeups(waker: Barrier, sleeper: Barrier, bounded_sleep: bool) -> [usize; 2] {
    [Processor::Tso, Processor::Weak].map(|processor| {
        let verdict = search(Setting { processor, waker, sleeper, bounded_sleep });
        println!("{} states, {} lost wake-ups", verdict.states, verdict.lost_wakeups);
        assert!(verdict.asleep > 0);
        verdict.lost_wakeups
    })
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
