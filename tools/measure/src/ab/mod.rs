//! Builds of the library against each other.

mod test;
mod variant;
mod pair;
mod states;
mod report;

use crate::args::Ab;
use harness::process::{self, Cpus};
use pair::{Pair, with_pair};
use report::Report;
use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};
use test::Test;
use variant::Variant;

/// One block of each build, between two ping-pongs.
pub struct Row {
    /// Index of the test.
    test: usize,
    ping_pong_ns: [f64; 2],
    disturbed: bool,
    /// Of each build, in the order of the arguments.
    ns: Vec<f64>,
}

pub fn run(args: &Ab, cpus: Cpus) -> Result<(), Box<dyn Error>> {
    let variants: Vec<Variant> = (args.builds.iter().enumerate())
        .map(|(index, build)| Variant::load(build, index))
        .collect::<Result<_, _>>()?;
    let tests = Test::all(args);
    process::pin(cpus.near);
    let rows = with_pair(cpus, &variants, &tests, |pair| measure(args, pair, &tests));
    let report = Report::new(args, cpus, &variants, &tests, &rows);
    print!("{}", report.text());
    if let Some(path) = &args.json {
        fs::write(path, format!("{:#}\n", report.json()))?;
    }
    Ok(())
}

/// One row of each test after the other, until the time is over.
fn measure(args: &Ab, pair: &mut Pair<'_>, tests: &[Test]) -> Vec<Row> {
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let block_ns = args.block_ms * 1e6;
    let mut order: Vec<usize> = (0..args.builds.len()).collect();
    let mut each_ns: Vec<f64> = tests.iter().map(|test| test.guess_ns()).collect();
    let mut rows = Vec::new();
    let mut before = pair.ping_pong();
    loop {
        for (index, test) in tests.iter().enumerate() {
            if Instant::now() >= end {
                return rows;
            }
            let count = test.count(block_ns, each_ns[index]);
            // No build profits from its place.
            fastrand::shuffle(&mut order);
            let mut ns = vec![0.0; order.len()];
            for &variant in &order {
                ns[variant] = pair.block(index, variant, count);
            }
            let after = pair.ping_pong();
            each_ns[index] = ns.iter().copied().fold(f64::INFINITY, f64::min);
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
