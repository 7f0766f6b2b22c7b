//! Holds off `pthread_cancel`. A cancellation in the middle of a call would make the C library unwind
//! code that must not be unwound, with its work half done.

use std::ffi::c_int;

const DISABLE: c_int = 1;

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

/// While this lives, a cancellation of this thread stays pending.
pub(crate) struct HeldOff {
    before: c_int,
}

impl HeldOff {
    pub(crate) fn new() -> Self {
        let mut before = DISABLE;
        // SAFETY: the pointer is to a local.
        unsafe { pthread_setcancelstate(DISABLE, &raw mut before) };
        Self { before }
    }
}

impl Drop for HeldOff {
    fn drop(&mut self) {
        let mut ours = DISABLE;
        // SAFETY: the C library gave this state. Setting it does not act on a pending cancellation: the
        // caller's next cancellation point does.
        unsafe { pthread_setcancelstate(self.before, &raw mut ours) };
    }
}
