//! One waiter for many rings: stress, system calls, and cost.

use crate::{AHEAD, DAY, Jitter, Named, Outcome, Standstill, Worker, refuse, sleeps};
use spsc_shm::{Consumer, Options, Producer, Ring, Spin, WaitSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Processes that publish, each to rings of its own.
const PRODUCERS: usize = 2;
const NOW: Option<Duration> = Some(Duration::ZERO);

/// Rings of one run: `count` to publish to, and one for each producer's answers. Removed with this.
struct Rings {
    many: Vec<(Named, Ring)>,
    answers: Vec<(Named, Ring)>,
}

fn name(prefix: &str, ring: usize) -> String {
    format!("{prefix}-{ring}")
}

fn answers_name(prefix: &str, producer: usize) -> String {
    format!("{prefix}-answers-{producer}")
}

/// What the names of this process's rings begin with.
fn prefix() -> String {
    format!("spsc-parking-{}", std::process::id())
}

impl Rings {
    /// `spin` is for the waiter. The producers look for their answers for a moment, so that they
    /// publish while the waiter is on its way to sleep.
    fn new(count: usize, capacity: usize, spin: Spin) -> Outcome<Self> {
        let make = |name: String, spin| -> Outcome<(Named, Ring)> {
            let ring = Options::new().spin(spin).create(&name, capacity)?;
            Ok((Named(name), ring))
        };
        let answers = Spin::For(Duration::from_micros(50));
        Ok(Self {
            many: (0..count)
                .map(|ring| make(name(&prefix(), ring), spin))
                .collect::<Outcome<_>>()?,
            answers: (0..PRODUCERS)
                .map(|producer| make(answers_name(&prefix(), producer), answers))
                .collect::<Outcome<_>>()?,
        })
    }

    fn published(&self) -> u64 {
        self.many.iter().map(|(_, ring)| ring.stats().published).fold(0, u64::wrapping_add)
    }
}

fn set_of(prefix: &str, rings: usize, need: usize) -> Outcome<WaitSet<Consumer>> {
    let mut set = WaitSet::new();
    for ring in 0..rings {
        set.insert(Ring::connect(name(prefix, ring))?.into_consumer(), need)?;
    }
    Ok(set)
}

/// The last message of a producer's burst, and any other.
const LAST: [u8; 8] = [1; 8];
const MORE: [u8; 8] = [0; 8];

/// `any-consume PREFIX RINGS ROUNDS REFUSED CLOCK`: answers the producers once it has the last message
/// of all; prints how often it slept. Until then they are silent, so that nobody else's message
/// makes good a wake-up that was lost.
pub fn consume(arguments: &[&str]) -> Outcome<()> {
    let &[prefix, rings, rounds, refused, ahead] = arguments else {
        return Err("any-consume is for any to start".into());
    };
    refuse(refused)?;
    AHEAD.store(ahead.parse()?, Ordering::Relaxed);
    let (rings, rounds): (usize, u64) = (rings.parse()?, rounds.parse()?);
    let mut set = set_of(prefix, rings, LAST.len())?;
    let mut answers = (0..producers(rings))
        .map(|producer| Ok(Ring::connect(answers_name(prefix, producer))?.into_producer()))
        .collect::<Outcome<Vec<Producer>>>()?;
    let mut jitter = Jitter(0x1234_5678_9ABC_DEF1);
    for _ in 0..rounds {
        let mut talking = answers.len();
        while talking > 0 {
            for key in set.wait(None)? {
                let mut message = MORE;
                let grant = set[key].peek(message.len(), NOW)?;
                grant.copy_to_slice(&mut message);
                grant.release_all();
                talking -= usize::from(message == LAST);
            }
            if jitter.next(4) == 0 {
                jitter.pause();
            }
        }
        for answer in &mut answers {
            answer.claim(1, None)?.publish_all();
        }
    }
    println!("{}", set[0].ring().stats().consumer.parks);
    Ok(())
}

/// `any-produce PREFIX PRODUCER RINGS ROUNDS CLOCK SEED`: publishes one to three messages to rings of
/// its own at random, and waits for the answer.
pub fn produce(arguments: &[&str]) -> Outcome<()> {
    let &[prefix, producer, rings, rounds, ahead, seed] = arguments else {
        return Err("any-produce is for any to start".into());
    };
    AHEAD.store(ahead.parse()?, Ordering::Relaxed);
    let (producer, rings): (usize, usize) = (producer.parse()?, rings.parse()?);
    let (rounds, mut jitter): (u64, _) = (rounds.parse()?, Jitter(seed.parse()?));
    let mut own = (producer..rings)
        .step_by(PRODUCERS)
        .map(|ring| Ok(Ring::connect(name(prefix, ring))?.into_producer()))
        .collect::<Outcome<Vec<Producer>>>()?;
    let mut answers = Ring::connect(answers_name(prefix, producer))?.into_consumer();
    for _ in 0..rounds {
        for left in (0..1 + jitter.next(3)).rev() {
            // The more rings, the longer is the way to sleep on which to meet the waiter.
            for _ in 0..jitter.next(2 + rings as u64 / 8) {
                jitter.pause();
            }
            let ring = jitter.next(own.len() as u64) as usize;
            let mut grant = own[ring].claim(LAST.len(), None)?;
            grant.copy_from_slice(if left == 0 { &LAST } else { &MORE });
            grant.publish_all();
        }
        answers.peek(1, None)?.release_all();
    }
    println!("0");
    Ok(())
}

/// A lone ring has one producer.
fn producers(rings: usize) -> usize {
    PRODUCERS.min(rings)
}

/// One run: how often the waiter slept.
fn round(rings: usize, rounds: u64, refused: &str, run: u64) -> Outcome<u64> {
    let all = Rings::new(rings, 1, Spin::Never)?;
    // Where the kernel sleeps on one word only, the clock ends the sleep: that is what saves it.
    let ahead = if refused == "nothing" { DAY } else { 0 }.to_string();
    let (prefix, count, rounds) = (prefix(), rings.to_string(), rounds.to_string());
    let mut workers =
        vec![Worker::start(&["any-consume", &prefix, &count, &rounds, refused, &ahead])?];
    for producer in 0..producers(rings) {
        let seed = (0x9E37_79B9_7F4A_7C15 ^ (4 * run + producer as u64)).to_string();
        let producer = producer.to_string();
        let arguments = ["any-produce", &prefix, &producer, &count, &rounds, &ahead, &seed];
        workers.push(Worker::start(&arguments)?);
    }
    let mut standstill = Standstill::new();
    loop {
        let mut running = false;
        for worker in &mut workers {
            running |= !worker.ended()?;
        }
        if !running {
            let sleeps = workers.into_iter().map(Worker::result).collect::<Outcome<Vec<_>>>()?;
            return Ok(sleeps.into_iter().sum());
        }
        if standstill.is_one(all.published()) {
            let stats = all.many.iter().chain(&all.answers).map(|(_, ring)| ring.stats());
            let stats: Vec<_> = stats.filter(|stats| stats.available != 0).collect();
            return Err(format!("a standstill; not empty are {stats:?}").into());
        }
    }
}

pub fn stress(arguments: &[&str]) -> Outcome<()> {
    let (rings, wanted, refused) = match arguments {
        [rings, wanted] => (rings, wanted, "nothing"),
        [rings, wanted, what] => (rings, wanted, *what),
        _ => return Err("any RINGS SLEEPS [waitv-ENOSYS|waitv-EPERM]".into()),
    };
    let (rings, wanted): (usize, u64) = (rings.parse()?, wanted.parse()?);
    let start = Instant::now();
    let (mut sleeps, mut rounds) = (0, 0);
    while sleeps < wanted {
        // As if it slept twice a round.
        sleeps += round(rings, ((wanted - sleeps) / 2).clamp(1_000, 250_000), refused, rounds)?;
        rounds += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{rings} rings: {sleeps} sleeps in {rounds} rounds, {seconds:.1} s, {:.0} a second; \
         refused: {refused}",
        sleeps as f64 / seconds
    );
    Ok(())
}

/// `any-serve PREFIX RINGS MESSAGES`: takes messages of whichever ring has one; prints how often it
/// slept.
pub fn serve(arguments: &[&str]) -> Outcome<()> {
    let &[prefix, rings, messages] = arguments else {
        return Err("any-serve is for others to start".into());
    };
    AHEAD.store(DAY, Ordering::Relaxed);
    let mut set = set_of(prefix, rings.parse()?, crate::MESSAGE)?;
    let mut left: u64 = messages.parse()?;
    while left > 0 {
        for key in set.wait(None)? {
            set[key].peek(crate::MESSAGE, NOW)?.release_all();
            left -= 1;
        }
    }
    println!("{}", set[0].ring().stats().consumer.parks);
    Ok(())
}

/// One busy ring among idle ones, each of which has a live producer. No cause to sleep.
pub fn busy(rings: &str, messages: &str) -> Outcome<()> {
    // As in `busy`: strace makes a system call so slow that the other side gives up a short spin.
    let all = Rings::new(rings.parse()?, 1 << 20, Spin::For(Duration::from_millis(1)))?;
    let mut producers = connect_all(&all)?;
    let server = Worker::start(&["any-serve", &prefix(), rings, messages])?;
    for _ in 0..messages.parse()? {
        crate::send(&mut producers[0])?;
    }
    println!("{messages} messages on one of {rings} rings, {} sleeps", server.result()?);
    Ok(())
}

/// A producer for each ring, that has its role.
fn connect_all(all: &Rings) -> Outcome<Vec<Producer>> {
    let connected = all.many.iter().map(|(name, _)| {
        let mut producer = Ring::connect(&name.0)?.into_producer();
        producer.wait_for_space(1, None)?;
        Ok(producer)
    });
    connected.collect()
}

fn median(mut samples: Vec<u64>) -> u64 {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn monotonic() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// `any-wake PREFIX RINGS HOW MESSAGES`: answers every message with the time when it was awake.
pub fn wake(arguments: &[&str]) -> Outcome<()> {
    let &[prefix, rings, how, messages] = arguments else {
        return Err("any-wake is for any-cost to start".into());
    };
    let mut set = set_of(prefix, rings.parse()?, 8)?;
    let mut answers = Ring::connect(answers_name(prefix, 0))?.into_producer();
    for _ in 0..messages.parse()? {
        if how == "single" {
            set[0].wait_for_data(8, None)?;
        } else {
            set.wait(None)?;
        }
        let awake = monotonic();
        set[0].peek(8, NOW)?.release_all();
        let mut grant = answers.claim(8, None)?;
        grant.copy_from_slice(&awake.to_ne_bytes());
        grant.publish_all();
    }
    println!("0");
    Ok(())
}

/// From before a publish until the sleeper is out of its wait: the median, ns.
fn cold_wake(rings: usize, how: &str, messages: u64) -> Outcome<u64> {
    let all = Rings::new(rings, 1, Spin::Never)?;
    let mut producers = connect_all(&all)?;
    let mut answers = Ring::connect(&all.answers[0].0.0)?.into_consumer();
    let (count, number) = (rings.to_string(), messages.to_string());
    let waiter = Worker::start(&["any-wake", &prefix(), &count, how, &number])?;
    let mut samples = Vec::new();
    for _ in 0..messages {
        while !(all.many[0].1.stats().consumer.parked && sleeps(waiter.0.id())?) {
            std::thread::yield_now();
        }
        // The kernel says that it sleeps before it has enqueued it for every word.
        let asleep = Instant::now();
        while asleep.elapsed() < Duration::from_micros(300) {
            std::hint::spin_loop();
        }
        let grant = producers[0].claim(8, None)?;
        let before = monotonic();
        grant.publish_all();
        let mut awake = [0; 8];
        let grant = answers.peek(8, None)?;
        grant.copy_to_slice(&mut awake);
        grant.release_all();
        samples.push(u64::from_ne_bytes(awake).saturating_sub(before));
    }
    waiter.result()?;
    Ok(median(samples))
}

/// A message through one ring of a set of so many in one thread: ns, the least of some runs. And
/// the same by a wait for that ring alone.
fn one_thread(rings: usize) -> Outcome<[f64; 2]> {
    let mut set = WaitSet::new();
    let mut producers = Vec::new();
    for _ in 0..rings {
        let (mut producer, consumer) = Ring::anonymous(1)?.split();
        producer.wait_for_space(1, None)?;
        producers.push(producer);
        set.insert(consumer, crate::MESSAGE)?;
    }
    let mut least = [f64::MAX; 2];
    for _ in 0..9 {
        for (how, least) in least.iter_mut().enumerate() {
            const MESSAGES: u32 = 20_000;
            let start = Instant::now();
            for _ in 0..MESSAGES {
                crate::send(&mut producers[rings / 2])?;
                if how == 0 {
                    set[rings / 2].wait_for_data(crate::MESSAGE, None)?;
                } else if set.wait(None)?.len() != 1 {
                    return Err("one ring has a message".into());
                }
                set[rings / 2].peek(crate::MESSAGE, NOW)?.release_all();
            }
            *least = least.min(start.elapsed().as_nanos() as f64 / f64::from(MESSAGES));
        }
    }
    Ok(least)
}

/// What a set costs against the number of its rings, of which one is busy.
pub fn cost(wakes: &str) -> Outcome<()> {
    let wakes: u64 = wakes.parse()?;
    println!("rings | a message, ns: wait for one, for any | cold wake, ns: single, any, ratio");
    for rings in [1, 2, 4, 8, 16, 32, 64, 127] {
        let [one, any] = one_thread(rings)?;
        if wakes == 0 {
            println!("{rings:5} | {one:6.1} {any:8.1} |");
            continue;
        }
        // In turns, so that what else the machine does meets both.
        let mut samples = [Vec::new(), Vec::new()];
        for _ in 0..5 {
            samples[0].push(cold_wake(1, "single", wakes)?);
            samples[1].push(cold_wake(rings, "any", wakes)?);
        }
        let [single, several] = samples.map(median);
        let ratio = several as f64 / single as f64;
        println!("{rings:5} | {one:6.1} {any:8.1} | {single:6} {several:6} {ratio:.2}");
    }
    Ok(())
}
