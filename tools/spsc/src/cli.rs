//! The command line. The completions and the man pages are made of this, too.

use crate::text::{size, span};
use clap::{Args, Parser, Subcommand, ValueEnum};
use harness::process::Cpus;
use harness::versus::cpus;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What the codes of a verb mean.
macro_rules! codes {
    ($done:literal, $failed:literal $(, $more:literal)*) => {
        concat!(
            "Exit codes:\n  0    ", $done, "\n  1    ", $failed,
            "; the words are on standard error\n  2    the command line is wrong",
            $("\n  ", $more,)*
        )
    };
}

/// The same for one that writes to standard output.
macro_rules! codes_of_writer {
    ($($code:literal),*) => {
        concat!(codes!($($code),*), "\n  141  standard output's reader went away")
    };
}

const CODES: &str = codes_of_writer!("done", "it failed");

const TOP: &str = concat!(
    "Keys:\n  q, Ctrl-C  quit\n  s          sort by another column\n  r          reverse the order\n",
    "  /          type a part of a name, to show only such rings; Enter ends it\n\n",
    "A z before a process says that this side sleeps.\n\n",
    codes_of_writer!("done", "it failed, or standard output is no terminal"),
);

const RM: &str =
    codes_of_writer!("done", "it failed, or a ring that was named is in use (--stale)");

const SEND: &str = codes!(
    "the whole stream has been written into the ring",
    "it failed",
    "3    the receiver's process died",
    "4    the receiver closed before the end",
    "5    the time ran out"
);

const RECV: &str = codes_of_writer!(
    "the whole stream was carried, up to its end",
    "it failed",
    "3    the sender's process died: what came may be a part only",
    "5    the time ran out"
);

const TALK: &str = codes_of_writer!(
    "both directions have come to their end",
    "it failed",
    "3    the other side's process died",
    "4    the other side closed before the end",
    "5    the time ran out"
);

const EXEC: &str = codes_of_writer!(
    "the command succeeded; its other codes are passed on, a signal as 128 and its number",
    "it failed",
    "3    the command died before its connection's end",
    "4    the command succeeded, and never took its connection"
);

const DOCTOR: &str = codes_of_writer!("nothing is bad", "something is bad, or it failed");

const BENCH: &str = codes_of_writer!("done", "it failed, or this program may not use two CPUs");

const EXAMPLES: &str = concat!(
    "Examples:\n  spsc send backup < FILE         a file through a ring; either side may start first\n",
    "  spsc recv backup > COPY\n  spsc top                        who streams what to whom, live\n",
    "  spsc rm --stale --dry-run       what processes that died have left\n",
    "  spsc doctor                     whether this machine is fit for rings\n\n",
    codes_of_writer!(
        "done",
        "it failed",
        "3    the other side's process died",
        "4    the other side closed before the end",
        "5    the time ran out"
    ),
);

/// Looks at rings in shared memory, and streams through them.
///
/// A verb that only looks takes no part in a ring, and changes nothing of it.
#[derive(Debug, Parser)]
#[command(name = "spsc", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Lists the rings of this machine that have a name
    #[command(after_help = CODES)]
    Ls(Ls),
    /// Says what can be seen of one ring
    #[command(after_help = CODES)]
    Stat(Stat),
    /// Shows the traffic of all rings, live
    #[command(after_help = TOP)]
    Top(Top),
    /// Removes names of rings
    ///
    /// A process that ends leaves its rings' names, unless it removes them. `spsc rm --stale` removes
    /// those that nobody uses, and never one that is in use.

    #[command(after_help = RM)]
    Rm(Rm),
    /// Sends standard input through a ring
    ///
    /// The stream ends with standard input. The receiver, `spsc recv` or any program that uses the
    /// library, may come before or after. What it has not read when this ends is still in the ring.
    #[command(after_help = SEND)]
    Send(Send),
    /// Writes what comes through a ring to standard output
    ///
    /// It ends when the sender has closed the ring and everything is written.
    #[command(after_help = RECV)]
    Recv(Recv),
    /// Waits for a client at a path; standard input goes to it, and what it says to standard output
    #[command(after_help = TALK)]
    Listen(Listen),
    /// Connects to a path; standard input goes there, and what comes back to standard output
    #[command(after_help = TALK)]
    Dial(Dial),
    /// Runs a command with a connection on a descriptor, and talks to it as `dial` does
    #[command(after_help = EXEC)]
    Exec(Exec),
    /// Measures what this machine gives: a ring beside its floor, a pipe and a Unix socket
    ///
    /// Two processes on two CPUs take turns, of milliseconds each, with a ring, with a pipe, with a
    /// socket, and with nothing but the memory accesses that can't be avoided: the floor. Run it while
    /// the machine has nothing else to do.
    #[command(after_help = BENCH)]
    Bench(Bench),
    /// Looks at what this machine has for rings, and says what to do about it
    #[command(after_help = DOCTOR)]
    Doctor(Doctor),
    /// Prints completions for a shell
    #[command(after_help = CODES)]
    Completions(Completions),
    /// Prints the man page, or writes all of them to a directory
    #[command(after_help = CODES)]
    Man(Man),
}

