//! The ring beside the floors that the hardware and the kernel set, and beside what else the system
//! has.

use crate::args::{Group, Interface, Survey};
use crate::report;
use crate::results::{Flow, Key, Results, What};
use harness::alternatives::{MessageQueue, Stream as Bytes};
use harness::channel::{
    Channel, Latency, Receiver, Sender, Stream, Trips, really, round_trip, throughput,
};
use harness::floors::{BLOCK_SIZE, Blocks, Futex, TwoLines};
use harness::process::{self, Cpus, Run};
use harness::ring::{CRing, Choice, Library, RustRing};
use harness::stats::median;
use harness::versus::check_fit;
use std::error::Error;
use std::time::Instant;

/// Messages that go in one call, at most.
const BATCH: usize = 64;
/// How often a measurement is made at most, when another task took one of the CPUs meanwhile.
const ATTEMPTS: usize = 4;

/// Measures everything, and reports.
pub fn run(args: &Survey) -> Result<(), Box<dyn Error>> {
    check_fit(&args.sizes, &args.rings)?;
    let cpus = args.cpus.or_else(Cpus::choose).ok_or("needs two CPUs")?;
    process::pin(cpus.near);
    let mut measuring = Measuring { cpus, effort: Effort::new(args), results: Results::default() };
    for round in 1..=args.rounds() {
        eprint!("\rround {round} of {}", args.rounds());
        measuring.round(args);
    }
    eprintln!();
    report::write(args, cpus, &measuring.results)?;
    Ok(())
}

/// How long to look at each thing.
#[derive(Clone, Copy)]
struct Effort {
    /// For one stream.
    stream_ns: f64,
    hot: Trips,
    cold: Trips,
}

impl Effort {
    fn new(args: &Survey) -> Self {
        let share = if args.quick { 10 } else { 1 };
        let trips = |blocks, singles| Trips {
            warm_up: 20_000 / share / if blocks > 100 { 1 } else { 100 },
            blocks: blocks / share,
            singles: singles / share,
        };
        Self { stream_ns: 5e6 / share as f64, hot: trips(1000, 100_000), cold: trips(30, 1000) }
    }

    /// As many messages as take about that long, if one takes `ns`.
    fn count(&self, ns: f64) -> usize {
        ((self.stream_ns / ns) as usize).next_multiple_of(BATCH)
    }
}

struct Measuring {
    cpus: Cpus,
    effort: Effort,
    results: Results,
}

/// The lines of 64 KiB, which a message comes round to as in a ring of that size.
const WALK: usize = 1024;
/// A ring whose lines stay in the first-level cache, for round trips.
const SMALL: usize = 4096;

/// A choice of the ring's interface. The names are those of the report.
pub const RUST: &str = "ring, Rust";
pub const C: &str = "ring, C";
const RUST_SMALL: &str = "ring of 4 KiB, Rust";
pub const C_SMALL: &str = "ring of 4 KiB, C";

impl Measuring {
    fn round(&mut self, args: &Survey) {
        if args.wants(Group::Floors) {
            self.floors();
        }
        if args.wants(Group::Alternatives) {
            self.alternatives(&args.sizes);
        }
        let (rust, c) = (args.wants_via(Interface::Rust), args.wants_via(Interface::C));
        let trips = [
            (Group::Hot, false, args.rings[0], RUST, C),
            (Group::Hot, false, SMALL, RUST_SMALL, C_SMALL),
            (Group::Cold, true, args.rings[0], RUST, C),
        ];
        for (group, never_spin, capacity, via_rust, via_c) in trips {
            let choice = Choice { capacity, never_spin };
            if args.wants(group) && rust {
                self.ring_trips(via_rust, choice, || RustRing::new(choice));
            }
            if args.wants(group) && c {
                self.ring_trips(via_c, choice, || CRing::new(Library::own(), choice));
            }
        }
        if args.wants(Group::Throughput) {
            for &capacity in &args.rings {
                let choice = Choice { capacity, never_spin: false };
                for (&size, batches) in
                    args.sizes.iter().flat_map(|size| [(size, false), (size, true)])
                {
                    let flow = Flow { size, ring: Some(capacity), batches };
                    if rust {
                        self.ring_stream(RUST, flow, || RustRing::new(choice));
                    }
                    if c {
                        self.ring_stream(C, flow, || CRing::new(Library::own(), choice));
                    }
                }
            }
        }
        if args.wants(Group::Calls) {
            let choice = Choice { capacity: args.rings[0], never_spin: false };
            if rust {
                self.calls(RUST, &RustRing::new(choice));
            }
            if c {
                self.calls(C, &CRing::new(Library::own(), choice));
            }
        }
    }

