//! Messages through the library's functions, and what a caller may write by hand instead: frames of
//! the same size, whose length both sides know when they are compiled.

use crate::channel::{Channel, Receiver, Sender, really};
use crate::ring::{CEnd, CRing, MessageCalls, check};
use spsc_shm::ffi::{SPSC_WAIT_FOREVER, spsc_message, spsc_ring};
use std::mem::MaybeUninit;
use std::ptr::null;

const NO_MESSAGE: spsc_message = spsc_message { data: null(), len: 0, tag: 0, reserved: 0 };
/// Messages in one call, at most.
const MOST: usize = 64;

/// One side of a ring for messages.
pub struct MessageEnd<'l> {
    /// Keeps the handle open.
    _end: CEnd<'l>,
    ring: *mut spsc_ring,
    calls: MessageCalls,
    batch: Box<[spsc_message; MOST]>,
}

impl<'l> MessageEnd<'l> {
    /// To send or to receive by.
    pub fn new(end: CEnd<'l>) -> Self {
        let (ring, calls) = (end.handle(), end.messages());
        Self { _end: end, ring, calls, batch: Box::new([NO_MESSAGE; MOST]) }
    }
}

impl Sender for MessageEnd<'_> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let (data, len) = (message.as_ptr().cast(), message.len());
        // SAFETY: an open handle, and a message of this length.
        check(unsafe { (self.calls.send)(self.ring, 1, data, len, SPSC_WAIT_FOREVER) });
    }

    #[inline(always)]
    fn send_batch(&mut self, message: &[u8], most: usize) -> usize {
        let most = most.min(MOST);
        let mut count = 0;
        for place in &mut self.batch[..most] {
            *place = spsc_message {
                data: message.as_ptr().cast(),
                len: message.len(),
                tag: 1,
                reserved: 0,
            };
        }
        let batch = self.batch.as_ptr();
        // SAFETY: an open handle, `most` messages of this length, and a place for the count.
        check(unsafe {
            (self.calls.send_some)(self.ring, batch, most, SPSC_WAIT_FOREVER, &mut count)
        });
        count
    }
}

impl Receiver for MessageEnd<'_> {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        let mut got = MaybeUninit::uninit();
        // SAFETY: an open handle and a place for a message, which is filled on success.
        let got = unsafe {
            check((self.calls.receive)(self.ring, SPSC_WAIT_FOREVER, got.as_mut_ptr()));
            got.assume_init()
        };
        copy_out(&got, message);
        // SAFETY: an open handle.
        check(unsafe { (self.calls.done)(self.ring) });
    }

    #[inline(always)]
    fn receive_batch(&mut self, message: &mut [u8], most: usize) -> usize {
        let most = most.min(MOST);
        let mut count = 0;
        let batch = self.batch.as_mut_ptr();
        // SAFETY: an open handle, room for `most` messages, and a place for the count.
        check(unsafe {
            (self.calls.receive_some)(self.ring, SPSC_WAIT_FOREVER, batch, most, &mut count)
        });
        for got in &self.batch[..count] {
            copy_out(got, message);
            really();
        }
        // SAFETY: an open handle.
        check(unsafe { (self.calls.done)(self.ring) });
        count
    }
}

#[inline(always)]
fn copy_out(got: &spsc_message, message: &mut [u8]) {
    assert!(got.len == message.len(), "another length");
    // SAFETY: the message that was received is so long, as was just checked.
    unsafe { got.data.cast::<u8>().copy_to_nonoverlapping(message.as_mut_ptr(), message.len()) };
}

/// A ring for messages.
pub struct MessageRing<'l>(pub CRing<'l>);

impl<'l> Channel for MessageRing<'l> {
    type Tx<'a>
        = MessageEnd<'l>
    where
        Self: 'a;
    type Rx<'a>
        = MessageEnd<'l>
    where
        Self: 'a;

    fn sender(&self) -> MessageEnd<'l> {
        MessageEnd::new(self.0.sender())
    }

    fn receiver(&self) -> MessageEnd<'l> {
        MessageEnd::new(self.0.receiver())
    }
}

/// Frames by hand: a header of 8 bytes before each message, through claim and peek.
pub struct FrameEnd<'l>(pub CEnd<'l>);

/// Bytes of a frame.
#[inline(always)]
fn frame_size(len: usize) -> usize {
    8 + len.next_multiple_of(8)
}

/// # Safety
/// A frame is granted at `place`.
#[inline(always)]
unsafe fn put(place: *mut u8, message: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe {
        place.cast::<u64>().write(message.len() as u64 | 1 << 32);
        place.add(8).copy_from_nonoverlapping(message.as_ptr(), message.len());
    }
}

/// # Safety
/// As for [`put`].
#[inline(always)]
unsafe fn take(place: *const u8, message: &mut [u8]) {
    // SAFETY: the caller's promise.
    unsafe {
        let len = place.cast::<u64>().read_volatile() as u32 as usize;
        assert!(len == message.len(), "another length");
        place.add(8).copy_to_nonoverlapping(message.as_mut_ptr(), message.len());
    }
}

impl Sender for FrameEnd<'_> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let size = frame_size(message.len());
        let place = self.0.claim(size);
        // SAFETY: the claim is as long as the frame.
        unsafe { put(place, message) };
        self.0.publish(size);
    }

    #[inline(always)]
    fn send_batch(&mut self, message: &[u8], most: usize) -> usize {
        let size = frame_size(message.len());
        let (place, len) = self.0.claim_some(size);
        let count = most.min(len / size);
        for i in 0..count {
            // SAFETY: so many frames fit into the claim.
            unsafe { put(place.add(i * size), message) };
            really();
        }
        self.0.publish(count * size);
        count
    }
}

impl Receiver for FrameEnd<'_> {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        let size = frame_size(message.len());
        let place = self.0.peek(size);
        // SAFETY: what is peeked is as long as the frame.
        unsafe { take(place, message) };
        self.0.release(size);
    }

    #[inline(always)]
    fn receive_batch(&mut self, message: &mut [u8], most: usize) -> usize {
        let size = frame_size(message.len());
        let (place, len) = self.0.peek_some(size);
        let count = most.min(len / size);
        for i in 0..count {
            // SAFETY: so many frames were peeked.
            unsafe { take(place.add(i * size), message) };
            really();
        }
        self.0.release(count * size);
        count
    }
}
