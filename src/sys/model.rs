//! The operating system, as far as the waiting protocol uses it, for loom. Time stands still, so that
//! only a wake ends a sleep, and a lost wake is a deadlock that loom reports.

use crate::sync::{AtomicU32, Ordering, fence};
use loom::sync::{Condvar, Mutex};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

thread_local! {
    // loom runs all threads of a model on the thread that started it.
    static BARRIERS: Cell<Barriers> = const { Cell::new(Barriers::BOTH) };
    static SLEEPS: Cell<u64> = const { Cell::new(0) };
}

/// Which halves of the asymmetric barrier exist, so that a model can show that it needs both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Barriers {
    pub light: bool,
    pub heavy: bool,
    /// Whether the waker may rely on the light half. If not, it fences by itself.
    pub registered: bool,
}

impl Barriers {
    pub(crate) const BOTH: Self = Self { light: true, heavy: true, registered: true };

    /// Holds for the models that this thread runs from now on.
    pub(crate) fn set(self) {
        BARRIERS.set(self);
    }
}

/// Sleeps in all models that this thread has run, so that a model can show that it gets there.
pub(crate) fn sleeps() -> u64 {
    SLEEPS.get()
}

/// To be called at the start of every model, before it has threads. Otherwise, whoever made the queues
/// would be ordered before all others, which the kernel does not promise.
pub(crate) fn boot() {
    assert!(QUEUES.lock().is_ok_and(|queues| queues.is_empty()), "loom forgets them by itself");
}

/// membarrier and its light half together act like a full fence on both sides.
pub(crate) mod barrier {
    use super::{BARRIERS, Ordering, fence};

    pub(crate) fn register() -> bool {
        BARRIERS.get().registered
    }

    pub(crate) fn light() {
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

/// Sockets, by their numbers: how many bytes each peer has sent, and somebody who waits for one.
pub(crate) mod bell {
    use super::{Arc, PoisonError, SLEEPS};
    use crate::status::Result;
    use loom::sync::{Condvar, Mutex};
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Line {
        inbox: Mutex<Inbox>,
        changed: Condvar,
    }

    #[derive(Default)]
    struct Inbox {
        bytes: u32,
        kicked: bool,
    }

    loom::lazy_static! {
        // The map's lock is not loom's, as in the futex.
        static ref LINES: std::sync::Mutex<BTreeMap<i32, Arc<Line>>> = Default::default();
    }

    fn line(socket: i32) -> Arc<Line> {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lines.entry(socket).or_default())
    }

    /// The other end of a socket: of 1 it is 2, of 3 it is 4.
    fn peer(socket: i32) -> i32 {
        if socket % 2 == 0 { socket - 1 } else { socket + 1 }
    }

    pub(crate) fn ring(socket: i32) {
        let line = line(peer(socket));
        line.inbox.lock().expect("loom").bytes += 1;
        line.changed.notify_all();
    }

    pub(crate) fn has_hung_up(_socket: i32) -> bool {
        false
    }

    pub(crate) const MOST: u64 = 64;

    /// Reads all bytes that are there.
    pub(crate) fn drain(socket: i32) -> Result<u64> {
        Ok(std::mem::take(&mut line(socket).inbox.lock().expect("loom").bytes).into())
    }

    #[derive(Debug)]
    pub(crate) struct Kick(i32);

    impl Kick {
        pub(crate) fn new(socket: i32) -> Result<Self> {
            Ok(Self(socket))
        }

        pub(crate) fn raise(&self) {
            let line = line(self.0);
            line.inbox.lock().expect("loom").kicked = true;
            line.changed.notify_all();
        }

        pub(crate) fn take(&self) {
            line(self.0).inbox.lock().expect("loom").kicked = false;
        }
    }

    /// What `epoll` does for a side that is armed: waits for a byte.
    pub(crate) fn poll(socket: i32) {
        let line = line(socket);
        let mut inbox = line.inbox.lock().expect("loom");
        SLEEPS.set(SLEEPS.get() + 1);
        while inbox.bytes == 0 {
            inbox = line.changed.wait(inbox).expect("loom");
        }
    }

    pub(crate) fn sleep(socket: i32, _kick: &Kick, _deadline: u64) {
        let line = line(socket);
        let mut inbox = line.inbox.lock().expect("loom");
        SLEEPS.set(SLEEPS.get() + 1);
        while inbox.bytes == 0 && !inbox.kicked {
            inbox = line.changed.wait(inbox).expect("loom");
        }
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
    /// One CPU for all: then nobody spins, and loom need not try every number of rounds.
    pub(crate) fn only() -> Option<u32> {
        Some(0)
    }

    pub(crate) fn prefetch(_address: *const u8) {}

    pub(crate) fn zero_after(_value: u64) -> usize {
        0
    }
}

/// The kernel's queue for one word. A side has one thread, and so a word has one sleeper.
#[derive(Default)]
struct Queue {
    sleeper: Mutex<Sleeper>,
    woken: Condvar,
}

/// Who sleeps on one word.
#[derive(Default)]
enum Sleeper {
    #[default]
    None,
    /// On this word alone.
    Here,
    /// On several words.
    There(Arc<Bell>),
}

/// Where the sleeper on several words sleeps.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    woken: Condvar,
}

loom::lazy_static! {
    // By the word's address. Each has its own lock, as a common one would order what the kernel does
    // not. The map's lock is not loom's, for the same reason.
    static ref QUEUES: std::sync::Mutex<BTreeMap<usize, Arc<Queue>>> = Default::default();
}

pub(crate) mod futex {
    use super::{Arc, AtomicU32, Bell, Ordering, PoisonError, QUEUES, Queue, SLEEPS, Sleeper};
    use std::ptr;

