//! The pair of processes, which stays the same from the first block to the last. The near one says
//! what is next; then each does its part.

use super::contestant::Contestant;
use super::test::{Block, Test};
use super::{Between, Comparison, Plan};
use crate::channel::{Channel, Trips, answer, ask};
use crate::floors::{TwoLines, TwoLinesEnd};
use crate::process::{Far, Part, Shareable, Shared, Stage, with_far_thread};
use std::sync::atomic::{AtomicU64, Ordering};

/// A tenth of a millisecond, about.
const PING_PONG: Trips = Trips { warm_up: 64, blocks: 32, singles: 0 };

/// What the two processes share.
#[repr(C)]
struct Board {
    stage: Stage,
    /// The next thing to do: one of the following, or else the index of the test.
    what: AtomicU64,
    contestant: AtomicU64,
    count: AtomicU64,
    serial: AtomicU64,
}

const PLAY: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;

// SAFETY: atomics and a `Stage`, for which 0 is valid.
unsafe impl Shareable for Board {}

/// The near process's hold on the pair.
pub struct Pair<'a> {
    contestants: &'a [Contestant],
    tests: &'a [Test],
    board: &'a Board,
    part: Part<'a>,
    ball: [TwoLinesEnd<'a, 1>; 2],
    serial: u64,
}

/// Starts the far process, or thread, and runs `body` in this one, which has one thread.
pub fn with_pair<T>(comparison: &Comparison<'_>, body: impl FnOnce(&mut Pair<'_>) -> T) -> T {
    let Comparison { contestants, between, plan: &Plan { ref tests, cpus, .. } } = *comparison;
    let board = Shared::<Board>::default();
    let lines = [(); 2].map(|()| TwoLines::<1>::default());
    let (part, mut there) = board.stage.parts();
    let ball = [lines[0].sender(), lines[1].receiver()];
    let serial = u64::from(std::process::id()) << 32;
    let mut pair = Pair { contestants, tests, board: &board, part, ball, serial };
    let far = || be_far(&board, &mut there, &lines, contestants, tests);
    let near = || {
        let value = body(&mut pair);
        pair.post(STOP);
        value
    };
    match between {
        Between::Processes => {
            let process = Far::start(cpus.far, far);
            let value = near();
            process.join();
            value
        }
        Between::Threads => with_far_thread(cpus.far, far, near),
    }
}

fn be_far(
    board: &Board,
    part: &mut Part<'_>,
    lines: &[TwoLines<1>; 2],
    contestants: &[Contestant],
    tests: &[Test],
) {
    let (mut rx, mut tx) = (lines[0].receiver(), lines[1].sender());
    loop {
        part.meet();
        let [what, contestant, count, serial] =
            [&board.what, &board.contestant, &board.count, &board.serial]
                .map(|number| number.load(Ordering::Relaxed));
        match what {
            STOP => return,
            PLAY => answer(part, &mut rx, &mut tx, PING_PONG),
            test => {
                let block = Block { test: tests[test as usize], count: count as usize, serial };
                contestants[contestant as usize].turns.far(part, block);
            }
        }
    }
}

impl Pair<'_> {
    fn post(&self, what: u64) {
        self.board.what.store(what, Ordering::Relaxed);
        self.part.meet();
    }

    /// What a round trip of a bare cache line takes now, in nanoseconds.
    pub fn ping_pong(&mut self) -> f64 {
        self.post(PLAY);
        let [tx, rx] = &mut self.ball;
        ask(&mut self.part, tx, rx, PING_PONG).median_ns
    }

    /// One block of a contestant: what a round trip or message of it takes, in nanoseconds. None if
    /// it can't.
    pub fn block(&mut self, test: usize, contestant: usize, count: usize) -> Option<f64> {
        self.serial += 1;
        let block = Block { test: self.tests[test], count, serial: self.serial };
        let turns = &self.contestants[contestant].turns;
        let board = self.board;
        let post = |part: &Part<'_>| {
            board.what.store(test as u64, Ordering::Relaxed);
            board.contestant.store(contestant as u64, Ordering::Relaxed);
            board.count.store(count as u64, Ordering::Relaxed);
            board.serial.store(block.serial, Ordering::Relaxed);
            part.meet();
        };
        turns.takes(block.test).then(|| turns.near(&mut self.part, block, &post))
    }

    /// Whether another task ran on one of the CPUs since the last call, while something was timed.
    pub fn was_disturbed(&self) -> bool {
        self.board.stage.take_preemptions() != 0
    }
}
