//! A process that publishes, sends a message, or releases, is killed after each single instruction of that function,
//! while the other side sleeps or polls. Whatever the instant, either nothing was handed over or
//! all of it. The other side gets it without help, and whoever takes the role over goes on.

use crate::Options;
use crate::inline::{Way, inline_publish, inline_release};
use crate::process::{Child, Shared};
use crate::ring::*;
use crate::stream::Stream;
use crate::trace::{Tracee, checkpoint};
use spsc_shm::ffi::{SPSC_WAIT_FOREVER, spsc_publish, spsc_release, spsc_send};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};
use support::until;

const CAPACITY: u64 = 4096;
const MESSAGE: u64 = 256;
/// Bytes in a frame of so many.
const PAYLOAD: usize = MESSAGE as usize - 8;

/// Whose function is stepped through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stepped {
    Publish,
    Release,
    /// With messages whose frames are as long as the others' messages.
    Send,
}

struct Scenario {
    stepped: Stepped,
    way: Way,
    peer_sleeps: bool,
    name: Name,
    ring: Ring,
    stream: Stream,
    /// How often the peer has looked.
    looks: Shared<AtomicU64>,
}

pub fn run(options: &Options) {
    // Every instruction in the build that is shipped, and some in a build with longer functions.
    let stride = options.get("stride", if cfg!(debug_assertions) { 17 } else { 1 });
    for stepped in [Stepped::Publish, Stepped::Release, Stepped::Send] {
        let sends = stepped == Stepped::Send;
        for way in if sends { &[Way::Functions][..] } else { &[Way::Functions, Way::Inline] } {
            for peer_sleeps in [true, false] {
                let name = Name::unique();
                let ring = Ring::create(&name, CAPACITY as usize, &sleepy()).unwrap();
                let stream = Stream::uniform(if sends { PAYLOAD } else { MESSAGE as usize });
                let looks = Shared::new();
                Scenario { stepped, way: *way, peer_sleeps, name, ring, stream, looks }.run(stride);
            }
        }
    }
}

impl Scenario {
    fn run(&self, stride: u64) {
        let mut peer = Child::fork(|| match self.stepped {
            Stepped::Publish | Stepped::Send => self.consume_for_ever(),
            Stepped::Release => self.produce_for_ever(),
        });
        let (mut instructions, mut handed_over, mut longest) = (0, 0, Duration::ZERO);
        while let Some(moved) = self.trial(&mut peer, instructions) {
            if let Some(time) = moved {
                handed_over += 1;
                longest = longest.max(time);
            }
            instructions += stride;
        }
        assert!(handed_over > 0, "the counter's store was never passed");
        println!(
            "steps: {:?}, {:?}, the peer {}: killed at {} instants up to instruction {instructions}, \
             {handed_over} of them after the hand-over, seen at most {} ms later",
            self.stepped,
            self.way,
            if self.peer_sleeps { "sleeps" } else { "polls" },
            instructions / stride,
            longest.as_millis(),
        );
    }

    fn timeout(&self) -> u64 {
        if self.peer_sleeps { SPSC_WAIT_FOREVER } else { 0 }
    }

    fn looked(&self, status: spsc_status) -> bool {
        self.looks.fetch_add(1, SeqCst);
        assert!(
            matches!(status, SPSC_OK | SPSC_TIMEOUT | SPSC_PEER_DEAD | SPSC_CLOSED),
            "the peer got {status:?}"
        );
        status == SPSC_OK
    }

    fn consume_for_ever(&self) {
        let ring = Ring::connect(&self.name).unwrap();
        loop {
            self.consume_one(&ring, self.timeout());
        }
    }

    fn produce_for_ever(&self) {
        let ring = Ring::connect(&self.name).unwrap();
        loop {
            self.produce_one(&ring, self.timeout());
        }
    }

    fn consume_one(&self, ring: &Ring, timeout_ns: u64) {
        if self.stepped == Stepped::Send {
            let number = ring.stats().released / MESSAGE;
            let status = ring.receive(timeout_ns, |tag, message| {
                assert_eq!((tag, message.len()), (number as u32, PAYLOAD), "torn: a header");
                self.stream.check(number, message);
            });
            if self.looked(status) {
                assert_eq!(ring.receive_done(), SPSC_OK);
            }
        } else if self.peek(ring, timeout_ns) {
            assert_eq!(ring.release(MESSAGE as usize), SPSC_OK);
        }
    }

    /// The next message, with its tag.
    fn next_message(&self, ring: &Ring) -> (u32, [u8; PAYLOAD]) {
        let number = ring.stats().published / MESSAGE;
        let mut message = [0; PAYLOAD];
        self.stream.write(number, &mut message);
        (number as u32, message)
    }

    fn produce_one(&self, ring: &Ring, timeout_ns: u64) {
        if self.claim(ring, timeout_ns) {
            assert_eq!(ring.publish(MESSAGE as usize), SPSC_OK);
        }
    }

    /// Peeks the next message and checks it.
    fn peek(&self, ring: &Ring, timeout_ns: u64) -> bool {
        let mut data = std::ptr::null();
        let there = self.looked(ring.peek(MESSAGE as usize, timeout_ns, &mut data));
        if there {
            // SAFETY: so much is peeked.
            let message = unsafe { std::slice::from_raw_parts(data, MESSAGE as usize) };
            self.stream.check(self.stream.number_at(ring.stats().released), message);
        }
        there
    }

