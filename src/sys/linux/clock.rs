//! The monotonic clock, in nanoseconds. It answers from the vDSO, without a system call.

fn read(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Now, exactly. Takes some 25 ns.
pub(crate) fn now() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Now, as of the scheduler's last tick: up to 10 ms behind. Takes a few nanoseconds.
pub(crate) fn now_coarse() -> u64 {
    read(libc::CLOCK_MONOTONIC_COARSE)
}

/// Sleeps for `ns` nanoseconds, or until a signal.
pub(crate) fn sleep(ns: u64) {
    let time = super::futex::timespec(ns);
    // SAFETY: `time` is valid; no remainder is asked for.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}
