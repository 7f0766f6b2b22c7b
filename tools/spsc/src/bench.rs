//! `spsc bench`: what this machine gives. The measuring is the harness's, as that of the project's own
//! figures.

use crate::cli::Bench;
use crate::exit::{Failure, Result};
use crate::text::{bytes, table};
use harness::alternatives::Stream;
use harness::machine::{kernel, processor};
use harness::process::Cpus;
use harness::ring::{Choice, RustRing};
use harness::versus::{Between, Contestant, Figures, Plan, Report, Test, compare};
use serde::Serialize;
use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;
use std::time::Duration;

/// The first is what the others are compared with.
const WAYS: [&str; 4] = ["ring", "floor", "pipe", "socket"];

/// How long each way's turn is.
const TURN_MS: f64 = 3.0;

/// As large as a pipe; and for large messages one that takes several.
const RING: usize = 64 << 10;
const LARGE_RING: usize = 1 << 20;

const TESTS: [Test; 5] = [
    Test::Trip { ring: RING },
    Test::Stream { size: 8, ring: RING, batches: false },
    Test::Stream { size: 64, ring: RING, batches: false },
    Test::Stream { size: 4 << 10, ring: RING, batches: false },
    Test::Stream { size: 64 << 10, ring: LARGE_RING, batches: false },
];

/// What came out. The members are those of docs/TOOL.md.
#[derive(Serialize)]
struct Outcome {
    processor: String,
    kernel: String,
    cpus: [usize; 2],
    seconds: f64,
    /// Turns of all ways at one test.
    rows: usize,
    /// Rows that count in no state.
    dropped: usize,
    /// The one with the most rows first.
    states: Vec<State>,
}

/// While the two CPUs were at one distance from each other.
#[derive(Serialize)]
struct State {
    /// None if the machine was too busy to tell: then this is everything.
    cache_line_ns: Option<f64>,
    rows: usize,
    tests: Vec<Measured>,
}

#[derive(Serialize)]
struct Measured {
    what: &'static str,
    bytes: usize,
    ring_bytes: usize,
    rows: usize,
    ways: Vec<Way>,
}

#[derive(Serialize)]
struct Way {
    way: &'static str,
    /// Of a round trip, or a message. None without a row.
    ns: Option<f64>,
    bytes_per_s: Option<f64>,
    /// How many times as long as the ring takes, within a row.
    times_ring: Option<f64>,
    times_ring_quartiles: Option<[f64; 2]>,
}

