//! Senders and receivers of messages, small ones and some larger than the ring, are killed at random
//! instants and restarted, again and again.

use crate::Options;
use crate::process::{Child, Shared, nap};
use crate::ring::*;
use crate::stream::Stream;
use spsc_shm::ffi::SPSC_WAIT_FOREVER;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use support::{Rng, until};

const CAPACITY: usize = 4096;

/// What both sides write down beside the ring. Messages are counted from the stream's beginning.
struct Ledger {
    /// Messages that were sent, or are about to be: stored before the call.
    begun: AtomicU64,
    /// Messages that were sent: stored after the call.
    sent: AtomicU64,
    /// Messages that are done with, or about to be.
    finishing: AtomicU64,
    /// Messages that are done with for certain.
    finished: AtomicU64,
    /// Receivers that were killed since. A large message may have gone with each of them.
    receivers_killed: AtomicU64,
    /// The messages of which nobody knows whether they were sent: each was the last of a sender
    /// that was killed.
    unsure: [AtomicU64; 4096],
    unsure_count: AtomicU64,
    /// How many of all were lost, in either way.
    lost: AtomicU64,
    half_way: AtomicU64,
    stop: AtomicU64,
}

impl Default for Ledger {
    fn default() -> Self {
        let zero = AtomicU64::default;
        Self {
            begun: zero(),
            sent: zero(),
            finishing: zero(),
            finished: zero(),
            receivers_killed: zero(),
            unsure: std::array::from_fn(|_| zero()),
            unsure_count: zero(),
            lost: zero(),
            half_way: zero(),
            stop: zero(),
        }
    }
}

impl Ledger {
    fn is_unsure(&self, number: u64) -> bool {
        let count = self.unsure_count.load(SeqCst) as usize;
        self.unsure[..count].iter().any(|unsure| unsure.load(SeqCst) == number)
    }
}

struct Campaign {
    name: Name,
    stream: Stream,
    ledger: Shared<Ledger>,
}

fn timeout(rng: &mut Rng) -> u64 {
    rng.pick(&[SPSC_WAIT_FOREVER, SPSC_WAIT_FOREVER, 300_000, 20_000, 0])
}

/// Now and then a pause: the other side then has to wait, and parks.
fn pause(rng: &mut Rng) {
    if rng.one_in(32) {
        nap(Duration::from_micros(rng.below(1500)));
    }
}

/// Whether a wait ended well; if it did not, that must be for the other side's end.
fn is_met(status: spsc_status) -> bool {
    match status {
        SPSC_OK => return true,
        SPSC_CLOSED | SPSC_PEER_DEAD => nap(Duration::from_micros(200)),
        SPSC_TIMEOUT => {}
        other => panic!("{other:?}"),
    }
    false
}

impl Campaign {
    /// Whether a receiver that was killed since the last message was done with may have taken this
    /// one along: one each.
    fn went_with_a_receiver(&self, number: u64) -> bool {
        let killed = self.ledger.receivers_killed.load(SeqCst);
        if killed > 0 {
            self.ledger.receivers_killed.store(killed - 1, SeqCst);
        }
        killed > 0 && self.stream.len(number) > CAPACITY / 2
    }

    fn send(&self, rng: &mut Rng) {
        let ledger = &*self.ledger;
        let ring = Ring::connect(&self.name).unwrap();
        let mut data = std::ptr::null_mut();
        // Takes the role even if it is to stop at once: what it never took, it could not close.
        assert_eq!(ring.claim_some(0, 0, &mut data, &mut 0), SPSC_OK);
        let mut next = ledger.begun.load(SeqCst);
        if ledger.sent.load(SeqCst) != next {
            // Noted before it counts as sent: a death in between notes it twice.
            let count = ledger.unsure_count.load(SeqCst);
            ledger.unsure[count as usize].store(next - 1, SeqCst);
            ledger.unsure_count.store(count + 1, SeqCst);
            ledger.sent.store(next, SeqCst);
        }
        while ledger.stop.load(SeqCst) == 0 {
            let mut message = vec![0; self.stream.len(next)];
            self.stream.write(next, &mut message);
            ledger.begun.store(next + 1, SeqCst);
            // What did not get through as a whole goes again, from its beginning.
            loop {
                let before = ring.stats().published;
                if is_met(ring.send(next as u32, &message, timeout(rng))) {
                    break;
                }
                let half_way = ring.stats().published != before;
                ledger.half_way.fetch_add(half_way.into(), SeqCst);
                if ledger.stop.load(SeqCst) != 0 {
                    // Given up: as if it had never begun.
                    ledger.begun.store(next, SeqCst);
                    return;
                }
            }
            next += 1;
            ledger.sent.store(next, SeqCst);
            pause(rng);
        }
    }

