//! A process that writes anything anywhere in the shared memory, while a producer and a consumer
//! go on making all the calls there are, by the functions and through the inline header: each ends
//! in time, with a status, and what it returns lies inside the mapping.

use crate::Options;
use crate::inline::{WAYS, Way};
use crate::process::{Child, Shared, nap};
use crate::ring::*;
use spsc_shm::ffi::{
    SPSC_CONSUMER, SPSC_ITEM_FRESH, SPSC_ITEM_NEXT_PEER, SPSC_PRODUCER, SPSC_WAIT_FOREVER,
};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};
use support::Rng;

const CAPACITY: usize = 8192;
/// Where the control block ends and the data begins.
const PAGE: usize = 4096;
/// Corruptions between two checks that the victims go on.
const VOLLEY: u64 = 64;
/// How much later than its timeout a call may return. Machines are busy at times.
const GRACE: Duration = Duration::from_secs(60);

/// The words of the control block that a side reads: offset and size.
const WORDS: [(usize, usize); 21] = [
    (0, 8),   // magic
    (8, 4),   // version
    (12, 4),  // data offset
    (16, 8),  // capacity
    (24, 8),  // spin
    (128, 8), // head
    (128, 8),
    (128, 8),
    (256, 8), // tail
    (256, 8),
    (256, 8),
    (384, 4), // consumer parked
    (392, 8), // consumer wanted
    (512, 4), // producer parked
    (520, 8), // producer wanted
    (640, 4), // interrupts
    (768, 4), // producer's state, generation
    (772, 4),
    (896, 4), // consumer's state, generation
    (900, 4),
    (904, 4), // consumer's pid
];

#[derive(Default)]
struct Victim {
    calls: AtomicU64,
    /// Calls of a handle that goes through the inline header, always or at times.
    inline: AtomicU64,
    succeeded: AtomicU64,
    corrupt: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Producer,
    Consumer,
}

pub fn run(options: &Options) {
    let corruptions = options.get("corruptions", 100_000);
    let seed = options.get("seed", u64::from(std::process::id()));
    println!("hostile: {corruptions} corruptions, seed {seed}");
    let ring = Ring::anonymous(CAPACITY).unwrap();
    let logs: [Shared<Victim>; 2] = [Shared::new(), Shared::new()];
    let sides = [Side::Producer, Side::Consumer];
    let mut victims = [0, 1].map(|index| {
        Child::fork(|| suffer(ring.fd(), sides[index], &logs[index], seed + index as u64))
    });
    let memory = map(ring.fd());
    let mut rng = Rng::new(!seed);
    let mut done = 0;
    let mut progress = [(0, Instant::now()); 2];
    while done < corruptions {
        for _ in 0..VOLLEY {
            corrupt(memory, &mut rng);
        }
        done += VOLLEY;
        // No faster than the victims call, so that each corruption meets a call.
        loop {
            for index in [0, 1] {
                let calls = logs[index].calls.load(SeqCst);
                if calls != progress[index].0 {
                    progress[index] = (calls, Instant::now());
                }
                victims[index].assert_alive("victim");
                assert!(progress[index].1.elapsed() < 2 * GRACE, "a victim hangs");
            }
            if progress[0].0 + progress[1].0 >= done {
                break;
            }
            // Both may be in a wait without limit, and the attack may have overwritten what was to
            // interrupt it.
            ring.wakeup_all();
            nap(Duration::from_micros(100));
        }
    }
    for log in &logs {
        let [calls, succeeded, corrupt] =
            [&log.calls, &log.succeeded, &log.corrupt].map(|count| count.load(SeqCst));
        println!("hostile: {calls} calls, of which {succeeded} succeeded and {corrupt} found out");
        assert!(succeeded > 0 && corrupt > 0, "not much of an attack");
        assert!(log.inline.load(SeqCst) > calls / 10, "not much through the inline header");
    }
}

/// The object, as an attacker maps it.
fn map(fd: i32) -> *mut u8 {
    // SAFETY: a new mapping at an address of the kernel's choice.
    let memory = unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        libc::mmap(ptr::null_mut(), PAGE + CAPACITY, protection, libc::MAP_SHARED, fd, 0)
    };
    assert_ne!(memory, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    memory.cast()
}

/// One write: of a random byte anywhere, of a likely lie into a word that matters, or of the truth, so
/// that the victims can go on, and into trouble again.
fn corrupt(memory: *mut u8, rng: &mut Rng) {
    // SAFETY: the word is inside the mapping of `map`, at a multiple of its size.
    let read = |at: usize| unsafe { memory.add(at).cast::<u64>().read_volatile() };
    // SAFETY: as above.
    let write = |at: usize, value: u64, size: usize| unsafe {
        match size {
            1 => memory.add(at).write_volatile(value as u8),
            4 => memory.add(at).cast::<u32>().write_volatile(value as u32),
            _ => memory.add(at).cast::<u64>().write_volatile(value),
        }
    };
    const HEAD: usize = 128;
    const TAIL: usize = 256;
    let capacity = CAPACITY as u64;
    match rng.below(8) {
        0 => write(rng.below((PAGE + CAPACITY) as u64) as usize, rng.next(), 1),
        1 => write(rng.below(1024) as usize, rng.next(), 1),
        2 => {
            write(0, u64::from_le_bytes(*b"spscring"), 8);
            write(8, 1 << 16 | (PAGE as u64) << 32, 8);
            write(16, capacity, 8);
        }
        3 => write(TAIL, read(HEAD).wrapping_sub(rng.below(capacity + 1)), 8),
        4 => write(HEAD, read(TAIL).wrapping_add(rng.below(capacity + 1)), 8),
        _ => {
            let (at, size) = rng.pick(&WORDS);
            let near = read(rng.pick(&[HEAD, TAIL, at & !7]));
            let value = match rng.below(10) {
                0 => 0,
                1 => u64::MAX,
                2 => 1 << 63,
                3 => near.wrapping_add(capacity),
                4 => near.wrapping_sub(capacity),
                5 => near.wrapping_add(capacity + 1),
                6 => near.wrapping_add(1),
                7 => near.wrapping_sub(1),
                8 => rng.below(4),
                _ => rng.next(),
            };
            write(at, value, size);
        }
    }
}

