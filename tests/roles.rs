//! Who has a role, who gets it next, and what the other side learns of it.

use spsc_shm::{Consumer, Options, Producer, Ring, RoleState, Spin, Status};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};
use support::{
    HEAD, Name, Process, TAIL, object, publish, read, set_counters, status, until, watchdog,
};

const FOREVER: Option<Duration> = None;
const NOW: Option<Duration> = Some(Duration::ZERO);
const BRIEF: Option<Duration> = Some(Duration::from_millis(5));

#[test]
#[ignore = "a child process of the other tests"]
fn child_process() {
    let Some((task, name)) = support::task() else { return };
    let mut producer = Ring::connect(&name).unwrap().into_producer();
    let mut consumer = Ring::connect(&name).unwrap().into_consumer();
    match task.as_str() {
        // 10 bytes published, 20 more written and not published.
        "produce" => {
            let mut grant = producer.claim(30, NOW).unwrap();
            grant.copy_from_slice(&[b'!'; 30]);
            grant.copy_from_slice(b"0123456789");
            grant.publish(10).unwrap();
            let _ = producer.claim(20, NOW).unwrap();
        }
        "hand over" => {
            let fd = producer.ring().as_raw_fd();
            publish(&mut producer, &fd.to_ne_bytes());
        }
        // 4 bytes read and released, all others read and not released.
        "consume" => {
            consumer.peek(4, FOREVER).unwrap().release_all();
            let _ = consumer.peek_some(0, NOW).unwrap();
            // Nobody reads what comes after this, until this process is killed.
            let _ = consumer.wait_for_data(4096, FOREVER);
        }
        // Both are closed when the process ends, and when a test does.
        "produce and close" => {
            let mut grant = producer.claim(5, NOW).unwrap();
            grant.copy_from_slice(b"close");
            grant.publish_all();
            return;
        }
        "exit without closing" => {
            producer.claim(5, NOW).unwrap().publish_all();
            std::process::exit(0);
        }
        "be refused both roles" => {
            assert_eq!(status(producer.claim(1, FOREVER)), Status::RoleTaken);
            assert_eq!(status(consumer.peek(1, FOREVER)), Status::RoleTaken);
            return;
        }
        other => panic!("no task {other}"),
    }
    loop {
        thread::park();
    }
}

fn ring(name: &Name) -> (Producer, Consumer) {
    Options::new().spin(Spin::Never).create(name, 1).unwrap().split()
}

/// A process that does `task`. Returns once `published` bytes are in the ring.
fn started(task: &str, name: &Name, ring: &Ring, published: u64) -> Process {
    let process = Process::start(task, name);
    until("the producer has published", || ring.stats().published == published);
    process
}

fn producer_state(ring: &Ring) -> RoleState {
    ring.stats().producer.state
}

#[test]
fn a_role_has_one_holder_at_a_time() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (mut producer, mut consumer) = ring(&name);
    let (mut producer2, mut consumer2) = Ring::connect(&name).unwrap().split();
    publish(&mut producer, b"one");
    assert_eq!(read(&mut consumer, 3), b"one");

    assert_eq!(status(producer2.claim(1, FOREVER)), Status::RoleTaken);
    assert_eq!(status(producer2.claim_some(0, FOREVER)), Status::RoleTaken);
    assert_eq!(status(producer2.wait_for_space(1, FOREVER)), Status::RoleTaken);
    assert_eq!(status(consumer2.peek(1, FOREVER)), Status::RoleTaken);
    assert_eq!(status(consumer2.peek_some(0, FOREVER)), Status::RoleTaken);
    assert_eq!(status(consumer2.wait_for_data(1, FOREVER)), Status::RoleTaken);
    Process::start("be refused both roles", &name).succeed();

    // The refused ones have changed nothing.
    publish(&mut producer, b"two");
    assert_eq!(read(&mut consumer, 3), b"two");

    drop(producer);
    publish(&mut producer2, b"three");
    drop(consumer);
    assert_eq!(read(&mut consumer2, 5), b"three");
    let stats = consumer2.ring().stats();
    assert_eq!((stats.producer.generation, stats.consumer.generation), (2, 2));
    assert_eq!((stats.published, stats.released), (11, 11));
}

