//! Sleeping on a 32-bit word in shared memory.

use super::errno;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// `ns` nanoseconds as a `timespec`. Any `u64` fits.
pub(super) fn timespec(ns: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (ns / 1_000_000_000) as libc::time_t,
        tv_nsec: (ns % 1_000_000_000) as libc::c_long,
    }
}

/// Sleeps while `word` is `expected`, until woken, until `deadline` (monotonic, ns), or for no
/// reason: signals and spurious wake-ups return too, and the caller looks again.
///
/// The kernel compares the word and enqueues the sleeper as one step with respect to [`wake`]. So a
/// wake that follows a change of the word is never lost.
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: u64) {
    let until = timespec(deadline);
    // SAFETY: `word` is valid for the whole call and `until` too. The futex is a shared one (no
    // FUTEX_PRIVATE_FLAG), as the waker is in another process; BITSET makes the time absolute.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET,
            expected,
            &raw const until,
            std::ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
}

/// Wakes the one sleeper on `word`, if there is one.
pub(crate) fn wake(word: &AtomicU32) {
    // SAFETY: `word` is valid for the whole call; nothing else is passed by address.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}

/// The most words that the kernel sleeps on at once.
const MOST_WORDS: usize = 128;
/// The same number on every architecture. Older versions of `libc` don't have it everywhere.
const SYS_FUTEX_WAITV: libc::c_long = 449;
/// A word of 32 bits, shared between processes.
const FUTEX2_SIZE_U32: u32 = 2;

/// Whether the kernel, or a sandbox, has refused to sleep on several words.
static ONE_WORD_ONLY: AtomicBool = AtomicBool::new(false);

/// The kernel's `struct futex_waitv`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Word {
    expected: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

/// Several words to sleep on at once.
pub(crate) struct Words<'a> {
    /// The first `count` are there.
    words: [MaybeUninit<Word>; MOST_WORDS],
    count: usize,
    first: Option<&'a AtomicU32>,
}

impl<'a> Words<'a> {
    pub(crate) fn new() -> Self {
        let words = [MaybeUninit::uninit(); MOST_WORDS];
        Self { words, count: 0, first: None }
    }

    /// Adds a word. What is beyond the kernel's limit is left out.
    pub(crate) fn push(&mut self, word: &'a AtomicU32) {
        if let Some(place) = self.words.get_mut(self.count) {
            let address = word.as_ptr().expose_provenance() as u64;
            place.write(Word { expected: 0, address, flags: FUTEX2_SIZE_U32, reserved: 0 });
            self.first.get_or_insert(word);
            self.count += 1;
        }
    }

    /// Sleeps while all words are `expected`, until one is woken, until `deadline` (monotonic, ns),
    /// or for no reason, as [`wait`] does. Where the kernel does not sleep on several words, sleeps
    /// on the first, but no longer than until `soon`.
    pub(crate) fn wait(&mut self, expected: u32, deadline: u64, soon: u64) {
        let Some(first) = self.first else { return };
        if self.count == 1 {
            wait(first, expected, deadline);
        } else if !self.wait_on_all(expected, deadline) {
            wait(first, expected, deadline.min(soon));
        }
    }

    /// False if the kernel refuses.
    fn wait_on_all(&mut self, expected: u32, deadline: u64) -> bool {
        if ONE_WORD_ONLY.load(Ordering::Relaxed) {
            return false;
        }
        for word in &mut self.words[..self.count] {
            // SAFETY: `push` has written it.
            unsafe { word.assume_init_mut() }.expected = expected.into();
        }
        let until = timespec(deadline);
        // SAFETY: the words' descriptions and `until` are valid for the whole call, and so are the
        // words, which are borrowed. The time is absolute.
        let woken = unsafe {
            libc::syscall(
                SYS_FUTEX_WAITV,
                self.words.as_ptr(),
                self.count as libc::c_uint,
                0,
                &raw const until,
                libc::CLOCK_MONOTONIC,
            )
        };
        if woken >= 0 {
            return true;
        }
        match errno() {
            // A word has changed, the time is up, a signal.
            libc::EAGAIN | libc::ETIMEDOUT | libc::EINTR => true,
            // Kernels before 5.16, and sandboxes that don't know the call. Asked once.
            libc::ENOSYS | libc::EPERM => {
                ONE_WORD_ONLY.store(true, Ordering::Relaxed);
                false
            }
            _ => false,
        }
    }
}
