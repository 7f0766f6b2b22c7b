//! The receiver's half.
//!
//! The sender may be hostile, and can change what is in the ring at any time. A header is read once, and
//! what was read is checked before it is used: a frame is given only if all of it is there. Memory grows
//! with what has arrived, not with what a header announces.

use super::{Deadline, HEADER, Header, frame_size, is_aligned, pause};
use crate::cursor::Rx;
use crate::endpoint::Endpoint;
use crate::status::{Result, Status};

/// The most that a receiver assembles, unless it is told otherwise.
const MAX_MESSAGE: u64 = 64 << 20;

/// How many fragments a call takes before it looks whether its time is over. A ring holds a few large
/// ones. Only a flood of small ones, which no sender makes, comes to this number without a wait.
const FRAGMENTS: u32 = 64;

/// A message that was received: `len` bytes at `data`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    pub data: *const u8,
    pub len: usize,
    pub tag: u32,
}

/// How far the receiver has got with a message of several fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is none. Fragments that continue one are skipped, as their beginning is lost.
    Idle,
    /// The first fragments are there.
    Assembling,
    /// There was no memory for more. The fragment is still in the ring.
    Starved,
    /// It is there, and given until it is done.
    Given,
    /// It is too large. Every receive says so until it is given up.
    Refused,
}

/// What a handle knows of the messages that it receives.
#[derive(Debug)]
pub(crate) struct Receiver {
    state: State,
    tag: u32,
    /// The most bytes that are assembled.
    max: u64,
    /// What was assembled. Its memory is kept for the next message.
    assembled: Vec<u8>,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self { state: State::Idle, tag: 0, max: MAX_MESSAGE, assembled: Vec::new() }
    }

    /// Changes the most that is assembled, and frees memory that is more than that.
    pub(crate) fn set_max(&mut self, bytes: u64) {
        self.max = bytes;
        if self.state == State::Idle && self.assembled.capacity() as u64 > bytes {
            self.assembled = Vec::new();
        }
    }

    /// Forgets what was assembled: the role is given up, or was never this process's.
    /// Async-signal-safe: frees nothing.
    pub(crate) fn forget(&mut self) {
        self.state = State::Idle;
        self.assembled.clear();
    }

    /// The next message, if it is there and in one frame. Contains nothing that could panic.
    #[inline(always)]
    pub(crate) fn try_receive(&self, endpoint: &mut Endpoint<Rx>) -> Option<Given> {
        if self.state != State::Idle {
            return None;
        }
        let at = endpoint.try_reserve(HEADER)?;
        if !is_aligned(at) {
            return None;
        }
        // SAFETY: 8 bytes are granted there.
        let header = unsafe { Header::read(at) };
        if !header.is_whole() {
            return None;
        }
        endpoint.try_reserve(frame_size(header.len()))?;
        Some(in_place(at, header))
    }

    /// The next message, once it is there.
    pub(crate) fn receive(
        &mut self,
        endpoint: &mut Endpoint<Rx>,
        timeout_ns: u64,
    ) -> Result<Given> {
        match self.state {
            State::Given => return Ok(self.given()),
            State::Refused => return Err(Status::TooLarge.into()),
            State::Starved => self.state = State::Assembling,
            State::Idle | State::Assembling => {}
        }
        if let Some(given) = self.try_receive(endpoint) {
            return Ok(given);
        }
        let deadline = Deadline::after(timeout_ns);
        let mut fragments = 0_u32;
        loop {
            let (at, header) = match next_frame(endpoint, deadline.left()) {
                Ok(frame) => frame,
                Err(error) => {
                    self.end_with(error.status());
                    return Err(error);
                }
            };
            if header.is_whole() {
                self.forget();
                return Ok(in_place(at, header));
            }
            if self.take(at, header) {
                // Fails only in a forked child, which holds no role.
                let _ = endpoint.advance(frame_size(header.len()));
            } else {
                endpoint.drop_grant();
                return Err(Status::NoMemory.into());
            }
            match self.state {
                State::Given => return Ok(self.given()),
                State::Refused => return Err(Status::TooLarge.into()),
                _ => {}
            }
            fragments = fragments.wrapping_add(1);
            if fragments.is_multiple_of(FRAGMENTS) {
                pause(endpoint, deadline)?;
            }
        }
    }

    /// Takes a fragment, which is granted. False if there is no memory for it.
    fn take(&mut self, at: *const u8, header: Header) -> bool {
        if header.is_first() {
            // Whatever went before ends here, unfinished.
            self.forget();
            self.tag = header.tag;
        } else if self.state == State::Idle {
            return true;
        }
        let (have, len) = (self.assembled.len() as u64, header.len());
        if have + len > self.max {
            self.forget();
            self.state = State::Refused;
            return true;
        }
        if !self.make_room(len as usize) {
            self.state = State::Starved;
            return false;
        }
        // SAFETY: the fragment is granted, and there is room for it behind what is assembled. The
        // two can't overlap.
        unsafe {
            let end = self.assembled.as_mut_ptr().add(have as usize);
            at.add(HEADER as usize).copy_to_nonoverlapping(end, len as usize);
            self.assembled.set_len((have + len) as usize);
        }
        self.state = if header.is_last() { State::Given } else { State::Assembling };
        true
    }

    /// Makes room for `len` more bytes, which are within the limit. It doubles the room, up to the limit,
    /// so that not every fragment moves all the others.
    fn make_room(&mut self, len: usize) -> bool {
        let have = self.assembled.len();
        if self.assembled.capacity() - have >= len {
            return true;
        }
        let max = usize::try_from(self.max).unwrap_or(usize::MAX);
        let ample = have.saturating_mul(2).clamp(have + len, max.max(have + len));
        self.assembled.try_reserve_exact(ample - have).is_ok()
            || self.assembled.try_reserve_exact(len).is_ok()
    }

    fn given(&self) -> Given {
        let data = self.assembled.as_ptr();
        Given { data, len: self.assembled.len(), tag: self.tag }
    }

    /// Gives the message up, if this error says that no more fragments come.
    fn end_with(&mut self, status: Status) {
        if matches!(status, Status::Closed | Status::PeerDead) {
            self.forget();
        }
    }

    /// All messages that are there in one frame each, if there is at least one: calls `give` for at
    /// most `max` of them, and says how many. Contains nothing that could panic but `give`.
    #[inline(always)]
    pub(crate) fn try_receive_some(
        &self,
        endpoint: &mut Endpoint<Rx>,
        max: usize,
        mut give: impl FnMut(usize, Given),
    ) -> Option<usize> {
        if self.state != State::Idle || max == 0 {
            return None;
        }
        let (at, there) = endpoint.try_reserve_some(HEADER)?;
        let mut frames = Frames { at, left: there };
        let mut count = 0;
        while count < max
            && let Some(given) = frames.next()
        {
            give(count, given);
            count += 1;
        }
        endpoint.grant(there - frames.left);
        (count > 0).then_some(count)
    }

    /// The same, and waits for the first. One of several fragments is given alone.
    pub(crate) fn receive_some(
        &mut self,
        endpoint: &mut Endpoint<Rx>,
        max: usize,
        mut give: impl FnMut(usize, Given),
        timeout_ns: u64,
    ) -> Result<usize> {
        if max == 0 {
            return Ok(0);
        }
        let first = self.receive(endpoint, timeout_ns)?;
        if let Some(count) = self.try_receive_some(endpoint, max, &mut give) {
            return Ok(count);
        }
        give(0, first);
        Ok(1)
    }

    /// Consumes what was given last. The other side may have to be woken then. False if there is
    /// nothing to consume in the ring. Contains nothing that could panic.
    #[inline(always)]
    pub(crate) fn try_done(&self, endpoint: &mut Endpoint<Rx>) -> bool {
        self.state == State::Idle && endpoint.try_advance(endpoint.granted())
    }

    /// Gives up a message that was refused, or for which there was no memory.
    pub(crate) fn skip(&mut self, endpoint: &mut Endpoint<Rx>) -> Result<()> {
        match self.state {
            State::Refused | State::Starved => self.done(endpoint),
            _ => Err(Status::Misuse.into()),
        }
    }

    /// Consumes what was given last, or gives up what was refused.
    pub(crate) fn done(&mut self, endpoint: &mut Endpoint<Rx>) -> Result<()> {
        match self.state {
            State::Idle if endpoint.granted() > 0 => endpoint.advance(endpoint.granted()),
            State::Idle | State::Assembling => Err(Status::Misuse.into()),
            State::Given | State::Refused => {
                self.forget();
                Ok(())
            }
            State::Starved => {
                self.forget();
                self.assembled = Vec::new();
                Ok(())
            }
        }
    }
}

