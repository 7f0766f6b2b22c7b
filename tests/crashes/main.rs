//! Processes that die, peers that lie, calls that fail: what the ring promises must hold.
//!
//!     cargo test --release --test crashes -- [PART…] [--OPTION NUMBER…]
//!
//! Without a part, those run that need no privileges. With `--exact`, a name that no part has is an
//! error. `docs/TESTING.md` says what each does.
//! It is a program of its own, with one thread, because it forks.

mod connections;
#[cfg(target_arch = "x86_64")]
mod failures;
mod forks;
mod hostile;
mod hygiene;
#[path = "../inline/mod.rs"]
mod inline;
mod kills;
mod large;
mod messages;
mod process;
#[cfg(target_arch = "x86_64")]
mod replacing;
mod ring;
mod spaces;
#[cfg(target_arch = "x86_64")]
mod steps;
mod stream;
#[cfg(target_arch = "x86_64")]
mod trace;

use std::collections::HashMap;
use std::time::Instant;

/// The numbers on the command line, by name.
pub struct Options(HashMap<String, u64>);

impl Options {
    /// The number of this name, or else `default`.
    pub fn get(&self, name: &str, default: u64) -> u64 {
        self.0.get(name).copied().unwrap_or(default)
    }
}

struct Part {
    name: &'static str,
    run: fn(&Options),
    /// Needs root, or a kernel that lets anybody make a user namespace.
    privileged: bool,
}

const PARTS: &[Part] = &[
    Part { name: "kills", run: kills::run, privileged: false },
    Part { name: "messages", run: messages::run, privileged: false },
    #[cfg(target_arch = "x86_64")]
    Part { name: "steps", run: steps::run, privileged: false },
    Part { name: "large", run: large::run, privileged: false },
    Part { name: "forks", run: forks::run, privileged: false },
    Part { name: "hostile", run: hostile::run, privileged: false },
    #[cfg(target_arch = "x86_64")]
    Part { name: "failures", run: failures::run, privileged: false },
    #[cfg(target_arch = "x86_64")]
    Part { name: "replacing", run: replacing::run, privileged: false },
    Part { name: "hygiene", run: hygiene::run, privileged: false },
    Part { name: "connections", run: connections::kills, privileged: false },
    #[cfg(target_arch = "x86_64")]
    Part { name: "handshakes", run: connections::handshakes, privileged: false },
    Part { name: "crowd", run: connections::crowd, privileged: false },
    Part { name: "rivals", run: connections::rivals, privileged: false },
    Part { name: "orphans", run: connections::orphans, privileged: false },
    Part { name: "full-memory", run: spaces::full_memory, privileged: true },
    Part { name: "pid-namespaces", run: spaces::pid_namespaces, privileged: true },
    Part { name: "connection-namespaces", run: spaces::connection_namespaces, privileged: true },
    Part { name: "other-user", run: spaces::other_user, privileged: true },
];

fn main() {
    let mut options = HashMap::new();
    let mut filters = Vec::new();
    let mut exact = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--") {
            // What is meant for the standard test harness says nothing here.
            Some("nocapture" | "quiet" | "include-ignored") => {}
            Some("list" | "ignored") => return,
            Some("exact") => exact = true,
            Some(name) => {
                let number = arguments.next().and_then(|text| text.parse().ok());
                options.insert(name.to_owned(), number.expect("an option is followed by a number"));
            }
            None => filters.push(argument),
        }
    }
    let options = Options(options);
    for filter in filters.iter().filter(|_| exact) {
        assert!(PARTS.iter().any(|part| filter == part.name), "no part is named {filter}");
    }
    for &Part { name, run, privileged } in PARTS {
        let wanted = if filters.is_empty() {
            !privileged
        } else {
            filters.iter().any(|filter| filter == name)
        };
        if wanted {
            let start = Instant::now();
            run(&options);
            println!("{name}: passed in {:.1} s", start.elapsed().as_secs_f64());
        }
    }
}