    /// [`repeat`]s a measurement, and counts it.
    fn undisturbed<T>(&mut self, measure: impl Fn() -> Run<T>) -> T {
        let run = repeat(measure);
        self.results.runs += 1;
        self.results.disturbed += usize::from(run.disturbed);
        run.value
    }

    /// Measures a floor and then what is to be compared with it.
    fn beside<T>(
        &mut self,
        floor: impl Fn(Cpus, Effort) -> Run<f64>,
        measure: impl Fn(Cpus, Effort) -> Run<T>,
    ) -> (f64, T) {
        let (cpus, effort) = (self.cpus, self.effort);
        self.undisturbed(|| {
            let floor = floor(cpus, effort);
            let run = measure(cpus, effort);
            Run { value: (floor.value, run.value), disturbed: floor.disturbed || run.disturbed }
        })
    }

    fn floors(&mut self) {
        let (cpus, effort) = (self.cpus, self.effort);
        let still = self.undisturbed(|| lines(cpus, effort.hot));
        self.results.add_latency(Key { what: What::Floor, via: report::TWO_LINES }, &still, None);
        let (floor_ns, walk) = self.beside(
            |cpus, effort| median_of(lines(cpus, effort.hot.short())),
            |cpus, effort| {
                let (there, back) = (TwoLines::<WALK>::default(), TwoLines::<WALK>::default());
                round_trip(cpus, &there, &back, effort.hot)
            },
        );
        let key = Key { what: What::Floor, via: report::WALK };
        self.results.add_latency(key, &walk, Some(floor_ns));
        let copy = self.undisturbed(|| copy_floor(cpus, effort));
        self.results.add(Key { what: What::Floor, via: report::COPY }, copy, None);
        let futex = self.undisturbed(|| sleepers(cpus, effort.cold));
        self.results.add_latency(Key { what: What::Floor, via: report::FUTEX }, &futex, None);
    }

    fn alternatives(&mut self, sizes: &[usize]) {
        self.kernel("pipe", sizes, |_| Some(Bytes::pipe()));
        self.kernel("Unix socket", sizes, |_| Some(Bytes::socket()));
        self.kernel("message queue", sizes, MessageQueue::new);
    }

    fn kernel<T: Channel>(
        &mut self,
        via: &'static str,
        sizes: &[usize],
        make: impl Fn(usize) -> Option<T>,
    ) {
        let (cpus, effort) = (self.cpus, self.effort);
        if let (Some(there), Some(back)) = (make(64), make(64)) {
            let latency = self.undisturbed(|| round_trip(cpus, &there, &back, effort.cold));
            self.results.add_latency(Key { what: What::Cold, via }, &latency, None);
        }
        for &size in sizes {
            let Some(channel) = make(size) else { continue };
            let count = effort.count(1000.0 + size as f64 * 0.2);
            let stream = Stream { size, warm_up: BATCH, count, batch: None };
            let ns = self.undisturbed(|| throughput(cpus, &channel, stream));
            let flow = Flow { size, ring: None, batches: false };
            self.results.add(Key { what: What::Stream(flow), via }, ns, None);
        }
    }

