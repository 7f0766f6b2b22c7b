//! The park word: where a side sleeps, how it says so, and how it is woken. Why no wake-up is lost
//! is argued in the [module above](super), under *park*.

use super::Monitor;
use super::bell::Bell;
use crate::layout::{ARMED, PARKED, ParkWord};
use crate::sync::{Ordering, fence};
use crate::sys::{barrier, futex};

/// The sleeper's half: says that it is about to sleep until the other side's counter is `wanted`.
/// The heavy barrier and another look must follow.
pub(crate) fn announce(word: &ParkWord, wanted: u64) {
    announce_as(word, wanted, PARKED);
}

fn announce_as(word: &ParkWord, wanted: u64, how: u32) {
    word.wanted.store(wanted, Ordering::Relaxed);
    word.parked.store(how, Ordering::Release);
}

/// As [`announce`], by a side that will wait for the doorbell: the heavy barrier and another look must
/// follow here, too.
pub(crate) fn arm(word: &ParkWord, wanted: u64) {
    announce_as(word, wanted, ARMED);
}

/// Whether the word was armed for this amount, and nobody has rung since.
pub(crate) fn is_armed(word: &ParkWord, wanted: u64) -> bool {
    word.parked.load(Ordering::Relaxed) == ARMED && word.wanted.load(Ordering::Relaxed) == wanted
}

/// Whether the word is armed, for whatever amount.
pub(crate) fn is_armed_at_all(word: &ParkWord) -> bool {
    word.parked.load(Ordering::Relaxed) == ARMED
}

/// Takes back what [`arm`] has announced, and nothing else, and says whether there was anything. Any
/// thread may do so, on either side.
pub(crate) fn disarm(word: &ParkWord) -> bool {
    take(word, ARMED)
}

/// Clears the word if it is `state`, and says whether it was.
fn take(word: &ParkWord, state: u32) -> bool {
    word.parked.load(Ordering::Relaxed) == state
        && word.parked.compare_exchange(state, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// As [`announce`], by a sleeper that may have announced itself on this word already, for another
/// amount: the nearer one stands.
pub(crate) fn announce_nearer(word: &ParkWord, wanted: u64) {
    let earlier = word.wanted.load(Ordering::Relaxed);
    let is_announced = word.parked.load(Ordering::Relaxed) == PARKED;
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

/// Wakes whoever waits on `word`, if the counter has reached what it waits for.
pub(crate) fn wake_if_waiting(word: &ParkWord, counter: u64, fenced: u32, waker: &Monitor) {
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
    if counter.wrapping_sub(wanted).cast_signed() >= 0 && end_wait(word, &waker.bell) {
        waker.wakes.add();
    }
}

/// Wakes whoever waits on `word`, whatever for: after a store other than a counter's.
pub(crate) fn wake(word: &ParkWord, bell: &Bell) {
    fence(Ordering::SeqCst);
    if word.parked.load(Ordering::Relaxed) != 0 {
        end_wait(word, bell);
    }
}

/// Wakes whoever sleeps on `word` as a futex, whatever for. Who sleeps at the door is woken by its bell.
/// Async-signal-safe.
pub(crate) fn rouse(word: &ParkWord) {
    fence(Ordering::SeqCst);
    if take(word, PARKED) {
        futex::wake(&word.parked);
    }
}

/// False if nobody was waiting.
fn end_wait(word: &ParkWord, bell: &Bell) -> bool {
    match word.parked.swap(0, Ordering::AcqRel) {
        0 => return false,
        ARMED => bell.ring(),
        _ => futex::wake(&word.parked),
    }
    true
}
