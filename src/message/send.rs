//! The sender's half.

use super::{
    CONTINUES, Deadline, HEADER, Header, MORE, fragment, frame_size, is_aligned, largest_frame,
};
use crate::cursor::Tx;
use crate::endpoint::Endpoint;
use crate::status::{Result, Status};

/// A message to send: `len` bytes at `data`, which may be NULL for none.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing {
    pub data: *const u8,
    pub len: usize,
    pub tag: u32,
}

impl Outgoing {
    /// Whether it can be sent at all.
    fn check(&self) -> Result<()> {
        let fits = isize::try_from(self.len).is_ok();
        if fits && (self.len == 0 || !self.data.is_null()) {
            Ok(())
        } else {
            Err(Status::InvalidArgument.into())
        }
    }
}

/// What a handle knows of the messages that it sends.
#[derive(Debug)]
pub(crate) struct Sender {
    /// The largest payload that is sent in one frame.
    largest: u64,
    /// The largest payload that the claim in place allows. Valid while bytes are granted.
    claimed: u64,
}

impl Sender {
    pub(crate) fn new(capacity: u64) -> Self {
        Self { largest: largest_frame(capacity), claimed: 0 }
    }

    /// Sends a message of one frame, if there is room for it now. The other side may have to be
    /// woken then. Contains nothing that could panic.
    #[inline(always)]
    pub(crate) fn try_send(&self, endpoint: &mut Endpoint<Tx>, message: Outgoing) -> bool {
        let Outgoing { data, len, .. } = message;
        if len as u64 > self.largest || (data.is_null() && len != 0) {
            return false;
        }
        let size = frame_size(len as u64);
        let Some(at) = endpoint.try_reserve(size) else { return false };
        if !is_aligned(at) {
            return false;
        }
        // SAFETY: `size` bytes are granted at `at`, which is aligned; the caller's message is
        // `len` bytes.
        unsafe { put(at, message, 0) };
        endpoint.try_advance(size)
    }

    /// Sends a message, and waits up to `timeout_ns` for room.
    pub(crate) fn send(
        &mut self,
        endpoint: &mut Endpoint<Tx>,
        message: Outgoing,
        timeout_ns: u64,
    ) -> Result<()> {
        message.check()?;
        if message.len as u64 <= self.largest {
            return send_frame(endpoint, message, 0, timeout_ns);
        }
        let capacity = endpoint.capacity();
        let whole = message.len as u64;
        let piece = fragment(capacity);
        if timeout_ns == 0 {
            // All of it or nothing: half a message is of no use to anybody.
            let (full, rest) = (whole / piece, whole % piece);
            let last = if rest == 0 { 0 } else { frame_size(rest) };
            let frames = full.saturating_mul(frame_size(piece)).saturating_add(last);
            endpoint.wait_for(frames.min(capacity), 0)?;
            if frames > capacity {
                return Err(Status::Timeout.into());
            }
        }
        let deadline = Deadline::after(timeout_ns);
        let mut sent = 0;
        while sent < whole {
            let len = piece.min(whole - sent);
            let first = if sent == 0 { 0 } else { CONTINUES };
            let last = if sent + len == whole { 0 } else { MORE };
            let data = message.data.wrapping_add(sent as usize);
            let part = Outgoing { data, len: len as usize, tag: message.tag };
            send_frame(endpoint, part, first | last, deadline.left())?;
            sent += len;
        }
        Ok(())
    }

    /// Sends as many of `count` messages as there is room for, with one publish, if there is room
    /// for the first, and says how many. The other side may have to be woken then. `None`, with nothing
    /// sent, if [`send_some`](Self::send_some) has to decide. Contains nothing that could panic.
    #[inline(always)]
    pub(crate) fn try_send_some(
        &self,
        endpoint: &mut Endpoint<Tx>,
        count: usize,
        message: impl Fn(usize) -> Outgoing,
    ) -> Option<usize> {
        if count == 0 || message(0).len as u64 > self.largest {
            return None;
        }
        let (at, room) = endpoint.try_reserve_some(frame_size(message(0).len as u64))?;
        self.put_some(endpoint, at, room, count, message)
    }

    /// The same, and waits for room for the first. One that takes several frames is sent alone.
    pub(crate) fn send_some(
        &mut self,
        endpoint: &mut Endpoint<Tx>,
        count: usize,
        message: impl Fn(usize) -> Outgoing,
        timeout_ns: u64,
    ) -> Result<usize> {
        if count == 0 {
            return Ok(0);
        }
        let first = message(0);
        first.check()?;
        if first.len as u64 > self.largest {
            self.send(endpoint, first, timeout_ns)?;
            return Ok(1);
        }
        let (at, room) = endpoint.reserve_some(frame_size(first.len as u64), timeout_ns)?;
        let sent = self.put_some(endpoint, at, room, count, &message);
        if sent.is_some() {
            endpoint.notify();
        }
        sent.ok_or_else(|| {
            let bad = if is_aligned(at) { Status::InvalidArgument } else { Status::Corrupt };
            bad.into()
        })
    }

