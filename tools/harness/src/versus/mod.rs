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
pub use test::Test;

use crate::process::{self, Cpus};
use pair::{Pair, with_pair};
use report::Report;
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

/// All that is known before the first block.
struct Comparison<'a> {
    contestants: &'a [Contestant],
    between: Between,
    options: &'a Options,
    tests: Vec<Test>,
    cpus: Cpus,
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
    let cpus = options.cpus.or_else(Cpus::choose).ok_or("needs two CPUs")?;
    process::pin(cpus.near);
    let tests = Test::all(options);
    let comparison = Comparison { contestants, between, options, tests, cpus };
    let rows = with_pair(&comparison, |pair| measure(&comparison, pair));
    let report = Report::new(&comparison, &rows);
    print!("{}", report.text());
    if let Some(path) = &options.json {
        fs::write(path, format!("{:#}\n", report.json()))?;
    }
    Ok(())
}

/// One row of each test after the other, until the time is over.
fn measure(comparison: &Comparison<'_>, pair: &mut Pair<'_>) -> Vec<Row> {
    let Comparison { contestants, options, tests, .. } = comparison;
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    let mut each_ns: Vec<f64> = tests.iter().map(|test| test.guess_ns()).collect();
    let mut rows = Vec::new();
    let mut before = pair.ping_pong();
    loop {
        for (index, test) in tests.iter().enumerate() {
            if Instant::now() >= end {
                return rows;
            }
            let count = test.count(options.block_ms * 1e6, each_ns[index]);
            // No contestant profits from its place.
            fastrand::shuffle(&mut order);
            let mut ns = vec![None; order.len()];
            for &contestant in &order {
                ns[contestant] = pair.block(index, contestant, count);
            }
            let after = pair.ping_pong();
            // The first one's time is the measure of all.
            each_ns[index] = ns[0].unwrap_or(each_ns[index]);
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