    fn ring_trips<T: Channel>(&mut self, via: &'static str, choice: Choice, make: impl Fn() -> T) {
        let (floor, what): (fn(Cpus, Effort) -> Run<f64>, _) = match choice.never_spin {
            false => (|cpus, effort| median_of(lines(cpus, effort.hot.short())), What::Hot),
            true => (|cpus, effort| median_of(sleepers(cpus, effort.cold.short())), What::Cold),
        };
        let (floor_ns, latency) = self.beside(floor, |cpus, effort| {
            let trips = if choice.never_spin { effort.cold } else { effort.hot };
            round_trip(cpus, &make(), &make(), trips)
        });
        self.results.add_latency(Key { what, via }, &latency, Some(floor_ns));
    }

    fn ring_stream<T: Channel>(&mut self, via: &'static str, flow: Flow, make: impl Fn() -> T) {
        let Flow { size, ring, batches } = flow;
        let capacity = ring.expect("a stream through a ring has one");
        let lines = size as f64 / 64.0;
        // A batch that filled the ring would make the sides take turns.
        let batch = batches.then_some((capacity / 4 / size).clamp(1, BATCH));
        let (line_ns, ns) = self.beside(copy_floor, |cpus, effort| {
            let stream = Stream {
                size,
                // Two laps, so that both processes have seen all pages.
                warm_up: (2 * capacity / size).next_multiple_of(BATCH),
                count: effort.count(8.0 + 2.0 * lines),
                batch,
            };
            throughput(cpus, &make(), stream)
        });
        // Small messages compare with a line, large ones with the time their bytes need.
        let floor_ns = if report::is_bulk(size) { line_ns * lines } else { line_ns };
        self.results.add(Key { what: What::Stream(flow), via }, ns, Some(floor_ns));
    }

    /// Claim, publish, peek and release of 8 bytes by one thread.
    fn calls<T: Channel>(&mut self, via: &'static str, channel: &T) {
        const COUNT: u32 = 10_000;
        const PASSES: usize = 21;
        let (mut tx, mut rx) = (channel.sender(), channel.receiver());
        let mut message = std::hint::black_box([1u8; 8]);
        let mut pass = || {
            let start = Instant::now();
            for _ in 0..COUNT {
                tx.send(&message);
                really();
                rx.receive(&mut message);
                really();
            }
            start.elapsed().as_nanos() as f64 / f64::from(COUNT)
        };
        let ns = median((0..PASSES).map(|_| pass()));
        self.results.add(Key { what: What::Calls, via }, ns, None);
    }
}

fn median_of(run: Run<Latency>) -> Run<f64> {
    Run { value: run.value.median_ns, disturbed: run.disturbed }
}

fn lines(cpus: Cpus, trips: Trips) -> Run<Latency> {
    round_trip(cpus, &TwoLines::<1>::default(), &TwoLines::<1>::default(), trips)
}

fn sleepers(cpus: Cpus, trips: Trips) -> Run<Latency> {
    round_trip(cpus, &Futex::default(), &Futex::default(), trips)
}

/// Per line of 64 bytes.
fn copy_floor(cpus: Cpus, effort: Effort) -> Run<f64> {
    let lines = BLOCK_SIZE as f64 / 64.0;
    let count = effort.count(2.0 * lines);
    let stream = Stream { size: BLOCK_SIZE, warm_up: 16, count, batch: None };
    let run = throughput(cpus, &Blocks::default(), stream);
    Run { value: run.value / lines, disturbed: run.disturbed }
}

/// Repeats a measurement that was disturbed, and takes the last for want of a better.
pub fn repeat<T>(measure: impl Fn() -> Run<T>) -> Run<T> {
    let mut run = measure();
    for _ in 1..ATTEMPTS {
        if !run.disturbed {
            break;
        }
        run = measure();
    }
    run
}
