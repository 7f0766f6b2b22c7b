//! Models of the real ring and waiting code: loom runs each through every order in which its
//! threads can take turns and every value that a load may return, within its bound.
//!
//! All waits are without limit and time stands still, so that a lost wake-up is a deadlock. The
//! bytes are loom cells, so that a counter whose Release or Acquire is missing is a data race.
//! The halves of the asymmetric barrier are full fences here. `tests/membarrier_model.rs` shows that the
//! kernel's barrier does as well.

mod connection;

use crate::cursor::{Rx, Side, Tx};
use crate::endpoint::Endpoint;
use crate::layout::{Control, MAGIC};
use crate::role::Locks;
use crate::status::{Result, Status};
use crate::sync::Ordering;
use crate::sys::{self, Barriers};
use crate::wait::any::{Glance, Item, Member, Pending, any};
use crate::wait::{self, FOREVER, Monitor, Patience};
use loom::cell::UnsafeCell;
use loom::thread::{self, JoinHandle};
use std::sync::Arc;

/// How often the scheduler may preempt a thread. Whatever goes wrong in the protocol goes wrong with
/// two preemptions: one on each side of the window.
const PREEMPTIONS: usize = 3;

/// A ring in which the byte at position `n` of the stream is `n`.
struct Ring {
    control: Control,
    data: Vec<UnsafeCell<u64>>,
    locks: Locks,
    monitors: [Monitor; 2],
}

impl Ring {
    fn new(capacity: usize) -> Arc<Self> {
        sys::boot();
        Self::sibling(capacity)
    }

    /// Another ring of the same model.
    fn sibling(capacity: usize) -> Arc<Self> {
        let control = Control::default();
        control.header.magic.store(MAGIC, Ordering::Relaxed);
        let data = (0..capacity).map(|_| UnsafeCell::new(u64::MAX)).collect();
        Arc::new(Self { control, data, locks: Locks, monitors: Default::default() })
    }

    /// A handle's one side. Made before the threads are: a handle answers the calls of
    /// `wakeup_all` that come after it is opened.
    fn end<S: Side>(self: &Arc<Self>) -> End<S> {
        let Self { control, data, locks, monitors } = &**self;
        let monitor = &monitors[S::ROLE as usize];
        let nowhere = std::ptr::null_mut();
        // SAFETY: the end keeps the ring.
        let endpoint =
            unsafe { Endpoint::new(control, locks, monitor, nowhere, data.len() as u64, 0) };
        End { ring: Arc::clone(self), endpoint, position: 0 }
    }

    fn interrupt<S: Side>(&self) {
        self.monitors[S::ROLE as usize].interrupt::<S>(&self.control);
    }
}

struct End<S> {
    ring: Arc<Ring>,
    endpoint: Endpoint<S>,
    position: u64,
}

// SAFETY: the endpoint's pointers are into the ring, which any thread may use.
unsafe impl<S> Send for End<S> {}

impl<S: Side> End<S> {
    /// Waits for ever until `n` bytes are granted, uses each, and hands them on.
    fn pass(&mut self, n: u64, mut each: impl FnMut(&UnsafeCell<u64>, u64)) -> Result<()> {
        // The data is not in memory: what is granted is an offset.
        let offset = self.endpoint.reserve(n, FOREVER)?.addr();
        for slot in self.ring.data.iter().cycle().skip(offset).take(n as usize) {
            each(slot, self.position);
            self.position += 1;
        }
        self.endpoint.advance(n)
    }

    fn close(&mut self) {
        self.endpoint.detach();
    }

    /// A new handle's side, which takes this one's role over.
    fn successor(&mut self) -> Self {
        self.close();
        Self { position: self.position, ..self.ring.end() }
    }
}

impl End<Tx> {
    fn send(&mut self, n: u64) -> Result<()> {
        // SAFETY: loom checks that nobody else touches the cell meanwhile.
        self.pass(n, |slot, position| slot.with_mut(|byte| unsafe { *byte = position }))
    }
}