    /// Claims room for the next message and writes it.
    fn claim(&self, ring: &Ring, timeout_ns: u64) -> bool {
        let mut data = std::ptr::null_mut();
        let there = self.looked(ring.claim(MESSAGE as usize, timeout_ns, &mut data));
        if there {
            // SAFETY: so much is claimed.
            let message = unsafe { std::slice::from_raw_parts_mut(data, MESSAGE as usize) };
            self.stream.write(self.stream.number_at(ring.stats().published), message);
        }
        there
    }

    /// Where the stepped side stands.
    fn position(&self) -> u64 {
        let stats = self.ring.stats();
        match self.stepped {
            Stepped::Publish | Stepped::Send => stats.published,
            Stepped::Release => stats.released,
        }
    }

    /// Waits until the peer has gone as far as it can: to an empty ring, or to a full one.
    fn await_answer(&self, peer: &mut Child) {
        let bytes = match self.stepped {
            Stepped::Publish | Stepped::Send => 0,
            Stepped::Release => CAPACITY,
        };
        until("the peer gets what was handed over", || {
            peer.assert_alive("peer");
            self.ring.available() == bytes
        });
    }

    /// Waits until the peer waits, in its way.
    fn await_wait(&self, peer: &mut Child) {
        let looks = self.looks.load(SeqCst);
        until("the peer waits", || {
            peer.assert_alive("peer");
            if !self.peer_sleeps {
                return self.looks.load(SeqCst) > looks + 1;
            }
            let stats = self.ring.stats();
            let parked = match self.stepped {
                Stepped::Publish | Stepped::Send => stats.consumer.parked,
                Stepped::Release => stats.producer.parked,
            };
            parked != 0 && peer.sleeps()
        });
    }

    /// Kills a process that hands a message over, after so many instructions. `None` if there are no more
    /// than that. Otherwise, if the message was handed over, how long the peer took to see it.
    fn trial(&self, peer: &mut Child, instructions: u64) -> Option<Option<Duration>> {
        self.await_answer(peer);
        let before = self.position();
        let mut tracee = Tracee::start(|| {
            let ring = Ring::connect(&self.name).unwrap();
            assert!(match self.stepped {
                Stepped::Publish => self.claim(&ring, SPSC_WAIT_FOREVER),
                Stepped::Release => self.peek(&ring, SPSC_WAIT_FOREVER),
                // Takes the role.
                Stepped::Send => ring.wait_for_space(MESSAGE as usize, 0) == SPSC_OK,
            });
            ring.go(self.way, 0);
            // Before the checkpoint: what comes after it is stepped through.
            let message = (self.stepped == Stepped::Send).then(|| self.next_message(&ring));
            checkpoint();
            let status = match self.stepped {
                Stepped::Publish => ring.publish(MESSAGE as usize),
                Stepped::Release => ring.release(MESSAGE as usize),
                Stepped::Send => {
                    let (tag, message) = message.as_ref().expect("it is prepared");
                    ring.send(*tag, message, SPSC_WAIT_FOREVER)
                }
            };
            assert_eq!(status, SPSC_OK);
            checkpoint();
        });
        self.await_wait(peer);
        let entry = match (self.stepped, self.way) {
            (Stepped::Publish, Way::Functions) => spsc_publish as *const () as u64,
            (Stepped::Release, Way::Functions) => spsc_release as *const () as u64,
            (Stepped::Send, _) => spsc_send as *const () as u64,
            (Stepped::Publish, _) => inline_publish as *const () as u64,
            (Stepped::Release, _) => inline_release as *const () as u64,
        };
        while tracee.registers().rip != entry {
            tracee.step();
        }
        let stack = tracee.registers().rsp;
        let caller = tracee.peek(stack);
        let mut returned = false;
        for _ in 0..instructions {
            tracee.step();
            let now = tracee.registers();
            returned = now.rip == caller && now.rsp == stack + 8;
            if returned {
                break;
            }
        }
        tracee.kill();
        let died = Instant::now();

        let handed_over = match self.position() - before {
            0 => false,
            MESSAGE => true,
            other => panic!("{other} bytes were handed over"),
        };
        assert!(handed_over || !returned, "returned without doing it");
        self.await_answer(peer);
        let seen = handed_over.then(|| died.elapsed());

        // The next one in the role finds the stream where it stands.
        let ring = Ring::connect(&self.name).unwrap();
        match self.stepped {
            Stepped::Publish => self.produce_one(&ring, SPSC_WAIT_FOREVER),
            Stepped::Release => self.consume_one(&ring, SPSC_WAIT_FOREVER),
            Stepped::Send => {
                let (tag, message) = self.next_message(&ring);
                assert_eq!(ring.send(tag, &message, SPSC_WAIT_FOREVER), SPSC_OK);
            }
        }
        assert_eq!(self.position() - before, if handed_over { 2 } else { 1 } * MESSAGE);
        drop(ring);
        self.await_answer(peer);
        (!returned).then_some(seen)
    }
}
