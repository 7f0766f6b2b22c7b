//! What is opened is closed, and what is mapped is unmapped: after many cycles there are as many
//! descriptors, mappings, threads and objects as before.

use crate::Options;
use crate::ring::*;
use std::fs;

/// What a process holds. Two are equal if nothing leaked in between.
#[derive(Debug, PartialEq, Eq)]
pub struct Holdings {
    descriptors: usize,
    /// Mappings of a ring's memory, and of address space as only a reservation makes them.
    mappings: usize,
    threads: usize,
}

impl Holdings {
    pub fn now() -> Self {
        let entries = |of| fs::read_dir(of).expect("/proc can be read").count();
        let maps = fs::read_to_string("/proc/self/maps").expect("/proc can be read");
        let of_a_ring = |line: &&str| {
            ["/dev/shm/", "/memfd:spsc-shm", "---p"].iter().any(|mark| line.contains(mark))
        };
        Self {
            descriptors: entries("/proc/self/fd"),
            mappings: maps.lines().filter(of_a_ring).count(),
            threads: entries("/proc/self/task"),
        }
    }
}

pub fn run(options: &Options) {
    let cycles = options.get("cycles", 2_000);
    let name = Name::unique();
    cycle(&name);
    let before = Holdings::now();
    for _ in 0..cycles {
        cycle(&name);
    }
    assert_eq!(Holdings::now(), before, "after {cycles} cycles");
    assert!(!name.exists());
    println!("hygiene: {cycles} cycles, {before:?}");
}

/// One named and one anonymous ring, opened twice each, used, and closed.
fn cycle(name: &Name) {
    let made = Ring::create(name, 1, &options(|_| ())).unwrap();
    let met = Ring::connect(name).unwrap();
    use_once(&made, &met);
    assert!(matches!(Ring::create(name, 1, &options(|_| ())), Err(SPSC_ERR_ALREADY_EXISTS)));
    assert_eq!(name.unlink(), SPSC_OK);
    assert!(matches!(Ring::connect(name), Err(SPSC_ERR_NOT_FOUND)));
    drop((made, met));

    let made = Ring::anonymous(1).unwrap();
    let met = Ring::connect_fd(made.fd()).unwrap();
    use_once(&met, &made);
}

fn use_once(producer: &Ring, consumer: &Ring) {
    let (mut to, mut from) = (std::ptr::null_mut(), std::ptr::null());
    assert_eq!(producer.claim(8, 0, &mut to), SPSC_OK);
    assert_eq!(producer.publish(8), SPSC_OK);
    assert_eq!(consumer.peek(8, 0, &mut from), SPSC_OK);
    assert_eq!(consumer.release(8), SPSC_OK);
    assert_eq!(consumer.claim(8, 0, &mut to), SPSC_ERR_ROLE_TAKEN);
}