#[test]
fn two_handles_of_one_process_may_have_one_role_each() {
    let _watchdog = watchdog();
    let name = Name::new();
    let mut producer = ring(&name).0;
    let mut consumer = Ring::connect(&name).unwrap().into_consumer();
    publish(&mut producer, b"x");
    assert_eq!(read(&mut consumer, 1), b"x");
    drop(producer);
    assert_eq!(status(consumer.peek(1, FOREVER)), Status::Closed);
}

#[test]
fn a_dead_producers_role_and_place_in_the_stream_are_taken_over() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (mut producer, mut consumer) = ring(&name);
    let mut child = started("produce", &name, consumer.ring(), 10);
    assert_eq!(status(producer.claim(1, FOREVER)), Status::RoleTaken);
    assert_eq!(consumer.ring().stats().producer.pid, child.id());
    child.kill();
    assert_eq!(producer_state(consumer.ring()), RoleState::Dead);
    // What was claimed and not published is gone; what was published is not.
    publish(&mut producer, b"abc");
    assert_eq!(producer_state(consumer.ring()), RoleState::Attached);
    assert_eq!(read(&mut consumer, 13), b"0123456789abc");
    assert_eq!(status(consumer.peek(1, NOW)), Status::Timeout);
}

#[test]
fn what_a_dead_consumer_had_not_released_is_delivered_to_the_next() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (mut producer, mut consumer) = ring(&name);
    publish(&mut producer, b"0123456789");
    let mut child = Process::start("consume", &name);
    let ring = producer.ring().clone();
    until("the consumer sleeps", || ring.stats().consumer.parked && ring.stats().released == 4);
    assert_eq!(status(consumer.peek(1, FOREVER)), Status::RoleTaken);
    child.kill();
    // It left its park word set. That must not hurt the next one.
    publish(&mut producer, b"ab");
    assert_eq!(read(&mut consumer, 8), b"456789ab");
}

#[test]
fn a_close_is_told_after_all_data_and_only_in_place_of_a_wait() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (mut producer, mut consumer) = ring(&name);
    publish(&mut producer, b"0123456789");
    drop(producer);
    for timeout in [NOW, BRIEF, FOREVER] {
        assert_eq!(consumer.peek(10, timeout).unwrap().len(), 10);
        assert_eq!(status(consumer.peek(11, timeout)), Status::Closed);
        assert_eq!(status(consumer.peek_some(11, timeout)), Status::Closed);
        assert_eq!(status(consumer.wait_for_data(11, timeout)), Status::Closed);
    }
    assert_eq!(read(&mut consumer, 10), b"0123456789");
    assert_eq!(consumer.peek_some(0, FOREVER).unwrap().len(), 0);
    for timeout in [NOW, BRIEF, FOREVER] {
        assert_eq!(status(consumer.peek(1, timeout)), Status::Closed);
    }
    // This is not final.
    let mut producer = Ring::connect(&name).unwrap().into_producer();
    assert_eq!(status(consumer.peek(1, NOW)), Status::Closed, "connected is not attached");
    producer.wait_for_space(1, NOW).unwrap();
    assert_eq!(status(consumer.peek(1, NOW)), Status::Timeout);
    assert_eq!(status(consumer.peek(1, BRIEF)), Status::Timeout);
    publish(&mut producer, b"again");
    assert_eq!(read(&mut consumer, 5), b"again");
}

