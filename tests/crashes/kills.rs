//! Producer and consumer are killed at random instants and restarted, again and again. Each new one
//! goes through the functions, the inline header, or both mixed.

use crate::Options;
use crate::inline::WAYS;
use crate::process::{Child, Shared, nap};
use crate::ring::*;
use crate::stream::Stream;
use spsc_shm::ffi::{SPSC_WAIT_FOREVER, spsc_role_stats};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};
use support::{Rng, until};

/// What a process was doing when it was killed.
const ACTIVITIES: [&str; 5] = ["starting", "waiting", "holding", "handing over", "pausing"];
const STARTING: u32 = 0;
const WAITING: u32 = 1;
const HOLDING: u32 = 2;
const HANDING_OVER: u32 = 3;
const PAUSING: u32 = 4;

/// What one side writes down beside the ring. Messages are counted from the stream's beginning.
#[derive(Default)]
struct Log {
    /// Messages that are handed over, or are about to be: stored before the call.
    before: AtomicU64,
    /// Messages that are certainly handed over: stored after the call.
    after: AtomicU64,
    activity: AtomicU32,
    /// How often it found the other side dead.
    deaths: AtomicU64,
}

impl Log {
    fn is(&self, activity: u32) {
        self.activity.store(activity, SeqCst);
    }

    /// Checks what a newcomer finds in the ring against what the dead one wrote down.
    fn check(&self, number: u64, side: Side) {
        let (after, before) = (self.after.load(SeqCst), self.before.load(SeqCst));
        assert!(
            number == after || number == before,
            "{side:?}: the ring stands at message {number}, but {after} were handed over for \
             certain, and {before} at most"
        );
        self.after.store(number, SeqCst);
        self.before.store(number, SeqCst);
    }

    /// Hands over, by `call`, all messages up to `number`.
    fn hand_over(&self, number: u64, call: impl FnOnce() -> spsc_status) {
        self.is(HANDING_OVER);
        self.before.store(number, SeqCst);
        assert_eq!(call(), SPSC_OK);
        self.after.store(number, SeqCst);
    }

    /// Whether the wait succeeded. If it did not, the other side must have ended.
    fn met(&self, status: spsc_status) -> bool {
        match status {
            SPSC_OK => return true,
            SPSC_PEER_DEAD => {
                self.deaths.fetch_add(1, SeqCst);
            }
            SPSC_CLOSED | SPSC_TIMEOUT => {}
            other => panic!("{other:?}"),
        }
        self.is(PAUSING);
        nap(Duration::from_micros(200));
        false
    }
}

#[derive(Default)]
struct Ledger {
    producer: Log,
    consumer: Log,
    stop: AtomicU32,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Producer,
    Consumer,
}

impl Side {
    fn stats(self, ring: &Ring) -> spsc_role_stats {
        match self {
            Self::Producer => ring.stats().producer,
            Self::Consumer => ring.stats().consumer,
        }
    }
}

struct Campaign {
    name: Name,
    stream: Stream,
    ledger: Shared<Ledger>,
}

impl Campaign {
    fn log(&self, side: Side) -> &Log {
        match side {
            Side::Producer => &self.ledger.producer,
            Side::Consumer => &self.ledger.consumer,
        }
    }

    fn start(&self, side: Side, seed: u64) -> Child {
        self.log(side).is(STARTING);
        Child::fork(|| match side {
            Side::Producer => self.produce(&mut Rng::new(seed)),
            Side::Consumer => self.consume(&mut Rng::new(seed)),
        })
    }

    /// Now and then a pause: the other side then has to wait, and parks.
    fn pause(log: &Log, activity: u32, rng: &mut Rng) {
        if rng.one_in(64) {
            log.is(activity);
            nap(Duration::from_micros(rng.below(1500)));
        }
    }

    fn timeout(rng: &mut Rng) -> u64 {
        rng.pick(&[SPSC_WAIT_FOREVER, SPSC_WAIT_FOREVER, 300_000, 0])
    }

