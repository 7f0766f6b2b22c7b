//! What each call costs one process, and what a message costs on its way to another. Beside the
//! floors, and for more kinds of streams: `tools/measure`.

use criterion::{BenchmarkId, Criterion, Throughput};
use spsc_shm::{Consumer, Producer, Ring};
use std::hint::black_box;
use std::time::Duration;

use harness::channel::{Channel, Receiver, Sender, Stream, throughput};
use harness::process::{self, Cpus};
use harness::ring::{CRing, Choice, Library, RustRing};

const CAPACITY: usize = 65536;
const MESSAGE: usize = 64;
const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

fn ends() -> (Producer, Consumer) {
    Ring::anonymous(CAPACITY).expect("a ring is to be had").split()
}

/// Calls that find what they ask for.
fn hits(c: &mut Criterion) {
    let mut group = c.benchmark_group("hit");
    let (mut producer, mut consumer) = ends();
    group.bench_function("claim", |b| {
        b.iter(|| drop(black_box(producer.claim(MESSAGE, None))));
    });
    group.bench_function("claim_some", |b| {
        b.iter(|| drop(black_box(producer.claim_some(MESSAGE, None))));
    });
    producer.claim(MESSAGE, None).expect("there is room").publish_all();
    group.bench_function("peek", |b| {
        b.iter(|| drop(black_box(consumer.peek(MESSAGE, None))));
    });
    group.bench_function("peek_some", |b| {
        b.iter(|| drop(black_box(consumer.peek_some(MESSAGE, None))));
    });
    group.finish();
}

/// Calls that find nothing and don't wait.
fn misses(c: &mut Criterion) {
    let mut group = c.benchmark_group("miss");
    let (mut producer, mut consumer) = ends();
    group.bench_function("peek", |b| {
        b.iter(|| drop(black_box(consumer.peek(MESSAGE, AT_ONCE))));
    });
    producer.claim(CAPACITY, None).expect("there is room").publish_all();
    group.bench_function("claim", |b| {
        b.iter(|| drop(black_box(producer.claim(MESSAGE, AT_ONCE))));
    });
    group.finish();
}

/// Claim, copy, publish, peek, copy, release.
fn passes(c: &mut Criterion) {
    fn pass(b: &mut criterion::Bencher<'_>, channel: &impl Channel) {
        let (mut tx, mut rx) = (channel.sender(), channel.receiver());
        let mut message = black_box([1; MESSAGE]);
        b.iter(|| {
            tx.send(&message);
            rx.receive(&mut message);
        });
    }
    let choice = Choice { capacity: CAPACITY, never_spin: false };
    let mut group = c.benchmark_group("a message through one process");
    group.bench_function("Rust", |b| pass(b, &RustRing::new(choice)));
    group.bench_function("C", |b| pass(b, &CRing::new(Library::own(), choice)));
    group.finish();
}

/// Calls for any thread.
fn looks(c: &mut Criterion) {
    let ring = Ring::anonymous(CAPACITY).expect("a ring is to be had");
    let mut group = c.benchmark_group("any thread");
    group.bench_function("available", |b| b.iter(|| black_box(ring.available())));
    group.bench_function("stats", |b| b.iter(|| black_box(ring.stats())));
    group.bench_function("wakeup_all, nobody waiting", |b| b.iter(|| ring.wakeup_all()));
    group.finish();
}

/// From process to process, on two CPUs.
fn streams(c: &mut Criterion) {
    let Some(cpus) = Cpus::choose() else { return };
    process::pin(cpus.near);
    let mut group = c.benchmark_group("a message to another process");
    for size in [8, MESSAGE, 4096] {
        group.throughput(Throughput::Bytes(size as u64));
        for (name, batch) in [("one by one", None), ("batches", Some(64))] {
            // A share of the ring, lest the sides take turns.
            let batch = batch.map(|most: usize| most.min(CAPACITY / 4 / size));
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter_custom(|count| {
                    let stream =
                        Stream { size, warm_up: 2 * CAPACITY / size, count: count as usize, batch };
                    let ring = RustRing::new(Choice { capacity: CAPACITY, never_spin: false });
                    let ns = throughput(cpus, &ring, stream).value;
                    Duration::from_secs_f64(ns * count as f64 / 1e9)
                });
            });
        }
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for group in [hits, misses, passes, looks, streams] {
        group(&mut criterion);
    }
    criterion.final_summary();
}
