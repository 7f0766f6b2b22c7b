//! `spsc completions` and `spsc man`: what packages install, made of the command line's own description.

use crate::cli::{Cli, Completions, Man};
use crate::exit::{About, Result};
use clap::CommandFactory;
use std::fs::File;
use std::io::{Write, stdout};
use std::process::ExitCode;

pub fn completions(options: &Completions) -> Result {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "spsc", &mut text);
    stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub fn man(options: &Man) -> Result {
    let command = Cli::command();
    let Some(directory) = &options.directory else {
        let mut text = Vec::new();
        clap_mangen::Man::new(command).render(&mut text)?;
        stdout().write_all(&text)?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut pages = vec![(command.clone(), "spsc".to_owned())];
    for verb in command.get_subcommands() {
        let name = format!("spsc-{}", verb.get_name());
        pages.push((verb.clone().version(env!("CARGO_PKG_VERSION")), name));
    }
    for (command, name) in pages {
        let path = directory.join(format!("{name}.1"));
        let mut file = File::create(&path).about(path.display())?;
        // clap's own pages need a name that lives for ever.
        let page = clap_mangen::Man::new(command.name(name.leak() as &'static str));
        page.render(&mut file).about(path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}
