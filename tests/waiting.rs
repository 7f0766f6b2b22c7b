//! A wait ends when there is cause, and not before.

use spsc_shm::{Consumer, Options, Producer, Result, Ring, RoleStats, Spin, Status};
use std::os::unix::thread::JoinHandleExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use support::{status, until, watchdog};

const FOREVER: Option<Duration> = None;
const NOW: Option<Duration> = Some(Duration::ZERO);

/// Both ways of waiting: asleep at once, and asleep after a spin.
const SPINS: [Spin; 3] = [Spin::Never, Spin::Adaptive, Spin::For(Duration::from_millis(2))];

fn ring(spin: Spin) -> (Producer, Consumer) {
    Options::new().spin(spin).anonymous(1).unwrap().split()
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A thread that waits for `need` bytes, and says how long that took.
fn wait_for_data(
    mut consumer: Consumer,
    need: usize,
    timeout: Option<Duration>,
) -> JoinHandle<(Result<()>, Duration, Consumer)> {
    thread::spawn(move || {
        let start = Instant::now();
        let ended = consumer.wait_for_data(need, timeout);
        (ended, start.elapsed(), consumer)
    })
}

fn until_parked(what: &str, role: impl Fn() -> RoleStats) {
    until(&format!("the {what} sleeps"), || role().parked);
}

fn publish(producer: &mut Producer, n: usize) {
    producer.claim(n, NOW).unwrap().publish_all();
}

fn release(consumer: &mut Consumer, n: usize) {
    consumer.peek(n, NOW).unwrap().release_all();
}

/// How far ahead of the truth this process's monotonic clock is, in seconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);
const DAY: i64 = 86_400;

/// The clock that the library reads. A sleeper wakes every 100 ms to see whether its peer lives. If its
/// clock is a day ahead of the kernel's, it does not, and only a wake ends its sleep.
///
/// # Safety
/// As the C library's, in whose place it stands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(
    clock: libc::clockid_t,
    time: *mut libc::timespec,
) -> libc::c_int {
    type Read = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int;
    static NEXT: OnceLock<Option<Read>> = OnceLock::new();
    // SAFETY: the C library has a function of this name and type.
    let find =
        || unsafe { std::mem::transmute(libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr())) };
    let Some(read) = NEXT.get_or_init(find) else { return -1 };
    // SAFETY: the caller's pointer is valid for the result, which is written on success.
    unsafe {
        let result = read(clock, time);
        if result == 0 && matches!(clock, libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_COARSE) {
            (*time).tv_sec += AHEAD.load(Ordering::Relaxed);
        }
        result
    }
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_signal: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Sends SIGUSR1 to a thread each millisecond, until it ends or for as long as is asked.
fn storm<T>(thread: &JoinHandle<T>, goes_on: impl Fn() -> bool) {
    // SAFETY: the action is plain numbers, for which zero is a valid value (no SA_RESTART: calls
    // are interrupted); the handler only adds to an atomic.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
    }
    while !thread.is_finished() && goes_on() {
        // SAFETY: the thread was not joined yet, so that its number is valid.
        unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
        thread::sleep(ms(1));
    }
}

#[test]
fn a_wait_survives_a_storm_of_signals() {
    let _watchdog = watchdog();
    for spin in SPINS {
        let (_producer, mut consumer) = ring(spin);
        loop {
            let before = SIGNALS.load(Ordering::Relaxed);
            let waiter = wait_for_data(consumer, 1, Some(ms(400)));
            storm(&waiter, || true);
            let (ended, took);
            (ended, took, consumer) = waiter.join().unwrap();
            assert_eq!(status(ended), Status::Timeout);
            assert!(took >= ms(400), "{spin:?}: returned after {took:?}");
            // On a busy machine there may have been none. Then another is needed.
            if SIGNALS.load(Ordering::Relaxed) > before + 5 {
                break;
            }
        }
    }
}

