//! Pages of 4, 16 and 64 KiB: each size works by itself, and a process with another size refuses the ring.
//!
//! A kernel has pages of one size. So this program stands in for the C library's `sysconf`, and tells the
//! library of larger ones. The kernel can make every mapping of such a ring, too.

use spsc_shm::{Options, Ring, Status};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use support::{Name, alone, fork, publish, read, reap, status};

const NOW: Option<Duration> = Some(Duration::ZERO);
const FOREVER: Option<Duration> = None;

/// How many pages of the kernel's are one page of this process's.
static FACTOR: AtomicI64 = AtomicI64::new(1);

/// The page size that the library sees.
///
/// # Safety
/// As the C library's, in whose place it stands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sysconf(name: libc::c_int) -> libc::c_long {
    type Sysconf = unsafe extern "C" fn(libc::c_int) -> libc::c_long;
    static NEXT: OnceLock<Option<Sysconf>> = OnceLock::new();
    // SAFETY: the C library has a function of this name and type.
    let find = || unsafe { std::mem::transmute(libc::dlsym(libc::RTLD_NEXT, c"sysconf".as_ptr())) };
    let Some(next) = NEXT.get_or_init(find) else { return -1 };
    // SAFETY: takes no pointers.
    let value = unsafe { next(name) };
    if name == libc::_SC_PAGESIZE { value * FACTOR.load(Ordering::Relaxed) } else { value }
}

/// What each process multiplies the kernel's page size by.
const FACTORS: [i64; 3] = [1, 4, 16];

/// Runs `body` in a process whose pages are so much larger than the kernel's.
#[track_caller]
fn with_pages(factor: i64, body: impl FnOnce()) {
    let child = fork(|| {
        FACTOR.store(factor, Ordering::Relaxed);
        body();
    });
    assert_eq!(reap(child), 0, "with pages that are {factor} times as large");
}

/// Streams through the ring by two handles, three times its size, in pieces that lie across its end.
fn stream(producer: Ring, consumer: Ring) {
    let (mut producer, mut consumer) = (producer.into_producer(), consumer.into_consumer());
    let capacity = producer.ring().capacity();
    let piece = capacity / 8 * 5;
    for round in 0..6_usize {
        let bytes: Vec<u8> = (0..piece).map(|i| (i * 7 + round) as u8).collect();
        publish(&mut producer, &bytes);
        assert_eq!(read(&mut consumer, piece), bytes, "round {round}");
    }
    let bytes: Vec<u8> = (0..capacity).map(|i| (i % 251) as u8).collect();
    publish(&mut producer, &bytes);
    assert_eq!(status(producer.claim(1, NOW)), Status::Timeout);
    assert_eq!(read(&mut consumer, capacity), bytes);
}

#[test]
fn pages_of_every_size_work() {
    alone(|| {
        for factor in FACTORS {
            with_pages(factor, || {
                let page = support::page_size();
                for (min, capacity) in [(1, page), (page + 1, 2 * page), (8 * page, 8 * page)] {
                    let name = Name::new();
                    let ring = Options::new().prefault(true).create(&name, min).unwrap();
                    assert_eq!(ring.capacity(), capacity);
                    stream(Ring::connect(&name).unwrap(), ring);
                    let ring = Ring::anonymous(min).unwrap();
                    assert_eq!(ring.capacity(), capacity);
                    stream(Ring::connect_fd(ring.sealed_fd().unwrap()).unwrap(), ring);
                }
            });
        }
    });
}

#[test]
fn a_ring_of_another_page_size_is_another_layout() {
    alone(|| {
        for creator in FACTORS {
            let name = Name::new();
            with_pages(creator, || drop(Ring::create(&name, 1 << 20).unwrap()));
            for other in FACTORS.into_iter().filter(|other| *other != creator) {
                with_pages(other, || {
                    assert_eq!(status(Ring::connect(&name)), Status::Version);
                    assert_eq!(status(Ring::connect_timeout(&name, FOREVER)), Status::Version);
                    // Nor is it replaced: only a ring of the same layout is.
                    let replace = Options::new().replace_stale(true);
                    assert_eq!(status(replace.create(&name, 1)), Status::AlreadyExists);
                });
            }
            // It is as it was.
            with_pages(creator, || {
                stream(Ring::connect(&name).unwrap(), Ring::connect(&name).unwrap())
            });
        }
    });
}

#[test]
fn an_anonymous_ring_of_another_page_size_is_another_layout() {
    alone(|| {
        for creator in FACTORS {
            FACTOR.store(creator, Ordering::Relaxed);
            // The descriptor outlives the handle, which only knows its own page size.
            let fd = support::object(&Ring::anonymous(1).unwrap());
            for other in FACTORS {
                with_pages(other, || match Ring::connect_fd(&fd) {
                    Ok(ring) => {
                        assert_eq!((other, ring.capacity()), (creator, support::page_size()))
                    }
                    Err(error) => {
                        assert_ne!(other, creator);
                        assert_eq!(error.status(), Status::Version);
                    }
                });
            }
        }
    });
}
