//! Which CPUs the process may run on, and hints to them.

/// The CPU that this thread may run on, if it is only one.
pub(crate) fn only() -> Option<u32> {
    // SAFETY: a CPU set is plain bits, for which zero is a valid value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid and of the size given; 0 is the calling thread.
    let done = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    // SAFETY: `set` is valid. A failure (a machine of more CPUs than the set holds) means many.
    if done != 0 || unsafe { libc::CPU_COUNT(&set) } != 1 {
        return None;
    }
    // SAFETY: `set` is valid, and the index within it.
    (0..libc::CPU_SETSIZE as u32).find(|cpu| unsafe { libc::CPU_ISSET(*cpu as usize, &set) })
}

/// Asks for the cache line at `address` to be fetched for reading. Any address is allowed.
#[inline(always)]
pub(crate) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint that neither faults nor changes memory, on an instruction that every x86-64
    // processor has.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above; the instruction is part of the base architecture.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags));
    }
}

/// Gives 0, but the processor knows it only some 70 cycles after it knows `value`: by a chain of 24
/// multiplications, each of the result of the one before.
///
/// If this is added to an address, that address can't be read earlier. So looks at the same word follow
/// one another at this distance. With nothing between them, many looks are under way when the word
/// changes. A pause instruction keeps them apart, too, but how long it takes differs widely between
/// processors. Both made round trips longer: see "The way out of a wait" in `docs/PERFORMANCE.md`.
#[inline(always)]
pub(crate) fn zero_after(value: u64) -> usize {
    let zero: u64;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: arithmetic on one register.
    unsafe {
        std::arch::asm!(
            "and {0}, 0",
            ".rept 24",
            "imul {0}, {0}",
            ".endr",
            inout(reg) value => zero,
            options(pure, nomem, nostack),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "and {0}, {0}, xzr",
            ".rept 24",
            "mul {0}, {0}, {0}",
            ".endr",
            inout(reg) value => zero,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let _ = value;
        std::hint::spin_loop();
        zero = 0;
    }
    zero as usize
}
