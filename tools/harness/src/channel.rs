//! What all that is measured has in common: a way for bytes from one process to another; and the
//! two measurements, the same for every way.

use crate::process::{self, Cpus, Part, Run};
use hdrhistogram::Histogram;
use std::hint::black_box;
use std::sync::atomic::{Ordering, compiler_fence};
use std::time::Instant;

/// A one-way channel, made before the fork; each process then takes its end.
pub trait Channel {
    /// The end that sends.
    type Tx<'a>: Sender
    where
        Self: 'a;
    /// The end that receives.
    type Rx<'a>: Receiver
    where
        Self: 'a;

    /// To be called in the process that sends.
    fn sender(&self) -> Self::Tx<'_>;
    /// To be called in the process that receives.
    fn receiver(&self) -> Self::Rx<'_>;

    /// Runs both sides: in two processes, unless the channel can't leave one.
    fn together<T>(
        cpus: Cpus,
        far: impl FnOnce(&mut Part<'_>),
        near: impl FnOnce(&mut Part<'_>) -> T,
    ) -> Run<T> {
        process::together(cpus, far, near)
    }
}

/// Implementations are inlined always, so that the length is a constant there.
pub trait Sender {
    /// Copies the message into the channel.
    fn send(&mut self, message: &[u8]);

    /// Copies the message up to `most` times into the channel, at least once, and sends all in one
    /// go. Says how often.
    fn send_batch(&mut self, message: &[u8], most: usize) -> usize {
        let _ = most;
        self.send(message);
        1
    }
}

/// As [`Sender`].
pub trait Receiver {
    /// Copies a message out of the channel.
    fn receive(&mut self, message: &mut [u8]);

    /// Copies up to `most` messages, at least one, out of the channel, one after the other, and
    /// releases all in one go. Says how many.
    fn receive_batch(&mut self, message: &mut [u8], most: usize) -> usize {
        let _ = most;
        self.receive(message);
        1
    }
}

/// Keeps the compiler from merging, moving or leaving out copies. Costs no instruction.
#[inline(always)]
pub fn really() {
    compiler_fence(Ordering::SeqCst);
}

/// A private buffer that the compiler must assume is seen by others.
fn buffer(size: usize) -> Box<[u8]> {
    black_box((0..size).map(|i| i as u8).collect())
}

/// How many round trips to make.
#[derive(Clone, Copy)]
pub struct Trips {
    /// Before the clock starts.
    pub warm_up: usize,
    /// Blocks of [`BLOCK`](Self::BLOCK), each timed as one: the clock's cost vanishes in the many.
    pub blocks: usize,
    /// Timed one by one, the clock's cost included.
    pub singles: usize,
}

impl Trips {
    /// Round trips in a block.
    pub const BLOCK: usize = 32;

    /// Fewer: enough for the median of the blocks.
    pub fn short(self) -> Self {
        Self { blocks: self.blocks / 3, singles: 0, ..self }
    }
}

const TRIP_SIZE: usize = 64;

/// What round trips took.
pub struct Latency {
    /// The median of the blocks, per trip.
    pub median_ns: f64,
    /// Those that were timed one by one.
    pub singles: Histogram<u64>,
}

/// Sends 64 bytes there and back, again and again.
pub fn round_trip<C: Channel>(cpus: Cpus, there: &C, back: &C, trips: Trips) -> Run<Latency> {
    C::together(
        cpus,
        |part| answer(part, &mut there.receiver(), &mut back.sender(), trips),
        |part| ask(part, &mut there.sender(), &mut back.receiver(), trips),
    )
}

/// The far side of round trips.
#[inline(always)]
pub fn answer(
    part: &mut Part<'_>,
    rx: &mut impl Receiver,
    tx: &mut impl Sender,
    Trips { warm_up, blocks, singles }: Trips,
) {
    let mut message = buffer(TRIP_SIZE);
    let mut answer = |trips| {
        for _ in 0..trips {
            rx.receive(&mut message[..TRIP_SIZE]);
            really();
            tx.send(&message[..TRIP_SIZE]);
        }
    };
    answer(warm_up);
    part.start();
    answer(blocks * Trips::BLOCK + singles);
    part.finish();
}

/// The near side of round trips.
#[inline(always)]
pub fn ask(
    part: &mut Part<'_>,
    tx: &mut impl Sender,
    rx: &mut impl Receiver,
    trips: Trips,
) -> Latency {
    let mut message = buffer(TRIP_SIZE);
    let mut ask = || {
        tx.send(&message[..TRIP_SIZE]);
        really();
        rx.receive(&mut message[..TRIP_SIZE]);
        really();
    };
    for _ in 0..trips.warm_up {
        ask();
    }
    // Up to a minute, in three digits.
    let histogram = || Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("sound bounds");
    let (mut blocks, mut singles) = (histogram(), histogram());
    part.start();
    let mut last = Instant::now();
    let mut lap = |histogram: &mut Histogram<u64>| {
        let now = Instant::now();
        histogram.saturating_record((now - last).as_nanos() as u64);
        last = now;
    };
    for _ in 0..trips.blocks {
        for _ in 0..Trips::BLOCK {
            ask();
        }
        lap(&mut blocks);
    }
    for _ in 0..trips.singles {
        ask();
        lap(&mut singles);
    }
    part.finish();
    assert!(*message == *buffer(TRIP_SIZE), "what came back is not what was sent");
    Latency { median_ns: blocks.value_at_quantile(0.5) as f64 / Trips::BLOCK as f64, singles }
}

/// What to send.
#[derive(Clone, Copy)]
pub struct Stream {
    /// Bytes of a message.
    pub size: usize,
    /// Messages before the clock starts.
    pub warm_up: usize,
    /// Messages that are timed.
    pub count: usize,
    /// `None` sends one by one, else up to so many in one go.
    pub batch: Option<usize>,
}

/// Sends messages one way, and says how long each took on average, in nanoseconds, until the last
/// was read.
pub fn throughput<C: Channel>(cpus: Cpus, channel: &C, stream: Stream) -> Run<f64> {
    C::together(
        cpus,
        |part| drain(part, &mut channel.receiver(), stream),
        |part| pour(part, &mut channel.sender(), stream),
    )
}

/// Runs `$body` with `$size` known at compile time, if it is a usual one: a user knows the size of
/// most messages, and so do we.
macro_rules! with_size {
    ($size:ident, $body:expr) => {
        match $size {
            8 => with_size!(@ 8, $size, $body),
            64 => with_size!(@ 64, $size, $body),
            256 => with_size!(@ 256, $size, $body),
            1024 => with_size!(@ 1024, $size, $body),
            4096 => with_size!(@ 4096, $size, $body),
            65536 => with_size!(@ 65536, $size, $body),
            _ => $body,
        }
    };
    (@ $constant:literal, $size:ident, $body:expr) => {{
        let $size: usize = $constant;
        $body
    }};
}

/// The far side of a stream, which reads it.
pub fn drain(part: &mut Part<'_>, rx: &mut impl Receiver, stream: Stream) {
    let Stream { size, warm_up, count, batch } = stream;
    with_size!(
        size,
        match batch {
            None => drain_by(
                part,
                size,
                [warm_up, count],
                #[inline(always)]
                |message, _| {
                    rx.receive(message);
                    1
                }
            ),
            Some(batch) => drain_by(
                part,
                size,
                [warm_up, count],
                #[inline(always)]
                |message, left| { rx.receive_batch(message, left.min(batch)) }
            ),
        }
    );
}

#[inline(always)]
fn drain_by(
    part: &mut Part<'_>,
    size: usize,
    [warm_up, count]: [usize; 2],
    mut receive: impl FnMut(&mut [u8], usize) -> usize,
) {
    let mut message = vec![0; size];
    let mut drain = |mut left: usize| {
        while left > 0 {
            left -= receive(&mut message[..size], left);
            really();
        }
    };
    drain(warm_up);
    part.start();
    drain(count);
    part.finish();
    assert!(*message == *buffer(size), "what arrived is not what was sent");
}

/// The near side of a stream, which writes it. As [`throughput`].
pub fn pour(part: &mut Part<'_>, tx: &mut impl Sender, stream: Stream) -> f64 {
    let Stream { size, warm_up, count, batch } = stream;
    with_size!(
        size,
        match batch {
            None => pour_by(
                part,
                size,
                [warm_up, count],
                #[inline(always)]
                |message, _| {
                    tx.send(message);
                    1
                }
            ),
            Some(batch) => pour_by(
                part,
                size,
                [warm_up, count],
                #[inline(always)]
                |message, left| { tx.send_batch(message, left.min(batch)) }
            ),
        }
    )
}

#[inline(always)]
fn pour_by(
    part: &mut Part<'_>,
    size: usize,
    [warm_up, count]: [usize; 2],
    mut send: impl FnMut(&[u8], usize) -> usize,
) -> f64 {
    let message = buffer(size);
    let mut fill = |mut left: usize| {
        while left > 0 {
            left -= send(&message[..size], left);
            really();
        }
    };
    fill(warm_up);
    part.start();
    let start = Instant::now();
    fill(count);
    part.finish();
    start.elapsed().as_nanos() as f64 / count as f64
}
