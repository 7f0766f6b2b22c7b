//! One wait for many rings ends when there is cause at any of them, and says where.

use spsc_shm::{
    Consumer, End, Error, Options, Producer, Ready, Ring, Spin, Status, WaitSet, Waitable,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::{Name, Process, status, task, until, watchdog};

const FOREVER: Option<Duration> = None;
const NOW: Option<Duration> = Some(Duration::ZERO);
const SPINS: [Spin; 3] = [Spin::Never, Spin::Adaptive, Spin::For(Duration::from_millis(2))];

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn rings(count: usize, spin: Spin) -> (Vec<Producer>, WaitSet<Consumer>) {
    let mut set = WaitSet::new();
    let producers = (0..count).map(|key| {
        let (producer, consumer) = Options::new().spin(spin).anonymous(1).unwrap().split();
        assert_eq!(set.insert(consumer, 1), Ok(key));
        producer
    });
    (producers.collect(), set)
}

fn publish(producer: &mut Producer, n: usize) {
    producer.claim(n, NOW).unwrap().publish_all();
}

fn release(consumer: &mut Consumer, n: usize) {
    consumer.peek(n, NOW).unwrap().release_all();
}

fn keys(ready: Result<Ready, Error>) -> Vec<usize> {
    ready.unwrap().collect()
}

/// What this program does as another process.
#[test]
#[ignore = "for other tests to start"]
fn child_process() {
    let (task, argument) = task().expect("for other tests to start");
    let mut producer = Ring::connect(&argument).unwrap().into_producer();
    publish(&mut producer, 1);
    if task == "publish, close and live" {
        drop(producer);
    } else {
        assert_eq!(task, "publish and live");
    }
    loop {
        thread::park();
    }
}

#[test]
fn every_ring_that_is_ready_is_reported_and_no_other() {
    let _watchdog = watchdog();
    let (mut producers, mut set) = rings(WaitSet::<Consumer>::MAX, Spin::Never);
    assert_eq!(status(set.wait(NOW)), Status::Timeout);
    for busy in [vec![0], vec![126], vec![3, 64, 100], (0..127).collect()] {
        for key in &busy {
            publish(&mut producers[*key], 2);
        }
        for _ in 0..2 {
            assert_eq!(keys(set.wait(FOREVER)), busy);
            for key in 0..127 {
                assert_eq!(set.outcome(key), busy.contains(&key).then_some(Ok(())));
            }
            for key in &busy {
                release(&mut set[*key], 1);
            }
        }
        assert_eq!(status(set.wait(Some(ms(1)))), Status::Timeout);
        assert_eq!(set.outcome(busy[0]), None);
    }
}

#[test]
fn a_publish_to_any_ring_ends_the_wait_whoever_spins() {
    let _watchdog = watchdog();
    for spin in SPINS {
        for count in [1, 2, 127] {
            let (mut producers, mut set) = rings(count, spin);
            let ring = Arc::clone(set[0].ring());
            for which in [0, count / 2, count - 1] {
                let parks = ring.stats().consumer.parks;
                let waiter = thread::spawn(move || (keys(set.wait(FOREVER)), set));
                until("it sleeps", || ring.stats().consumer.parks > parks);
                publish(&mut producers[which], 1);
                let ready;
                (ready, set) = waiter.join().unwrap();
                assert_eq!(ready, [which], "{spin:?}, {count} rings");
                release(&mut set[which], 1);
                let parked = set.keys().filter(|key| set[*key].ring().stats().consumer.parked);
                assert_eq!(parked.count(), 0, "an announcement is left");
            }
        }
    }
}

#[test]
fn a_sleep_ends_for_the_bytes_that_it_waits_for_and_not_before() {
    let _watchdog = watchdog();
    let (mut producers, mut set) = rings(3, Spin::Never);
    assert!(set.set_need(1, 1000));
    let ring = Arc::clone(set[1].ring());
    let waiter = thread::spawn(move || (keys(set.wait(FOREVER)), set));
    until("it sleeps", || ring.stats().consumer.parked);
    for _ in 0..999 {
        publish(&mut producers[1], 1);
    }
    assert_eq!(ring.stats().producer.wakes, 0);
    assert!(!waiter.is_finished());
    publish(&mut producers[1], 1);
    let (ready, _set) = waiter.join().unwrap();
    assert_eq!(ready, [1]);
    assert!(ring.stats().producer.wakes <= 1);
}

#[test]
fn producers_wait_for_space_in_one_set_with_consumers() {
    enum Either {
        Writes(Producer),
        Reads(Consumer),
    }
    impl Waitable for Either {
        fn end(&mut self) -> End<'_> {
            match self {
                Self::Writes(producer) => End::Producer(producer),
                Self::Reads(consumer) => End::Consumer(consumer),
            }
        }
    }
    let _watchdog = watchdog();
    let (mut full, mut drain) = Ring::anonymous(1).unwrap().split();
    let (mut feed, empty) = Ring::anonymous(1).unwrap().split();
    let capacity = full.ring().capacity();
    publish(&mut full, capacity);
    let mut set = WaitSet::new();
    set.insert(Either::Writes(full), 8).unwrap();
    set.insert(Either::Reads(empty), 8).unwrap();
    assert_eq!(status(set.wait(Some(ms(1)))), Status::Timeout);
    release(&mut drain, 8);
    assert_eq!(keys(set.wait(FOREVER)), [0]);
    publish(&mut feed, 8);
    assert_eq!(keys(set.wait(FOREVER)), [0, 1]);
    assert!(matches!(set.remove(0), Some(Either::Writes(_))));
    assert_eq!(keys(set.wait(FOREVER)), [1]);
}