#[test]
fn a_producer_fills_the_ring_of_a_closed_consumer() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (mut producer, mut consumer) = ring(&name);
    let capacity = producer.ring().capacity();
    assert_eq!(status(consumer.peek(1, NOW)), Status::Timeout);
    drop(consumer);
    let full = vec![7; capacity];
    publish(&mut producer, &full);
    for timeout in [NOW, BRIEF, FOREVER] {
        assert_eq!(status(producer.claim(1, timeout)), Status::Closed);
    }
    let mut consumer = Ring::connect(&name).unwrap().into_consumer();
    assert_eq!(read(&mut consumer, capacity), full);
    publish(&mut producer, b"on");
    assert_eq!(read(&mut consumer, 2), b"on");
}

#[test]
fn a_process_that_closes_and_ends_has_closed() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (_, mut consumer) = ring(&name);
    Process::start("produce and close", &name).succeed();
    assert_eq!(read(&mut consumer, 5), b"close");
    assert_eq!(status(consumer.peek(1, FOREVER)), Status::Closed);
}

#[test]
fn a_process_that_ends_without_closing_has_died() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (_, mut consumer) = ring(&name);
    Process::start("exit without closing", &name).succeed();
    assert_eq!(consumer.peek(5, FOREVER).unwrap().len(), 5);
    assert_eq!(status(consumer.peek(6, FOREVER)), Status::PeerDead);
}

#[test]
fn a_sleeper_without_limit_learns_of_a_death() {
    let _watchdog = watchdog();
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let name = Name::new();
        let (_, mut consumer) = ring(&name);
        let mut child = started("produce", &name, consumer.ring(), 10);
        let ring = consumer.ring().clone();
        let waiter = thread::spawn(move || {
            let ended = status(consumer.peek(11, FOREVER));
            (ended, Instant::now(), consumer)
        });
        until("the consumer sleeps", || ring.stats().consumer.parked);
        // It is not dead. It sleeps past its first look at whether the other side lives.
        let parks = ring.stats().consumer.parks;
        until("the consumer has looked", || ring.stats().consumer.parks > parks);
        assert!(!waiter.is_finished());
        let killed = Instant::now();
        child.kill();
        let (ended, at, mut consumer) = waiter.join().unwrap();
        assert_eq!(ended, Status::PeerDead);
        slowest = slowest.max(at - killed);
        // All that was published is there.
        assert_eq!(read(&mut consumer, 10), b"0123456789");
    }
    println!("the slowest of 5 was told {slowest:?} after the kill");
}

#[test]
fn a_producer_asleep_before_a_full_ring_learns_of_a_death() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (mut producer, _) = ring(&name);
    publish(&mut producer, b"0123456789");
    let mut child = Process::start("consume", &name);
    let ring = producer.ring().clone();
    until("the consumer sleeps", || ring.stats().consumer.parked && ring.stats().released == 4);
    let capacity = ring.capacity();
    let waiter = thread::spawn(move || {
        let ended = status(producer.claim(capacity, FOREVER));
        // Free space can still be filled.
        let _ = producer.claim(capacity - 6, FOREVER).unwrap();
        ended
    });
    until("the producer sleeps", || ring.stats().producer.parked);
    child.kill();
    assert_eq!(waiter.join().unwrap(), Status::PeerDead);
}

#[test]
fn who_only_polls_learns_of_a_death_too() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (_, mut consumer) = ring(&name);
    let mut child = started("produce", &name, consumer.ring(), 10);
    assert_eq!(status(consumer.peek(11, NOW)), Status::Timeout);
    child.kill();
    let mut seen = Status::Timeout;
    until("the death is seen", || {
        seen = status(consumer.peek(11, NOW));
        seen != Status::Timeout
    });
    assert_eq!(seen, Status::PeerDead);
    // From now on every kind of call says so at once.
    for timeout in [NOW, BRIEF, FOREVER] {
        assert_eq!(status(consumer.peek(11, timeout)), Status::PeerDead);
    }
    assert_eq!(read(&mut consumer, 10), b"0123456789");
}

