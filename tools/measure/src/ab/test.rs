//! What is measured of every build.

use crate::args::{Ab, Kind};
use crate::table::bytes;
use harness::channel::{Stream, Trips};
use std::fmt;

/// Messages that go in one call, at most.
const BATCH: usize = 64;

/// One thing to measure. `ring` is a capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    Trip { ring: usize },
    Stream { size: usize, ring: usize, batches: bool },
}

impl Test {
    /// All that the arguments ask for.
    pub fn all(args: &Ab) -> Vec<Self> {
        let wants = |kind| args.only.is_empty() || args.only.contains(&kind);
        let mut tests = Vec::new();
        if wants(Kind::Trips) {
            tests.push(Self::Trip { ring: args.rings[0] });
        }
        if wants(Kind::Streams) {
            let ways: &[bool] = if args.batches { &[false, true] } else { &[false] };
            for &batches in ways {
                for &ring in &args.rings {
                    tests.extend(args.sizes.iter().map(|&size| Self::Stream {
                        size,
                        ring,
                        batches,
                    }));
                }
            }
        }
        tests
    }

    pub fn ring(self) -> usize {
        match self {
            Self::Trip { ring } | Self::Stream { ring, .. } => ring,
        }
    }

    /// How many round trips or messages take about so long, if one takes `each_ns`.
    pub fn count(self, block_ns: f64, each_ns: f64) -> usize {
        let count = (block_ns / each_ns) as usize;
        match self {
            Self::Trip { .. } => count.max(Trips::BLOCK),
            Self::Stream { .. } => count.next_multiple_of(BATCH),
        }
    }

    /// What one may take, before it is known.
    pub fn guess_ns(self) -> f64 {
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

/// One build's turn at a test.
#[derive(Clone, Copy)]
pub struct Block {
    pub test: Test,
    /// Round trips, or messages.
    pub count: usize,
    /// Makes the names of its rings unlike any other's.
    pub serial: u64,
}

impl Block {
    pub fn trips(self) -> Trips {
        // A lap, so that both processes have seen all pages.
        let warm_up = self.test.ring() / 64;
        Trips { warm_up, blocks: self.count / Trips::BLOCK, singles: 0 }
    }

    pub fn stream(self) -> Stream {
        let Test::Stream { size, ring, batches } = self.test else {
            panic!("{} is no stream", self.test)
        };
        Stream {
            size,
            // Two laps, as above.
            warm_up: (2 * ring / size).next_multiple_of(BATCH),
            count: self.count,
            // A batch that filled the ring would make the sides take turns.
            batch: batches.then_some((ring / 4 / size).clamp(1, BATCH)),
        }
    }
}
