//! `spsc rm`.

use crate::cli::Rm;
use crate::exit::{About, Failure, Result};
use crate::look;
use serde::Serialize;
use spsc_shm::Ring;
use std::io::{Write, stdout};
use std::process::ExitCode;

#[derive(Serialize)]
struct Removed {
    name: String,
    /// With --dry-run: whether it would have been.
    removed: bool,
}

pub fn run(options: &Rm) -> Result {
    let named = !options.names.is_empty();
    let names = if named {
        options.names.clone()
    } else {
        look::all().about("/dev/shm")?.into_iter().map(|look| look.name).collect()
    };
    let mut all = Vec::new();
    for name in names {
        let removed = if options.dry_run {
            let in_use = look::at(&name).about(&name)?.in_use;
            !options.stale || !in_use
        } else if options.stale {
            match Ring::unlink_stale(&name) {
                // Somebody else was faster.
                Err(error) if !named && error.status() == spsc_shm::Status::NotFound => continue,
                removed => removed.about(&name)?,
            }
        } else {
            Ring::unlink(&name).about(&name)?;
            true
        };
        if named && !removed && !options.json {
            return Err(Failure::new(format!("{name}: somebody uses it")));
        }
        all.push(Removed { name, removed });
    }
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&all).expect("plain values"))?;
    } else {
        let what = if options.dry_run { "would remove" } else { "removed" };
        for Removed { name, .. } in all.iter().filter(|one| one.removed) {
            writeln!(out, "{what} {name}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
