//! How fast the ring is, beside the floors that the hardware and the kernel set, and beside what
//! else the system has. `--help` says how to use it, `docs/PERFORMANCE.md` how to read it.

mod args;
mod results;
mod table;
mod machine;
mod chart;
mod report;
mod survey;
mod ab;

use args::{Cli, Command};
use clap::Parser;
use harness::process::Cpus;
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
    let cpus = |chosen: Option<Cpus>| chosen.or_else(Cpus::choose).ok_or("needs two CPUs");
    match cli.command {
        None => {
            let args = cli.survey;
            args::check_fit(&args.sizes, &args.rings)?;
            survey::run(&args, cpus(args.cpus)?)?;
        }
        Some(Command::Ab(args)) => {
            args::check_fit(&args.sizes, &args.rings)?;
            ab::run(&args, cpus(args.cpus)?)?;
        }
    }
    Ok(())
}