#[test]
fn a_wait_without_limit_survives_a_storm_of_signals() {
    let _watchdog = watchdog();
    let (mut producer, consumer) = ring(Spin::Never);
    publish(&mut producer, 99);
    let waiter = wait_for_data(consumer, 100, FOREVER);
    let start = Instant::now();
    storm(&waiter, || start.elapsed() < ms(300));
    assert!(!waiter.is_finished());
    publish(&mut producer, 1);
    waiter.join().unwrap().0.unwrap();
}

#[test]
fn a_timeout_is_not_cut_to_fewer_bits() {
    let _watchdog = watchdog();
    // Cut to 32 bits these are 10 ms or less. As signed numbers the later ones are in the past. Added to
    // the clock the last ones overflow.
    let short = 10_000_000;
    let nanoseconds = [
        (1 << 38) + short,
        (1 << 38) + 1,
        (1 << 62) + short,
        (1 << 63) - 1,
        1 << 63,
        (1 << 63) + short,
        u64::MAX - 1,
        u64::MAX,
    ];
    let mut timeouts = nanoseconds.map(|ns| Some(Duration::from_nanos(ns))).to_vec();
    timeouts.extend([Some(Duration::from_secs(300)), Some(Duration::MAX), FOREVER]);
    let waits = timeouts.into_iter().map(|timeout| {
        let (producer, consumer) = ring(Spin::Never);
        (timeout, producer, wait_for_data(consumer, 1, timeout))
    });
    let waits = waits.collect::<Vec<_>>();
    for (_, producer, _) in &waits {
        until_parked("consumer", || producer.ring().stats().consumer);
    }
    // What is tested is that nothing happens in this time.
    thread::sleep(ms(200));
    for (timeout, mut producer, waiter) in waits {
        assert!(!waiter.is_finished(), "{timeout:?}");
        publish(&mut producer, 1);
        let (ended, ..) = waiter.join().unwrap();
        assert_eq!(ended, Ok(()), "{timeout:?}");
    }
}

#[test]
fn a_timeout_of_zero_does_not_wait() {
    let (mut producer, mut consumer) = ring(Spin::Adaptive);
    let capacity = producer.ring().capacity();
    assert_eq!(status(consumer.peek(1, NOW)), Status::Timeout);
    assert_eq!(status(consumer.peek_some(1, NOW)), Status::Timeout);
    assert_eq!(status(consumer.wait_for_data(1, NOW)), Status::Timeout);
    publish(&mut producer, capacity);
    assert_eq!(status(producer.claim(1, NOW)), Status::Timeout);
    assert_eq!(status(producer.claim_some(1, NOW)), Status::Timeout);
    assert_eq!(status(producer.wait_for_space(1, NOW)), Status::Timeout);
    let stats = producer.ring().stats();
    assert_eq!((stats.producer.parks, stats.consumer.parks), (0, 0));
}

#[test]
fn every_timeout_is_waited_for_in_full() {
    let _watchdog = watchdog();
    for spin in SPINS {
        let (mut producer, mut consumer) = ring(spin);
        publish(&mut producer, 1);
        for timeout in [1, 1_000, 100_000, 3_000_000, 30_000_000, 130_000_000] {
            let timeout = Duration::from_nanos(timeout);
            let start = Instant::now();
            assert_eq!(status(consumer.peek(2, Some(timeout))), Status::Timeout);
            let took = start.elapsed();
            assert!(took >= timeout, "{spin:?}: {timeout:?} took {took:?}");
        }
    }
}

#[test]
fn want_of_nothing_and_of_too_much_end_at_once() {
    let _watchdog = watchdog();
    let (mut producer, mut consumer) = ring(Spin::Adaptive);
    let capacity = producer.ring().capacity();
    assert_eq!(consumer.peek(0, FOREVER).unwrap().len(), 0);
    assert_eq!(consumer.peek_some(0, FOREVER).unwrap().len(), 0);
    publish(&mut producer, capacity);
    assert_eq!(producer.claim(0, FOREVER).unwrap().len(), 0);
    assert_eq!(producer.claim_some(0, FOREVER).unwrap().len(), 0);
    for too_much in [capacity + 1, usize::MAX] {
        assert_eq!(status(producer.claim(too_much, FOREVER)), Status::TooLarge);
        assert_eq!(status(producer.claim_some(too_much, FOREVER)), Status::TooLarge);
        assert_eq!(status(consumer.peek(too_much, FOREVER)), Status::TooLarge);
        assert_eq!(status(consumer.wait_for_data(too_much, FOREVER)), Status::TooLarge);
    }
}

