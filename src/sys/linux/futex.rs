//! Sleeping on a 32-bit word in shared memory.

use std::sync::atomic::AtomicU32;

/// `ns` nanoseconds as a `timespec`. Any `u64` fits.
pub(super) fn timespec(ns: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (ns / 1_000_000_000) as libc::time_t,
        tv_nsec: (ns % 1_000_000_000) as libc::c_long,
    }
}

/// Sleeps while `word` is `expected`, until woken, until `deadline` (monotonic, ns), or for no
/// reason: signals and spurious wake-ups return too, and the caller looks again.
///
/// The kernel compares the word and enqueues the sleeper as one step with respect to [`wake`]. So a
/// wake that follows a change of the word is never lost.
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: u64) {
    let until = timespec(deadline);
    // SAFETY: `word` is valid for the whole call and `until` too. The futex is a shared one (no
    // FUTEX_PRIVATE_FLAG), as the waker is in another process; BITSET makes the time absolute.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET,
            expected,
            &raw const until,
            std::ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
}

/// Wakes the one sleeper on `word`, if there is one.
pub(crate) fn wake(word: &AtomicU32) {
    // SAFETY: `word` is valid for the whole call; nothing else is passed by address.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}
