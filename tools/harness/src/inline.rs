//! The ring through its cursor, as `spsc_shm_inline.h` has it for C: the same steps, without a call
//! but to wait and to wake.

use crate::channel::{Receiver, Sender};
use crate::ring::CEnd;
use spsc_shm::ffi::{SPSC_CONSUMER, SPSC_PRODUCER, spsc_cursor};
use std::sync::atomic::{Ordering, compiler_fence};

/// A handle that is used on one side, and that side's cursor.
pub struct InlineEnd<'l> {
    end: CEnd<'l>,
    cursor: *mut spsc_cursor,
    side: u32,
}

impl<'l> InlineEnd<'l> {
    /// To send by.
    pub fn sender(end: CEnd<'l>) -> Self {
        Self { cursor: end.cursor(SPSC_PRODUCER), end, side: SPSC_PRODUCER }
    }

    /// To receive by.
    pub fn receiver(end: CEnd<'l>) -> Self {
        Self { cursor: end.cursor(SPSC_CONSUMER), end, side: SPSC_CONSUMER }
    }

    #[inline(always)]
    fn cursor(&mut self) -> &mut spsc_cursor {
        // SAFETY: it lives as long as the handle, which only this thread uses.
        unsafe { &mut *self.cursor }
    }

    /// Claims or peeks without a call, if it can.
    #[inline(always)]
    fn reserve(&mut self, want: u64) -> Option<*mut u8> {
        let cursor = self.cursor();
        if want > cursor.limit.wrapping_sub(cursor.position) {
            // SAFETY: it points into the shared memory of an open handle.
            let counter = unsafe { &*cursor.other_counter }.load(Ordering::Acquire);
            let limit = counter.wrapping_add(cursor.lead);
            let room = limit.wrapping_sub(cursor.position);
            if want > room || room > cursor.window {
                return None;
            }
            cursor.limit = limit;
        }
        cursor.granted = want;
        Some(cursor.data.wrapping_add((cursor.position & cursor.mask) as usize))
    }

    /// Publishes or releases what was granted.
    #[inline(always)]
    fn advance(&mut self, n: u64) {
        let side = self.side;
        let cursor = self.cursor();
        assert!(n.wrapping_sub(1) < cursor.granted, "it was granted");
        cursor.granted -= n;
        cursor.position = cursor.position.wrapping_add(n);
        // SAFETY: they point into the shared memory of an open handle.
        let parked = unsafe {
            (*cursor.own_counter).store(cursor.position, Ordering::Release);
            compiler_fence(Ordering::SeqCst);
            (*cursor.other_parked).load(Ordering::Relaxed)
        };
        if parked | cursor.fenced != 0 {
            self.end.wake(side);
        }
    }
}

impl Sender for InlineEnd<'_> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let len = message.len();
        let place = self.reserve(len as u64).unwrap_or_else(|| self.end.claim(len));
        // SAFETY: the claim is as long as the message.
        unsafe { place.copy_from_nonoverlapping(message.as_ptr(), len) };
        self.advance(len as u64);
    }
}

impl Receiver for InlineEnd<'_> {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        let len = message.len();
        let place = self.reserve(len as u64).unwrap_or_else(|| self.end.peek(len).cast_mut());
        // SAFETY: what is peeked is as long as the message.
        unsafe { place.copy_to_nonoverlapping(message.as_mut_ptr(), len) };
        self.advance(len as u64);
    }
}
