//! Address space: one reservation, and a file mapped into it.

use super::last_error;
use crate::status::Result;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

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

/// A range of address space that nothing can be touched in until something is mapped there;
/// unmapped on drop, with all that was.
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
    /// Reserves `len` bytes (a multiple of the page size) at a multiple of `align` (a power of two
    /// that is at least a page).
    pub(crate) fn new(len: usize, align: usize) -> Result<Self> {
        let slack = align - page_size();
        // SAFETY: a new private mapping at an address of the kernel's choice replaces nothing.
        let raw = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len + slack,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if raw == libc::MAP_FAILED {
            return Err(last_error());
        }
        let raw = raw.cast::<u8>();
        let lead = raw.align_offset(align);
        // SAFETY: `lead` and the tail are inside the slack of the mapping just made, which is not
        // shared with anyone; unmapping parts of it can't touch other memory.
        let base = unsafe {
            if lead > 0 {
                libc::munmap(raw.cast(), lead);
            }
            if slack > lead {
                libc::munmap(raw.add(lead + len).cast(), slack - lead);
            }
            NonNull::new_unchecked(raw.add(lead))
        };
        Ok(Self { base, len })
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

    /// Advises the kernel about `len` bytes at `at`; advice may be refused without harm.
    fn advise(&self, at: usize, len: usize, advice: libc::c_int) {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: the range lies inside the reservation; the advices used here (populate, huge
        // pages) change no contents.
        unsafe { libc::madvise(self.base.as_ptr().add(at).cast(), len, advice) };
    }

    /// Enters all pages of a mapped range into the page tables now, so that no later access takes
    /// a fault. On a kernel older than 5.14 this does nothing.
    pub(crate) fn populate(&self, at: usize, len: usize) {
        self.advise(at, len, libc::MADV_POPULATE_WRITE);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the range is this reservation's own, and whoever drops it has no pointer left
        // into it (the segment's contract).
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}
