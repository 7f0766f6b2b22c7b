//! How fast the ring is, beside the floors that the hardware and the kernel set, and beside what
//! else the system has. `--help` says how to use it, `docs/PERFORMANCE.md` how to read it.

mod args;
mod results;
mod chart;
mod report;
mod survey;
mod ab;
mod messages;
mod connections;

use args::{Cli, Command};
use clap::Parser;
use std::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("measure: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Box<dyn Error>> {
    match cli.command {
        None => survey::run(&cli.survey),
        Some(Command::Ab(args)) => ab::run(&args),
        Some(Command::Messages(args)) => messages::run(&args),
        Some(Command::Connections(args)) => connections::run(&args),
    }
}
