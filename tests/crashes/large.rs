//! How soon the death of a large process is noticed. The kernel frees a process's memory before it
//! closes its descriptors, and the locks that say who is alive go with those.

use crate::Options;
use crate::process::{Child, Shared};
use crate::ring::*;
use spsc_shm::ffi::SPSC_WAIT_FOREVER;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};
use support::until;

pub fn run(options: &Options) {
    let mib = options.get("mib", 64);
    for mib in [0, mib] {
        for _ in 0..options.get("deaths", 3) {
            death_of_a_process_of(mib as usize);
        }
    }
}

fn death_of_a_process_of(mib: usize) {
    let name = Name::unique();
    let ring = Ring::create(&name, 1, &sleepy()).unwrap();
    // Its writer's end is closed when the process's other descriptors are.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (since, noticed) = (Instant::now(), Shared::<AtomicU64>::new());
    let producer = Child::fork(|| {
        let memory = vec![1_u8; mib << 20];
        let ring = Ring::connect(&name).unwrap();
        assert_eq!(ring.wait_for_space(1, 0), SPSC_OK);
        std::hint::black_box(memory);
        loop {
            // SAFETY: takes no pointers.
            unsafe { libc::pause() };
        }
    });
    drop(writer);
    until("the large process has its role", || ring.stats().producer.generation == 1);
    let consumer = Child::fork(|| {
        let ring = Ring::connect(&name).unwrap();
        assert_eq!(ring.wait_for_data(1, SPSC_WAIT_FOREVER), SPSC_PEER_DEAD);
        noticed.store(since.elapsed().as_nanos() as u64, SeqCst);
    });
    until("the other sleeps", || ring.stats().consumer.parked != 0 && consumer.sleeps());
    assert_eq!(noticed.load(SeqCst), 0, "a live process was taken for a dead one");
    let killed = since.elapsed();
    // SAFETY: takes no pointers; the process was not waited for.
    assert_eq!(unsafe { libc::kill(producer.pid, libc::SIGKILL) }, 0);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    let closed = since.elapsed();
    consumer.finish("consumer");
    let noticed = Duration::from_nanos(noticed.load(SeqCst));
    assert!(noticed > killed);
    println!(
        "large: {mib} MiB: descriptors closed {:.1} ms after the kill, the death noticed {:.1} ms \
         after that",
        (closed - killed).as_secs_f64() * 1e3,
        noticed.saturating_sub(closed).as_secs_f64() * 1e3,
    );
}
