//! The operating system, as far as the waiting protocol uses it, for loom: time stands still, so
//! that nothing but a wake ends a sleep, and a lost one is a deadlock that loom reports.

use crate::sync::{AtomicU32, Ordering, fence};
use loom::sync::{Condvar, Mutex};
use std::cell::Cell;

thread_local! {
    // loom runs all threads of a model on the thread that started it.
    static BARRIERS: Cell<Barriers> = const { Cell::new(Barriers::BOTH) };
}

/// Which halves of the asymmetric barrier are there, so that a model can show that it needs both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Barriers {
    pub light: bool,
    pub heavy: bool,
}

impl Barriers {
    pub(crate) const BOTH: Self = Self { light: true, heavy: true };

    /// Holds for the models that this thread runs from now on.
    pub(crate) fn set(self) {
        BARRIERS.set(self);
    }
}

/// membarrier and its light half together act like a full fence on both sides.
pub(crate) mod barrier {
    use super::{BARRIERS, Ordering, fence};

    pub(crate) fn register() -> bool {
        true
    }

    pub(crate) fn light(_registered: bool) {
        if BARRIERS.get().light {
            fence(Ordering::SeqCst);
        }
    }

    pub(crate) fn heavy() -> bool {
        if BARRIERS.get().heavy {
            fence(Ordering::SeqCst);
        }
        true
    }
}

pub(crate) mod clock {
    pub(crate) fn now() -> u64 {
        0
    }

    pub(crate) fn now_coarse() -> u64 {
        0
    }
}

pub(crate) mod cpu {
    /// One CPU for all: then nobody spins, and loom need not run every number of rounds.
    pub(crate) fn only() -> Option<u32> {
        Some(0)
    }

    pub(crate) fn prefetch(_address: *const u8) {}
}

/// The kernel's queue of sleepers: comparing the word and joining the queue is one step.
#[derive(Default)]
struct Queue {
    sleepers: Mutex<Vec<(usize, u64)>>,
    changed: Condvar,
}

loom::lazy_static! {
    static ref QUEUE: Queue = Queue::default();
    static ref TICKETS: loom::sync::atomic::AtomicU64 = loom::sync::atomic::AtomicU64::new(0);
}

pub(crate) mod futex {
    use super::{AtomicU32, Ordering, QUEUE, TICKETS};
    use std::ptr;

    fn address(word: &AtomicU32) -> usize {
        ptr::from_ref(word).addr()
    }

    pub(crate) fn wait(word: &AtomicU32, expected: u32, _deadline: u64) {
        let mut sleepers = QUEUE.sleepers.lock().expect("loom");
        if word.load(Ordering::Relaxed) != expected {
            return;
        }
        let ticket = TICKETS.fetch_add(1, Ordering::Relaxed);
        sleepers.push((address(word), ticket));
        while sleepers.iter().any(|sleeper| sleeper.1 == ticket) {
            sleepers = QUEUE.changed.wait(sleepers).expect("loom");
        }
    }

    pub(crate) fn wake(word: &AtomicU32) {
        let mut sleepers = QUEUE.sleepers.lock().expect("loom");
        if let Some(at) = sleepers.iter().position(|sleeper| sleeper.0 == address(word)) {
            sleepers.remove(at);
            QUEUE.changed.notify_all();
        }
    }
}

pub(crate) fn process_id() -> u32 {
    1
}
