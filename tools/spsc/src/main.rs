//! `spsc`: looks at rings in shared memory, and streams through them. docs/TOOL.md describes it.

mod bench;
mod cli;
mod copy;
mod doctor;
mod exit;
mod listing;
mod look;
mod pages;
mod remove;
mod talk;
mod text;
mod top;

use clap::Parser;
use cli::{Cli, Verb};
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Ls(options) => listing::ls(&options),
        Verb::Stat(options) => listing::stat(&options),
        Verb::Top(options) => top::run(&options),
        Verb::Rm(options) => remove::run(&options),
        Verb::Send(options) => copy::send(&options),
        Verb::Recv(options) => copy::recv(&options),
        Verb::Listen(options) => talk::listen(&options),
        Verb::Dial(options) => talk::dial(&options),
        Verb::Exec(options) => talk::exec(&options),
        Verb::Bench(options) => bench::run(&options),
        Verb::Doctor(options) => doctor::run(&options),
        Verb::Completions(options) => pages::completions(&options),
        Verb::Man(options) => pages::man(&options),
    };
    result.unwrap_or_else(|error| error.report())
}