#[test]
fn keys_stay_what_they_are_while_ends_come_and_go() {
    let (mut producers, mut set) = rings(4, Spin::Never);
    assert_eq!((set.len(), set.is_empty()), (4, false));
    let mut first = set.remove(1).unwrap();
    assert!(set.remove(1).is_none() && set.get(1).is_none() && set.remove(127).is_none());
    assert_eq!(set.keys().collect::<Vec<_>>(), [0, 2, 3]);
    publish(&mut producers[3], 1);
    publish(&mut producers[1], 1);
    assert_eq!(keys(set.wait(NOW)), [3]);
    // Moved out, it is an end as any other; moved in again, too.
    release(&mut first, 1);
    publish(&mut producers[1], 1);
    assert_eq!(set.insert(first, 1), Ok(1));
    assert_eq!(keys(set.wait(NOW)), [1, 3]);
    assert!(!set.set_need(9, 1) && set.outcome(9).is_none());
    for key in 0..4 {
        set.remove(key).unwrap();
    }
    assert_eq!(status(set.wait(FOREVER)), Status::InvalidArgument);
}

#[test]
fn a_full_set_takes_no_more() {
    let (_producers, mut set) = rings(WaitSet::<Consumer>::MAX, Spin::Never);
    let one_more = Ring::anonymous(1).unwrap().into_consumer();
    assert_eq!(status(set.insert(one_more, 1)), Status::TooLarge);
    assert_eq!(set.len(), WaitSet::<Consumer>::MAX);
}

#[test]
fn an_ends_own_error_is_its_own() {
    let _watchdog = watchdog();
    let name = Name::new();
    let mut holder = Ring::create(&name, 1).unwrap().into_consumer();
    assert_eq!(status(holder.wait_for_data(1, NOW)), Status::Timeout);
    let (producers, mut set) = rings(2, Spin::Never);
    set.insert(Ring::connect(&name).unwrap().into_consumer(), 1).unwrap();
    set.set_need(0, producers[0].ring().capacity() + 1);
    assert_eq!(keys(set.wait(FOREVER)), [0, 2]);
    assert_eq!(set.outcome(0), Some(Err(Status::TooLarge.into())));
    assert_eq!(set.outcome(1), None);
    assert_eq!(set.outcome(2), Some(Err(Status::RoleTaken.into())));
    // A counter that can't be.
    support::set_counters(set[1].ring(), u64::MAX / 2, 0);
    assert_eq!(keys(set.wait(FOREVER)).len(), 3);
    set.remove(0);
    set.remove(2);
    assert_eq!(keys(set.wait(FOREVER)), [1]);
    assert_eq!(set.outcome(1), Some(Err(Status::Corrupt.into())));
}

#[test]
fn a_closed_and_a_dead_producer_among_live_ones_are_reported_for_their_item() {
    let _watchdog = watchdog();
    let mut set = WaitSet::new();
    let tasks = ["publish and live", "publish, close and live", "publish and live"];
    let names = tasks.map(|_| Name::new());
    let mut children = Vec::new();
    for (task, name) in tasks.iter().zip(&names) {
        let consumer = Ring::create(name, 1).unwrap().into_consumer();
        children.push(Process::start(task, name));
        set.insert(consumer, 1).unwrap();
    }
    // What was published comes first.
    for key in 0..3 {
        until("it is published", || set[key].ring().available() == 1);
        release(&mut set[key], 1);
    }
    assert_eq!(keys(set.wait(FOREVER)), [1]);
    assert_eq!(set.outcome(1), Some(Err(Status::Closed.into())));
    set.remove(1);
    assert_eq!(status(set.wait(Some(ms(150)))), Status::Timeout);
    children[2].kill();
    assert_eq!(keys(set.wait(FOREVER)), [2]);
    assert_eq!(set.outcome(2), Some(Err(Status::PeerDead.into())));
    assert_eq!(set.outcome(0), None);
    assert!(children[0].runs() && children[1].runs());
}

