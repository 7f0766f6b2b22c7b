//! Messages arrive whole, in order and with their tags, or not at all: whatever the sizes, the
//! timeouts, and the other side.

use proptest::prelude::*;
use spsc_shm::ffi::*;
use spsc_shm::{Consumer, Producer, Ring, Status};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use support::{OneHandle, Process, alone, object, page_size, set_counters, status, task, watchdog};

/// The system's allocator, which notes the largest piece that was asked for, and can be told to
/// have none of that size.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

impl Watched {
    fn allows(size: usize) -> bool {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        size < LIMIT.load(Ordering::Relaxed)
    }
}

// SAFETY: passes all on to the system's allocator, or says that there is no memory, as it may.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !Self::allows(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !Self::allows(size) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise; all that was given came from the same allocator.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

const NOW: Option<Duration> = Some(Duration::ZERO);
const MORE: u32 = 1 << 30;
const CONTINUES: u32 = 1 << 31;

fn frame_size(len: usize) -> usize {
    8 + len.next_multiple_of(8)
}

/// Bytes without a period that a power of two could hide.
fn bytes(len: usize, seed: u32) -> Vec<u8> {
    (0..len).map(|i| ((i + seed as usize) % 251) as u8).collect()
}

/// A ring with one handle, for both sides, through the C functions.
struct Raw(OneHandle);

impl Raw {
    /// Bytes published and released.
    fn counters(&self) -> [u64; 2] {
        let stats = self.0.stats();
        [stats.published, stats.released]
    }

    fn send(&self, tag: u32, data: &[u8], timeout_ns: u64) -> spsc_status {
        // SAFETY: the handle is open, and the data valid.
        unsafe { spsc_send(self.0.get(), tag, data.as_ptr().cast(), data.len(), timeout_ns) }
    }

    fn send_some(&self, messages: &[Sent]) -> Result<usize, spsc_status> {
        let c: Vec<spsc_message> = (messages.iter())
            .map(|sent| spsc_message {
                data: sent.bytes.as_ptr().cast(),
                len: sent.bytes.len(),
                tag: sent.tag,
                reserved: 0,
            })
            .collect();
        let mut count = usize::MAX;
        // SAFETY: the handle is open, and the messages valid.
        match unsafe { spsc_send_some(self.0.get(), c.as_ptr(), c.len(), 0, &raw mut count) } {
            spsc_status::SPSC_OK => Ok(count),
            other => Err(other),
        }
    }

    fn claim(&self, max_len: usize) -> Result<*mut u8, spsc_status> {
        let mut data = ptr::null_mut::<c_void>();
        // SAFETY: the handle is open, and the place valid.
        match unsafe { spsc_message_claim(self.0.get(), max_len, 0, &raw mut data) } {
            spsc_status::SPSC_OK => Ok(data.cast()),
            other => Err(other),
        }
    }

    fn receive(&self, timeout_ns: u64) -> Result<Sent, spsc_status> {
        let mut message = MaybeUninit::uninit();
        // SAFETY: the handle is open, and the place valid, and filled on success.
        match unsafe { spsc_receive(self.0.get(), timeout_ns, message.as_mut_ptr()) } {
            // SAFETY: as above.
            spsc_status::SPSC_OK => Ok(Sent::copy(&unsafe { message.assume_init() })),
            other => Err(other),
        }
    }

    fn receive_some(&self, max: usize) -> Result<Vec<Sent>, spsc_status> {
        let mut messages: Vec<spsc_message> = Vec::with_capacity(max);
        let (mut count, to) = (usize::MAX, messages.as_mut_ptr());
        // SAFETY: the handle is open, and there is room for `max`, of which `count` are filled.
        match unsafe { spsc_receive_some(self.0.get(), 0, to, max, &raw mut count) } {
            // SAFETY: as above.
            spsc_status::SPSC_OK => unsafe {
                assert!(count <= max);
                messages.set_len(count);
                Ok(messages.iter().map(Sent::copy).collect())
            },
            other => Err(other),
        }
    }

