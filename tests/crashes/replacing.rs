//! One process replaces a stale ring, and at each of its system calls others step in: they remove
//! the name, give it to a ring of theirs, or replace what they find; or the process dies there.
//! A ring in use never loses its name, and the name goes to whoever came last.

use crate::Options;
use crate::process::Shared;
use crate::ring::*;
use crate::trace::{Stop, Tracee, checkpoint};
use spsc_shm::ffi::{SPSC_REPLACE_STALE, spsc_options};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};
use support::{Rng, until};

const CAPACITY: usize = 4096;

/// What happens between two system calls of the process that replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interference {
    /// The name is removed.
    Unlink,
    /// The name is removed and given to another ring, which is in use.
    UnlinkAndCreate,
    /// The name is removed and given to a ring that is stale at once, which is then replaced.
    UnlinkAndReplace,
}

/// What the process that replaces made.
#[derive(Default)]
struct Made {
    status: AtomicI32,
    inode: AtomicU64,
}

pub fn run(options: &Options) {
    use Interference::*;
    for interference in [Unlink, UnlinkAndCreate, UnlinkAndReplace] {
        // So many system calls in a row: what comes back after an exchange may again be new.
        for in_a_row in [1, 2, 3, 4, 7, 40] {
            let mut from = 0;
            while trial(interference, from..from.saturating_add(in_a_row)) {
                from += 1;
            }
            println!("replacing: {interference:?} at {in_a_row} system calls from each of {from}");
            assert!(from > 10, "it takes more system calls than that");
        }
    }
    let mut calls = 0;
    while death_at(calls) {
        calls += 1;
    }
    println!("replacing: dies at each of {calls} system calls");

    let (pairs, seed) = (options.get("pairs", 500), options.get("seed", 1));
    let mut rng = Rng::new(seed);
    for _ in 0..pairs {
        two_at_a_time(calls, &mut rng);
    }
    println!("replacing: {pairs} pairs at a time, seed {seed}");
}

fn replacing() -> spsc_options {
    options(|options| options.flags = SPSC_REPLACE_STALE)
}

fn make_stale(name: &Name) {
    drop(Ring::create(name, CAPACITY, &options(|_| ())).unwrap());
}

/// Starts a process that replaces the ring of this name, and stops before it does.
fn replacer(name: &Name, made: &Made) -> Tracee {
    Tracee::start(|| {
        let options = replacing();
        checkpoint();
        let ring = Ring::create(name, CAPACITY, &options);
        if let Ok(ring) = &ring {
            made.inode.store(ring.inode(), SeqCst);
        }
        made.status.store(ring.as_ref().err().copied().unwrap_or(SPSC_OK) as i32, SeqCst);
        checkpoint();
        drop(ring);
    })
}

/// Steps in at the system calls of this range. False if there are not as many.
fn trial(interference: Interference, at: std::ops::Range<u64>) -> bool {
    let (name, made) = (Name::unique(), Shared::<Made>::new());
    make_stale(&name);
    let before: Vec<_> = names().collect();
    let mut tracee = replacer(&name, &made);
    // The newest ring in use that the others made: the name must be its own in the end.
    let mut newest = None;
    let mut calls = 0;
    while tracee.run_to_syscall() == Stop::Syscall {
        if at.contains(&calls) {
            // The rings before it go on being in use until they are not the newest any more.
            newest = step_in(interference, &name, newest);
        }
        calls += 1;
        if tracee.run_to_syscall() != Stop::Syscall {
            break;
        }
    }
    let status = made.status.load(SeqCst);
    let what = format!("{interference:?} at system calls {at:?}: status {status}");
    let stands_for = name.inode();
    match interference {
        Interference::Unlink => {
            assert_eq!(status, SPSC_OK as i32, "{what}");
            let inode = made.inode.load(SeqCst);
            assert!(stands_for.is_none_or(|found| found == inode), "{what}");
        }
        _ => {
            assert!([SPSC_OK as i32, SPSC_ERR_ALREADY_EXISTS as i32].contains(&status), "{what}");
            if let Some(newest) = &newest {
                assert_eq!(stands_for, Some(newest.inode()), "{what}");
                drop(Ring::connect(&name).expect(&what));
            }
        }
    }
    let left = name.left_beside(&[tracee.pid(), std::process::id() as i32], &before);
    assert!(left.is_empty(), "{what}: left {left:?}");
    tracee.kill();
    calls > at.start
}