/// Also while another ring is always ready, so that nobody ever waits.
#[test]
fn a_closed_and_a_dead_producer_are_reported_beside_a_busy_one() {
    let _watchdog = watchdog();
    let (mut busy, consumer) = Ring::anonymous(1).unwrap().split();
    publish(&mut busy, 1);
    let mut set = WaitSet::new();
    set.insert(consumer, 1).unwrap();
    let mut children = Vec::new();
    for task in ["publish, close and live", "publish and live"] {
        let name = Name::new();
        let mut consumer = Ring::create(&name, 1).unwrap().into_consumer();
        children.push(Process::start(task, &name));
        consumer.peek(1, FOREVER).unwrap().release_all();
        set.insert(consumer, 1).unwrap();
    }
    until("the close is seen", || keys(set.wait(FOREVER)) == [0, 1]);
    children[1].kill();
    until("the death is seen", || keys(set.wait(FOREVER)) == [0, 1, 2]);
    assert_eq!(set.outcome(0), Some(Ok(())));
    assert_eq!(set.outcome(1), Some(Err(Status::Closed.into())));
    assert_eq!(set.outcome(2), Some(Err(Status::PeerDead.into())));
}

#[test]
fn an_interrupt_of_one_ends_the_wait_once_and_is_noted_there() {
    let _watchdog = watchdog();
    for spin in SPINS {
        let (mut producers, mut set) = rings(3, spin);
        let ring = Arc::clone(set[2].ring());
        let interrupter = set[2].interrupter();
        for wakeup_all in [false, true] {
            let parks = ring.stats().consumer.parks;
            let waiter = thread::spawn(move || (set.wait(FOREVER), set));
            until("it sleeps", || ring.stats().consumer.parks > parks);
            if wakeup_all {
                ring.wakeup_all();
            } else {
                interrupter.interrupt();
            }
            let ended;
            (ended, set) = waiter.join().unwrap();
            assert_eq!(status(ended), Status::Interrupted);
            let interrupted = Some(Err(Status::Interrupted.into()));
            assert_eq!([0, 1, 2].map(|key| set.outcome(key)), [None, None, interrupted]);
            assert_eq!(status(set.wait(Some(ms(2)))), Status::Timeout, "once");
        }
        // What is ready comes first, and the interrupt stays.
        interrupter.interrupt();
        publish(&mut producers[0], 1);
        assert_eq!(keys(set.wait(FOREVER)), [0]);
        release(&mut set[0], 1);
        assert_eq!(status(set.wait(NOW)), Status::Timeout);
        assert_eq!(status(set.wait(FOREVER)), Status::Interrupted);
        interrupter.interrupt();
        interrupter.clear();
        assert_eq!(status(set.wait(Some(ms(2)))), Status::Timeout);
    }
}

#[test]
fn no_interrupt_is_lost_however_it_meets_the_wait() {
    let _watchdog = watchdog();
    const ROUNDS: u64 = 3_000;
    let (_producers, mut set) = rings(8, Spin::Never);
    let ring = Arc::clone(set[5].ring());
    let waiter = thread::spawn(move || {
        for _ in 0..ROUNDS {
            assert_eq!(status(set.wait(FOREVER)), Status::Interrupted);
        }
    });
    for round in 0..ROUNDS {
        ring.wakeup_all();
        until("the call is answered", || ring.stats().consumer.interruptions > round);
    }
    waiter.join().unwrap();
}

#[test]
fn the_time_runs_out_and_not_before() {
    let _watchdog = watchdog();
    for spin in SPINS {
        let (_producers, mut set) = rings(5, spin);
        for timeout in [1, 1_000, 100_000, 3_000_000, 130_000_000].map(Duration::from_nanos) {
            let start = Instant::now();
            assert_eq!(status(set.wait(Some(timeout))), Status::Timeout);
            assert!(start.elapsed() >= timeout, "{spin:?}: {timeout:?}");
        }
    }
}