    fn produce(&self, rng: &mut Rng) {
        let log = &self.ledger.producer;
        let ring = Ring::connect(&self.name).unwrap();
        ring.go(rng.pick(&WAYS), rng.next());
        let mut next = self.stream.number_at(ring.stats().published);
        log.check(next, Side::Producer);
        let mut data = std::ptr::null_mut();
        // Takes the role even if it is to stop at once: only a role that was taken can be closed.
        assert_eq!(ring.claim_some(0, 0, &mut data, &mut 0), SPSC_OK);
        while self.ledger.stop.load(SeqCst) == 0 {
            // Several messages share one claim.
            let end = next + 1 + rng.below(4);
            let total = self.stream.len_of(next..end);
            log.is(WAITING);
            if !log.met(ring.claim(total, Self::timeout(rng), &mut data)) {
                continue;
            }
            log.is(HOLDING);
            // SAFETY: `total` bytes are claimed.
            let mut claimed = unsafe { std::slice::from_raw_parts_mut(data, total) };
            // What is never published must never be seen.
            claimed.fill(0xdb);
            while next < end {
                let (message, rest) = claimed.split_at_mut(self.stream.len(next));
                claimed = rest;
                self.stream.write(next, message);
                Self::pause(log, HOLDING, rng);
                next += 1;
                log.hand_over(next, || ring.publish(message.len()));
            }
            Self::pause(log, PAUSING, rng);
        }
    }

    fn consume(&self, rng: &mut Rng) {
        let log = &self.ledger.consumer;
        let ring = Ring::connect(&self.name).unwrap();
        ring.go(rng.pick(&WAYS), rng.next());
        let mut next = self.stream.number_at(ring.stats().released);
        log.check(next, Side::Consumer);
        loop {
            let (mut data, mut len) = (std::ptr::null(), self.stream.len(next));
            log.is(WAITING);
            let status = if rng.one_in(2) {
                ring.peek(len, Self::timeout(rng), &mut data)
            } else {
                ring.peek_some(len, Self::timeout(rng), &mut data, &mut len)
            };
            if status == SPSC_CLOSED && self.ledger.stop.load(SeqCst) != 0 {
                return;
            }
            if !log.met(status) {
                continue;
            }
            log.is(HOLDING);
            // SAFETY: `len` bytes are peeked.
            let peeked = unsafe { std::slice::from_raw_parts(data, len) };
            let mut used = 0;
            // Messages are released one by one, or some at once.
            let at_once = 1 + rng.below(4);
            let first = next;
            while used < len && next - first < at_once {
                assert!(len - used >= self.stream.len(next), "half of message {next} is there");
                used += self.stream.check(next, &peeked[used..]);
                Self::pause(log, HOLDING, rng);
                next += 1;
            }
            log.hand_over(next, || ring.release(used));
            Self::pause(log, PAUSING, rng);
        }
    }
}

/// What the supervisor saw, to tell whether the campaign tested anything.
#[derive(Default)]
struct Report {
    activities: [u64; ACTIVITIES.len()],
    parked: u64,
    longest_notice: Duration,
    noticed: u64,
}

pub fn run(options: &Options) {
    let kills = options.get("kills", 20);
    let seed = options.get("seed", u64::from(std::process::id()));
    println!("kills: {kills} of each side, seed {seed}");
    a_newcomer_is_awake();
    for (capacity, longest) in [(4096, 512), (1 << 20, 64 << 10)] {
        campaign(kills.div_ceil(2), seed, capacity, longest);
    }
}

/// A process that takes the role of one that died asleep is not taken for a sleeper.
fn a_newcomer_is_awake() {
    let name = Name::unique();
    let ring = Ring::create(&name, 4096, &sleepy()).unwrap();
    let sleeper = Child::fork(|| {
        let ring = Ring::connect(&name).unwrap();
        ring.wait_for_data(1, SPSC_WAIT_FOREVER);
    });
    until("the consumer sleeps", || ring.stats().consumer.parked != 0 && sleeper.sleeps());
    sleeper.kill();
    let newcomer = Ring::connect(&name).unwrap();
    assert_eq!(newcomer.wait_for_data(1, 0), SPSC_TIMEOUT);
    assert_eq!(ring.stats().consumer.parked, 0, "parked, though it has never slept");
}

