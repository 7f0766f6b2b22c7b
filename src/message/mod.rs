//! Messages: frames in the stream of bytes, written and read through a ring's two ends.
//!
//! ```text
//!     0        4        8                8 + length      rounded up to 8
//!     ├────────┼────────┼────────────────┼───────────────┤
//!     │ length │  tag   │    payload     │ zero padding  │
//!     │ flags  │        │                │               │
//!     └────────┴────────┴────────────────┴───────────────┘
//! ```
//!
//! The first word is the payload's length, with two flags above it. A message of more than half the
//! ring goes in several frames, its fragments. All but the last have [`MORE`], and all but the first
//! have [`CONTINUES`]. A frame is published whole or not at all, so whoever sees a header sees its whole
//! frame. If not, no sender wrote it. `docs/PROTOCOL.md` says more.

mod grant;
mod receive;
mod send;

pub use grant::{BatchIter, Message, MessageBatch, MessageGrant, Payload};
pub(crate) use receive::{Given, Receiver};
pub(crate) use send::{Outgoing, Sender};

use crate::cursor::Side;
use crate::endpoint::Endpoint;
use crate::status::{Result, Status};
use crate::sync::{AtomicU64, Ordering};
use crate::sys::clock;
use crate::wait::FOREVER;

/// Bytes of a frame before its payload.
const HEADER: u64 = 8;
/// Bits of the first word that hold the length.
const LENGTH: u32 = (1 << 30) - 1;
/// Another fragment of the same message follows.
const MORE: u32 = 1 << 30;
/// This fragment continues the message of the frame before it.
const CONTINUES: u32 = 1 << 31;

/// Bytes of a frame with a payload of `len` bytes, with header and padding. No length that fits a header
/// wraps.
#[inline(always)]
const fn frame_size(len: u64) -> u64 {
    (len + (HEADER + 7)) & !7
}

/// The largest payload that is sent in one frame.
const fn largest_frame(capacity: u64) -> u64 {
    let half = capacity / 2;
    // The last frame size that the length's bits allow is a multiple of 8 too.
    let most = (LENGTH as u64) & !7;
    if half < most { half } else { most }
}

/// The payload of every fragment but the last. With its header it is a quarter of the ring, so that a
/// sender fills one part while the receiver empties another.
const fn fragment(capacity: u64) -> u64 {
    let quarter = capacity / 4 - HEADER;
    let most = (LENGTH as u64) & !7;
    if quarter < most { quarter } else { most }
}

/// A frame's first 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    word: u32,
    tag: u32,
}

impl Header {
    #[inline(always)]
    fn new(len: u64, flags: u32, tag: u32) -> Self {
        Self { word: len as u32 | flags, tag }
    }

    /// Reads a header once. What was read is checked and used, and nothing is read again: the other
    /// process may change it at any time.
    ///
    /// # Safety
    /// `at` is aligned to 8, and 8 bytes are mapped there.
    #[inline(always)]
    unsafe fn read(at: *const u8) -> Self {
        // SAFETY: the caller's promise. Atomic, so that a race with the other process is a race of
        // values only.
        let both = unsafe { (*at.cast::<AtomicU64>()).load(Ordering::Relaxed) };
        let both = u64::from_le(both);
        Self { word: both as u32, tag: (both >> 32) as u32 }
    }

    /// # Safety
    /// As [`read`](Self::read).
    #[inline(always)]
    unsafe fn write(self, at: *mut u8) {
        let both = u64::from(self.word) | u64::from(self.tag) << 32;
        // SAFETY: the caller's promise.
        unsafe { (*at.cast::<AtomicU64>()).store(both.to_le(), Ordering::Relaxed) };
    }

    #[inline(always)]
    fn len(self) -> u64 {
        u64::from(self.word & LENGTH)
    }

    /// Whether this frame is a message of its own.
    #[inline(always)]
    fn is_whole(self) -> bool {
        self.word <= LENGTH
    }

    fn is_first(self) -> bool {
        self.word & CONTINUES == 0
    }

    fn is_last(self) -> bool {
        self.word & MORE == 0
    }
}

/// Whether a frame can begin here. In a stream of messages every frame begins at such a place. If not,
/// somebody has sent bytes, or the counters are wrong.
#[inline(always)]
fn is_aligned(at: *const u8) -> bool {
    at.addr() & 7 == 0
}

/// When a call that waits several times must be over.
#[derive(Clone, Copy)]
struct Deadline(u64);

impl Deadline {
    /// 0 is a deadline, too: that of a call that does not wait.
    fn after(timeout_ns: u64) -> Self {
        match timeout_ns {
            0 | FOREVER => Self(timeout_ns),
            _ => Self(clock::now().saturating_add(timeout_ns).min(FOREVER - 1)),
        }
    }

    /// The `timeout_ns` that is left.
    fn left(self) -> u64 {
        match self.0 {
            0 | FOREVER => self.0,
            at => at.saturating_sub(clock::now()),
        }
    }
}

/// Ends a call that goes on without having to wait, if somebody interrupts it or its time is over. A very
/// short wait tells.
fn pause<S: Side>(endpoint: &mut Endpoint<S>, deadline: Deadline) -> Result<()> {
    let left = deadline.left();
    if left == 0 {
        return Err(Status::Timeout.into());
    }
    let more = endpoint.room() + 1;
    if more > endpoint.capacity() {
        return Ok(());
    }
    match endpoint.wait(more, 1) {
        Err(error) if error.status() == Status::Interrupted => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_multiples_of_8() {
        for (len, size) in [(0, 8), (1, 16), (7, 16), (8, 16), (9, 24), (64, 72)] {
            assert_eq!(frame_size(len), size);
        }
        assert_eq!(frame_size(LENGTH.into()), (1 << 30) + 8);
    }

    #[test]
    fn four_fragments_fill_the_ring_and_one_frame_takes_little_more_than_half() {
        for bits in 12..40 {
            let capacity = 1 << bits;
            assert!(frame_size(largest_frame(capacity)) <= capacity / 2 + HEADER);
            assert!(largest_frame(capacity) <= LENGTH.into());
            assert!(fragment(capacity).is_multiple_of(8) && fragment(capacity) <= LENGTH.into());
            if bits < 32 {
                assert_eq!(4 * frame_size(fragment(capacity)), capacity);
            }
        }
    }

    #[test]
    fn a_header_is_little_endian() {
        let mut at = 0_u64;
        // SAFETY: a u64 is 8 aligned bytes.
        unsafe { Header::new(5, CONTINUES, 0x0403_0201).write((&raw mut at).cast()) };
        assert_eq!(at.to_ne_bytes(), [5, 0, 0, 0x80, 1, 2, 3, 4]);
        // SAFETY: as above.
        let read = unsafe { Header::read((&raw const at).cast()) };
        assert_eq!(
            (read.len(), read.is_first(), read.is_last(), read.tag),
            (5, false, true, 0x0403_0201)
        );
    }
}
