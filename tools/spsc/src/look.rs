//! What can be seen of rings from outside. Nothing here takes a role, or writes into a ring.

use crate::text::plain;
use serde::Serialize;
use spsc_shm::{Error, Ring, RoleState, RoleStats, Status};
use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

/// Where names of rings are.
const DIRECTORY: &str = "/dev/shm";

/// The state of a side that a live handle has.
const ATTACHED: &str = "attached";

/// One look at a ring.
#[derive(Clone, Debug, Serialize)]
pub struct Look {
    pub name: String,
    /// Bytes that it holds at most.
    pub capacity: u64,
    /// Bytes published and not yet released.
    pub available: u64,
    /// Bytes ever published, modulo 2^64.
    pub published: u64,
    /// Bytes ever released, modulo 2^64.
    pub released: u64,
    /// Whether a live handle has a role, or made the ring.
    pub in_use: bool,
    /// Seconds since it was made.
    pub age_s: f64,
    pub producer: Side,
    pub consumer: Side,
}

/// One side of it.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// `never`, `attached`, `closed` or `dead`.
    pub state: &'static str,
    /// The process of the last handle in this role, as that process wrote it; 0 before the first.
    pub pid: u32,
    /// The name of that process, if it lives and can be seen from here.
    pub command: Option<String>,
    /// Whether it sleeps, or is about to.
    pub sleeps: bool,
    /// How many handles have taken the role so far.
    pub generation: u32,
    /// How often that process's threads have slept so far, for any reason.
    pub process_sleeps: Option<u64>,
}

impl Look {
    /// How full it is, from 0 to 1.
    pub fn fill(&self) -> f64 {
        self.available as f64 / self.capacity as f64
    }
}

impl Side {
    /// Whether a live handle has this role.
    pub fn is_attached(&self) -> bool {
        self.state == ATTACHED
    }
}

/// A look at the ring of this name.
pub fn at(name: &str) -> spsc_shm::Result<Look> {
    let stats = Ring::connect(name)?.stats();
    let bare = name.strip_prefix('/').unwrap_or(name);
    Ok(Look {
        name: bare.to_owned(),
        capacity: stats.capacity,
        available: stats.available,
        published: stats.published,
        released: stats.released,
        in_use: stats.in_use,
        age_s: age(bare).unwrap_or_default().as_secs_f64(),
        producer: side(&stats.producer),
        consumer: side(&stats.consumer),
    })
}

/// Looks at every ring that has a name and that this user may open, by name. Those that can't be read
/// are reported on standard error.
pub fn all() -> io::Result<Vec<Look>> {
    all_but(|name, error| eprintln!("spsc: {}: {error}", plain(name)))
}

/// As [`all`], but `refused` learns of those that can't be read.
pub fn all_but(mut refused: impl FnMut(&str, &Error)) -> io::Result<Vec<Look>> {
    let mut looks = Vec::new();
    for name in names()? {
        match at(&name) {
            Ok(look) => looks.push(look),
            // Another kind of file, one that is gone by now, or not ours to look at.
            Err(error) if is_no_ring(error.status()) => {}
            Err(error) => refused(&name, &error),
        }
    }
    Ok(looks)
}

fn is_no_ring(status: Status) -> bool {
    use Status::{InvalidName, NotARing, NotFound, NotReady, Permission};
    matches!(status, InvalidName | NotARing | NotFound | NotReady | Permission)
}

/// Names that may be of rings.
fn names() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(DIRECTORY)? {
        let entry = entry?;
        // What begins with a dot is the library's own, for a moment.
        if let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string())
            && kind.is_file()
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn age(name: &str) -> Option<Duration> {
    let metadata = fs::metadata(format!("{DIRECTORY}/{name}")).ok()?;
    let made = metadata.created().or_else(|_| metadata.modified()).ok()?;
    SystemTime::now().duration_since(made).ok()
}

fn side(stats: &RoleStats) -> Side {
    let state = match stats.state {
        RoleState::Never => "never",
        RoleState::Attached => ATTACHED,
        RoleState::Closed => "closed",
        RoleState::Dead => "dead",
        _ => "unknown",
    };
    let lives = stats.state == RoleState::Attached;
    Side {
        state,
        pid: stats.pid,
        command: lives.then(|| command(stats.pid)).flatten(),
        sleeps: lives && stats.parked,
        generation: stats.generation,
        process_sleeps: lives.then(|| sleeps(stats.pid)).flatten(),
    }
}

fn command(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

fn sleeps(pid: u32) -> Option<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let status = fs::read_to_string(task.ok()?.path().join("status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches:"));
        sum += line?.split_whitespace().nth(1)?.parse::<u64>().ok()?;
    }
    Some(sum)
}