    fn done(&self) -> spsc_status {
        // SAFETY: the handle is open.
        unsafe { spsc_receive_done(self.0.get()) }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Sent {
    tag: u32,
    bytes: Vec<u8>,
}

impl Sent {
    fn new(tag: u32, len: usize) -> Self {
        Self { tag, bytes: bytes(len, tag) }
    }

    fn copy(message: &spsc_message) -> Self {
        assert_eq!(message.reserved, 0);
        let mut bytes = vec![0; message.len];
        // SAFETY: a message that was received is so long.
        unsafe { message.data.cast::<u8>().copy_to(bytes.as_mut_ptr(), message.len) };
        Self { tag: message.tag, bytes }
    }
}

#[derive(Clone, Debug)]
enum Call {
    Send(usize),
    /// With a timeout: what of a large one fits is sent.
    SendPart(usize),
    SendSome(Vec<usize>),
    Claim(usize),
    Publish(usize),
    Receive,
    ReceiveSome(usize),
    Done,
    SetMax(usize),
}

struct Frame {
    message: Sent,
    flags: u32,
}

#[derive(Debug)]
enum Received {
    Nothing,
    Part(Sent),
    /// So many frames in place.
    Frames(usize),
    Assembled(Sent),
    Refused,
}

/// What the ring should hold, and what either side was granted.
struct Model {
    capacity: usize,
    frames: VecDeque<Frame>,
    used: usize,
    claimed: Option<usize>,
    received: Received,
    max: usize,
    counters: [u64; 2],
    tag: u32,
}

use spsc_status::*;

impl Model {
    fn new(capacity: usize, start: u64) -> Self {
        Self {
            capacity,
            frames: VecDeque::new(),
            used: 0,
            claimed: None,
            received: Received::Nothing,
            max: 64 << 20,
            counters: [start; 2],
            tag: 0,
        }
    }

    fn new_message(&mut self, len: usize) -> Sent {
        self.tag = self.tag.wrapping_add(0x0101_0101);
        Sent::new(self.tag, len)
    }

    fn fits(&self, size: usize) -> bool {
        size <= self.capacity - self.used
    }

    fn push(&mut self, message: Sent, flags: u32) {
        let size = frame_size(message.bytes.len());
        self.used += size;
        self.counters[0] = self.counters[0].wrapping_add(size as u64);
        self.frames.push_back(Frame { message, flags });
        self.claimed = None;
    }

    fn pop(&mut self) -> Sent {
        let message = self.frames.pop_front().unwrap().message;
        let size = frame_size(message.bytes.len());
        self.used -= size;
        self.counters[1] = self.counters[1].wrapping_add(size as u64);
        message
    }

    fn fragments(&self, message: &Sent) -> Vec<(Sent, u32)> {
        let pieces = message.bytes.chunks(self.capacity / 4 - 8);
        let last = pieces.len() - 1;
        pieces
            .enumerate()
            .map(|(i, piece)| {
                let first = if i == 0 { 0 } else { CONTINUES };
                let more = if i == last { 0 } else { MORE };
                (Sent { tag: message.tag, bytes: piece.to_vec() }, first | more)
            })
            .collect()
    }

    /// Sends with a timeout, or all or nothing.
    fn send(&mut self, message: Sent, part: bool) -> spsc_status {
        if message.bytes.len() <= self.capacity / 2 {
            if !self.fits(frame_size(message.bytes.len())) {
                return SPSC_TIMEOUT;
            }
            self.push(message, 0);
            return SPSC_OK;
        }
        let fragments = self.fragments(&message);
        let all: usize = fragments.iter().map(|(part, _)| frame_size(part.bytes.len())).sum();
        if !part && !self.fits(all) {
            return SPSC_TIMEOUT;
        }
        for (part, flags) in fragments {
            if !self.fits(frame_size(part.bytes.len())) {
                return SPSC_TIMEOUT;
            }
            self.push(part, flags);
        }
        SPSC_OK
    }

    fn receive(&mut self) -> Result<Sent, spsc_status> {
        match &self.received {
            Received::Assembled(message) => return Ok(message.clone()),
            Received::Refused => return Err(SPSC_ERR_TOO_LARGE),
            _ => {}
        }
        loop {
            let Some(front) = self.frames.front() else { return Err(SPSC_TIMEOUT) };
            let flags = front.flags;
            if flags == 0 {
                self.received = Received::Frames(1);
                return Ok(front.message.clone());
            }
            let part = self.pop();
            let had = match std::mem::replace(&mut self.received, Received::Nothing) {
                _ if flags & CONTINUES == 0 => Sent { tag: part.tag, bytes: Vec::new() },
                Received::Part(had) => had,
                _ => continue,
            };
            let all = Sent { tag: had.tag, bytes: [had.bytes, part.bytes].concat() };
            if all.bytes.len() > self.max {
                self.received = Received::Refused;
                return Err(SPSC_ERR_TOO_LARGE);
            }
            if flags & MORE == 0 {
                self.received = Received::Assembled(all.clone());
                return Ok(all);
            }
            self.received = Received::Part(all);
        }
    }

    fn done(&mut self) -> spsc_status {
        match std::mem::replace(&mut self.received, Received::Nothing) {
            Received::Frames(count) => {
                for _ in 0..count {
                    self.pop();
                }
            }
            Received::Assembled(_) | Received::Refused => {}
            nothing => {
                self.received = nothing;
                return SPSC_ERR_MISUSE;
            }
        }
        SPSC_OK
    }

    fn run(&mut self, ring: &Raw, call: &Call) {
        match *call {
            Call::Send(len) => {
                let message = self.new_message(len);
                let got = ring.send(message.tag, &message.bytes, 0);
                assert_eq!(got, self.send(message, false), "{call:?}");
            }
            Call::SendPart(len) => {
                let message = self.new_message(len);
                let got = ring.send(message.tag, &message.bytes, 1000);
                assert_eq!(got, self.send(message, true), "{call:?}");
            }
            Call::SendSome(ref lens) => {
                let messages: Vec<Sent> = lens.iter().map(|len| self.new_message(*len)).collect();
                let got = ring.send_some(&messages);
                let mut count = 0;
                let mut expected = SPSC_OK;
                for message in messages {
                    let large = message.bytes.len() > self.capacity / 2;
                    if large && count > 0 {
                        break;
                    }
                    expected = self.send(message, false);
                    if expected != SPSC_OK {
                        break;
                    }
                    count += 1;
                    if large {
                        break;
                    }
                }
                let all = count > 0 || lens.is_empty();
                assert_eq!(got, if all { Ok(count) } else { Err(expected) }, "{call:?}");
            }
            Call::Claim(max_len) => {
                let expected = if max_len > self.capacity / 2 {
                    SPSC_ERR_TOO_LARGE
                } else if !self.fits(frame_size(max_len)) {
                    SPSC_TIMEOUT
                } else {
                    self.claimed = Some(max_len);
                    SPSC_OK
                };
                match ring.claim(max_len) {
                    Ok(data) => {
                        assert_eq!((expected, data.addr() % 8), (SPSC_OK, 0));
                        // SAFETY: so many bytes are claimed there.
                        unsafe { data.write_bytes(0xee, max_len.next_multiple_of(8)) };
                    }
                    Err(got) => assert_eq!(got, expected, "{call:?}"),
                }
            }
            Call::Publish(len) => {
                let good = self.claimed.is_some_and(|claimed| len <= claimed);
                // SAFETY: the handle is open.
                let got = unsafe { spsc_message_publish(ring.0.get(), 7, len) };
                assert_eq!(got, if good { SPSC_OK } else { SPSC_ERR_MISUSE }, "{call:?}");
                if good {
                    self.push(Sent { tag: 7, bytes: vec![0xee; len] }, 0);
                }
            }
            Call::Receive => assert_eq!(ring.receive(0), self.receive(), "{call:?}"),
            Call::ReceiveSome(max) => {
                let got = ring.receive_some(max);
                if max == 0 {
                    assert_eq!(got, Ok(Vec::new()));
                    return;
                }
                let expected = self.receive().map(|first| {
                    if !matches!(self.received, Received::Frames(_)) {
                        return vec![first];
                    }
                    let whole = self.frames.iter().take_while(|frame| frame.flags == 0);
                    let all: Vec<Sent> = whole.take(max).map(|f| f.message.clone()).collect();
                    self.received = Received::Frames(all.len());
                    all
                });
                assert_eq!(got, expected, "{call:?}");
            }
            Call::Done => assert_eq!(ring.done(), self.done(), "{call:?}"),
            Call::SetMax(max) => {
                self.max = max;
                // SAFETY: the handle is open.
                assert_eq!(unsafe { spsc_set_max_message(ring.0.get(), max) }, SPSC_OK);
            }
        }
    }
}

/// Sizes around what matters: nothing, little, half the ring, whole fragments, and four times it.
fn size(capacity: usize) -> impl Strategy<Value = usize> {
    prop_oneof![
        1 => Just(0),
        8 => 1..=64_usize,
        4 => 0..=capacity / 2,
        2 => capacity / 2 - 8..=capacity / 2 + 8,
        3 => capacity / 2..=capacity,
        1 => (1..=5_usize).prop_map(move |n| n * (capacity / 4 - 8)),
        1 => 0..=4 * capacity,
    ]
}

fn call(capacity: usize) -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => size(capacity).prop_map(Call::Send),
        3 => size(capacity).prop_map(Call::SendPart),
        2 => proptest::collection::vec(size(capacity), 0..12).prop_map(Call::SendSome),
        2 => size(capacity).prop_map(Call::Claim),
        3 => (0..=64_usize).prop_map(Call::Publish),
        1 => size(capacity).prop_map(Call::Publish),
        5 => Just(Call::Receive),
        3 => (0..8_usize).prop_map(Call::ReceiveSome),
        8 => Just(Call::Done),
        1 => size(capacity).prop_map(Call::SetMax),
        1 => Just(Call::SetMax(64 << 20)),
    ]
}