pub fn run(options: &Bench) -> Result {
    let cpus = options.cpus.or_else(Cpus::choose);
    let cpus = cpus.ok_or_else(|| Failure::new("needs two CPUs, and this program may use one"))?;
    if !cpus.are_allowed() {
        let Cpus { near, far } = cpus;
        return Err(Failure::new(format!("this program may not use CPUs {near} and {far}")));
    }
    let plan = Plan { tests: TESTS.to_vec(), time: options.seconds, block_ms: TURN_MS, cpus };
    let contestants = contestants();
    let mut progress = Progress::default();
    let report = compare(&contestants, Between::Processes, &plan, |left| progress.tell(left));
    progress.end();
    let outcome = Outcome::new(&report, &plan);
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&outcome).expect("plain values"))?;
    } else {
        outcome.print(&mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All channels are without names: nothing is left of them if the program is interrupted.
fn contestants() -> Vec<Contestant> {
    let [ring, floor, pipe, socket] = WAYS;
    // In the kernel's buffers no message has a place to come back to.
    let few = |_| 64;
    vec![
        Contestant::inherited(
            ring,
            "",
            &TESTS,
            |test| test.ring() / test.size(),
            |test| RustRing::new(Choice { capacity: test.ring(), never_spin: false }),
        ),
        Contestant::floor(floor),
        Contestant::inherited(pipe, "", &TESTS, few, |_| Stream::pipe()),
        Contestant::inherited(socket, "", &TESTS, few, |_| Stream::socket()),
    ]
}

/// On a terminal, how long it still takes.
#[derive(Default)]
struct Progress {
    shown: Option<u64>,
}

impl Progress {
    fn tell(&mut self, left: Duration) {
        let seconds = left.as_secs_f64().ceil() as u64;
        if self.shown != Some(seconds) && stderr().is_terminal() {
            eprint!("\r{seconds:4} s left ");
            self.shown = Some(seconds);
        }
    }

    fn end(&self) {
        if self.shown.is_some() {
            eprint!("\r{:12}\r", "");
        }
    }
}

impl Outcome {
    fn new(report: &Report<'_>, plan: &Plan) -> Self {
        let state = |index: Option<usize>| {
            let tests: Vec<_> = TESTS
                .iter()
                .enumerate()
                .map(|(number, &test)| Measured::new(test, report.of(index, number)))
                .collect();
            State {
                cache_line_ns: index.map(|index| report.states()[index].median_ns),
                rows: tests.iter().map(|test| test.rows).sum(),
                tests,
            }
        };
        let mut states: Vec<_> =
            (0..report.states().len()).map(|index| state(Some(index))).collect();
        let dropped = report.rows() - states.iter().map(|state| state.rows).sum::<usize>();
        states.sort_by_key(|state| std::cmp::Reverse(state.rows));
        let complete = |state: &State| state.tests.iter().all(|test| test.rows > 0);
        if !states.first().is_some_and(complete) {
            states = vec![state(None)];
        }
        Self {
            processor: processor(),
            kernel: kernel(),
            cpus: [plan.cpus.near, plan.cpus.far],
            seconds: plan.time.as_secs_f64(),
            rows: report.rows(),
            dropped,
            states,
        }
    }
}

impl Measured {
    fn new(test: Test, (rows, figures): (usize, Vec<Option<Figures>>)) -> Self {
        let is_stream = matches!(test, Test::Stream { .. });
        let way = |(way, figures): (&'static str, Option<Figures>)| {
            let ns = figures.as_ref().map(|figures| figures.median_ns);
            let ratio = figures.and_then(|figures| figures.ratio);
            Way {
                way,
                ns,
                bytes_per_s: ns.filter(|_| is_stream).map(|ns| test.size() as f64 / ns * 1e9),
                times_ring: ratio.as_ref().map(|ratio| ratio.median),
                times_ring_quartiles: ratio.map(|ratio| ratio.quartiles),
            }
        };
        let mut ways: Vec<_> = WAYS.into_iter().zip(figures).map(way).collect();
        // As people look at it: from the floor up.
        ways.swap(0, 1);
        Self {
            what: if is_stream { "stream" } else { "round_trip" },
            bytes: test.size(),
            ring_bytes: test.ring(),
            rows,
            ways,
        }
    }

    fn title(&self) -> String {
        let (size, ring) = (bytes(self.bytes as u64), bytes(self.ring_bytes as u64));
        if self.what == "stream" {
            format!("Stream of messages of {size}, ring of {ring}: longer is better")
        } else {
            format!("Round trip of {size}, rings of {ring}: shorter is better")
        }
    }
}

/// Columns of the longest bar.
const BAR: usize = 32;

/// From here on bars would hide the short ones.
const SPAN: f64 = 20.0;

impl Outcome {
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { processor, kernel, cpus: [near, far], seconds, rows, dropped, states } = self;
        let (first, others) = states.split_first().expect("there is one at least");
        writeln!(out, "{processor}, Linux {kernel}, CPUs {near} and {far}")?;
        writeln!(out, "{rows} rows in {seconds:.0} s, {dropped} dropped: a row is a turn of each")?;
        if let Some(ns) = first.cache_line_ns {
            let share = 100.0 * first.rows as f64 / (rows - dropped) as f64;
            writeln!(
                out,
                "A cache line there and back: {ns:.0} ns in {share:.0} % of the rows left"
            )?;
        } else {
            writeln!(
                out,
                "The machine was too busy, or the time too short: these figures mix all"
            )?;
        }
        for test in &first.tests {
            writeln!(out)?;
            test.print(out)?;
        }
        if !others.is_empty() {
            writeln!(
                out,
                "\nThe CPUs were at other distances, too. The ring's medians there, in ns:"
            )?;
            let mut head = vec!["cache line", "rows"];
            head.extend(["64 B and back", "8 B", "64 B", "4 KiB", "64 KiB"]);
            let rows: Vec<_> = others.iter().map(State::cells).collect();
            table(out, &head, &rows)?;
        }
        Ok(())
    }
}

impl State {
    fn cells(&self) -> Vec<String> {
        let cell = |ns: Option<f64>| ns.map_or("-".to_owned(), time);
        let ring = |test: &Measured| {
            cell(test.ways.iter().find(|way| way.way == WAYS[0]).and_then(|way| way.ns))
        };
        let head = [cell(self.cache_line_ns), self.rows.to_string()];
        head.into_iter().chain(self.tests.iter().map(ring)).collect()
    }
}

impl Measured {
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let values: Vec<f64> = self.ways.iter().filter_map(Way::value).collect();
        let most = values.iter().copied().fold(0.0, f64::max);
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        // The decade below the least, so that its bar has a length, too.
        let scale = (most > SPAN * least).then(|| 10f64.powf(least.log10().ceil() - 1.0));
        let log = if scale.is_some() { ", log scale" } else { "" };
        writeln!(out, "{}{log}", self.title())?;
        for way in &self.ways {
            let Some(value) = way.value() else {
                writeln!(out, "  {:7}no row", way.way)?;
                continue;
            };
            let share = match scale {
                Some(low) => (value / low).log10() / (most / low).log10(),
                None => value / most,
            };
            let bar = "#".repeat(((share * BAR as f64).round() as usize).max(1));
            let figure = way.bytes_per_s.map_or_else(
                || format!("{} ns", time(value)),
                |rate| format!("{}/s", bytes(rate as u64)),
            );
            let line = format!("  {:7}{figure:>11}  {bar:BAR$}  {}", way.way, way.times());
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Way {
    /// What the bar shows.
    fn value(&self) -> Option<f64> {
        self.bytes_per_s.or(self.ns)
    }

    /// Beside the ring.
    fn times(&self) -> String {
        match (self.times_ring, self.times_ring_quartiles) {
            (Some(median), Some([low, high])) if self.way != WAYS[0] => {
                format!("{} x ({}-{})", ratio(median), ratio(low), ratio(high))
            }
            _ => String::new(),
        }
    }
}

/// As precise as it is known.
fn time(ns: f64) -> String {
    if ns < 100.0 { format!("{ns:.1}") } else { format!("{ns:.0}") }
}

fn ratio(value: f64) -> String {
    match value {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