    fn receive(&self, rng: &mut Rng) {
        let ledger = &*self.ledger;
        let ring = Ring::connect(&self.name).unwrap();
        // One that was done with, or just being so.
        let mut next = ledger.finished.load(SeqCst);
        let mut again = ledger.finishing.load(SeqCst) != next;
        loop {
            let mut number = 0;
            let status = ring.receive(timeout(rng), |tag, bytes| {
                number = u64::from_ne_bytes(bytes[..8].try_into().unwrap());
                assert_eq!((tag, bytes.len()), (number as u32, self.stream.len(number)));
                self.stream.check(number, bytes);
            });
            if status == SPSC_CLOSED && ledger.stop.load(SeqCst) != 0 {
                return;
            }
            if !is_met(status) {
                continue;
            }
            assert!(number >= next, "message {number} came again after {next}");
            for missing in next..number {
                let done = again && missing == next;
                assert!(
                    done || ledger.is_unsure(missing) || self.went_with_a_receiver(missing),
                    "message {missing} was sent whole, and is lost"
                );
                ledger.lost.fetch_add((!done).into(), SeqCst);
            }
            // What came before is accounted for, whatever becomes of this process.
            (next, again) = (number, false);
            ledger.finishing.store(next, SeqCst);
            ledger.finished.store(next, SeqCst);
            pause(rng);
            ledger.finishing.store(number + 1, SeqCst);
            assert_eq!(ring.receive_done(), SPSC_OK);
            next += 1;
            ledger.finished.store(next, SeqCst);
            ledger.receivers_killed.store(0, SeqCst);
            pause(rng);
        }
    }

    fn start(&self, sends: bool, seed: u64) -> Child {
        Child::fork(|| {
            let mut rng = Rng::new(seed);
            if sends { self.send(&mut rng) } else { self.receive(&mut rng) }
        })
    }
}

pub fn run(numbers: &Options) {
    let kills = numbers.get("kills", 40).min(4000);
    let seed = numbers.get("seed", u64::from(std::process::id()));
    println!("messages: {kills} of each side, seed {seed}");
    let name = Name::unique();
    let mut rng = Rng::new(seed);
    let ring = Ring::create(&name, CAPACITY, &options(|_| ())).unwrap();
    let stream = Stream::mixed(seed, 200, 4 * CAPACITY);
    let campaign = Campaign { name, stream, ledger: Shared::new() };
    let ledger = &*campaign.ledger;
    let mut children = [true, false].map(|sends| (sends, campaign.start(sends, rng.next()), kills));
    while children.iter().any(|(.., left)| *left > 0) {
        let moved = ledger.finished.load(SeqCst);
        for _ in 0..4 {
            nap(Duration::from_micros(rng.below(3000)));
            let pick = rng.below(5);
            for (index, (sends, child, left)) in children.iter_mut().enumerate() {
                if *left > 0 && (pick == 4 || pick % 2 == index as u64) {
                    child.assert_alive("victim");
                    let pid = std::mem::replace(&mut child.pid, 0);
                    Child { pid }.kill();
                    *left -= 1;
                    if !*sends {
                        ledger.receivers_killed.fetch_add(1, SeqCst);
                    }
                    *child = campaign.start(*sends, rng.next());
                }
            }
        }
        until("the stream goes on", || {
            for (_, child, _) in &mut children {
                child.assert_alive("survivor");
            }
            ledger.finished.load(SeqCst) > moved
        });
    }
    ledger.stop.store(1, SeqCst);
    for (sends, child, _) in children {
        // A sender that waits for space is woken as the receiver goes on.
        child.finish(if sends { "sender" } else { "receiver" });
    }
    assert_eq!(ring.available(), 0, "something is left in the ring");
    let (finished, sent) = (ledger.finished.load(SeqCst), ledger.sent.load(SeqCst));
    for missing in finished..sent {
        let done = missing < ledger.finishing.load(SeqCst);
        let accounted = done || ledger.is_unsure(missing) || campaign.went_with_a_receiver(missing);
        assert!(accounted, "message {missing}, one of the last, is lost");
    }
    let (lost, unsure) = (ledger.lost.load(SeqCst), ledger.unsure_count.load(SeqCst));
    let half_way = ledger.half_way.load(SeqCst);
    assert!(lost <= 2 * kills, "{lost} messages lost in {kills} kills of each side");
    println!(
        "messages: {finished}, of which {lost} went with a process; {unsure} were under way when \
         their sender was killed, {half_way} were begun again after a timeout half-way"
    );
}
