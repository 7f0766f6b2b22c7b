//! Each system call that the library makes is made to fail, one at a time, with each of several error
//! numbers. The call succeeds, or ends with a status that tells of the failure. Nothing crashes, nothing
//! leaks, and no object is left.

use crate::Options;
use crate::hygiene::Holdings;
use crate::process::Shared;
use crate::ring::*;
use crate::trace::{Stop, Tracee, checkpoint};
use spsc_shm::ffi::SPSC_REPLACE_STALE;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

const ERRORS: [i32; 5] = [libc::ENOMEM, libc::EMFILE, libc::EINTR, libc::EACCES, libc::ENOSYS];
/// Calls in `walk`, at most.
const CALLS: usize = 64;

/// What the calls of one walk returned.
struct Outcomes {
    calls: AtomicUsize,
    /// Status and `errno` of each call.
    each: [(AtomicI32, AtomicI32); CALLS],
}

impl Default for Outcomes {
    fn default() -> Self {
        Self { calls: AtomicUsize::new(0), each: std::array::from_fn(|_| Default::default()) }
    }
}

impl Outcomes {
    /// Notes how a call ended.
    fn note(&self, status: spsc_status) {
        // SAFETY: the pointer is to this thread's own errno.
        let errno = unsafe { *libc::__errno_location() };
        let (to_status, to_errno) = &self.each[self.calls.fetch_add(1, SeqCst)];
        to_status.store(status as i32, SeqCst);
        to_errno.store(errno, SeqCst);
    }

    /// As `note`, for a call that opens a ring; no ring will do for the calls that follow.
    fn opened(&self, ring: Opened) -> Ring {
        self.note(ring.as_ref().err().copied().unwrap_or(SPSC_OK));
        ring.unwrap_or(Ring::none())
    }

    fn all(&self) -> impl Iterator<Item = (i32, i32)> {
        let load =
            |(status, errno): &(AtomicI32, AtomicI32)| (status.load(SeqCst), errno.load(SeqCst));
        self.each[..self.calls.load(SeqCst)].iter().map(load)
    }

    /// How the last call ended.
    fn last(&self) -> i32 {
        self.all().last().map_or(0, |(status, _)| status)
    }
}

/// Calls that between them make every system call of the library. Allocates nothing itself.
fn walk(name: &Name, outcomes: &Outcomes) {
    let plain = options(|_| ());
    let replacing = options(|options| {
        options.flags = SPSC_REPLACE_STALE;
        options.spin_ns = 0;
    });
    // A ring, and another in its place.
    drop(outcomes.opened(Ring::create(name, 1, &plain)));
    let made = outcomes.opened(Ring::create(name, 1, &replacing));
    let met = outcomes.opened(Ring::connect_timeout(name, 1_000_000));
    exchange(&made, &met, outcomes);
    drop((made, met));
    let made = outcomes.opened(Ring::anonymous(1 << 19));
    let met = outcomes.opened(Ring::connect_fd(made.fd()));
    exchange(&met, &made, outcomes);
    drop((made, met));
    outcomes.note(name.unlink());
}

fn exchange(producer: &Ring, consumer: &Ring, outcomes: &Outcomes) {
    let (mut to, mut from) = (std::ptr::null_mut(), std::ptr::null());
    outcomes.note(producer.claim(8, 0, &mut to));
    outcomes.note(producer.publish(8));
    outcomes.note(consumer.peek(8, 1_000_000, &mut from));
    outcomes.note(consumer.release(8));
    outcomes.note(consumer.peek(8, 1_000, &mut from));
    outcomes.note(consumer.wakeup_all());
    outcomes.note(consumer.peek(8, 1_000_000, &mut from));
    outcomes.note(consumer.try_stats().err().unwrap_or(SPSC_OK));
}

pub fn run(_: &Options) {
    for error in ERRORS {
        let mut calls = 0;
        let mut reported = 0;
        while let Some(told) = fail(calls, error) {
            calls += 1;
            reported += u32::from(told);
        }
        let error = std::io::Error::from_raw_os_error(error);
        println!("failures: {calls} system calls, each failing with {error}: {reported} reported");
        assert!(calls > 50, "the walk makes more calls than that");
    }
}

/// Makes the system call after so many others fail. `None` if there are not as many. Otherwise whether
/// the failure was reported.
fn fail(calls: u32, error: i32) -> Option<bool> {
    let name = Name::unique();
    let outcomes = Shared::<Outcomes>::new();
    let others: Vec<_> = names().collect();
    let mut tracee = Tracee::start(|| {
        let before = Holdings::now();
        checkpoint();
        walk(&name, &outcomes);
        checkpoint();
        let after = Holdings::now();
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(before != after)) };
    });
    let pid = tracee.pid();
    // On to the second checkpoint of the process: to the walk.
    for _ in 0..2 * calls {
        if tracee.run_to_syscall() != Stop::Syscall {
            return None;
        }
    }
    if tracee.run_to_syscall() != Stop::Syscall {
        return None;
    }
    let number = tracee.fail_syscall(error);
    let what = format!("system call {number} (the {calls}th) failing with {error}");

    assert_eq!(tracee.run(), Stop::Checkpoint, "{what}: the walk ended early");
    let end = tracee.run();
    // What the kernel refuses to take back is still there.
    let takes_back = matches!(number, libc::SYS_close | libc::SYS_munmap);
    if !takes_back {
        assert_eq!(end, Stop::End(0), "{what}: a leak (or a crash)");
    }
    if number != libc::SYS_unlink {
        assert!(!name.exists(), "{what}: an object is left");
    } else if name.exists() {
        assert_ne!(outcomes.last(), 0, "{what}: an object is left, unreported");
    }
    for beside in name.left_beside(&[pid], &others) {
        // A lock that was not got can't be removed: it may be another's. It is free for the next.
        let may_be = number == libc::SYS_unlink || beside.starts_with(".spsc-shm.lock.");
        assert!(may_be, "{what}: {beside} is left");
        std::fs::remove_file(std::path::Path::new("/dev/shm").join(beside)).unwrap();
    }
    let from_system = [SPSC_ERR_PERMISSION, SPSC_ERR_NO_SPACE, SPSC_ERR_NO_MEMORY, SPSC_ERR_SYSTEM];
    let mut reported = false;
    for (status, errno) in outcomes.all() {
        assert_ne!(status, SPSC_ERR_PANIC as i32, "{what}: a panic");
        assert_ne!(status, SPSC_ERR_CORRUPT as i32, "{what}: a healthy ring called corrupt");
        if from_system.iter().any(|from_system| *from_system as i32 == status) {
            assert_eq!(errno, error, "{what}: errno after status {status}");
            reported = true;
        }
    }
    Some(reported)
}