    fn queue(word: &AtomicU32) -> Arc<Queue> {
        let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(queues.entry(ptr::from_ref(word).addr()).or_default())
    }

    /// Joins the queue, if the word is what is expected: one step with respect to wakes. The load is
    /// no stronger than the kernel's: it sees what was stored before the last wake, no more.
    fn joins(sleeper: &mut Sleeper, word: &AtomicU32, expected: u32, who: Sleeper) -> bool {
        let joins = word.load(Ordering::Relaxed) == expected;
        if joins {
            assert!(matches!(sleeper, Sleeper::None), "a word has one sleeper");
            *sleeper = who;
        }
        joins
    }

    pub(crate) fn wait(word: &AtomicU32, expected: u32, _deadline: u64) {
        let queue = queue(word);
        let mut sleeper = queue.sleeper.lock().expect("loom");
        if !joins(&mut sleeper, word, expected, Sleeper::Here) {
            return;
        }
        SLEEPS.set(SLEEPS.get() + 1);
        while matches!(*sleeper, Sleeper::Here) {
            sleeper = queue.woken.wait(sleeper).expect("loom");
        }
    }

    pub(crate) fn wake(word: &AtomicU32) {
        let queue = queue(word);
        let mut sleeper = queue.sleeper.lock().expect("loom");
        match std::mem::take(&mut *sleeper) {
            Sleeper::None => {}
            Sleeper::Here => queue.woken.notify_one(),
            Sleeper::There(bell) => {
                *bell.rung.lock().expect("loom") = true;
                bell.woken.notify_one();
            }
        }
    }

    /// Several words, of which the kernel enqueues the sleeper one after the other.
    pub(crate) struct Words<'a>(Vec<&'a AtomicU32>);

    impl<'a> Words<'a> {
        pub(crate) fn new() -> Self {
            Self(Vec::new())
        }

        pub(crate) fn push(&mut self, word: &'a AtomicU32) {
            self.0.push(word);
        }

        pub(crate) fn wait(&mut self, expected: u32, _deadline: u64, _soon: u64) {
            let bell = Arc::new(Bell::default());
            let queues: Vec<_> = self.0.iter().map(|word| queue(word)).collect();
            let joined = |at: usize| {
                let mut sleeper = queues[at].sleeper.lock().expect("loom");
                joins(&mut sleeper, self.0[at], expected, Sleeper::There(Arc::clone(&bell)))
            };
            if (0..queues.len()).all(joined) {
                SLEEPS.set(SLEEPS.get() + 1);
                let mut rung = bell.rung.lock().expect("loom");
                while !*rung {
                    rung = bell.woken.wait(rung).expect("loom");
                }
            }
            for queue in queues {
                *queue.sleeper.lock().expect("loom") = Sleeper::None;
            }
        }
    }
}

pub(crate) fn process_id() -> u32 {
    1
}
