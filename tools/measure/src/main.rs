//! How fast the ring is, beside the floors that the hardware and the kernel set, and beside what
//! else the system has. `--help` says how to use it, `docs/PERFORMANCE.md` how to read it.

mod args;
mod results;
mod chart;
mod report;
mod survey;

use args::{Cli, Command};
use clap::Parser;
use harness::process::{self, Cpus};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    match cli.command {
        None => {
            args::check_fit(&cli.survey.sizes, &cli.survey.rings)?;
            let cpus = cli.survey.cpus.or_else(Cpus::choose).ok_or("needs two CPUs")?;
            process::pin(cpus.near);
            survey::run(&cli.survey, cpus)?;
        }
    }
    Ok(())
}
