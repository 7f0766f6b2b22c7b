//! The two halves of the asymmetric barrier: next to nothing for the side that is busy, a system call
//! for the side that is about to sleep. `wait/mod.rs` argues why this is enough.

use crate::sync::{Ordering, compiler_fence, fence};
use std::sync::atomic::AtomicU8;

const UNKNOWN: u8 = 0;
const REGISTERED: u8 = 1;
const REFUSED: u8 = 2;

/// Whether this process is registered for the expedited barrier. The kernel is asked once.
static REGISTRATION: AtomicU8 = AtomicU8::new(UNKNOWN);

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: membarrier takes no pointers and changes no memory.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Asks the kernel to include this process in other processes' [`heavy`] barriers, once. True if
/// [`light`] is enough from then on. On an old kernel or under seccomp it may not be.
pub(crate) fn register() -> bool {
    if REGISTRATION.load(Ordering::Relaxed) == UNKNOWN {
        let registered = membarrier(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
        REGISTRATION.store(if registered { REGISTERED } else { REFUSED }, Ordering::Relaxed);
    }
    REGISTRATION.load(Ordering::Relaxed) == REGISTERED
}

/// In a forked child: the next [`register`] asks again, as this is a process of its own.
pub(crate) fn forget() {
    REGISTRATION.store(UNKNOWN, Ordering::Relaxed);
}

/// The busy side's half, in a process that is registered: keeps the compiler from moving its load
/// of the parked flag before its store of the counter.
#[inline(always)]
pub(crate) fn light() {
    compiler_fence(Ordering::SeqCst);
}

/// The sleeping side's half: makes every running thread of every registered process, and this one,
/// pass through a full barrier. False if the kernel refuses: then only this thread passed through one,
/// and the caller must not sleep for long.
#[must_use]
pub(crate) fn heavy() -> bool {
    if membarrier(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED) {
        return true;
    }
    fence(Ordering::SeqCst);
    false
}
