//! What is measured of every build.

use super::options::{Kind, Options};
use crate::channel::{Stream, Trips};
use crate::table::bytes;
use std::fmt;

/// Messages that go in one call, at most.
const BATCH: usize = 64;

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// 64 bytes there and back.
    Trip {
        /// Bytes of either ring.
        ring: usize,
    },
    /// Messages one way.
    Stream {
        /// Bytes of a message.
        size: usize,
        /// Bytes of the ring.
        ring: usize,
        /// Up to 64 messages in one go, instead of each by itself.
        batches: bool,
    },
}

impl Test {
    /// All that the arguments ask for.
    pub(super) fn all(options: &Options) -> Vec<Self> {
        let wants = |kind| options.only.is_empty() || options.only.contains(&kind);
        let mut tests = Vec::new();
        if wants(Kind::Trips) {
            tests.push(Self::Trip { ring: options.rings[0] });
        }
        if wants(Kind::Streams) {
            let ways: &[bool] = if options.batches { &[false, true] } else { &[false] };
            for &batches in ways {
                for &ring in &options.rings {
                    tests.extend(options.sizes.iter().map(|&size| Self::Stream {
                        size,
                        ring,
                        batches,
                    }));
                }
            }
        }
        tests
    }

    /// Bytes of a ring.
    pub fn ring(self) -> usize {
        match self {
            Self::Trip { ring } | Self::Stream { ring, .. } => ring,
        }
    }

    /// Bytes of a message.
    pub fn size(self) -> usize {
        match self {
            Self::Trip { .. } => 64,
            Self::Stream { size, .. } => size,
        }
    }

    /// Whether messages go in batches.
    pub fn is_batches(self) -> bool {
        matches!(self, Self::Stream { batches: true, .. })
    }

    /// How many round trips or messages take about so long, if one takes `each_ns`.
    pub(super) fn count(self, block_ns: f64, each_ns: f64) -> usize {
        let count = (block_ns / each_ns) as usize;
        match self {
            Self::Trip { .. } => count.max(Trips::BLOCK),
            Self::Stream { .. } => count.next_multiple_of(BATCH),
        }
    }

    /// What one may take, before it is known.
    pub(super) fn guess_ns(self) -> f64 {
        match self {
            Self::Trip { .. } => 1000.0,
            Self::Stream { size, .. } => 20.0 + size as f64 / 4.0,
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Trip { ring } => write!(f, "round trip of 64 B, ring of {}", bytes(ring)),
            Self::Stream { size, ring, batches } => {
                let how = if batches { "batches" } else { "one by one" };
                write!(f, "{} {how}, ring of {}", bytes(size), bytes(ring))
            }
        }
    }
}

/// A contestant's turn at a test.
#[derive(Clone, Copy)]
pub struct Block {
    pub test: Test,
    /// Round trips, or messages.
    pub count: usize,
    /// Makes the names of its rings unlike any other's.
    pub serial: u64,
}

impl Block {
    /// `lap` round trips use all the memory there is: both processes have seen all pages then.
    pub fn trips(self, lap: usize) -> Trips {
        Trips { warm_up: lap, blocks: self.count / Trips::BLOCK, singles: 0 }
    }

    /// `lap` messages use all the memory there is.
    pub fn stream(self, lap: usize) -> Stream {
        let Test::Stream { size, ring, batches } = self.test else {
            panic!("{} is no stream", self.test)
        };
        Stream {
            size,
            warm_up: (2 * lap).next_multiple_of(BATCH),
            count: self.count,
            // A batch that filled the ring would make the sides take turns.
            batch: batches.then_some((ring / 4 / size).clamp(1, BATCH)),
        }
    }
}
