//! The part of a command line that says what to compare, and how.

use crate::process::Cpus;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What to measure of every contestant.
#[derive(Args)]
pub struct Options {
    /// How long to measure
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub seconds: u64,
    /// Bytes of a message in streams
    #[arg(long, value_delimiter = ',', value_name = "A,B,…", value_parser = positive,
        default_value = "8,64,256,4096,65536")]
    pub sizes: Vec<usize>,
    /// Bytes of a ring; round trips use the first
    #[arg(long, value_delimiter = ',', value_name = "A,B,…", value_parser = positive,
        default_value = "65536,1048576")]
    pub rings: Vec<usize>,
    /// Only these [default: both]
    #[arg(long, value_delimiter = ',', value_enum, value_name = "A,B")]
    pub only: Vec<Kind>,
    /// Streams of batches too, of up to 64 messages in one go
    #[arg(long)]
    pub batches: bool,
    /// How long the block of a contestant is
    #[arg(long, value_name = "N", default_value_t = 3.0)]
    pub block_ms: f64,
    /// The CPUs to run on [default: two of different cores]
    #[arg(long, value_name = "A,B", value_parser = cpus)]
    pub cpus: Option<Cpus>,
    /// Write all rows
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// A kind of test.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// 64 bytes there and back.
    Trips,
    /// Messages one way.
    Streams,
}

/// A number above 0, for a command line.
///
/// # Errors
/// What is wrong with it.
pub fn positive(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(0) => Err("must be more than 0".into()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

/// Two numbers of CPUs, for a command line.
///
/// # Errors
/// What is wrong with them.
pub fn cpus(list: &str) -> Result<Cpus, String> {
    let pair = |(near, far): (&str, &str)| Some((near.parse().ok()?, far.parse().ok()?));
    match list.split_once(',').and_then(pair) {
        Some((near, far)) if near != far => Ok(Cpus { near, far }),
        _ => Err("not two CPUs".into()),
    }
}

/// Every message must fit every ring.
///
/// # Errors
/// Which one does not.
pub fn check_fit(sizes: &[usize], rings: &[usize]) -> Result<(), String> {
    let (size, ring) = (sizes.iter().max(), rings.iter().min());
    match (size, ring) {
        (Some(size), Some(ring)) if size > ring => {
            Err(format!("a message of {size} bytes does not fit a ring of {ring}"))
        }
        _ => Ok(()),
    }
}
