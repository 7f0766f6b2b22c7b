//! The park word: where a side sleeps, how it says so, and how it is woken. Why no wake-up is lost
//! is argued in the [module above](super), under *park*.

use super::Count;
use crate::layout::ParkWord;
use crate::sync::{Ordering, fence};
use crate::sys::{barrier, futex};

/// The sleeper's half: says that it is about to sleep until the other side's counter is `wanted`.
/// The heavy barrier and another look must follow.
pub(crate) fn announce(word: &ParkWord, wanted: u64) {
    word.wanted.store(wanted, Ordering::Relaxed);
    word.parked.store(1, Ordering::Release);
}

/// As [`announce`], by a sleeper that may have announced itself on this word already, for another
/// amount: the nearer one stands.
pub(crate) fn announce_nearer(word: &ParkWord, wanted: u64) {
    let earlier = word.wanted.load(Ordering::Relaxed);
    let is_announced = word.parked.load(Ordering::Relaxed) == 1;
    if !is_announced || wanted.wrapping_sub(earlier).cast_signed() < 0 {
        announce(word, wanted);
    }
}

/// Takes the announcement back. A waker that has seen it makes a system call for nobody, which does no
/// harm.
pub(crate) fn withdraw(word: &ParkWord) {
    word.parked.store(0, Ordering::Relaxed);
}

/// The waker's half, after the counter's Release store. True if [`wake_if_waiting`] must follow: there
/// may be a sleeper, or only a fence can tell (`fenced`).
#[inline(always)]
pub(crate) fn needs_wakeup(word: &ParkWord, fenced: u32) -> bool {
    // park: pairs with the heavy barrier in `Waiter::sleep`.
    barrier::light();
    word.parked.load(Ordering::Relaxed) | fenced != 0
}

/// Wakes the sleeper on `word`, if there is one and the counter has reached what it waits for.
pub(crate) fn wake_if_waiting(word: &ParkWord, counter: u64, fenced: u32, wakes: &Count) {
    if fenced != 0 {
        // The waker's own full barrier, as the kernel's does not reach it.
        fence(Ordering::SeqCst);
        if word.parked.load(Ordering::Relaxed) == 0 {
            return;
        }
    }
    // Pairs with the Release store of `parked` in `announce`: `wanted` is that sleep's.
    fence(Ordering::Acquire);
    let wanted = word.wanted.load(Ordering::Relaxed);
    if counter.wrapping_sub(wanted).cast_signed() >= 0 && end_sleep(word) {
        wakes.add();
    }
}

/// Wakes whoever sleeps on `word`, whatever it waits for: after a store other than a counter's.
/// Async-signal-safe.
pub(crate) fn wake(word: &ParkWord) {
    fence(Ordering::SeqCst);
    if word.parked.load(Ordering::Relaxed) != 0 {
        end_sleep(word);
    }
}

fn end_sleep(word: &ParkWord) -> bool {
    let sleeping = word.parked.swap(0, Ordering::AcqRel) != 0;
    if sleeping {
        futex::wake(&word.parked);
    }
    sleeping
}