#[test]
fn what_arrives_in_parts_ends_a_wait_when_it_is_complete() {
    let _watchdog = watchdog();
    for spin in SPINS {
        let (mut producer, consumer) = ring(spin);
        let waiter = wait_for_data(consumer, 1000, FOREVER);
        let ring = producer.ring().clone();
        until_parked("consumer", || ring.stats().consumer);
        for _ in 0..999 {
            publish(&mut producer, 1);
        }
        thread::sleep(ms(20));
        assert!(!waiter.is_finished(), "{spin:?}");
        assert_eq!(ring.stats().producer.wakes, 0, "{spin:?}");
        publish(&mut producer, 1);
        let (ended, ..) = waiter.join().unwrap();
        assert_eq!(ended, Ok(()));
        assert!(ring.stats().producer.wakes <= 1, "{spin:?}");
    }
}

#[test]
fn a_large_claim_against_many_small_releases_costs_one_wake() {
    let _watchdog = watchdog();
    let (mut producer, mut consumer) = ring(Spin::Never);
    let ring = producer.ring().clone();
    let capacity = ring.capacity();
    publish(&mut producer, capacity);
    let claimer = thread::spawn(move || {
        producer.claim(capacity, FOREVER).unwrap().publish_all();
        producer
    });
    until_parked("producer", || ring.stats().producer);
    for _ in 0..capacity / 8 - 1 {
        release(&mut consumer, 8);
        // Now and then it looks whether we are alive. Then it must go on sleeping.
        until_parked("producer", || ring.stats().producer);
    }
    assert_eq!(ring.stats().consumer.wakes, 0);
    release(&mut consumer, 8);
    claimer.join().unwrap();
    assert!(ring.stats().consumer.wakes <= 1);
}

#[test]
fn a_sleeper_is_woken_once_for_each_sleep() {
    support::alone(|| {
        AHEAD.store(DAY, Ordering::Relaxed);
        let (mut producer, mut consumer) = ring(Spin::Never);
        let ring = producer.ring().clone();
        const ROUNDS: u64 = 200;
        static PUBLISHED: AtomicU64 = AtomicU64::new(0);
        let waiter = thread::spawn(move || {
            for round in 1..=ROUNDS {
                consumer.wait_for_data(1, FOREVER).unwrap();
                until("all is published", || PUBLISHED.load(Ordering::Relaxed) == round);
                release(&mut consumer, 3);
            }
            consumer
        });
        for round in 1..=ROUNDS {
            // It has looked for the last time, and sleeps or is about to sleep.
            until("the consumer sleeps", || ring.stats().consumer.parks == round);
            for _ in 0..3 {
                publish(&mut producer, 1);
            }
            PUBLISHED.store(round, Ordering::Relaxed);
            until("the bytes are read", || ring.available() == 0);
        }
        waiter.join().unwrap();
        let stats = ring.stats();
        assert_eq!((stats.consumer.parks, stats.producer.wakes), (ROUNDS, ROUNDS));
    });
}

#[test]
fn a_close_wakes_a_sleeper() {
    support::alone(|| {
        AHEAD.store(DAY, Ordering::Relaxed);
        for _ in 0..20 {
            let (mut producer, consumer) = ring(Spin::Never);
            publish(&mut producer, 1);
            let shared = producer.ring().clone();
            let waiter = wait_for_data(consumer, 2, FOREVER);
            until_parked("consumer", || shared.stats().consumer);
            drop(producer);
            assert_eq!(status(waiter.join().unwrap().0), Status::Closed);
        }
    });
}