    /// `None`, with nothing sent, if a frame can't begin here or a message can't be sent.
    #[inline(always)]
    fn put_some(
        &self,
        endpoint: &mut Endpoint<Tx>,
        at: *mut u8,
        room: u64,
        count: usize,
        message: impl Fn(usize) -> Outgoing,
    ) -> Option<usize> {
        let (mut used, mut sent) = (0, 0);
        let mut good = is_aligned(at);
        while good && sent < count {
            let next = message(sent);
            let len = next.len as u64;
            if len > self.largest || frame_size(len) > room - used {
                break;
            }
            if next.data.is_null() && len != 0 {
                good = false;
                break;
            }
            // SAFETY: `room` bytes are granted at `at`, and the frame ends before them; all frames
            // are multiples of 8 bytes. The message is `len` bytes.
            unsafe { put(at.add(used as usize), next, 0) };
            used += frame_size(len);
            sent += 1;
        }
        let done = good && endpoint.try_advance(used);
        endpoint.drop_grant();
        done.then_some(sent)
    }

    /// Waits for room for a message of up to `max_len` bytes, and grants its payload.
    #[inline(always)]
    pub(crate) fn claim(
        &mut self,
        endpoint: &mut Endpoint<Tx>,
        max_len: usize,
        timeout_ns: u64,
    ) -> Result<*mut u8> {
        if max_len as u64 > self.largest {
            return Err(Status::TooLarge.into());
        }
        let at = endpoint.reserve(frame_size(max_len as u64), timeout_ns)?;
        if !is_aligned(at) {
            endpoint.drop_grant();
            return Err(Status::Corrupt.into());
        }
        self.claimed = max_len as u64;
        // SAFETY: a frame is granted there, and has a header.
        Ok(unsafe { at.add(HEADER as usize) })
    }

    /// The same, if there is room now. Contains nothing that could panic.
    #[inline(always)]
    pub(crate) fn try_claim(
        &mut self,
        endpoint: &mut Endpoint<Tx>,
        max_len: usize,
    ) -> Option<*mut u8> {
        if max_len as u64 > self.largest {
            return None;
        }
        let at = endpoint.try_reserve(frame_size(max_len as u64))?;
        if !is_aligned(at) {
            return None;
        }
        self.claimed = max_len as u64;
        Some(at.wrapping_add(HEADER as usize))
    }

    /// Publishes the first `len` bytes of the claimed payload as a message. The other side may have to
    /// be woken then. False if fewer bytes were claimed: then nothing was sent. Contains nothing that
    /// could panic.
    #[inline(always)]
    pub(crate) fn try_publish(
        &mut self,
        endpoint: &mut Endpoint<Tx>,
        tag: u32,
        len: usize,
    ) -> bool {
        let len = len as u64;
        if len > self.claimed || frame_size(len) > endpoint.granted() {
            return false;
        }
        let at = endpoint.here();
        if !is_aligned(at) {
            return false;
        }
        let size = frame_size(len);
        // SAFETY: at least `size` bytes are granted there, and aligned.
        unsafe {
            at.add((HEADER + len) as usize).write_bytes(0, (size - HEADER - len) as usize);
            Header::new(len, 0, tag).write(at);
        }
        let done = endpoint.try_advance(size);
        endpoint.drop_grant();
        done
    }

    /// As [`try_publish`](Self::try_publish), and wakes the other side.
    pub(crate) fn publish(
        &mut self,
        endpoint: &mut Endpoint<Tx>,
        tag: u32,
        len: usize,
    ) -> Result<()> {
        if !self.try_publish(endpoint, tag, len) {
            return Err(Status::Misuse.into());
        }
        endpoint.notify();
        Ok(())
    }
}

fn send_frame(
    endpoint: &mut Endpoint<Tx>,
    message: Outgoing,
    flags: u32,
    timeout_ns: u64,
) -> Result<()> {
    let size = frame_size(message.len as u64);
    let at = endpoint.reserve(size, timeout_ns)?;
    if !is_aligned(at) {
        endpoint.drop_grant();
        return Err(Status::Corrupt.into());
    }
    // SAFETY: `size` bytes are granted there.
    unsafe { put(at, message, flags) };
    endpoint.advance(size)
}

/// Writes a frame.
///
/// # Safety
/// `at` is aligned to 8, and the frame's size is granted there. The message is `len` bytes at its
/// `data`, none of them granted.
#[inline(always)]
unsafe fn put(at: *mut u8, message: Outgoing, flags: u32) {
    let Outgoing { data, len, tag } = message;
    // SAFETY: the caller's promise.
    unsafe {
        if len & 7 != 0 {
            // The padding, and some bytes that the payload overwrites next.
            at.add(HEADER as usize + (len & !7)).cast::<u64>().write(0);
        }
        Header::new(len as u64, flags, tag).write(at);
        data.copy_to_nonoverlapping(at.add(HEADER as usize), len);
    }
}