#[derive(Debug, Args)]
pub struct Ls {
    /// Prints JSON: docs/TOOL.md has the members
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Stat {
    /// The ring
    pub name: String,
    /// Prints JSON: docs/TOOL.md has the members
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Bytes a second, the most first
    #[default]
    Rate,
    /// How full it is, the fullest first
    Fill,
    /// By name
    Name,
}

#[derive(Debug, Args)]
pub struct Top {
    /// Seconds between two looks
    #[arg(long, default_value = "1", value_parser = span)]
    pub interval: Duration,
    /// What to sort by; the key s changes it
    #[arg(long, value_enum, default_value_t)]
    pub sort: Order,
    /// Shows only rings whose name has this in it; the key / changes it
    #[arg(long, default_value = "", hide_default_value = true)]
    pub filter: String,
    /// Prints the figures once, in Prometheus' text format, and ends
    #[arg(long, conflicts_with = "json")]
    pub prometheus: bool,
    /// Prints a line of JSON for each look, instead of a screen
    #[arg(long)]
    pub json: bool,
    /// Ends after so many looks
    #[arg(long)]
    pub count: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Rm {
    /// The rings. Without --stale a name is removed whoever uses the ring; those who have it open keep it
    #[arg(required_unless_present = "stale")]
    pub names: Vec<String>,
    /// Removes only rings that nobody uses; without a name, all of them
    #[arg(long)]
    pub stale: bool,
    /// Says what would be removed, and removes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Prints JSON: docs/TOOL.md has the members
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Send {
    /// The ring. It is made, unless --existing is given; a ring of this name that nobody uses is replaced
    pub name: String,
    /// Uses a ring that is there, or waits for it
    #[arg(long, conflicts_with_all = ["capacity", "mode"])]
    pub existing: bool,
    /// Bytes of the ring, at least: 65536, 64KiB, 1MiB
    #[arg(long, default_value = "1MiB", value_parser = size)]
    pub capacity: u64,
    /// Permission bits of the ring, less the umask
    #[arg(long, default_value = "600", value_parser = mode)]
    pub mode: u32,
    #[command(flatten)]
    pub common: Copy,
}

#[derive(Debug, Args)]
pub struct Recv {
    /// The ring. It is waited for, and its name is removed when it is there
    pub name: String,
    /// Leaves the name
    #[arg(long)]
    pub keep: bool,
    #[command(flatten)]
    pub common: Copy,
}

#[derive(Debug, Args)]
pub struct Copy {
    /// Seconds to wait, for the ring and then for each piece; without it there is no limit
    #[arg(long, value_parser = span)]
    pub timeout: Option<Duration>,
    /// Shows no progress on a terminal
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct Listen {
    /// The path, the file of a Unix socket
    pub path: PathBuf,
    /// Permission bits of the path
    #[arg(long, default_value = "600", value_parser = mode)]
    pub mode: u32,
}

#[derive(Debug, Args)]
pub struct Dial {
    /// The path, the file of a Unix socket
    pub path: PathBuf,
    /// Seconds to wait for the connection; without it there is no limit
    #[arg(long, value_parser = span)]
    pub timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Exec {
    /// The command. It finds the number of its descriptor in SPSC_CONN_FD, and adopts it as a client
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Bench {
    /// Seconds to measure; less than a few say little
    #[arg(long, default_value = "10", value_parser = span)]
    pub seconds: Duration,
    /// The CPUs to run on, such as 0,1; by default two of different cores
    #[arg(long, value_name = "A,B", value_parser = cpus)]
    pub cpus: Option<Cpus>,
    /// Prints JSON: docs/TOOL.md has the members
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Prints JSON: docs/TOOL.md has the members
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Writes spsc.1 and a page for each verb there
    pub directory: Option<PathBuf>,
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("permission bits are octal, up to 777".into()),
    }
}
