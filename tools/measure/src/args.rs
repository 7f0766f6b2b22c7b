//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use harness::process::Cpus;
use std::path::PathBuf;

/// How fast spsc-shm is, between two processes.
///
/// Without a command: the ring beside the floors that the hardware and the kernel set, and beside
/// what else the system has.
#[derive(Parser)]
#[command(name = "measure", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub survey: Survey,
}

#[derive(Subcommand)]
pub enum Command {}

/// What to measure of the ring and all that it is compared with.
#[derive(Args)]
pub struct Survey {
    /// How often to measure everything; figures are medians [default: 15, or 3 with --quick]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Bytes of a message in streams
    #[arg(long, value_delimiter = ',', value_name = "A,B,…", value_parser = positive,
        default_values_t = [8, 64, 256, 1024, 4096, 65536])]
    pub sizes: Vec<usize>,
    /// Bytes of a ring; round trips use the first
    #[arg(long, value_delimiter = ',', value_name = "A,B,…", value_parser = positive,
        default_values_t = [65536, 1 << 20])]
    pub rings: Vec<usize>,
    /// The CPUs to run on [default: two of different cores]
    #[arg(long, value_name = "A,B", value_parser = cpus)]
    pub cpus: Option<Cpus>,
    /// What to measure; `ring` is the last four [default: all]
    #[arg(long, value_delimiter = ',', value_enum, value_name = "A,B,…")]
    only: Vec<Group>,
    /// The ring's interfaces [default: both]
    #[arg(long, value_delimiter = ',', value_enum, value_name = "A,B")]
    via: Vec<Interface>,
    /// A tenth of everything: to see that it works, no figures to rely on
    #[arg(long)]
    pub quick: bool,
    /// Write all figures of all rounds
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw latency.svg and throughput.svg
    #[arg(long, value_name = "DIR")]
    pub svg: Option<PathBuf>,
    /// Write the tables, between <!-- table --> and <!-- /table --> if FILE has these
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Group {
    Floors,
    Alternatives,
    Ring,
    Hot,
    Cold,
    Throughput,
    Calls,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Interface {
    Rust,
    C,
}

impl Survey {
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { 15 })
    }

    /// Whether to measure this group.
    pub fn wants(&self, group: Group) -> bool {
        let of_ring = !matches!(group, Group::Floors | Group::Alternatives);
        self.only.is_empty()
            || self.only.contains(&group)
            || (of_ring && self.only.contains(&Group::Ring))
    }

    /// Whether to measure the ring through this interface.
    pub fn wants_via(&self, interface: Interface) -> bool {
        self.via.is_empty() || self.via.contains(&interface)
    }
}

/// Every message must fit every ring.
pub fn check_fit(sizes: &[usize], rings: &[usize]) -> Result<(), String> {
    let (size, ring) = (sizes.iter().max(), rings.iter().min());
    match (size, ring) {
        (Some(size), Some(ring)) if size > ring => {
            Err(format!("a message of {size} bytes does not fit a ring of {ring}"))
        }
        _ => Ok(()),
    }
}

fn positive(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(0) => Err("must be more than 0".into()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

fn cpus(list: &str) -> Result<Cpus, String> {
    let pair =
        list.split_once(',').and_then(|(near, far)| Some((near.parse().ok()?, far.parse().ok()?)));
    match pair {
        Some((near, far)) if near != far => Ok(Cpus { near, far }),
        _ => Err("not two CPUs".into()),
    }
}