fn step_in(interference: Interference, name: &Name, newest: Option<Ring>) -> Option<Ring> {
    name.unlink();
    match interference {
        Interference::Unlink => None,
        Interference::UnlinkAndCreate => {
            Some(Ring::create(name, CAPACITY, &options(|_| ())).unwrap())
        }
        Interference::UnlinkAndReplace => {
            drop(newest);
            make_stale(name);
            match Ring::create(name, CAPACITY, &replacing()) {
                Ok(ring) => Some(ring),
                // The other one is just exchanging what it found.
                Err(status) => {
                    assert_eq!(status, SPSC_ERR_ALREADY_EXISTS);
                    None
                }
            }
        }
    }
}

/// The process dies at this system call: the next one replaces what it left. False if there are
/// not as many.
fn death_at(call: u64) -> bool {
    let (name, made) = (Name::unique(), Shared::<Made>::new());
    make_stale(&name);
    let before: Vec<_> = names().collect();
    let mut tracee = replacer(&name, &made);
    for _ in 0..=2 * call {
        if tracee.run_to_syscall() != Stop::Syscall {
            return false;
        }
    }
    let pid = tracee.pid();
    tracee.kill();
    until("the ring is replaced", || match Ring::create(&name, CAPACITY, &replacing()) {
        Ok(ring) => {
            assert_eq!(name.inode(), Some(ring.inode()));
            drop(Ring::connect(&name).unwrap());
            true
        }
        Err(status) => {
            assert_eq!(status, SPSC_ERR_ALREADY_EXISTS, "after a death at system call {call}");
            false
        }
    });
    let left = name.left_beside(&[std::process::id() as i32], &before);
    assert!(left.is_empty(), "after a death at system call {call}: left {left:?}");
    // The dead one's second name, and nothing else, may be left.
    for second in name.left_beside(&[pid], &before) {
        std::fs::remove_file(std::path::Path::new("/dev/shm").join(second)).unwrap();
    }
    true
}

/// Two processes have each locked a stale ring, one after the other, when the name passes to a ring
/// in use; from there on they take turns at random.
fn two_at_a_time(calls: u64, rng: &mut Rng) {
    let name = Name::unique();
    let made = [(); 2].map(|()| Shared::<Made>::new());
    // The exchange is among the last steps.
    let mut steps = || calls.saturating_sub(18) + rng.below(12);
    let before: Vec<_> = names().collect();
    let mut both = made.each_ref().map(|made| {
        name.unlink();
        make_stale(&name);
        let mut tracee = replacer(&name, made);
        let steps = 2 * steps();
        let goes_on = (0..steps).all(|_| tracee.run_to_syscall() == Stop::Syscall);
        (tracee, goes_on)
    });
    name.unlink();
    let newest = Ring::create(&name, CAPACITY, &options(|_| ())).unwrap();
    while both.iter().any(|(_, goes_on)| *goes_on) {
        let (tracee, goes_on) = &mut both[rng.below(2) as usize];
        for _ in 0..2 * (1 + rng.below(6)) {
            *goes_on = *goes_on && tracee.run_to_syscall() == Stop::Syscall;
        }
    }
    let statuses = made.each_ref().map(|made| made.status.load(SeqCst));
    assert_eq!(name.inode(), Some(newest.inode()), "two at a time: statuses {statuses:?}");
    drop(Ring::connect(&name).unwrap());
    let left = name.left_beside(&both.each_ref().map(|(tracee, _)| tracee.pid()), &before);
    assert!(left.is_empty(), "two at a time: left {left:?}");
}
