//! Other queues beside the ring: iceoryx2 and tachyon-ipc between processes, rtrb between threads.
//! All take turns, and ratios are taken state by state, as in `measure ab`. How each is used:
//! `README.md`.

mod ring;
mod iceoryx;
mod tachyon;
mod threads;

use clap::Parser;
use harness::versus::{self, Between, Contestant, Options};
use std::error::Error;
use std::process::ExitCode;

/// Other queues beside spsc-shm, between two processes.
#[derive(Parser)]
#[command(name = "peers")]
#[command(mut_arg("rings", |rings| rings.default_value("65536,4194304")))]
struct Cli {
    /// Between two threads instead, with the queues that can't leave a process
    #[arg(long)]
    threads: bool,
    /// The peers to compare with, by their columns' names [default: all]
    names: Vec<String>,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    iceoryx2::prelude::set_log_level(iceoryx2::prelude::LogLevel::Error);
    let rivals = if cli.threads { between_threads() } else { between_processes() };
    if let Some(name) =
        cli.names.iter().find(|&name| !rivals.iter().any(|peer| peer.name() == name))
    {
        return Err(format!("{name}: not one of {}", names(&rivals)).into());
    }
    let wanted = |peer: &Contestant| {
        cli.names.is_empty() || cli.names.iter().any(|name| name == peer.name())
    };
    let mut contestants =
        vec![Contestant::new("spsc-shm", "this library, through Rust", ring::Ring)];
    contestants.extend(rivals.into_iter().filter(wanted));
    let between = if cli.threads { Between::Threads } else { Between::Processes };
    versus::run(&contestants, between, &cli.options)
}

fn between_threads() -> Vec<Contestant> {
    vec![Contestant::new("rtrb", "rtrb 0.3", threads::Rtrb::default())]
}

fn between_processes() -> Vec<Contestant> {
    vec![
        Contestant::new("tachyon", "tachyon-ipc 0.5, whose consumer may sleep", tachyon::SLEEPING),
        Contestant::new(
            "tachyon-polling",
            "tachyon-ipc 0.5 in its polling mode, whose consumer never sleeps",
            tachyon::SPINNING,
        ),
        Contestant::new(
            "iceoryx2",
            "iceoryx2 0.10, publish and subscribe, spinning",
            iceoryx::Service,
        ),
    ]
}

fn names(peers: &[Contestant]) -> String {
    peers.iter().map(Contestant::name).collect::<Vec<_>>().join(", ")
}
