//! Claim, publish, peek and release as `spsc_shm_inline.h` does them, and which of the two ways a
//! test goes.

use spsc_shm::ffi::{spsc_ring, spsc_status};
use std::ffi::c_void;

// What `shim.c` has.
#[expect(improper_ctypes, reason = "spsc_ring is opaque: only pointers to it are passed")]
unsafe extern "C" {
    pub fn inline_claim(
        ring: *mut spsc_ring,
        want: usize,
        timeout_ns: u64,
        out_data: *mut *mut c_void,
    ) -> spsc_status;
    pub fn inline_publish(ring: *mut spsc_ring, n: usize) -> spsc_status;
    pub fn inline_peek(
        ring: *mut spsc_ring,
        want: usize,
        timeout_ns: u64,
        out_data: *mut *const c_void,
    ) -> spsc_status;
    pub fn inline_release(ring: *mut spsc_ring, n: usize) -> spsc_status;
}

/// How one side makes its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Functions,
    Inline,
    /// Sometimes so, sometimes so.
    Mixed,
}

pub const WAYS: [Way; 3] = [Way::Functions, Way::Inline, Way::Mixed];

impl Way {
    /// Whether a call is inline; `toss` decides where both ways are mixed.
    pub fn is_inline(self, toss: bool) -> bool {
        match self {
            Self::Functions => false,
            Self::Inline => true,
            Self::Mixed => toss,
        }
    }
}
