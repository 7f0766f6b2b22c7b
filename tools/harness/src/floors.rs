//! What the hardware and the kernel allow: the same exchanges with nothing but the memory
//! accesses or syscalls that can't be avoided. No flow control, no checks, no other side that
//! could be gone.

use crate::channel::{Channel, Receiver, Sender};
use crate::process::{Line, Shareable, Shared};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A cache line with the message and one with a flag, looked at in a tight loop. For a message at
/// a time, which goes into the next of `LINES` lines.
#[derive(Default)]
pub struct TwoLines<const LINES: usize>(Shared<TwoLinesArea<LINES>>);

#[repr(C)]
struct TwoLinesArea<const LINES: usize> {
    payload: Line<[UnsafeCell<[u8; 64]>; LINES]>,
    /// How many messages were sent.
    flag: Line<AtomicU64>,
}

// SAFETY: bytes in a cell and an atomic, for which 0 is valid.
unsafe impl<const LINES: usize> Shareable for TwoLinesArea<LINES> {}

/// A side of [`TwoLines`].
pub struct TwoLinesEnd<'a, const LINES: usize> {
    area: &'a TwoLinesArea<LINES>,
    turn: u64,
}

impl<const LINES: usize> TwoLinesEnd<'_, LINES> {
    fn line(&self) -> *mut u8 {
        self.area.payload.0[self.turn as usize % LINES].get().cast()
    }
}

impl<const LINES: usize> TwoLines<LINES> {
    fn end(&self) -> TwoLinesEnd<'_, LINES> {
        TwoLinesEnd { area: &self.0, turn: 0 }
    }

    /// An end that goes on where those before it stopped, to be opened before either side sends.
    pub fn resume(&self) -> TwoLinesEnd<'_, LINES> {
        TwoLinesEnd { area: &self.0, turn: self.0.flag.0.load(Ordering::Acquire) }
    }
}

impl<const LINES: usize> Channel for TwoLines<LINES> {
    type Tx<'a> = TwoLinesEnd<'a, LINES>;
    type Rx<'a> = TwoLinesEnd<'a, LINES>;

    fn sender(&self) -> TwoLinesEnd<'_, LINES> {
        self.end()
    }

    fn receiver(&self) -> TwoLinesEnd<'_, LINES> {
        self.end()
    }
}

impl<const LINES: usize> Sender for TwoLinesEnd<'_, LINES> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        assert!(message.len() <= 64);
        // SAFETY: fits; the receiver is not reading, as it has answered the message before.
        unsafe { copy(message.as_ptr(), self.line(), message.len()) };
        self.turn += 1;
        self.area.flag.0.store(self.turn, Ordering::Release);
    }
}

impl<const LINES: usize> Receiver for TwoLinesEnd<'_, LINES> {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        assert!(message.len() <= 64);
        let line = self.line();
        self.turn += 1;
        while self.area.flag.0.load(Ordering::Acquire) != self.turn {}
        // SAFETY: fits; the sender is not writing before it has the answer.
        unsafe { copy(line, message.as_mut_ptr(), message.len()) };
    }
}

/// # Safety
/// As `copy_nonoverlapping`.
#[inline(always)]
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { std::ptr::copy_nonoverlapping(from, to, len) };
}

/// Bytes of a block of [`Blocks`].
pub const BLOCK_SIZE: usize = 64 << 10;
const BLOCKS: usize = 4;

/// Large blocks, copied in whole and handed over with a flag each: as fast as bytes get from one
/// private buffer to another by way of shared memory.
#[derive(Default)]
pub struct Blocks(Shared<BlocksArea>);

#[repr(C)]
struct BlocksArea {
    /// Hand-overs of each block so far: odd when it is full.
    turns: [Line<AtomicU64>; BLOCKS],
    blocks: [Line<UnsafeCell<[u8; BLOCK_SIZE]>>; BLOCKS],
}

// SAFETY: bytes in cells and atomics, for which 0 is valid.
unsafe impl Shareable for BlocksArea {}

/// A side of [`Blocks`].
pub struct BlocksEnd<'a> {
    area: &'a BlocksArea,
    position: u64,
}

impl Channel for Blocks {
    type Tx<'a> = BlocksEnd<'a>;
    type Rx<'a> = BlocksEnd<'a>;

    fn sender(&self) -> BlocksEnd<'_> {
        BlocksEnd { area: &self.0, position: 0 }
    }

    fn receiver(&self) -> BlocksEnd<'_> {
        BlocksEnd { area: &self.0, position: 0 }
    }
}

impl Blocks {
    /// As [`TwoLines::resume`].
    pub fn resume(&self) -> BlocksEnd<'_> {
        let turns = self.0.turns.iter().map(|Line(turns)| turns.load(Ordering::Acquire));
        BlocksEnd { area: &self.0, position: turns.sum::<u64>() / 2 }
    }
}

impl BlocksEnd<'_> {
    /// Waits for the next block to be full, or not, and gives it to `body`.
    fn next(&mut self, full: u64, body: impl FnOnce(*mut u8)) {
        let (lap, at) = (self.position / BLOCKS as u64, self.position as usize % BLOCKS);
        let turn = 2 * lap + full;
        while self.area.turns[at].0.load(Ordering::Acquire) != turn {
            std::hint::spin_loop();
        }
        body(self.area.blocks[at].0.get().cast());
        self.area.turns[at].0.store(turn + 1, Ordering::Release);
        self.position += 1;
    }
}

impl Sender for BlocksEnd<'_> {
    fn send(&mut self, message: &[u8]) {
        assert!(message.len() <= BLOCK_SIZE);
        // SAFETY: fits; the block is the sender's until its turn is counted up.
        self.next(0, |block| unsafe { copy(message.as_ptr(), block, message.len()) });
    }
}

impl Receiver for BlocksEnd<'_> {
    fn receive(&mut self, message: &mut [u8]) {
        assert!(message.len() <= BLOCK_SIZE);
        // SAFETY: fits; the block is the receiver's until its turn is counted up.
        self.next(1, |block| unsafe { copy(block, message.as_mut_ptr(), message.len()) });
    }
}

/// A futex word, on which the receiver sleeps until the sender wakes it: no payload.
#[derive(Default)]
pub struct Futex(Shared<Line<AtomicU32>>);

// SAFETY: an atomic, for which 0 is valid.
unsafe impl Shareable for Line<AtomicU32> {}

impl Channel for Futex {
    type Tx<'a> = &'a AtomicU32;
    type Rx<'a> = &'a AtomicU32;

    fn sender(&self) -> &AtomicU32 {
        &self.0.0
    }

    fn receiver(&self) -> &AtomicU32 {
        &self.0.0
    }
}

impl Sender for &AtomicU32 {
    #[inline(always)]
    fn send(&mut self, _message: &[u8]) {
        self.store(1, Ordering::Release);
        // SAFETY: the word is mapped; a wake reads nothing else.
        unsafe { libc::syscall(libc::SYS_futex, self.as_ptr(), libc::FUTEX_WAKE, 1) };
    }
}

impl Receiver for &AtomicU32 {
    #[inline(always)]
    fn receive(&mut self, _message: &mut [u8]) {
        while self.load(Ordering::Acquire) == 0 {
            let forever = std::ptr::null::<libc::timespec>();
            // SAFETY: the word is mapped, and there is no timeout to read.
            unsafe { libc::syscall(libc::SYS_futex, self.as_ptr(), libc::FUTEX_WAIT, 0, forever) };
        }
        self.store(0, Ordering::Relaxed);
    }
}
