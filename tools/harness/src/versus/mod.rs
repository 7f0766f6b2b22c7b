//! Several ways to send messages against each other, in one pair of processes, which stays the same
//! all the time.
//!
//! The contestants take turns, in blocks of some milliseconds, each on a channel of its own that is
//! made for the block: no contestant keeps the luck of a place in memory. A row is one block of each,
//! in random order, between two ping-pongs of a bare cache line. These tell the state of the machine,
//! as a virtual one's CPUs move about under it. What changed its state meanwhile, or was disturbed by
//! another task, is dropped; ratios are taken within a row.

mod options;
mod test;
mod contestant;
mod pair;
mod states;
mod report;

pub use contestant::{Contestant, Way};
pub use options::{Kind, Options, check_fit, cpus, positive};
pub use report::{Figures, Ratio, Report};
pub use states::State;
pub use test::Test;

use crate::process::{self, Cpus};
use pair::{Pair, with_pair};
use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

/// What takes part on the far CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// A process.
    Processes,
    /// A thread, for those that can't leave a process.
    Threads,
}

/// What to compare, for how long, and where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to measure of every contestant.
    pub tests: Vec<Test>,
    /// How long. Each test gets a row at least, whatever that takes.
    pub time: Duration,
    /// How long the block of a contestant is.
    pub block_ms: f64,
    /// The CPUs to run on.
    pub cpus: Cpus,
}

/// All that is known before the first block.
struct Comparison<'a> {
    contestants: &'a [Contestant],
    between: Between,
    plan: &'a Plan,
}

/// One block of each contestant, between two ping-pongs.
struct Row {
    /// Index of the test.
    test: usize,
    ping_pong_ns: [f64; 2],
    disturbed: bool,
    /// Of each contestant that can do this.
    ns: Vec<Option<f64>>,
}

/// Compares the contestants, prints what came out, and writes it where the options say. The process
/// has one thread.
///
/// # Errors
/// The options don't fit each other or the machine, or a file can't be written.
pub fn run(
    contestants: &[Contestant],
    between: Between,
    options: &Options,
) -> Result<(), Box<dyn Error>> {
    check_fit(&options.sizes, &options.rings)?;
    let plan = Plan {
        tests: Test::all(options),
        time: Duration::from_secs(options.seconds),
        block_ms: options.block_ms,
        cpus: options.cpus.or_else(Cpus::choose).ok_or("needs two CPUs")?,
    };
    let report = compare(contestants, between, &plan, |_| ());
    print!("{}", report.text());
    if let Some(path) = &options.json {
        fs::write(path, format!("{:#}\n", report.json()))?;
    }
    Ok(())
}

/// Compares the contestants. The process has one thread. `tell` is called before each row with the
/// time that is left.
pub fn compare<'a>(
    contestants: &'a [Contestant],
    between: Between,
    plan: &'a Plan,
    tell: impl FnMut(Duration),
) -> Report<'a> {
    process::pin(plan.cpus.near);
    let comparison = Comparison { contestants, between, plan };
    let rows = with_pair(&comparison, |pair| measure(&comparison, pair, tell));
    Report::new(comparison, rows)
}

/// How many times as long as guessed a contestant may take.
const SLOWEST: f64 = 50.0;

/// One row of each test after the other, until the time is over.
fn measure(
    comparison: &Comparison<'_>,
    pair: &mut Pair<'_>,
    mut tell: impl FnMut(Duration),
) -> Vec<Row> {
    let Comparison { contestants, plan: Plan { tests, time, block_ms, .. }, .. } = comparison;
    let end = Instant::now() + *time;
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    // What one of each contestant takes in each test: at first as long as it may be, to find out.
    let mut each_ns: Vec<Vec<f64>> =
        tests.iter().map(|test| vec![SLOWEST * test.guess_ns(); contestants.len()]).collect();
    for (index, test) in tests.iter().enumerate() {
        for (contestant, each_ns) in each_ns[index].iter_mut().enumerate() {
            let count = test.count(block_ms * 1e6, *each_ns);
            *each_ns = pair.block(index, contestant, count).unwrap_or(*each_ns);
        }
    }
    let _ = pair.was_disturbed();
    let mut rows = Vec::new();
    let mut before = pair.ping_pong();
    loop {
        for (index, test) in tests.iter().enumerate() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() && rows.len() >= tests.len() {
                return rows;
            }
            tell(left);
            // No contestant profits from its place.
            fastrand::shuffle(&mut order);
            let mut ns = vec![None; order.len()];
            for &contestant in &order {
                let each_ns = &mut each_ns[index][contestant];
                let count = test.count(block_ms * 1e6, *each_ns);
                ns[contestant] = pair.block(index, contestant, count);
                *each_ns = ns[contestant].unwrap_or(*each_ns);
            }
            let after = pair.ping_pong();
            rows.push(Row {
                test: index,
                ping_pong_ns: [before, after],
                disturbed: pair.was_disturbed(),
                ns,
            });
            before = after;
        }
    }
}