/// The looks at who is alive fall together, however the rings came to the set.
#[test]
fn an_idle_waiter_wakes_ten_times_a_second_for_all_its_rings() {
    let _watchdog = watchdog();
    let (mut producers, mut set) = rings(16, Spin::Never);
    for (key, producer) in producers.iter_mut().enumerate() {
        producer.wait_for_space(1, NOW).unwrap();
        // Each ring's own look falls to another time.
        thread::sleep(ms(5));
        assert_eq!(status(set[key].wait_for_data(1, NOW)), Status::Timeout);
    }
    let ring = Arc::clone(set[0].ring());
    let before = ring.stats().consumer.parks;
    let start = Instant::now();
    assert_eq!(status(set.wait(Some(ms(1000)))), Status::Timeout);
    let sleeps = ring.stats().consumer.parks - before;
    let most = 2 + start.elapsed().as_millis() as u64 / 100;
    assert!(sleeps <= most, "{sleeps} sleeps in {:?}", start.elapsed());
}

/// From here on the kernel answers `error` to futex_waitv, in this process.
fn refuse_futex_waitv(error: i32) {
    let statement = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, 449),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | error as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its filter are valid during the calls.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program), 0);
    }
}

fn waits_where_the_kernel_refuses(error: i32) {
    // The other threads of the process have no part in it.
    let waiter = thread::spawn(move || {
        refuse_futex_waitv(error);
        let (mut producers, mut set) = rings(8, Spin::Never);
        let ring = Arc::clone(set[7].ring());
        for round in 0..20 {
            let parks = ring.stats().consumer.parks;
            thread::scope(|scope| {
                scope.spawn(|| {
                    until("it sleeps", || ring.stats().consumer.parks > parks);
                    publish(&mut producers[7], 1);
                });
                assert_eq!(keys(set.wait(FOREVER)), [7], "round {round}");
            });
            release(&mut set[7], 1);
        }
        let before = (Instant::now(), ring.stats().consumer.parks);
        assert_eq!(status(set.wait(Some(ms(200)))), Status::Timeout);
        let (took, sleeps) = (before.0.elapsed(), ring.stats().consumer.parks - before.1);
        assert!(took >= ms(200));
        // It sleeps and does not spin: a millisecond each.
        assert!(sleeps <= 2 + took.as_millis() as u64, "{sleeps} sleeps in {took:?}");
    });
    waiter.join().unwrap();
}

#[test]
fn a_kernel_without_futex_waitv_is_done_without() {
    support::alone(|| waits_where_the_kernel_refuses(libc::ENOSYS));
}

#[test]
fn a_sandbox_that_refuses_futex_waitv_is_done_without() {
    support::alone(|| waits_where_the_kernel_refuses(libc::EPERM));
}

/// A ring that is always full holds up no other: the next call reports it.
#[test]
fn what_comes_beside_a_flood_is_reported_by_the_next_call() {
    let _watchdog = watchdog();
    let (mut producers, mut set) = rings(16, Spin::Never);
    let capacity = producers[0].ring().capacity();
    publish(&mut producers[0], capacity);
    for key in 1..16 {
        publish(&mut producers[key], 1);
        assert_eq!(keys(set.wait(FOREVER)), [0, key]);
        release(&mut set[key], 1);
        release(&mut set[0], 1);
        publish(&mut producers[0], 1);
    }
}

/// Of eight rings whose producers publish as fast as they can, each that has a message is reported by the
/// next call.
#[test]
fn none_of_many_busy_rings_is_starved() {
    const RINGS: usize = 8;
    const MESSAGES: usize = 200_000;
    let _watchdog = watchdog();
    let (producers, mut set) = rings(RINGS, Spin::Never);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for mut producer in producers {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    match producer.claim(64, Some(ms(10))) {
                        Ok(grant) => grant.publish_all(),
                        Err(error) => assert_eq!(error.status(), Status::Timeout),
                    }
                }
            });
        }
        for key in 0..RINGS {
            until("all produce", || set[key].ring().available() > 0);
        }
        let mut served = 0;
        while served < MESSAGES {
            let due: Vec<_> = (0..RINGS).filter(|key| set[*key].ring().available() > 0).collect();
            let ready = keys(set.wait(FOREVER));
            assert!(due.iter().all(|key| ready.contains(key)), "{due:?}, but {ready:?}");
            for key in &ready {
                release(&mut set[*key], 64);
            }
            served += ready.len();
        }
        stop.store(true, Ordering::Relaxed);
    });
}
