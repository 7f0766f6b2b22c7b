//! Other queues, measured the same way as the ring: iceoryx2 between processes, and rtrb between
//! threads.

mod iceoryx;
mod threads;

use harness::channel::{Channel, Stream, Trips, round_trip, throughput};
use harness::process::{self, Cpus};
use harness::ring::{Choice, RustRing};
use iceoryx2::prelude::{LogLevel, set_log_level};

const SIZES: [usize; 6] = [8, 64, 256, 1024, 4096, 65536];
const CAPACITY: usize = 1 << 20;
const ROUNDS: usize = 5;

/// One queue's figures: the round trip, then a message of each size, in nanoseconds.
type Row = Vec<f64>;

fn main() {
    let cpus = Cpus::choose().expect("needs two CPUs");
    process::pin(cpus.near);
    let choice = Choice { capacity: CAPACITY, never_spin: false };
    let mut rounds: [Vec<Row>; 3] = Default::default();
    set_log_level(LogLevel::Error);
    for round in 1..=ROUNDS {
        eprint!("\rround {round} of {ROUNDS}");
        rounds[0].push(row(cpus, |_| RustRing::new(choice)));
        rounds[1].push(row(cpus, iceoryx::Service::new));
        rounds[2].push(row(cpus, |_| threads::Rtrb::new(CAPACITY)));
    }
    eprintln!();
    print!("| ns | round trip of 64 B |");
    SIZES.iter().for_each(|size| print!(" {size} B |"));
    println!("\n|---|{}", "---|".repeat(SIZES.len() + 1));
    for (name, rows) in ["spsc-shm", "iceoryx2", "rtrb, between threads"].iter().zip(rounds) {
        print!("| {name} |");
        for column in 0..=SIZES.len() {
            print!(" {:.1} |", median(rows.iter().map(|row| row[column])));
        }
        println!();
    }
}

fn row<C: Channel>(cpus: Cpus, make: impl Fn(usize) -> C) -> Row {
    let trips = Trips { warm_up: 2000, blocks: 300, singles: 0 };
    let mut row = vec![round_trip(cpus, &make(64), &make(64), trips).value.median_ns];
    for size in SIZES {
        let count = (2_000_000 / (50 + size / 16)).next_multiple_of(64);
        let warm_up = (2 * CAPACITY / size).min(count / 2);
        let stream = Stream { size, warm_up, count, batch: None };
        row.push(throughput(cpus, &make(size), stream).value);
    }
    row
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