/// The messages of one frame each, in bytes that are granted. Each header is read once.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    pub at: *const u8,
    pub left: u64,
}

impl Frames {
    /// What is granted behind the first of `count` messages.
    pub(super) fn after(first: &Given, endpoint: &Endpoint<Rx>, count: usize) -> Self {
        let size = frame_size(first.len as u64);
        let at = first.data.wrapping_sub(HEADER as usize).wrapping_add(size as usize);
        // One that was assembled is given alone.
        let left = if count > 1 { endpoint.granted().saturating_sub(size) } else { 0 };
        Self { at, left }
    }
}

impl Iterator for Frames {
    type Item = Given;

    #[inline(always)]
    fn next(&mut self) -> Option<Given> {
        if self.left < HEADER || !is_aligned(self.at) {
            return None;
        }
        // SAFETY: 8 bytes are granted there.
        let header = unsafe { Header::read(self.at) };
        let size = frame_size(header.len());
        if !header.is_whole() || size > self.left {
            return None;
        }
        let given = in_place(self.at, header);
        // The granted bytes do not end before that.
        self.at = self.at.wrapping_add(size as usize);
        self.left -= size;
        Some(given)
    }
}

#[inline(always)]
fn in_place(at: *const u8, header: Header) -> Given {
    let data = at.wrapping_add(HEADER as usize);
    Given { data, len: header.len() as usize, tag: header.tag }
}

/// Waits for the next frame, and grants it.
fn next_frame(endpoint: &mut Endpoint<Rx>, timeout_ns: u64) -> Result<(*const u8, Header)> {
    let at = endpoint.reserve(HEADER, timeout_ns)?.cast_const();
    if is_aligned(at) {
        // SAFETY: 8 bytes are granted there.
        let header = unsafe { Header::read(at) };
        // A fragment carries something. Otherwise an endless message would never be too large.
        let good = header.is_whole() || header.len() > 0;
        if good && endpoint.try_reserve(frame_size(header.len())).is_some() {
            return Ok((at, header));
        }
    }
    endpoint.drop_grant();
    Err(Status::Corrupt.into())
}