impl End<Rx> {
    fn receive(&mut self, n: u64) -> Result<()> {
        self.pass(n, |slot, position| {
            // SAFETY: loom checks that nobody writes the cell meanwhile.
            let byte = slot.with(|byte| unsafe { *byte });
            assert_eq!(byte, position, "the stream is in order");
        })
    }
}

fn status(result: Result<()>) -> Option<Status> {
    result.err().map(crate::status::Error::status)
}

/// A new ring and its two ends.
fn ends(capacity: usize) -> (Arc<Ring>, End<Tx>, End<Rx>) {
    let ring = Ring::new(capacity);
    let (producer, consumer) = (ring.end(), ring.end());
    (ring, producer, consumer)
}

/// Another thread that calls `wakeup_all` once.
fn call_wakeup_all(ring: &Arc<Ring>) -> thread::JoinHandle<()> {
    let ring = Arc::clone(ring);
    thread::spawn(move || wait::interrupt_all(&ring.control))
}

fn check_with(barriers: Barriers, model: impl Fn() + Send + Sync + 'static) {
    check_within(PREEMPTIONS, barriers, model);
}

fn check_within(preemptions: usize, barriers: Barriers, model: impl Fn() + Send + Sync + 'static) {
    barriers.set();
    let sleeps_before = sys::sleeps();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.check(model);
    assert!(sys::sleeps() > sleeps_before, "a model in which nobody sleeps shows nothing");
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    check_with(Barriers::BOTH, model);
}

fn a_consumer_waits_on_an_empty_ring() {
    let (_, mut producer, mut consumer) = ends(1);
    let sending = thread::spawn(move || producer.send(1).unwrap());
    consumer.receive(1).unwrap();
    sending.join().unwrap();
}

fn a_producer_waits_on_a_full_ring() {
    let (_, mut producer, mut consumer) = ends(1);
    producer.send(1).unwrap();
    let receiving = thread::spawn(move || consumer.receive(1).unwrap());
    producer.send(1).unwrap();
    receiving.join().unwrap();
}

#[test]
fn a_publish_wakes_a_consumer_that_parks_on_an_empty_ring() {
    check(a_consumer_waits_on_an_empty_ring);
}

#[test]
fn a_release_wakes_a_producer_that_parks_on_a_full_ring() {
    check(a_producer_waits_on_a_full_ring);
}

