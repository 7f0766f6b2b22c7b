//! A ring with one handle, for the C functions.

use crate::{HEAD, TAIL};
use spsc_shm::ffi::{
    spsc_close, spsc_create_anonymous, spsc_fd, spsc_ring, spsc_stats, spsc_stats_t, spsc_status,
};
use std::fs::File;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;
use std::ptr;

/// An anonymous ring with one handle, for both sides. Closed when dropped.
#[derive(Debug)]
pub struct OneHandle(*mut spsc_ring);

// SAFETY: a handle may be used by any thread.
unsafe impl Sync for OneHandle {}

impl OneHandle {
    pub fn new(min_capacity: usize) -> Self {
        let mut ring = ptr::null_mut();
        // SAFETY: `ring` is a valid place for the handle.
        let made = unsafe { spsc_create_anonymous(min_capacity, &raw mut ring) };
        assert_eq!(made, spsc_status::SPSC_OK);
        Self(ring)
    }

    /// The handle, which is open as long as this lives.
    pub fn get(&self) -> *mut spsc_ring {
        self.0
    }

    /// As if so many bytes had gone through already.
    pub fn start_at(&self, counter: u64) {
        // SAFETY: the descriptor is open, and `ManuallyDrop` leaves it so.
        let object = ManuallyDrop::new(unsafe { File::from_raw_fd(spsc_fd(self.0)) });
        for offset in [HEAD, TAIL] {
            object.write_all_at(&counter.to_ne_bytes(), offset).expect("the object is ours");
        }
    }

    pub fn stats(&self) -> spsc_stats_t {
        let mut stats = MaybeUninit::uninit();
        // SAFETY: the handle is open; success fills the stats.
        unsafe {
            let done = spsc_stats(self.0, stats.as_mut_ptr(), size_of::<spsc_stats_t>());
            assert_eq!(done, spsc_status::SPSC_OK);
            stats.assume_init()
        }
    }
}

impl Drop for OneHandle {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody uses it from here on.
        unsafe { spsc_close(self.0) };
    }
}