/// Makes calls for ever.
fn suffer(fd: i32, side: Side, log: &Victim, seed: u64) {
    let mut rng = Rng::new(seed);
    loop {
        // Whether this works depends on what the header says.
        let ring = Ring::connect_fd(fd);
        log.calls.fetch_add(1, SeqCst);
        let Ok(ring) = ring else { continue };
        let way = rng.pick(&WAYS);
        ring.go(way, rng.next());
        let mut base = ptr::null_mut();
        assert_eq!(ring.claim(0, 0, &mut base), SPSC_OK);
        while !rng.one_in(250) {
            one_call(&ring, side, base, log, &mut rng);
            log.calls.fetch_add(1, SeqCst);
            log.inline.fetch_add(u64::from(way != Way::Functions), SeqCst);
        }
    }
}

fn one_call(ring: &Ring, side: Side, base: *mut u8, log: &Victim, rng: &mut Rng) {
    let sizes = [0, 1, 16, 100, CAPACITY / 2, CAPACITY - 1, CAPACITY, CAPACITY + 1, usize::MAX];
    let want = if rng.one_in(2) { rng.below(CAPACITY as u64) as usize } else { rng.pick(&sizes) };
    let timeout = rng.pick(&[0, 0, 1, 10_000, 100_000, 300_000]);
    let (mut to, mut from, mut len) = (ptr::null_mut(), ptr::null(), want);
    let start = Instant::now();
    let call = rng.below(11);
    let status = match (call, side) {
        (0 | 1, Side::Producer) => ring.claim(want, timeout, &mut to),
        (2 | 3, Side::Producer) => ring.claim_some(want, timeout, &mut to, &mut len),
        (4, Side::Producer) => ring.wait_for_space(want, timeout),
        (5, Side::Producer) => ring.publish(want),
        (0 | 1, Side::Consumer) => ring.peek(want, timeout, &mut from),
        (2 | 3, Side::Consumer) => ring.peek_some(want, timeout, &mut from, &mut len),
        (4, Side::Consumer) => ring.wait_for_data(want, timeout),
        (5, Side::Consumer) => ring.release(want),
        (6, _) => ring.wakeup_all(),
        (7, _) => {
            assert!(ring.available() <= CAPACITY as u64);
            assert_eq!(ring.capacity(), CAPACITY as u64);
            let stats = ring.stats();
            assert!(stats.available <= CAPACITY as u64);
            SPSC_OK
        }
        (8 | 9, side) => {
            let side = if side == Side::Producer { SPSC_PRODUCER } else { SPSC_CONSUMER };
            let flag = rng.pick(&[0, SPSC_ITEM_NEXT_PEER, SPSC_ITEM_FRESH]);
            ring.wait_any(side | flag, want, timeout)
        }
        // Without limit: only an interruption or the end of the stream ends it.
        _ => {
            ring.wakeup_all();
            match side {
                Side::Producer => ring.wait_for_space(CAPACITY / 4, SPSC_WAIT_FOREVER),
                Side::Consumer => ring.wait_for_data(CAPACITY / 4, SPSC_WAIT_FOREVER),
            }
        }
    };
    let late = start.elapsed().saturating_sub(Duration::from_nanos(timeout));
    assert!(late < GRACE, "{late:?} late, with {status:?}");
    let expected = [
        SPSC_OK,
        SPSC_TIMEOUT,
        SPSC_INTERRUPTED,
        SPSC_CLOSED,
        SPSC_PEER_DEAD,
        SPSC_ERR_TOO_LARGE,
        SPSC_ERR_MISUSE,
        SPSC_ERR_CORRUPT,
        SPSC_ERR_NOT_READY,
    ];
    assert!(expected.contains(&status), "{status:?}");
    if status == SPSC_ERR_CORRUPT {
        log.corrupt.fetch_add(1, SeqCst);
    }
    if status != SPSC_OK || call > 3 {
        return;
    }
    log.succeeded.fetch_add(1, SeqCst);
    assert!(len >= want && len <= CAPACITY, "{len} bytes granted of {want}");
    let data = if to.is_null() { from } else { to.cast_const() };
    let offset = data.addr().wrapping_sub(base.addr());
    assert!(offset < CAPACITY, "a grant at {offset}");
    // If any of it is not memory, this crashes. The contents are the attacker's.
    // SAFETY: `len` bytes are granted.
    unsafe {
        if side == Side::Producer {
            to.write_bytes(0x55, len);
            ring.publish(rng.below(len as u64 + 1) as usize);
        } else {
            let sum = (0..len).fold(0_u8, |sum, at| sum ^ from.add(at).read_volatile());
            std::hint::black_box(sum);
            ring.release(rng.below(len as u64 + 1) as usize);
        }
    }
}
