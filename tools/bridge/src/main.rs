//! Carries rings over NATS JetStream. `README.md` says how to use it, `docs/BRIDGE.md` of the library's
//! repository why no byte is lost and none comes twice.

mod chunk;
mod identity;
mod link;
mod options;
mod progress;
mod receive;
mod ring;
mod send;
mod trouble;

use clap::Parser;
use options::{Address, Cli, Command, File, Options, ring_of};
use progress::{Progress, Teller};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use trouble::{Outcome, Trouble};

/// One ring to carry.
#[derive(Debug)]
enum Job {
    Send(Address, Options),
    Receive(Address, Options),
}

impl Job {
    fn progress(&self) -> Arc<Progress> {
        let (direction, options) = match self {
            Self::Send(_, options) => ("send", options),
            Self::Receive(_, options) => ("receive", options),
        };
        Arc::new(Progress::new(&options.ring, direction))
    }

    fn run(self, progress: &Arc<Progress>) -> Outcome<()> {
        match self {
            Self::Send(to, options) => send::run(&to, &options, progress),
            Self::Receive(from, options) => receive::run(&from, &options, progress),
        }
    }
}

fn jobs(command: Command) -> Outcome<Vec<Job>> {
    match command {
        Command::Send { to, options } => Ok(vec![Job::Send(to, options)]),
        Command::Receive { from, options } => Ok(vec![Job::Receive(from, options)]),
        Command::Run { file } => from_file(&file),
    }
}

fn from_file(path: &Path) -> Outcome<Vec<Job>> {
    let wrong =
        |error: &dyn std::fmt::Display| Trouble::Final(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let file: File = toml::from_str(&text).map_err(|error| wrong(&error))?;
    let mut all = Vec::new();
    for table in file.send {
        let (to, options) = ring_of(table, "to").map_err(|error| wrong(&error))?;
        all.push(Job::Send(to, options));
    }
    for table in file.receive {
        let (from, options) = ring_of(table, "from").map_err(|error| wrong(&error))?;
        all.push(Job::Receive(from, options));
    }
    if all.is_empty() { Err(wrong(&"it lists no ring")) } else { Ok(all) }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let all = match jobs(cli.command) {
        Ok(all) => all,
        Err(error) => {
            eprintln!("spsc-bridge: {error}");
            return ExitCode::from(2);
        }
    };
    let progress: Vec<_> = all.iter().map(Job::progress).collect();
    let teller = Teller::start(progress.clone(), cli.json);
    let threads: Vec<_> = all
        .into_iter()
        .zip(progress)
        .map(|(job, progress)| {
            std::thread::spawn(move || match job.run(&progress) {
                Ok(()) => {
                    progress.set_state("done");
                    true
                }
                Err(error) => {
                    progress.set_state(&format!("failed: {error}"));
                    false
                }
            })
        })
        .collect();
    // All of them, even after one has failed.
    let well = threads.into_iter().map(|thread| thread.join().unwrap_or(false));
    let well = well.fold(true, |all, one| all & one);
    drop(teller);
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
