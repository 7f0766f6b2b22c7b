//! What the process may run on.

/// Whether this thread may run on one CPU only, where spinning would keep the peer from running.
pub(crate) fn only_one() -> bool {
    // SAFETY: a CPU set is plain bits, for which zero is a valid value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid and of the size given; 0 is the calling thread.
    let done = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    // SAFETY: `set` is valid. A failure (a machine of more CPUs than the set holds) means many.
    done == 0 && unsafe { libc::CPU_COUNT(&set) } == 1
}