#[test]
fn a_restarted_peer_clears_a_death() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (_, mut consumer) = ring(&name);
    started("produce", &name, consumer.ring(), 10).kill();
    assert_eq!(status(consumer.peek(11, FOREVER)), Status::PeerDead);
    let child = started("produce", &name, consumer.ring(), 20);
    assert_eq!(status(consumer.peek(21, NOW)), Status::Timeout);
    assert_eq!(status(consumer.peek(21, BRIEF)), Status::Timeout);
    assert_eq!(read(&mut consumer, 20), b"01234567890123456789");
    drop(child);
    assert_eq!(status(consumer.peek(1, FOREVER)), Status::PeerDead);
    // If the next one closes properly, the role is closed and not dead.
    Process::start("produce and close", &name).succeed();
    assert_eq!(read(&mut consumer, 5), b"close");
    assert_eq!(status(consumer.peek(1, FOREVER)), Status::Closed);
}

#[test]
fn a_descriptor_handed_over_does_not_keep_a_dead_peers_role_alive() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (mut producer, mut consumer) = ring(&name);
    let mut child = Process::start("hand over", &name);
    let fd = i32::from_ne_bytes(read(&mut consumer, 4).try_into().unwrap());
    let copy = handed_over(&child, fd);
    child.kill();
    assert_eq!(status(consumer.peek(1, FOREVER)), Status::PeerDead);
    publish(&mut producer, b"mine");
    assert_eq!(read(&mut consumer, 4), b"mine");
    drop(copy);
}

/// The child's own descriptor of this number, as if it had been sent here.
fn handed_over(child: &Process, fd: i32) -> OwnedFd {
    // SAFETY: the calls pass no pointers; the descriptors that they give are new.
    unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, child.id(), 0) as i32;
        assert_ne!(process, -1);
        let process = OwnedFd::from_raw_fd(process);
        let copy = libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) as i32;
        assert_ne!(copy, -1);
        OwnedFd::from_raw_fd(copy)
    }
}

#[test]
fn counters_that_contradict_each_other_are_refused_when_a_role_is_taken() {
    let _watchdog = watchdog();
    let ring = Ring::anonymous(1).unwrap();
    let capacity = ring.capacity() as u64;
    let (mut producer, mut consumer) = ring.split();
    let contradictions = [
        (0, 1),
        (capacity + 1, 0),
        (u64::MAX, 0),
        (1 << 63, 0),
        (0, 1 << 63),
        (5, u64::MAX - capacity),
        (0xA5A5_A5A5_A5A5_A5A5, 0x5A5A_5A5A_5A5A_5A5A),
    ];
    for (head, tail) in contradictions {
        set_counters(producer.ring(), head, tail);
        for timeout in [NOW, BRIEF, FOREVER] {
            assert_eq!(status(producer.claim(1, timeout)), Status::Corrupt, "{head} {tail}");
            assert_eq!(status(producer.claim_some(0, timeout)), Status::Corrupt);
            assert_eq!(status(consumer.peek(1, timeout)), Status::Corrupt, "{head} {tail}");
            assert_eq!(status(consumer.peek_some(0, timeout)), Status::Corrupt);
        }
        let stats = producer.ring().stats();
        assert_eq!(stats.producer.state, RoleState::Never);
        assert_eq!(stats.consumer.state, RoleState::Never);
        assert!(stats.available <= capacity);
    }
    // After the refusal the roles are free, for others too, once the counters are sound.
    set_counters(producer.ring(), 5, u64::MAX - 10);
    let (mut producer2, mut consumer2) =
        Ring::connect_fd(producer.ring().sealed_fd().unwrap()).unwrap().split();
    assert_eq!(consumer2.peek_some(0, NOW).unwrap().len(), 16);
    assert_eq!(producer2.claim_some(0, NOW).unwrap().len() as u64, capacity - 16);
}