const NO_LIGHT: Barriers = Barriers { light: false, ..Barriers::BOTH };
const NO_HEAVY: Barriers = Barriers { heavy: false, ..Barriers::BOTH };
const UNREGISTERED: Barriers = Barriers { light: false, registered: false, ..Barriers::BOTH };

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_light_half_a_consumer_sleeps_beside_its_data() {
    check_with(NO_LIGHT, a_consumer_waits_on_an_empty_ring);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_heavy_half_a_consumer_sleeps_beside_its_data() {
    check_with(NO_HEAVY, a_consumer_waits_on_an_empty_ring);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_light_half_a_producer_sleeps_beside_its_space() {
    check_with(NO_LIGHT, a_producer_waits_on_a_full_ring);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_heavy_half_a_producer_sleeps_beside_its_space() {
    check_with(NO_HEAVY, a_producer_waits_on_a_full_ring);
}

#[test]
fn a_waker_that_is_not_registered_fences_by_itself() {
    check_with(UNREGISTERED, a_consumer_waits_on_an_empty_ring);
    check_with(UNREGISTERED, a_producer_waits_on_a_full_ring);
}

#[test]
fn both_sides_take_turns_in_parking() {
    check(|| {
        let (_, mut producer, mut consumer) = ends(1);
        let sending = thread::spawn(move || (0..3).for_each(|_| producer.send(1).unwrap()));
        (0..3).for_each(|_| consumer.receive(1).unwrap());
        sending.join().unwrap();
    });
}

#[test]
fn messages_may_be_read_in_other_sizes_than_they_were_written_in() {
    check(|| {
        let (_, mut producer, mut consumer) = ends(4);
        let sending =
            thread::spawn(move || [2, 1, 2].into_iter().for_each(|n| producer.send(n).unwrap()));
        [1, 4].into_iter().for_each(|n| consumer.receive(n).unwrap());
        sending.join().unwrap();
    });
}

#[test]
fn a_wait_for_several_bytes_ends_when_the_last_is_published() {
    check(|| {
        let (_, mut producer, mut consumer) = ends(4);
        let sending = thread::spawn(move || (0..3).for_each(|_| producer.send(1).unwrap()));
        consumer.receive(3).unwrap();
        sending.join().unwrap();
    });
}

#[test]
fn a_wait_for_several_bytes_of_space_ends_when_the_last_is_released() {
    check(|| {
        let (_, mut producer, mut consumer) = ends(2);
        producer.send(2).unwrap();
        let receiving = thread::spawn(move || (0..2).for_each(|_| consumer.receive(1).unwrap()));
        producer.send(2).unwrap();
        receiving.join().unwrap();
    });
}

#[test]
fn a_new_wait_for_less_is_not_judged_by_the_last_one() {
    check(|| {
        let (ring, mut producer, mut consumer) = ends(2);
        let control = Arc::clone(&ring);
        let sending = thread::spawn(move || {
            wait::interrupt_all(&control.control);
            producer.send(1).unwrap();
        });
        assert_eq!(status(consumer.receive(2)), Some(Status::Interrupted));
        consumer.receive(1).unwrap();
        sending.join().unwrap();
    });
}

/// Takes bytes until it has got `n` and one interruption, in whatever order.
fn collect(n: u64, mut take_one: impl FnMut() -> Result<()>) {
    let (mut taken, mut interruptions) = (0, 0);
    while taken < n || interruptions < 1 {
        match status(take_one()) {
            None => taken += 1,
            Some(Status::Interrupted) => interruptions += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((taken, interruptions), (n, 1), "no more than was sent and called");
}

#[test]
fn an_interruption_and_data_that_race_are_both_received_once() {
    check(|| {
        let (ring, mut producer, mut consumer) = ends(1);
        let sending = thread::spawn(move || producer.send(1).unwrap());
        let calling = call_wakeup_all(&ring);
        collect(1, || consumer.receive(1));
        sending.join().unwrap();
        calling.join().unwrap();
    });
}

#[test]
fn data_that_is_there_comes_before_an_interruption() {
    check(|| {
        let (ring, mut producer, mut consumer) = ends(1);
        let control = Arc::clone(&ring);
        let sending = thread::spawn(move || {
            producer.send(1).unwrap();
            wait::interrupt_all(&control.control);
        });
        consumer.receive(1).unwrap();
        assert_eq!(status(consumer.receive(1)), Some(Status::Interrupted));
        sending.join().unwrap();
    });
}

#[test]
fn an_interruption_reaches_both_sides_while_both_wait() {
    check(|| {
        let (ring, mut producer, mut consumer) = ends(2);
        producer.send(1).unwrap();
        // One byte is there and one is free. Each side wants two, and nobody will move.
        let receiving = thread::spawn(move || {
            assert_eq!(status(consumer.receive(2)), Some(Status::Interrupted));
        });
        let calling = call_wakeup_all(&ring);
        assert_eq!(status(producer.send(2)), Some(Status::Interrupted));
        receiving.join().unwrap();
        calling.join().unwrap();
    });
}

#[test]
fn two_interruptions_end_one_wait_or_two_and_no_third() {
    check(|| {
        let (ring, mut producer, mut consumer) = ends(1);
        let control = Arc::clone(&ring);
        let sending = thread::spawn(move || {
            wait::interrupt_all(&control.control);
            wait::interrupt_all(&control.control);
            producer.send(1).unwrap();
        });
        let mut interruptions = 0;
        while let Err(error) = consumer.receive(1) {
            assert_eq!(error.status(), Status::Interrupted);
            interruptions += 1;
        }
        assert!(interruptions <= 2);
        sending.join().unwrap();
    });
}

#[test]
fn an_interrupt_of_one_handle_ends_its_wait_or_its_next_one_once() {
    check(|| {
        let (ring, mut producer, mut consumer) = ends(1);
        let other = Arc::clone(&ring);
        let interrupting = thread::spawn(move || other.interrupt::<Rx>());
        let sending = thread::spawn(move || producer.send(1).unwrap());
        collect(1, || consumer.receive(1));
        interrupting.join().unwrap();
        sending.join().unwrap();
    });
}

#[test]
fn an_interrupt_reaches_a_side_that_nobody_else_would_wake() {
    check(|| {
        let (ring, _producer, mut consumer) = ends(1);
        let interrupting = thread::spawn(move || ring.interrupt::<Rx>());
        assert_eq!(status(consumer.receive(1)), Some(Status::Interrupted));
        interrupting.join().unwrap();
    });
}

#[test]
fn data_that_is_there_comes_before_an_interrupt_and_the_interrupt_stays() {
    check(|| {
        let (ring, mut producer, mut consumer) = ends(1);
        let sending = thread::spawn(move || {
            producer.send(1).unwrap();
            ring.interrupt::<Rx>();
        });
        consumer.receive(1).unwrap();
        assert_eq!(status(consumer.receive(1)), Some(Status::Interrupted));
        sending.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_heavy_half_an_interrupt_is_lost() {
    check_with(NO_HEAVY, || {
        let (ring, _producer, mut consumer) = ends(1);
        let interrupting = thread::spawn(move || ring.interrupt::<Rx>());
        assert_eq!(status(consumer.receive(1)), Some(Status::Interrupted));
        interrupting.join().unwrap();
    });
}

#[test]
fn an_interrupt_that_was_taken_back_ends_no_wait() {
    check(|| {
        let (ring, mut producer, mut consumer) = ends(1);
        ring.interrupt::<Rx>();
        ring.monitors[Rx::ROLE as usize].clear_interrupt();
        let sending = thread::spawn(move || producer.send(1).unwrap());
        consumer.receive(1).unwrap();
        sending.join().unwrap();
    });
}

#[test]
fn a_close_that_races_a_park_gives_the_data_first_and_then_the_end() {
    check(|| {
        let (_, mut producer, mut consumer) = ends(2);
        let sending = thread::spawn(move || {
            producer.send(1).unwrap();
            producer.close();
        });
        consumer.receive(1).unwrap();
        assert_eq!(status(consumer.receive(1)), Some(Status::Closed));
        sending.join().unwrap();
    });
}

#[test]
fn a_close_ends_a_wait_for_more_than_was_published() {
    check(|| {
        let (_, mut producer, mut consumer) = ends(2);
        let sending = thread::spawn(move || {
            producer.send(1).unwrap();
            producer.close();
        });
        assert_eq!(status(consumer.receive(2)), Some(Status::Closed));
        consumer.receive(1).unwrap();
        sending.join().unwrap();
    });
}

#[test]
fn a_consumer_that_closes_leaves_its_space_first_and_then_the_end() {
    check(|| {
        let (_, mut producer, mut consumer) = ends(1);
        producer.send(1).unwrap();
        let receiving = thread::spawn(move || {
            consumer.receive(1).unwrap();
            consumer.close();
        });
        producer.send(1).unwrap();
        assert_eq!(status(producer.send(1)), Some(Status::Closed));
        receiving.join().unwrap();
    });
}

#[test]
fn the_end_of_the_stream_does_not_overtake_its_last_byte_on_a_busy_ring() {
    // Nobody sleeps here, so only Release and Acquire keep the order.
    Barriers { light: false, heavy: false, ..Barriers::BOTH }.set();
    loom::model(|| {
        let (_, mut producer, mut consumer) = ends(1);
        let sending = thread::spawn(move || {
            producer.send(1).unwrap();
            producer.close();
        });
        let polled = consumer.endpoint.wait_for(1, 0);
        assert_ne!(status(polled), Some(Status::Closed), "there was a byte before the end");
        sending.join().unwrap();
    });
}

/// Moves one byte. If the other side is between two handles, waits for the second.
fn across_the_gap(peer: JoinHandle<()>, mut one: impl FnMut() -> Result<()>) {
    match status(one()) {
        None => peer.join().unwrap(),
        gap => {
            assert_eq!(gap, Some(Status::Closed));
            peer.join().unwrap();
            one().unwrap();
        }
    }
}

#[test]
fn a_second_producer_goes_on_where_the_first_closed() {
    check(|| {
        let (_, mut producer, mut consumer) = ends(1);
        producer.send(1).unwrap();
        let sending = thread::spawn(move || producer.successor().send(1).unwrap());
        consumer.receive(1).unwrap();
        across_the_gap(sending, || consumer.receive(1));
    });
}

#[test]
fn a_second_consumer_goes_on_where_the_first_closed() {
    check(|| {
        let (_, mut producer, mut consumer) = ends(1);
        let receiving = thread::spawn(move || {
            consumer.receive(1).unwrap();
            consumer.successor().receive(1).unwrap();
        });
        producer.send(1).unwrap();
        across_the_gap(receiving, || producer.send(1));
    });
}

/// One end among several that a thread waits for, and what was noted of it.
struct Watched<'a, S> {
    end: &'a mut End<S>,
    need: u64,
    outcome: Option<Result<()>>,
}

impl<S: Side> Item for Watched<'_, S>
where
    for<'a> Member<'a>: From<Pending<'a, S>>,
{
    fn glance(&mut self) -> Glance {
        self.end.endpoint.glance(self.need)
    }

    fn member(&mut self) -> Result<Member<'_>> {
        Ok(self.end.endpoint.pending(self.need, Patience::default())?.into())
    }

    fn note(&mut self, outcome: Option<Result<()>>) {
        self.outcome = outcome;
    }
}

/// How each of several ends stands after a wait for any, for ever, for a byte: `None` is "not yet".
fn wait_for_any<S: Side, const N: usize>(
    ends: [&mut End<S>; N],
) -> (Result<usize>, [Option<Result<()>>; N])
where
    for<'a> Member<'a>: From<Pending<'a, S>>,
{
    let mut items = ends.map(|end| Watched { end, need: 1, outcome: None });
    let ended = any(&mut items, FOREVER);
    (ended, items.map(|item| item.outcome))
}

const READY: Option<Result<()>> = Some(Ok(()));

/// Two new rings with a producer and a consumer each.
fn two_rings() -> [(Arc<Ring>, End<Tx>, End<Rx>); 2] {
    let rings = [Ring::new(1), Ring::sibling(1)];
    rings.map(|ring| {
        let (producer, consumer) = (ring.end(), ring.end());
        (ring, producer, consumer)
    })
}

/// One consumer, asleep on two rings, and a byte for the one or the other.
fn a_consumer_waits_on_two_empty_rings(which: usize) {
    let [(_a, producer_a, mut a), (_b, producer_b, mut b)] = two_rings();
    let [mut busy, _idle] =
        if which == 0 { [producer_a, producer_b] } else { [producer_b, producer_a] };
    let sending = thread::spawn(move || busy.send(1).unwrap());
    let (ended, stand) = wait_for_any([&mut a, &mut b]);
    assert_eq!(ended, Ok(1));
    let expected = if which == 0 { [READY, None] } else { [None, READY] };
    assert_eq!(stand, expected);
    sending.join().unwrap();
}

/// One producer, asleep on two full rings, of which the second gets room.
fn a_producer_waits_on_two_full_rings() {
    let [(_a, mut a, _idle), (_b, mut b, mut busy)] = two_rings();
    a.send(1).unwrap();
    b.send(1).unwrap();
    let receiving = thread::spawn(move || busy.receive(1).unwrap());
    assert_eq!(wait_for_any([&mut a, &mut b]), (Ok(1), [None, READY]));
    receiving.join().unwrap();
}

#[test]
fn a_publish_to_either_of_two_rings_wakes_their_one_consumer() {
    for which in [0, 1] {
        check(move || a_consumer_waits_on_two_empty_rings(which));
    }
}

#[test]
fn a_release_wakes_a_producer_that_parks_on_two_full_rings() {
    check(a_producer_waits_on_two_full_rings);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_light_half_a_consumer_of_two_rings_sleeps_beside_its_data_in_the_first() {
    check_with(NO_LIGHT, || a_consumer_waits_on_two_empty_rings(0));
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_light_half_a_consumer_of_two_rings_sleeps_beside_its_data_in_the_second() {
    check_with(NO_LIGHT, || a_consumer_waits_on_two_empty_rings(1));
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_heavy_half_a_consumer_of_two_rings_sleeps_beside_its_data_in_the_first() {
    check_with(NO_HEAVY, || a_consumer_waits_on_two_empty_rings(0));
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_heavy_half_a_consumer_of_two_rings_sleeps_beside_its_data_in_the_second() {
    check_with(NO_HEAVY, || a_consumer_waits_on_two_empty_rings(1));
}

#[test]
fn wakers_of_two_rings_that_are_not_registered_fence_by_themselves() {
    check_with(UNREGISTERED, || a_consumer_waits_on_two_empty_rings(1));
    check_with(UNREGISTERED, a_producer_waits_on_two_full_rings);
}

#[test]
fn two_producers_that_race_are_both_heard_by_one_consumer() {
    // With three threads, one more would take minutes.
    check_within(2, Barriers::BOTH, || {
        let [(_a, mut producer_a, mut a), (_b, mut producer_b, mut b)] = two_rings();
        let sending = [
            thread::spawn(move || producer_a.send(1).unwrap()),
            thread::spawn(move || producer_b.send(1).unwrap()),
        ];
        let mut taken = 0;
        while taken < 2 {
            let (ended, stand) = wait_for_any([&mut a, &mut b]);
            let ready = stand.iter().filter(|stand| **stand == READY).count();
            assert_eq!(ended, Ok(ready));
            for (end, stand) in [&mut a, &mut b].into_iter().zip(stand) {
                if stand == READY {
                    end.receive(1).unwrap();
                    taken += 1;
                }
            }
        }
        assert_eq!(taken, 2, "no more than was sent");
        sending.into_iter().for_each(|sending| sending.join().unwrap());
    });
}

#[test]
fn an_interrupt_of_one_of_two_ends_a_wait_for_both() {
    check(|| {
        let [(_a, _producer_a, mut a), (ring, _producer_b, mut b)] = two_rings();
        let interrupting = thread::spawn(move || ring.interrupt::<Rx>());
        let (ended, stand) = wait_for_any([&mut a, &mut b]);
        assert_eq!(ended, Err(Status::Interrupted.into()));
        assert_eq!(stand, [None, Some(Err(Status::Interrupted.into()))]);
        interrupting.join().unwrap();
    });
}

#[test]
fn a_close_of_one_of_two_gives_its_data_first_and_then_its_end() {
    check(|| {
        let [(_a, _producer, mut a), (_b, mut closing, mut b)] = two_rings();
        let sending = thread::spawn(move || {
            closing.send(1).unwrap();
            closing.close();
        });
        assert_eq!(wait_for_any([&mut a, &mut b]), (Ok(1), [None, READY]));
        b.receive(1).unwrap();
        let closed = Some(Err(Status::Closed.into()));
        assert_eq!(wait_for_any([&mut a, &mut b]), (Ok(1), [None, closed]));
        sending.join().unwrap();
    });
}

#[test]
fn a_wait_for_one_and_a_wait_for_two_may_follow_each_other() {
    check(|| {
        let [(_a, _producer_a, mut a), (_b, mut producer, mut b)] = two_rings();
        let sending = thread::spawn(move || (0..2).for_each(|_| producer.send(1).unwrap()));
        assert_eq!(wait_for_any([&mut a, &mut b]), (Ok(1), [None, READY]));
        b.receive(1).unwrap();
        b.receive(1).unwrap();
        sending.join().unwrap();
    });
}

/// Why `sync` uses swaps for stores. If this passes one day, that is no longer needed.
#[test]
#[should_panic(expected = "a swap is one step")]
fn loom_by_itself_lets_a_store_come_between_the_halves_of_a_swap() {
    loom::model(|| {
        let word = Arc::new(loom::sync::atomic::AtomicU32::new(0));
        let other = Arc::clone(&word);
        let storing = thread::spawn(move || {
            other.store(1, Ordering::Relaxed);
            other.store(2, Ordering::Relaxed);
        });
        let before = word.swap(3, Ordering::Relaxed);
        storing.join().unwrap();
        // Swapped before the stores, the 3 is overwritten by them.
        assert!(before != 0 || word.load(Ordering::Relaxed) == 2, "a swap is one step");
    });
}
