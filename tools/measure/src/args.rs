//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use harness::process::Cpus;
use harness::versus::{Options, cpus, positive};
use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

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
pub enum Command {
    /// Builds of the shared library against each other, in one pair of processes.
    ///
    /// The builds take turns, in blocks of some milliseconds. A row is one block of each, between
    /// two ping-pongs of a cache line, which tell how far the two CPUs are from each other at that
    /// time. Rows during which that changed, or another task ran, are dropped. Ratios are to the
    /// first build, and taken within a row. Give a copy of the first build too: how far its ratio is
    /// from 1 says how much to believe of the others.
    Ab(Ab),
    /// Messages against frames that a caller writes by hand, and large ones against a plain copy.
    ///
    /// The small ones as `ab` does it. For large ones, of 1 MiB, the copy is measured right before
    /// each of them.
    Messages(Messages),
    /// A connection beside two rings, and beside a Unix socket.
    ///
    /// All of them take turns, in one pair of processes. Hot: waits spin. Cold: both sides wait in
    /// epoll, or in calls that sleep at once.
    Connections(Connections),
}

/// What to measure of connections.
#[derive(Args)]
pub struct Connections {
    /// How many rows, of some 30 ms each
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub rows: usize,
}

/// What to measure of messages.
#[derive(Args)]
pub struct Messages {
    /// How often to measure large messages, through each of the rings
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub rounds: usize,
    #[command(flatten)]
    pub options: Options,
}

/// What to measure of the ring and all that it is compared with.
#[derive(Args)]
pub struct Survey {
    /// How often to measure everything; figures are medians [default: 15, or 3 with --quick]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Bytes of a message in streams
    #[arg(long, value_delimiter = ',', value_name = "A,B,…", value_parser = positive,
        default_value = "8,64,256,1024,4096,65536")]
    pub sizes: Vec<usize>,
    /// Bytes of a ring; round trips use the first
    #[arg(long, value_delimiter = ',', value_name = "A,B,…", value_parser = positive,
        default_value = "65536,1048576")]
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

/// What to measure of several builds.
#[derive(Args)]
pub struct Ab {
    /// Builds of libspsc_shm.so, the one to compare with first
    #[arg(required = true, value_name = "[NAME=]LIBRARY")]
    pub builds: Vec<Build>,
    /// Each build without calls too, on its cursors, as spsc_shm_inline.h does it
    #[arg(long)]
    pub inline: bool,
    /// The Rust interface of this build too
    #[arg(long)]
    pub rust: bool,
    #[command(flatten)]
    pub options: Options,
}

/// A build of the library, and what to call it.
#[derive(Clone)]
pub struct Build {
    pub name: Option<String>,
    pub path: PathBuf,
}

impl FromStr for Build {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(match word.split_once('=') {
            Some((name, path)) => Self { name: Some(name.into()), path: path.into() },
            None => Self { name: None, path: word.into() },
        })
    }
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