#[test]
fn a_counter_that_lies_is_reported_and_nothing_is_touched() {
    let _watchdog = watchdog();
    let ring = Ring::anonymous(1).unwrap();
    let capacity = ring.capacity() as u64;
    let object = object(&ring);
    let (mut producer, mut consumer) = ring.split();
    publish(&mut producer, &[1; 100]);
    assert_eq!(read(&mut consumer, 60).len(), 60);
    assert_eq!(producer.claim_some(0, NOW).unwrap().len() as u64, capacity - 40);
    assert_eq!(consumer.peek_some(0, NOW).unwrap().len(), 40);

    // The consumer has seen a head of 100. Less is a lie, and so is more than the ring holds.
    for lie in [0, 59, 60, 99, 60 + capacity + 1, 1 << 63, u64::MAX] {
        object.write_all_at(&lie.to_ne_bytes(), HEAD).unwrap();
        for timeout in [NOW, BRIEF, FOREVER] {
            assert_eq!(status(consumer.peek(41, timeout)), Status::Corrupt, "{lie}");
            assert_eq!(status(consumer.peek_some(1, timeout)), Status::Corrupt, "{lie}");
        }
        // What was there is still there.
        assert_eq!(consumer.peek(40, NOW).unwrap().to_vec(), [1; 40]);
        assert_eq!(consumer.ring().stats().released, 60);
    }
    object.write_all_at(&100_u64.to_ne_bytes(), HEAD).unwrap();

    // The producer has seen a tail of 60. Less is a lie, and so is more than was published.
    for lie in [0, 59, 101, 1 << 63, u64::MAX] {
        object.write_all_at(&lie.to_ne_bytes(), TAIL).unwrap();
        let too_many = producer.ring().capacity() - 39;
        assert_eq!(status(producer.claim(too_many, FOREVER)), Status::Corrupt, "{lie}");
        assert_eq!(status(producer.claim_some(0, NOW)), Status::Corrupt, "{lie}");
        assert_eq!(producer.ring().stats().producer.state, RoleState::Attached);
    }
    object.write_all_at(&60_u64.to_ne_bytes(), TAIL).unwrap();

    // Both go on where they were.
    publish(&mut producer, &[2; 10]);
    assert_eq!(read(&mut consumer, 50)[40..], [2; 10]);
}

#[test]
fn a_lie_reaches_a_sleeper() {
    let _watchdog = watchdog();
    let ring = Options::new().spin(Spin::Never).anonymous(1).unwrap();
    let object = object(&ring);
    let (producer, mut consumer) = ring.split();
    let shared = producer.ring().clone();
    let waiter = thread::spawn(move || status(consumer.peek(1, FOREVER)));
    until("the consumer sleeps", || shared.stats().consumer.parked);
    object.write_all_at(&u64::MAX.to_ne_bytes(), HEAD).unwrap();
    assert_eq!(waiter.join().unwrap(), Status::Corrupt);
}

#[test]
fn garbage_in_the_rest_of_the_control_block_does_no_harm() {
    let _watchdog = watchdog();
    let ring = Ring::anonymous(1).unwrap();
    let object = object(&ring);
    let (mut producer, mut consumer) = ring.split();
    publish(&mut producer, b"sound");
    let _ = consumer.peek(1, NOW).unwrap();
    let header_from = 8;
    for garbage in [0x00, 0x01, 0x5A, 0xFF_u8] {
        for (from, to) in [(header_from, HEAD), (384, 1024)] {
            object.write_all_at(&vec![garbage; (to - from) as usize], from).unwrap();
        }
        assert_eq!(consumer.peek(5, FOREVER).unwrap().to_vec(), b"sound");
        // Whatever the outcome is, the call ends in time.
        assert!(consumer.peek(6, BRIEF).is_err());
        let capacity = producer.ring().capacity();
        assert!(producer.claim(capacity, BRIEF).is_err());
        let _ = producer.ring().stats();
        assert_eq!(producer.ring().capacity(), support::page_size());
    }
}
