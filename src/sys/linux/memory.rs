//! Address space: one reservation, and a file mapped into it.

use super::last_error;
use crate::status::Result;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

/// The size of a page, in bytes.
pub(crate) fn page_size() -> usize {
    // SAFETY: sysconf touches no memory of ours.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Physical memory and swap together, in bytes: no ring can be larger.
pub(crate) fn total_memory() -> u64 {
    // SAFETY: sysinfo is plain numbers, for which zero is a valid value.
    let mut info: libc::sysinfo = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is a valid place for the answer.
    if unsafe { libc::sysinfo(&raw mut info) } != 0 {
        return u64::MAX;
    }
    u64::from(info.mem_unit).saturating_mul(info.totalram.saturating_add(info.totalswap))
}

/// A number in a page that every child process finds wiped to 0, unless it shares its parent's memory.
/// Before Linux 4.14 the child finds its parent's number. Never unmapped.
pub(crate) fn wiped_in_children() -> Result<&'static AtomicU64> {
    // SAFETY: a new private mapping at an address of the kernel's choice replaces nothing.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            page_size(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(last_error());
    }
    // SAFETY: the page was just mapped; it is never unmapped, aligned, and any bytes are a number.
    unsafe {
        libc::madvise(page, page_size(), libc::MADV_WIPEONFORK);
        Ok(&*page.cast::<AtomicU64>())
    }
}

/// A range of address space in which nothing can be touched until something is mapped there. Unmapped
/// on drop, with all that was mapped.
#[derive(Debug)]
pub(crate) struct Reservation {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a reservation is an address range that belongs to the process, not to a thread.
unsafe impl Send for Reservation {}
// SAFETY: as above; its methods on `&self` read two numbers.
unsafe impl Sync for Reservation {}

impl Reservation {
    /// Reserves `len` bytes, a multiple of the page size.
    pub(crate) fn new(len: usize) -> Result<Self> {
        // SAFETY: a new private mapping at an address of the kernel's choice replaces nothing.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(last_error());
        }
        // SAFETY: a mapping at an address of the kernel's choice is not at 0.
        Ok(Self { base: unsafe { NonNull::new_unchecked(base.cast()) }, len })
    }

    /// The first byte.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Maps `len` bytes of `fd` from `offset` on at `at` bytes into the reservation, shared, for
    /// reading and writing.
    pub(crate) fn map(&self, at: usize, len: usize, fd: BorrowedFd<'_>, offset: i64) -> Result<()> {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: the target lies inside the reservation (just asserted), so that MAP_FIXED can
        // replace only what belongs to it.
        let raw = unsafe {
            libc::mmap(
                self.base.as_ptr().add(at).cast(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_FIXED,
                fd.as_raw_fd(),
                offset,
            )
        };
        if raw == libc::MAP_FAILED { Err(last_error()) } else { Ok(()) }
    }

    /// Enters all pages of a mapped range into the page tables now, so that no later access takes
    /// a fault. Only advice: on a kernel older than 5.14 this does nothing.
    pub(crate) fn populate(&self, at: usize, len: usize) {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: the range lies inside the reservation, and its contents do not change.
        unsafe {
            libc::madvise(self.base.as_ptr().add(at).cast(), len, libc::MADV_POPULATE_WRITE);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the range is this reservation's own, and whoever drops it has no pointer left
        // into it (the segment's contract).
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}