fn campaign(kills: u64, seed: u64, capacity: usize, longest: usize) {
    let name = Name::unique();
    let mut rng = Rng::new(seed);
    let ring = Ring::create(&name, capacity, &options(|_| ())).unwrap();
    let stream = Stream::varied(seed, longest);
    let campaign = Campaign { name, stream, ledger: Shared::new() };
    let mut report = Report::default();
    let mut children = [Side::Producer, Side::Consumer].map(|side| {
        let child = campaign.start(side, rng.next());
        (side, Some(child), kills)
    });
    while children.iter().any(|(.., left)| *left > 0) {
        let moved = campaign.log(Side::Consumer).after.load(SeqCst);
        for _ in 0..8 {
            nap(Duration::from_micros(rng.below(3000)));
            // One side, the other, or both at once.
            let pick = rng.below(5);
            for (index, (side, child, left)) in children.iter_mut().enumerate() {
                if *left > 0 && (pick == 4 || pick % 2 == index as u64) {
                    let mut dying = child.take().unwrap();
                    dying.assert_alive(&format!("{side:?}"));
                    report.note(*side, &campaign, &ring);
                    dying.kill();
                    *left -= 1;
                }
            }
            for index in [rng.below(2) as usize, 0, 1] {
                let other_lives = children[1 - index].1.is_some();
                let (side, child, _) = &mut children[index];
                if child.is_some() {
                    continue;
                }
                // One that died before it ever had its role is nobody's peer.
                let had_role = side.stats(&ring).generation != 0;
                if other_lives && had_role && rng.one_in(50) {
                    report.await_notice(&campaign, *side);
                }
                *child = Some(campaign.start(*side, rng.next()));
            }
        }
        until("the stream goes on", || {
            for (side, child, _) in &mut children {
                child.as_mut().unwrap().assert_alive(&format!("{side:?}"));
            }
            campaign.log(Side::Consumer).after.load(SeqCst) > moved
        });
    }
    campaign.ledger.stop.store(1, SeqCst);
    for (side, child, _) in children {
        // A producer that waits for space is woken as the consumer goes on.
        child.unwrap().finish(&format!("{side:?}"));
    }
    let stats = ring.stats();
    assert_eq!(stats.published, stats.released, "something is left in the ring");
    campaign.log(Side::Producer).check(campaign.stream.number_at(stats.published), Side::Producer);
    campaign.log(Side::Consumer).check(campaign.stream.number_at(stats.released), Side::Consumer);
    let messages = campaign.log(Side::Consumer).after.load(SeqCst);
    println!("kills: capacity {capacity}, {messages} messages; {report}");
}

impl Report {
    fn note(&mut self, side: Side, campaign: &Campaign, ring: &Ring) {
        self.activities[campaign.log(side).activity.load(SeqCst) as usize] += 1;
        self.parked += u64::from(side.stats(ring).parked);
    }

    /// Leaves `dead` so until the other side has noticed.
    fn await_notice(&mut self, campaign: &Campaign, dead: Side) {
        let survivor = match dead {
            Side::Producer => Side::Consumer,
            Side::Consumer => Side::Producer,
        };
        let deaths = &campaign.log(survivor).deaths;
        let (before, start) = (deaths.load(SeqCst), Instant::now());
        until("the death is noticed", || deaths.load(SeqCst) != before);
        self.longest_notice = self.longest_notice.max(start.elapsed());
        self.noticed += 1;
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "killed while")?;
        for (activity, times) in ACTIVITIES.iter().zip(self.activities) {
            write!(f, " {activity} {times},")?;
        }
        let notice = self.longest_notice.as_millis();
        write!(
            f,
            " of these parked {}; noticed {} times, at most {notice} ms after the death",
            self.parked, self.noticed
        )
    }
}