#[test]
fn wakeup_all_ends_the_wait_of_either_side() {
    let _watchdog = watchdog();
    for spin in SPINS {
        let (producer, consumer) = ring(spin);
        let ring = producer.ring().clone();
        let waiter = wait_for_data(consumer, 1, FOREVER);
        until_parked("consumer", || ring.stats().consumer);
        ring.wakeup_all();
        let (ended, _, mut consumer) = waiter.join().unwrap();
        assert_eq!(status(ended), Status::Interrupted);
        assert_eq!(status(consumer.peek(1, Some(ms(5)))), Status::Timeout, "once only");

        let (mut producer, consumer) = (producer, consumer);
        // The producer has not waited yet. The same call still interrupts its next wait.
        let capacity = ring.capacity();
        publish(&mut producer, capacity);
        assert_eq!(status(producer.claim(1, FOREVER)), Status::Interrupted);
        let waiter = thread::spawn(move || producer.wait_for_space(1, FOREVER));
        until_parked("producer", || ring.stats().producer);
        ring.wakeup_all();
        assert_eq!(status(waiter.join().unwrap()), Status::Interrupted);
        let stats = ring.stats();
        assert_eq!((stats.producer.interruptions, stats.consumer.interruptions), (2, 1));
        drop(consumer);
    }
}

#[test]
fn wakeup_all_before_a_wait_ends_it_once() {
    let _watchdog = watchdog();
    for spin in SPINS {
        let (mut producer, mut consumer) = ring(spin);
        let capacity = producer.ring().capacity();
        publish(&mut producer, capacity);
        // Several calls that meet no wait are one interruption.
        for _ in 0..3 {
            producer.ring().wakeup_all();
        }
        assert_eq!(status(producer.claim(1, FOREVER)), Status::Interrupted);
        assert_eq!(status(producer.claim(1, Some(ms(5)))), Status::Timeout);
        release(&mut consumer, capacity);
        assert_eq!(status(consumer.peek(1, FOREVER)), Status::Interrupted);
        assert_eq!(status(consumer.peek(1, Some(ms(5)))), Status::Timeout);
        producer.ring().wakeup_all();
        assert_eq!(status(consumer.peek_some(1, FOREVER)), Status::Interrupted);
    }
}

#[test]
fn wakeup_all_does_not_disturb_a_side_that_never_waits() {
    let _watchdog = watchdog();
    let (mut producer, mut consumer) = ring(Spin::Adaptive);
    for _ in 0..1000 {
        producer.ring().wakeup_all();
        producer.claim(8, FOREVER).unwrap().publish_all();
        consumer.peek(8, FOREVER).unwrap().release_all();
    }
    let stats = producer.ring().stats();
    assert_eq!((stats.producer.interruptions, stats.consumer.interruptions), (0, 0));
}

#[test]
fn a_timeout_of_zero_neither_is_interrupted_nor_uses_an_interruption_up() {
    let _watchdog = watchdog();
    let (_producer, mut consumer) = ring(Spin::Adaptive);
    consumer.ring().wakeup_all();
    for _ in 0..3 {
        assert_eq!(status(consumer.peek(1, NOW)), Status::Timeout);
    }
    assert_eq!(status(consumer.peek(1, FOREVER)), Status::Interrupted);
}

#[test]
fn data_comes_before_an_interruption() {
    let _watchdog = watchdog();
    let (mut producer, mut consumer) = ring(Spin::Never);
    assert_eq!(status(consumer.peek(1, NOW)), Status::Timeout);
    publish(&mut producer, 2);
    producer.ring().wakeup_all();
    for _ in 0..2 {
        consumer.peek(1, FOREVER).unwrap().release_all();
    }
    assert_eq!(status(consumer.peek(1, FOREVER)), Status::Interrupted);
}

#[test]
fn an_interruption_older_than_the_handle_is_not_its_own() {
    let _watchdog = watchdog();
    let name = support::Name::new();
    let creator = Ring::create(&name, 1).unwrap();
    creator.wakeup_all();
    let mut consumer = Ring::connect(&name).unwrap().into_consumer();
    assert_eq!(status(consumer.peek(1, Some(ms(5)))), Status::Timeout);
    creator.wakeup_all();
    assert_eq!(status(consumer.peek(1, FOREVER)), Status::Interrupted);
}