fn scenario() -> impl Strategy<Value = (usize, u64, Vec<Call>)> {
    let edge = prop_oneof![Just(0_u64), Just(1 << 32), Just(1 << 63)];
    let start = (edge, 0..2500_u64).prop_map(|(edge, before)| edge.wrapping_sub(8 * before));
    let bits = page_size().trailing_zeros();
    (bits..=bits + 2, start).prop_flat_map(|(bits, start)| {
        let capacity = 1 << bits;
        (Just(capacity), Just(start), proptest::collection::vec(call(capacity), 1..200))
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_of_calls_does_what_a_queue_of_messages_would(
        (capacity, start, calls) in scenario()
    ) {
        let ring = Raw(OneHandle::new(capacity));
        ring.0.start_at(start);
        let mut model = Model::new(capacity, start);
        for call in &calls {
            model.run(&ring, call);
            prop_assert_eq!(ring.counters(), model.counters, "after {:?}", call);
        }
        // What is left is what was sent last.
        loop {
            let expected = model.receive();
            prop_assert_eq!(ring.receive(0), expected.clone());
            prop_assert_eq!(ring.done(), model.done());
            if expected == Err(SPSC_TIMEOUT) {
                break;
            }
        }
    }
}

#[test]
fn a_frame_is_what_the_protocol_says_to_the_byte() {
    let ring = Ring::anonymous(page_size()).unwrap();
    let object = object(&ring);
    let (mut producer, _consumer) = ring.split();
    // What stood there before must not show.
    object.write_all_at(&[0x55; 64], page_size() as u64).unwrap();
    producer.send(0x0403_0201, b"hello", NOW).unwrap();
    let mut grant = producer.claim_message(40, NOW).unwrap();
    grant.copy_from_slice(b"in place, and more of it");
    grant.publish(9, 9).unwrap();
    let mut frames = [0; 40];
    object.read_exact_at(&mut frames, page_size() as u64).unwrap();
    assert_eq!(frames[..16], *b"\x05\0\0\0\x01\x02\x03\x04hello\0\0\0");
    assert_eq!(frames[16..], *b"\x09\0\0\0\x09\0\0\0in place,\0\0\0\0\0\0\0");
}

/// Sends messages of 0 bytes to four times the capacity, and receives them, each in a thread.
fn pour(ring: Ring, count: u32) {
    let capacity = ring.capacity();
    let len = move |i: u32| match i % 4 {
        0 => (i as usize * 7919) % (4 * capacity + 1),
        _ => (i as usize * 31) % 300,
    };
    let (mut producer, mut consumer) = ring.split();
    let sender = thread::spawn(move || {
        let mut i = 0;
        while i < count {
            let batch: Vec<Vec<u8>> = (i..count.min(i + 5)).map(|i| bytes(len(i), i)).collect();
            let batch: Vec<(u32, &[u8])> =
                (i..).zip(&batch).map(|(i, bytes)| (i, bytes.as_slice())).collect();
            if i % 3 == 0 {
                i += producer.send_some(&batch, None).unwrap() as u32;
            } else {
                producer.send(i, batch[0].1, None).unwrap();
                i += 1;
            }
        }
    });
    let mut i = 0;
    while i < count {
        if i % 2 == 0 {
            let messages = consumer.receive_some(None).unwrap();
            assert_eq!(messages.iter().count(), messages.len());
            for message in &messages {
                assert_eq!(message.tag(), i);
                assert!(message.to_vec() == bytes(len(i), i), "message {i}");
                i += 1;
            }
            messages.done();
        } else {
            let message = consumer.receive(None).unwrap();
            assert_eq!(message.tag(), i);
            assert!(message.into_vec() == bytes(len(i), i), "message {i}");
            i += 1;
        }
    }
    sender.join().unwrap();
    assert_eq!(status(consumer.receive(None)), Status::Closed);
    assert!(consumer.messages(None).next().is_none());
}

#[test]
fn messages_of_any_size_arrive_in_order() {
    let _watchdog = watchdog();
    pour(Ring::anonymous(page_size()).unwrap(), 2000);
    pour(Ring::anonymous(1 << 16).unwrap(), 300);
}

#[test]
fn a_message_is_received_again_until_it_is_done() {
    let (mut producer, mut consumer) = Ring::anonymous(page_size()).unwrap().split();
    let large = bytes(page_size() * 3 / 4, 1);
    for message in [b"small".as_slice(), &large] {
        producer.send(1, message, NOW).unwrap();
        for _ in 0..3 {
            assert!(consumer.receive(NOW).unwrap().to_vec() == message);
        }
        consumer.receive(NOW).unwrap().done();
        assert_eq!(status(consumer.receive(NOW)), Status::Timeout);
    }
}

#[test]
fn a_sender_that_gives_up_half_way_goes_on_with_another_message() {
    let (mut producer, mut consumer) = Ring::anonymous(page_size()).unwrap().split();
    let large = bytes(4 * page_size(), 1);
    for next in [b"next".to_vec(), bytes(page_size() * 5 / 8, 2)] {
        let moment = Some(Duration::from_millis(1));
        assert_eq!(status(producer.send(1, &large, moment)), Status::Timeout);
        assert_eq!(producer.ring().available(), page_size());
        // The receiver takes what there is, and keeps it.
        assert_eq!(status(consumer.receive(NOW)), Status::Timeout);
        assert_eq!(producer.ring().available(), 0);
        producer.send(2, &next, NOW).unwrap();
        let message = consumer.receive(NOW).unwrap();
        assert_eq!(message.tag(), 2);
        assert!(message.into_vec() == next);
    }
    // Without a wait it is all or nothing.
    assert_eq!(status(producer.send(1, &large, NOW)), Status::Timeout);
    assert_eq!(producer.ring().available(), 0);
}

#[test]
fn a_receiver_that_gives_up_half_way_goes_on_where_it_was() {
    let _watchdog = watchdog();
    let (mut producer, mut consumer) = Ring::anonymous(page_size()).unwrap().split();
    let large = bytes(20 * page_size(), 1);
    let sent = large.clone();
    let sender = thread::spawn(move || producer.send(5, &sent, None).map(|()| producer));
    let mut timeouts = 0;
    let message = loop {
        match consumer.receive(NOW) {
            Ok(message) => break message.into_vec(),
            Err(error) => assert_eq!(error.status(), Status::Timeout),
        }
        timeouts += 1;
    };
    assert!(message == large && timeouts > 0);
    sender.join().unwrap().unwrap();
}

#[test]
fn the_end_of_the_stream_discards_half_a_message() {
    let ring = Ring::anonymous(page_size()).unwrap();
    let other = Ring::connect_fd(ring.sealed_fd().unwrap()).unwrap();
    let mut consumer = other.into_consumer();
    let mut producer = ring.into_producer();
    producer.send(1, b"before", NOW).unwrap();
    let large = bytes(4 * page_size(), 1);
    let moment = Some(Duration::from_millis(1));
    assert_eq!(status(producer.send(2, &large, moment)), Status::Timeout);
    drop(producer);
    assert_eq!(consumer.receive(None).unwrap().into_vec(), b"before");
    for _ in 0..2 {
        assert_eq!(status(consumer.receive(None)), Status::Closed);
    }
    // What a later producer sends does not complete it, even if it says so.
    let other = Ring::connect_fd(consumer.ring().sealed_fd().unwrap()).unwrap();
    let mut producer = other.into_producer();
    support::publish(&mut producer, &[header(8, CONTINUES, 2), [0; 8]].concat());
    producer.send(3, b"after", NOW).unwrap();
    let message = consumer.receive(NOW).unwrap();
    assert_eq!((message.tag(), message.into_vec()), (3, b"after".to_vec()));
}

#[test]
fn what_is_too_large_to_assemble_is_refused_and_skipped() {
    let _watchdog = watchdog();
    let (mut producer, mut consumer) = Ring::anonymous(page_size()).unwrap().split();
    consumer.set_max_message(2 * page_size());
    let sizes = [2 * page_size(), 2 * page_size() + 1, 40 * page_size(), 10];
    let sender = thread::spawn(move || {
        for (tag, len) in (0..).zip(sizes) {
            producer.send(tag, &bytes(len, tag), None).unwrap();
        }
    });
    for (tag, len) in (0..).zip(sizes) {
        if (2 * page_size() + 1..).contains(&len) {
            for _ in 0..2 {
                assert_eq!(status(consumer.receive(None)), Status::TooLarge);
            }
            consumer.skip_message().unwrap();
            assert_eq!(status(consumer.skip_message()), Status::Misuse);
        } else {
            let message = consumer.receive(None).unwrap();
            assert_eq!(message.tag(), tag);
            assert!(message.into_vec() == bytes(len, tag));
        }
    }
    sender.join().unwrap();
}

#[test]
fn where_there_is_no_memory_a_message_can_wait_or_be_skipped() {
    alone(|| {
        const LARGE: usize = 1 << 20;
        let (mut producer, mut consumer) = Ring::anonymous(1 << 20).unwrap().split();
        producer.send(1, &bytes(LARGE * 3 / 4, 1), NOW).unwrap();
        LIMIT.store(LARGE / 2, Ordering::Relaxed);
        for _ in 0..2 {
            assert_eq!(status(consumer.receive(NOW)), Status::NoMemory);
        }
        LIMIT.store(usize::MAX, Ordering::Relaxed);
        assert!(consumer.receive(NOW).unwrap().into_vec() == bytes(LARGE * 3 / 4, 1));

        // Its memory is there now, and suffices. One that needs more does not get it.
        let mut consumer = again(consumer);
        let mut producer = Some(producer);
        producer.as_mut().unwrap().send(2, &bytes(LARGE * 3 / 4, 2), NOW).unwrap();
        producer.as_mut().unwrap().send(3, b"next", NOW).unwrap();
        LIMIT.store(LARGE / 2, Ordering::Relaxed);
        assert_eq!(status(consumer.receive(NOW)), Status::NoMemory);
        consumer.skip_message().unwrap();
        LIMIT.store(usize::MAX, Ordering::Relaxed);
        let message = consumer.receive(NOW).unwrap();
        assert_eq!((message.tag(), message.into_vec()), (3, b"next".to_vec()));
    });
}

/// Another handle's consumer, in place of this one.
fn again(consumer: Consumer) -> Consumer {
    let other = Ring::connect_fd(consumer.ring().sealed_fd().unwrap()).unwrap();
    drop(consumer);
    other.into_consumer()
}

#[test]
fn waits_end_as_all_waits_do() {
    let _watchdog = watchdog();
    let ring = Ring::anonymous(page_size()).unwrap();
    let other = Ring::connect_fd(ring.sealed_fd().unwrap()).unwrap();
    let third = Ring::connect_fd(ring.sealed_fd().unwrap()).unwrap();
    let (mut producer, mut consumer) = (ring.into_producer(), other.into_consumer());
    let moment = Some(Duration::from_millis(1));
    assert_eq!(status(consumer.receive(moment)), Status::Timeout);
    consumer.interrupter().interrupt();
    assert_eq!(status(consumer.receive(None)), Status::Interrupted);
    producer.send(1, &bytes(page_size() / 2, 1), NOW).unwrap();
    producer.send(1, &bytes(page_size() / 4, 1), NOW).unwrap();
    for size in [page_size() / 2, 4 * page_size()] {
        producer.interrupter().interrupt();
        assert_eq!(status(producer.send(1, &bytes(size, 1), None)), Status::Interrupted);
    }
    assert_eq!(status(producer.claim_message(page_size() / 2, moment)), Status::Timeout);
    assert_eq!(status(producer.claim_message(page_size() / 2 + 1, moment)), Status::TooLarge);
    assert_eq!(status(producer.send_some(&[(1, &[0; 2000])], moment)), Status::Timeout);
    let (mut second_producer, mut second_consumer) = third.split();
    assert_eq!(status(second_producer.send(1, b"", NOW)), Status::RoleTaken);
    assert_eq!(status(second_consumer.receive(NOW)), Status::RoleTaken);
    drop(consumer);
    assert_eq!(status(producer.send(1, &bytes(page_size() / 2, 1), None)), Status::Closed);
}

/// A frame's header.
fn header(len: u32, flags: u32, tag: u32) -> [u8; 8] {
    let both = u64::from(len | flags) | u64::from(tag) << 32;
    both.to_le_bytes()
}

/// Writes `frames` to where the stream begins, and says that `head` bytes were published.
fn forge(ring: &Ring, frames: &[u8], head: u64) {
    object(ring).write_all_at(frames, page_size() as u64).unwrap();
    set_counters(ring, head, 0);
}

#[test]
fn what_no_sender_writes_is_corrupt() {
    let capacity = page_size();
    let forged: [([u8; 8], u64); 9] = [
        (header(9, 0, 1), 16),         // half a frame
        (header(0, 0, 1), 8 + 4),      // fine, with a bit of the next one: see below
        (header(1 << 29, 0, 1), 4096), // larger than any ring
        ((1_u64 << 30).wrapping_sub(1).to_le_bytes(), 4096),
        (header(capacity as u32, 0, 1), capacity as u64),
        (header(16, MORE, 1), 16),  // half a fragment
        (header(0, MORE, 1), 4096), // fragments of nothing
        (header(0, CONTINUES | MORE, 1), 4096),
        (header(0, CONTINUES, 1), 4096),
    ];
    for (i, (header, head)) in forged.into_iter().enumerate() {
        let ring = Ring::anonymous(capacity).unwrap();
        forge(&ring, &header, head);
        let mut consumer = ring.into_consumer();
        if i == 1 {
            assert!(consumer.receive(NOW).unwrap().into_vec().is_empty());
            assert_eq!(status(consumer.receive(NOW)), Status::Timeout);
            continue;
        }
        for _ in 0..2 {
            assert_eq!(status(consumer.receive(NOW)), Status::Corrupt, "{i}");
            assert_eq!(status(consumer.receive_some(NOW)), Status::Corrupt, "{i}");
        }
        assert_eq!(consumer.ring().available(), head as usize, "something was consumed");
    }
}

#[test]
fn a_stream_of_bytes_is_not_one_of_messages() {
    let ring = Ring::anonymous(page_size()).unwrap();
    let (mut producer, mut consumer) = ring.split();
    support::publish(&mut producer, b"odd");
    assert_eq!(status(producer.send(1, b"x", NOW)), Status::Corrupt);
    assert_eq!(status(producer.send_some(&[(1, b"x")], NOW)), Status::Corrupt);
    assert_eq!(status(producer.claim_message(1, NOW)), Status::Corrupt);
    assert_eq!(consumer.ring().available(), 3);
    support::read(&mut consumer, 3);
    support::publish(&mut producer, &[0; 16]);
    assert_eq!(status(consumer.receive(NOW)), Status::Corrupt);
    assert_eq!(status(consumer.receive_some(NOW)), Status::Corrupt);

    // Through the C functions, which look for many before they look for one.
    let raw = Raw(OneHandle::new(1));
    raw.0.start_at(3);
    let mut data = ptr::null_mut();
    // SAFETY: the handle is open, and 16 bytes are claimed.
    unsafe {
        assert_eq!(spsc_claim(raw.0.get(), 16, 0, &raw mut data), SPSC_OK);
        data.cast::<u8>().write_bytes(0, 16);
        assert_eq!(spsc_publish(raw.0.get(), 16), SPSC_OK);
    }
    // The first call takes the role, the second has it.
    for _ in 0..2 {
        assert_eq!(raw.receive_some(2), Err(SPSC_ERR_CORRUPT));
        assert_eq!(raw.done(), SPSC_ERR_MISUSE);
    }
}

/// What a broken or hostile sender may leave in the ring: frames, and what is nearly one.
fn forged_words() -> impl Strategy<Value = Vec<u64>> {
    let flags = prop_oneof![
        4 => Just(0),
        2 => Just(MORE),
        2 => Just(MORE | CONTINUES),
        1 => Just(CONTINUES),
    ];
    let word = prop_oneof![
        8 => (flags, 0..80_u32).prop_map(|(flags, len)| u64::from_le_bytes(header(len, flags, 1))),
        1 => any::<u64>(),
        1 => any::<u32>().prop_map(u64::from),
        1 => Just(0),
    ];
    proptest::collection::vec(word, 1..512)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Every call ends, and gives nothing beyond what is there: the memory around a ring is
    /// guarded, so that an overrun is the end of this program.
    #[test]
    fn whatever_a_sender_writes_a_receiver_stays_within_the_ring(
        words in forged_words(), at in 0..4096_u64, odd in prop_oneof![9 => Just(0), 1 => 1..8_u64],
        max in 0..4096_usize, some in any::<bool>(),
    ) {
        let ring = Ring::anonymous(page_size()).unwrap();
        let memory = Mapping::new(&ring);
        let capacity = ring.capacity();
        let start = at * 8 + odd;
        for (i, word) in words.iter().enumerate() {
            let place = (start as usize / 8 * 8 + 8 * i) % capacity;
            memory.word(page_size() + place).store(*word, Ordering::Relaxed);
        }
        let there = (8 * words.len()).min(capacity);
        set_counters(&ring, start + there as u64, start);
        let mut consumer = ring.into_consumer();
        consumer.set_max_message(max);
        // Each step consumes something, or is the last.
        for _ in 0..=words.len() {
            let mut read = 0;
            let ended = if some {
                consumer.receive_some(NOW).map(|messages| {
                    read = messages.iter().map(|message| message.to_vec().len()).sum();
                    messages.done();
                })
            } else {
                consumer.receive(NOW).map(|message| read = message.into_vec().len())
            };
            prop_assert!(read <= there);
            match ended.map_err(|error| error.status()) {
                Ok(()) => {}
                Err(Status::TooLarge) => consumer.skip_message().unwrap(),
                Err(Status::Timeout | Status::Corrupt) => return Ok(()),
                Err(other) => panic!("{other:?}"),
            }
        }
        prop_assert!(false, "more messages than there are words");
    }
}

/// A message that is good is still given, though what follows it is not.
#[test]
fn what_is_good_before_what_is_corrupt_is_received() {
    let ring = Ring::anonymous(page_size()).unwrap();
    let frames = [header(0, 0, 1), header(0, 0, 2), header(64, 0, 3)].concat();
    forge(&ring, &frames, 24);
    let mut consumer = ring.into_consumer();
    let messages = consumer.receive_some(NOW).unwrap();
    let tags: Vec<u32> = messages.iter().map(|message| message.tag()).collect();
    assert_eq!(tags, [1, 2]);
    messages.done();
    assert_eq!(status(consumer.receive_some(NOW)), Status::Corrupt);
}

#[test]
fn memory_grows_by_what_has_arrived_and_never_beyond_the_bound() {
    alone(|| {
        const MAX: usize = 3_000_000;
        let ring = Ring::anonymous(1 << 16).unwrap();
        let (mut producer, mut consumer) = ring.split();
        consumer.set_max_message(MAX);
        LARGEST.store(0, Ordering::Relaxed);
        // Announces more and more, of fragments that it may send.
        let sender = thread::spawn(move || {
            let fragment = |producer: &mut Producer, flags| {
                let mut grant = producer.claim(1 << 14, None)?;
                grant.copy_from_slice(&header((1 << 14) - 8, flags, 1));
                grant.publish(1 << 14)
            };
            fragment(&mut producer, MORE).unwrap();
            while fragment(&mut producer, MORE | CONTINUES).is_ok() {}
        });
        assert_eq!(status(consumer.receive(None)), Status::TooLarge);
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!((MAX - (1 << 14)..=MAX).contains(&largest), "{largest}");
        drop(consumer);
        sender.join().unwrap();
    });
}

/// The object's memory, as another process maps it.
struct Mapping(*mut u8, usize);

// SAFETY: shared memory, used by atomic accesses only.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(ring: &Ring) -> Self {
        let len = page_size() + ring.capacity();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let fd = ring.as_raw_fd();
        // SAFETY: a new mapping at an address of the kernel's choice.
        let memory =
            unsafe { libc::mmap(ptr::null_mut(), len, protection, libc::MAP_SHARED, fd, 0) };
        assert_ne!(memory, libc::MAP_FAILED);
        Self(memory.cast(), len)
    }

    fn word(&self, at: usize) -> &std::sync::atomic::AtomicU64 {
        assert!(at.is_multiple_of(8) && at < self.1);
        // SAFETY: the word is mapped as long as `self` lives, and aligned.
        unsafe { &*self.0.add(at).cast() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`.
        unsafe { libc::munmap(self.0.cast(), self.1) };
    }
}

/// Stops a thread when the test is over, in whichever way.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_header_that_changes_while_it_is_read_is_one_or_the_other() {
    let _watchdog = watchdog();
    let ring = Ring::anonymous(page_size()).unwrap();
    let memory = Mapping::new(&ring);
    set_counters(&ring, 64, 0);
    let stop = AtomicBool::new(false);
    let headers = [header(5, 0, 1), header(1 << 28, 0, 2), header(8, 0, 3), header(60, MORE, 4)]
        .map(u64::from_le_bytes);
    memory.word(page_size()).store(headers[0], Ordering::Relaxed);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for header in headers {
                    memory.word(page_size()).store(header, Ordering::Relaxed);
                }
            }
        });
        let _stop = Stop(&stop);
        let mut consumer = ring.into_consumer();
        let (mut good, mut corrupt, mut i) = (0, 0, 0);
        // Until both were seen, however the two threads take turns.
        while i < 200_000 || good == 0 || corrupt == 0 {
            i += 1;
            let seen = if i % 2 == 0 {
                consumer.receive(NOW).map(|message| (message.tag(), message.to_vec().len()))
            } else {
                let messages = consumer.receive_some(NOW);
                messages.map(|messages| {
                    // Read anew, and checked anew: there may be fewer.
                    assert!(messages.iter().count() <= messages.len());
                    let first = messages.iter().next().unwrap();
                    (first.tag(), first.to_vec().len())
                })
            };
            match seen {
                Ok((1, 5) | (3, 8)) => good += 1,
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    assert_eq!(error.status(), Status::Corrupt);
                    corrupt += 1;
                }
            }
        }
    });
}

/// More fragments than any sender makes, none of which completes a message: a call does not go
/// through all of them before it looks at the time and for an interruption.
#[test]
fn a_flood_of_fragments_does_not_hold_a_receiver() {
    let _watchdog = watchdog();
    for flags in [CONTINUES | MORE, MORE] {
        let ring = Ring::anonymous(1 << 20).unwrap();
        let capacity = ring.capacity();
        let fragment = [header(8, flags, 1), [0; 8]].concat();
        forge(&ring, &fragment.repeat(capacity / fragment.len()), capacity as u64);
        let mut consumer = ring.into_consumer();
        assert_eq!(status(consumer.receive(NOW)), Status::Timeout);
        let left = consumer.ring().available();
        assert!((1..capacity).contains(&left), "{left} of {capacity} are left");
        consumer.interrupter().interrupt();
        assert_eq!(status(consumer.receive(None)), Status::Interrupted);
        assert!((1..left).contains(&consumer.ring().available()));
        // With time enough it goes through all.
        while consumer.ring().available() != 0 {
            assert_eq!(status(consumer.receive(Some(Duration::from_secs(1)))), Status::Timeout);
        }
    }
}

#[test]
fn half_a_message_of_a_killed_process_is_lost_and_no_other() {
    let _watchdog = watchdog();
    let name = support::Name::new();
    let ring = Ring::create(&*name, page_size()).unwrap();
    let mut consumer = Ring::connect(&*name).unwrap().into_consumer();
    let mut process = Process::start("half", &name);
    assert_eq!(consumer.receive(None).unwrap().into_vec(), b"before");
    support::until("the ring is full again", || ring.available() == ring.capacity());
    process.kill();
    assert_eq!(status(consumer.receive(None)), Status::PeerDead);
    let mut producer = Ring::connect(&*name).unwrap().into_producer();
    producer.send(1, b"after", NOW).unwrap();
    assert_eq!(consumer.receive(None).unwrap().into_vec(), b"after");
}

#[test]
fn a_forked_child_has_no_part_of_its_parents_message() {
    alone(|| {
        let (mut producer, mut consumer) = Ring::anonymous(page_size()).unwrap().split();
        producer.send(1, &bytes(page_size() * 3 / 4, 1), NOW).unwrap();
        let _ = consumer.receive(NOW).unwrap();
        let child = support::fork(|| {
            assert_eq!(status(consumer.receive(NOW)), Status::RoleTaken);
        });
        assert_eq!(support::reap(child), 0);
        assert!(consumer.receive(NOW).unwrap().into_vec() == bytes(page_size() * 3 / 4, 1));
    });
}

#[test]
#[ignore = "run by the tests that need a process of their own"]
fn child_process() {
    let Some((task, argument)) = task() else { return };
    assert_eq!(task, "half");
    let mut producer = Ring::connect(&*argument).unwrap().into_producer();
    producer.send(1, b"before", None).unwrap();
    let _ = producer.send(2, &bytes(100 * page_size(), 2), None);
}
