//! The doorbell of a connection: the socket on which the two processes wake each other where one of them
//! waits for a descriptor, be it in an event loop or in a call here. Its use of memory ordering is
//! argued in the [module above](super), under *doorbell*.

use super::{FOREVER, park};
use crate::layout::ParkWord;
use crate::status::{Result, Status};
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::sys::bell::{self as line, Kick};
use crate::sys::futex;
use std::sync::{Arc, OnceLock};

/// In place of the number of doorbells: more came than a peer has cause to send.
const FLOODED: u64 = u64::MAX;

/// One process's end of the socket, which belongs to the connection and stays open for as long as this
/// is used.
#[derive(Debug)]
pub(crate) struct Door {
    socket: i32,
    /// Ends a sleep at the door, from this process.
    kick: Kick,
    /// Not 0 in a forked child, whose parent's it is.
    foreign: AtomicU32,
    /// Not 0 once the peer's end was seen closed.
    over: AtomicU32,
    /// How often either side was armed: the peer has no cause to ring more often.
    expected: AtomicU64,
    /// Doorbells that were read.
    rung: AtomicU64,
    /// Not 0 while a thread sleeps at the door. Another one sleeps on its futex.
    taken: AtomicU32,
    /// Not 0 once an event loop waits here. From then on nobody else reads what is rung.
    looped: AtomicU32,
}

impl Door {
    pub(crate) fn new(socket: i32, kick: Kick) -> Self {
        Self {
            socket,
            kick,
            foreign: AtomicU32::default(),
            over: AtomicU32::default(),
            expected: AtomicU64::default(),
            rung: AtomicU64::default(),
            taken: AtomicU32::default(),
            looped: AtomicU32::default(),
        }
    }

    /// An event loop is about to be armed: waits in calls sleep on their futexes from now on. One that
    /// sleeps here is sent away first.
    fn begin_loop(&self) {
        if self.looped.load(Ordering::Relaxed) == 0 {
            self.looped.store(1, Ordering::Relaxed);
            // Pairs with the fence in `enter`: of the two stores, one is seen by the load after the other.
            fence(Ordering::SeqCst);
            // Acquire: who was there has read what it read.
            while self.taken.load(Ordering::Acquire) != 0 {
                self.kick.raise();
                futex::wait(&self.taken, 1, FOREVER);
            }
        }
    }

    /// What an event loop does before it is armed.
    pub(crate) fn drain_for_loop(&self) -> Result<()> {
        self.begin_loop();
        self.drain()
    }

    /// Reads the doorbells that have come, and notes the end of the connection. More than there is cause
    /// for is `Corrupt`, now and ever after: so a peer that floods the socket keeps nobody busy.
    fn drain(&self) -> Result<()> {
        let mut all = false;
        while self.rung.load(Ordering::Relaxed) <= self.expected.load(Ordering::Relaxed) {
            if all {
                return Ok(());
            }
            match line::drain(self.socket) {
                Ok(n) => {
                    self.rung.fetch_add(n, Ordering::Relaxed);
                    // What comes now makes the descriptor readable anew.
                    all = n < line::MOST;
                }
                Err(error) if error.status() == Status::Closed => {
                    self.over.store(1, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.rung.store(FLOODED, Ordering::Relaxed);
        Err(Status::Corrupt.into())
    }
}

/// A side's view of the door, if its ring belongs to a connection.
#[derive(Debug, Default)]
pub(crate) struct Bell(OnceLock<Arc<Door>>);

impl Bell {
    /// From now on, wakes go by this door.
    pub(crate) fn install(&self, door: Arc<Door>) {
        // A second one would be a mistake, and change nothing.
        let _ = self.0.set(door);
    }

    /// Whether the ring belongs to a connection.
    pub(crate) fn is_there(&self) -> bool {
        self.0.get().is_some()
    }

    /// The door, but for a forked child.
    fn own(&self) -> Option<&Door> {
        self.0.get().map(|door| &**door).filter(|door| door.foreign.load(Ordering::Relaxed) == 0)
    }

    /// Makes the peer's descriptor readable.
    pub(crate) fn ring(&self) {
        if let Some(door) = self.own() {
            line::ring(door.socket);
        }
    }

    /// The peer may ring once more.
    pub(crate) fn expect(&self) {
        if let Some(door) = self.own() {
            door.expected.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the peer's end was seen closed.
    pub(crate) fn is_over(&self) -> bool {
        self.0.get().is_some_and(|door| door.over.load(Ordering::Relaxed) != 0)
    }

    /// Looks whether the peer's end is closed. Makes a system call if there is a socket.
    pub(crate) fn has_hung_up(&self) -> bool {
        if let Some(door) = self.own()
            && door.over.load(Ordering::Relaxed) == 0
            && line::has_hung_up(door.socket)
        {
            door.over.store(1, Ordering::Relaxed);
        }
        self.is_over()
    }

    /// In a forked child: the connection is the parent's. Gives the socket, the first time.
    pub(crate) fn disconnect(&self) -> Option<i32> {
        let door = self.own()?;
        door.foreign.store(1, Ordering::Relaxed);
        door.over.store(1, Ordering::Relaxed);
        Some(door.socket)
    }

    /// A place to sleep at the door, if nobody is there and no event loop uses it. Otherwise the side sleeps on its futex.
    pub(crate) fn enter(&self) -> Option<Place<'_>> {
        let door = self.own()?;
        // Acquire: the last sleeper has read what it read.
        let free = door.taken.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        let place = free.then(|| Place { door })?;
        // Pairs with the fence in `begin_loop`.
        fence(Ordering::SeqCst);
        (door.looped.load(Ordering::Relaxed) == 0).then_some(place)
    }

    /// Ends the sleep of this process's own side, whatever for: after a fence.
    pub(crate) fn rouse_own(&self, own: &ParkWord) {
        if park::is_armed_at_all(own)
            && let Some(door) = self.own()
        {
            door.kick.raise();
        }
    }

    /// Ends the sleep of the peer's side, whatever for: after a fence.
    pub(crate) fn rouse_peer(&self, peer: &ParkWord) {
        if self.own().is_some() && park::disarm(peer) {
            self.ring();
        }
    }
}

/// A thread's place at the door.
pub(crate) struct Place<'a> {
    door: &'a Door,
}

impl Place<'_> {
    /// Sleeps until somebody rings or kicks, the peer is gone, or it is `deadline`.
    pub(crate) fn sleep(&self, deadline: u64) -> Result<()> {
        line::sleep(self.door.socket, &self.door.kick, deadline);
        let before = self.door.rung.load(Ordering::Relaxed);
        self.door.drain()?;
        if self.door.rung.load(Ordering::Relaxed) == before {
            // It may have been a kick. One that came along with a doorbell ends the next sleep, for
            // nothing.
            self.door.kick.take();
        }
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.door.taken.store(0, Ordering::Release);
        // As in `enter`: an event loop may wait for this.
        fence(Ordering::SeqCst);
        if self.door.looped.load(Ordering::Relaxed) != 0 {
            futex::wake(&self.door.taken);
        }
    }
}