#[test]
fn no_wakeup_is_lost_however_it_meets_the_wait() {
    let _watchdog = watchdog();
    for spin in [Spin::Never, Spin::Adaptive] {
        let (producer, mut consumer) = ring(spin);
        const ROUNDS: u64 = 5_000;
        let ring = producer.ring().clone();
        let waiter = thread::spawn(move || {
            for _ in 0..ROUNDS {
                assert_eq!(status(consumer.peek(1, FOREVER)), Status::Interrupted);
            }
            consumer
        });
        // As soon as one is answered, the next comes: at any moment of the other's way to sleep.
        for round in 0..ROUNDS {
            ring.wakeup_all();
            until("the call is answered", || ring.stats().consumer.interruptions > round);
        }
        waiter.join().unwrap();
        assert_eq!(ring.stats().consumer.interruptions, ROUNDS);
    }
}

#[test]
fn bytes_stream_through_a_page_whoever_waits() {
    let _watchdog = watchdog();
    // A claim and a peek together never want more than a page, so that one of them can be met.
    const TOTAL: usize = 4 << 20;
    // Without a period that is a power of two, which could hide a mistake.
    const PERIOD: usize = 251;
    static PATTERN: [u8; PERIOD + 2048] = {
        let mut pattern = [0; PERIOD + 2048];
        let mut i = 0;
        while i < pattern.len() {
            pattern[i] = (i % PERIOD) as u8;
            i += 1;
        }
        pattern
    };
    for spin in SPINS {
        let (mut producer, mut consumer) = ring(spin);
        let writer = thread::spawn(move || {
            let (mut sent, mut size) = (0, 1);
            while sent < TOTAL {
                size = (size * 7 + 13) % 2039 + 1;
                let n = size.min(TOTAL - sent);
                let mut grant = producer.claim(n, FOREVER).unwrap();
                grant.copy_from_slice(&PATTERN[sent % PERIOD..][..n]);
                grant.publish_all();
                sent += n;
            }
        });
        let (mut read, mut size) = (0, 5);
        while read < TOTAL {
            size = (size * 11 + 17) % 2029 + 1;
            let n = size.min(TOTAL - read);
            let grant = consumer.peek(n, FOREVER).unwrap();
            assert!(grant.to_vec() == PATTERN[read % PERIOD..][..n]);
            grant.release_all();
            read += n;
        }
        writer.join().unwrap();
    }
}

/// A close is noticed before a long spin is over.
#[test]
fn a_long_spin_ends_when_the_other_side_closes() {
    let _watchdog = watchdog();
    // No spin is longer than this.
    let spin = ms(100);
    let noticed_at_once = (0..20).any(|_| {
        let (mut producer, mut consumer) = ring(Spin::For(spin));
        publish(&mut producer, 1);
        release(&mut consumer, 1);
        let (waits, start) = (AtomicBool::new(false), Instant::now());
        let ended = thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                waits.store(true, Ordering::Relaxed);
                (status(consumer.peek(1, FOREVER)), start.elapsed())
            });
            until("it waits", || waits.load(Ordering::Relaxed));
            drop(producer);
            waiter.join().unwrap()
        });
        assert_eq!(ended.0, Status::Closed);
        ended.1 < spin / 2
    });
    assert!(noticed_at_once);
}

/// Has the kernel end this process if this thread makes a membarrier. False where it can't.
fn forbid_membarrier() -> bool {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut steps = [
        // The system call's number comes first in what the filter sees.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_membarrier as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the program is valid, and copied by the kernel.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    }
}

#[test]
fn a_wait_that_finds_the_peer_closed_neither_announces_a_sleep_nor_makes_a_barrier() {
    support::alone(|| {
        let (mut producer, mut consumer) =
            Options::new().spin(Spin::Never).anonymous(1).unwrap().split();
        producer.claim(1, NOW).unwrap().publish_all();
        assert_eq!(consumer.peek(1, NOW).unwrap().len(), 1);
        drop(producer);
        // An emulator knows no filters.
        if !forbid_membarrier() {
            return;
        }
        for timeout in [FOREVER, Some(Duration::from_secs(60))] {
            assert_eq!(status(consumer.peek(2, timeout)), Status::Closed);
        }
        assert_eq!(consumer.ring().stats().consumer.parks, 0);
    });
}
