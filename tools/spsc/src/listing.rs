//! `spsc ls` and `spsc stat`.

use crate::cli::{Ls, Stat};
use crate::exit::{About, Result};
use crate::look::{self, Look, Side};
use crate::text::{age, bytes, plain, table};
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

pub fn ls(options: &Ls) -> Result {
    let looks = look::all().about("/dev/shm")?;
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&looks).expect("plain values"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = ["NAME", "CAPACITY", "FILL", "PRODUCER", "CONSUMER", "AGE", "USE"];
    let rows: Vec<_> = looks.iter().map(row).collect();
    table(&mut out, &head, &rows)?;
    Ok(ExitCode::SUCCESS)
}

fn row(look: &Look) -> Vec<String> {
    vec![
        plain(&look.name),
        bytes(look.capacity),
        format!("{:.0} %", 100.0 * look.fill()),
        who(&look.producer),
        who(&look.consumer),
        age(Duration::from_secs_f64(look.age_s)),
        if look.in_use { "in use" } else { "stale" }.to_owned(),
    ]
}

/// A side in a few words.
pub fn who(side: &Side) -> String {
    match (side.state, &side.command) {
        ("attached", Some(command)) => format!("{} {}", side.pid, plain(command)),
        ("attached", None) => format!("{} (elsewhere)", side.pid),
        ("never", _) => "-".to_owned(),
        (state, _) => format!("{state} ({})", side.pid),
    }
}

pub fn stat(options: &Stat) -> Result {
    let look = look::at(&options.name).about(&options.name)?;
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&look).expect("plain values"))?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "name       {}", plain(&look.name))?;
    writeln!(out, "capacity   {} ({} bytes)", bytes(look.capacity), look.capacity)?;
    let fill = 100.0 * look.fill();
    writeln!(out, "available  {} ({fill:.0} %)", bytes(look.available))?;
    writeln!(out, "published  {} bytes", look.published)?;
    writeln!(out, "released   {} bytes", look.released)?;
    writeln!(out, "age        {}", age(Duration::from_secs_f64(look.age_s)))?;
    writeln!(out, "use        {}", if look.in_use { "in use" } else { "stale: nobody uses it" })?;
    for (role, side) in [("producer", &look.producer), ("consumer", &look.consumer)] {
        let sleeps = if side.sleeps { ", sleeps" } else { "" };
        let which = side.generation;
        writeln!(out, "{role:9}  {}{sleeps}, handle no. {which} in this role", who(side))?;
    }
    Ok(ExitCode::SUCCESS)
}
