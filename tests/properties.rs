//! Any sequence of calls does what the same calls on a queue of bytes would do, wherever the
//! counters stand. Through the C functions, which allow all that the Rust types forbid: several
//! publishes of one claim, and misuse. Each side goes through the functions, through the inline
//! header, or through both mixed.

mod inline;

use inline::*;
use proptest::prelude::*;
use spsc_shm::ffi::*;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::ptr;
use support::OneHandle;

/// A ring with one handle, for both sides.
struct Raw(OneHandle);

impl Raw {
    fn claim(&self, want: usize, inline: bool) -> Result<*mut u8, spsc_status> {
        let mut data = ptr::null_mut::<c_void>();
        let call = if inline { inline_claim } else { spsc_claim };
        // SAFETY: the handle is open, and the place valid.
        match unsafe { call(self.0.get(), want, 0, &raw mut data) } {
            spsc_status::SPSC_OK => Ok(data.cast()),
            other => Err(other),
        }
    }

    fn claim_some(&self, min: usize) -> Result<(*mut u8, usize), spsc_status> {
        let (mut data, mut len) = (ptr::null_mut::<c_void>(), 0);
        // SAFETY: the handle is open, and the places valid.
        match unsafe { spsc_claim_some(self.0.get(), min, 0, &raw mut data, &raw mut len) } {
            spsc_status::SPSC_OK => Ok((data.cast(), len)),
            other => Err(other),
        }
    }

    fn peek(&self, want: usize, inline: bool) -> Result<*const u8, spsc_status> {
        let mut data = ptr::null::<c_void>();
        let call = if inline { inline_peek } else { spsc_peek };
        // SAFETY: the handle is open, and the place valid.
        match unsafe { call(self.0.get(), want, 0, &raw mut data) } {
            spsc_status::SPSC_OK => Ok(data.cast()),
            other => Err(other),
        }
    }

    fn peek_some(&self, min: usize) -> Result<(*const u8, usize), spsc_status> {
        let (mut data, mut len) = (ptr::null::<c_void>(), 0);
        // SAFETY: the handle is open, and the places valid.
        match unsafe { spsc_peek_some(self.0.get(), min, 0, &raw mut data, &raw mut len) } {
            spsc_status::SPSC_OK => Ok((data.cast(), len)),
            other => Err(other),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Claim(usize),
    ClaimSome(usize),
    WaitForSpace(usize),
    Publish(usize),
    Peek(usize),
    PeekSome(usize),
    WaitForData(usize),
    Release(usize),
}

impl Call {
    fn is_the_producers(self) -> bool {
        matches!(
            self,
            Self::Claim(_) | Self::ClaimSome(_) | Self::WaitForSpace(_) | Self::Publish(_)
        )
    }
}

/// What the ring should be, and what was granted.
struct Model {
    capacity: usize,
    queue: VecDeque<u8>,
    /// Claimed and not published; what was written there.
    claimed: VecDeque<u8>,
    /// Peeked and not released.
    peeked: usize,
    published: u64,
    released: u64,
    next_byte: u8,
}

impl Model {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            queue: VecDeque::new(),
            claimed: VecDeque::new(),
            peeked: 0,
            published: 0,
            released: 0,
            next_byte: 0,
        }
    }

    fn free(&self) -> usize {
        self.capacity - self.queue.len()
    }

    /// What a call that can't wait returns, if it asks for `want` bytes and there are `there`.
    fn expect(&self, want: usize, there: usize) -> spsc_status {
        if want > self.capacity {
            spsc_status::SPSC_ERR_TOO_LARGE
        } else if want > there {
            spsc_status::SPSC_TIMEOUT
        } else {
            spsc_status::SPSC_OK
        }
    }

    /// Writes `len` new bytes where they were claimed.
    fn fill(&mut self, data: *mut u8, len: usize) {
        self.claimed.clear();
        for _ in 0..len {
            // Without a period that is a power of two, which could hide a mistake.
            self.next_byte = (self.next_byte + 1) % 251;
            self.claimed.push_back(self.next_byte);
        }
        let bytes = self.claimed.make_contiguous();
        // SAFETY: the ring granted `len` bytes there.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), data, len) };
    }

    /// Compares the `len` bytes that were peeked.
    fn compare(&mut self, data: *const u8, len: usize) {
        // SAFETY: the ring granted `len` bytes there.
        let seen = unsafe { std::slice::from_raw_parts(data, len) };
        assert!(seen == &self.queue.make_contiguous()[..len], "other bytes than were sent");
        self.peeked = len;
    }

    fn run(&mut self, ring: &Raw, call: Call, inline: bool) {
        let (free, there) = (self.free(), self.queue.len());
        // What a call returned, and what it should have.
        let (got, expected) = match call {
            Call::Claim(want) => {
                let got = ring.claim(want, inline).map(|data| self.fill(data, want));
                (got.err(), self.expect(want, free))
            }
            Call::ClaimSome(min) => {
                let got = ring.claim_some(min).map(|(data, len)| {
                    assert_eq!(len, free);
                    self.fill(data, len);
                });
                (got.err(), self.expect(min, free))
            }
            Call::WaitForSpace(need) => {
                // SAFETY: the handle is open.
                let got = unsafe { spsc_wait_for_space(ring.0.get(), need, 0) };
                (Some(got), self.expect(need, free))
            }
            Call::Publish(n) => {
                let publish = if inline { inline_publish } else { spsc_publish };
                // SAFETY: the handle is open.
                let got = unsafe { publish(ring.0.get(), n) };
                if n > self.claimed.len() {
                    (Some(got), spsc_status::SPSC_ERR_MISUSE)
                } else {
                    self.queue.extend(self.claimed.drain(..n));
                    self.published += n as u64;
                    (Some(got), spsc_status::SPSC_OK)
                }
            }
            Call::Peek(want) => {
                let got = ring.peek(want, inline).map(|data| self.compare(data, want));
                (got.err(), self.expect(want, there))
            }
            Call::PeekSome(min) => {
                let got = ring.peek_some(min).map(|(data, len)| {
                    assert_eq!(len, there);
                    self.compare(data, len);
                });
                (got.err(), self.expect(min, there))
            }
            Call::WaitForData(need) => {
                // SAFETY: the handle is open.
                let got = unsafe { spsc_wait_for_data(ring.0.get(), need, 0) };
                (Some(got), self.expect(need, there))
            }
            Call::Release(n) => {
                let release = if inline { inline_release } else { spsc_release };
                // SAFETY: the handle is open.
                let got = unsafe { release(ring.0.get(), n) };
                if n > self.peeked {
                    (Some(got), spsc_status::SPSC_ERR_MISUSE)
                } else {
                    self.queue.drain(..n);
                    self.peeked -= n;
                    self.released += n as u64;
                    (Some(got), spsc_status::SPSC_OK)
                }
            }
        };
        assert_eq!(got.unwrap_or(spsc_status::SPSC_OK), expected, "{call:?}, inline: {inline}");
    }
}

/// Sizes near those that matter: nothing, little, the capacity, and more than that.
fn size(capacity: usize) -> impl Strategy<Value = usize> {
    prop_oneof![
        1 => Just(0),
        6 => 1..=64_usize,
        8 => 0..=capacity,
        2 => capacity - 8..=capacity + 8,
        1 => capacity..=usize::MAX,
    ]
}

fn call(capacity: usize) -> impl Strategy<Value = Call> {
    let sizes = size(capacity);
    (0..12_u8, sizes).prop_map(|(kind, n)| match kind {
        0..=2 => Call::Claim(n),
        3 => Call::ClaimSome(n),
        4 => Call::WaitForSpace(n),
        5 | 6 => Call::Publish(n),
        7 | 8 => Call::Peek(n),
        9 => Call::PeekSome(n),
        10 => Call::WaitForData(n),
        _ => Call::Release(n),
    })
}

/// A start of the counters just before a number at which a mistake in width or wrapping would show. The
/// calls then pass it.
fn start() -> impl Strategy<Value = u64> {
    let edges = prop_oneof![
        Just(0_u64), // 2^64 too: what lies before it wraps
        Just(1 << 31),
        Just(1 << 32),
        Just(1 << 63),
    ];
    (edges, 0..20_000_u64).prop_map(|(edge, before)| edge.wrapping_sub(before))
}

#[derive(Clone, Debug)]
struct Scenario {
    capacity: usize,
    start: u64,
    producer: Way,
    consumer: Way,
    /// Each with a toss that decides for a side that mixes.
    calls: Vec<(Call, bool)>,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let way = || proptest::sample::select(WAYS.as_slice());
    (12..=14_u32, start(), way(), way()).prop_flat_map(|(bits, start, producer, consumer)| {
        let capacity = 1 << bits;
        let call = (call(capacity), any::<bool>());
        proptest::collection::vec(call, 1..300).prop_map(move |calls| Scenario {
            capacity,
            start,
            producer,
            consumer,
            calls,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_of_calls_does_what_a_queue_would(scenario in scenario()) {
        let Scenario { capacity, start, producer, consumer, calls } = scenario;
        let ring = Raw(OneHandle::new(capacity));
        ring.0.start_at(start);
        let mut model = Model::new(capacity);
        for (call, toss) in calls {
            let way = if call.is_the_producers() { producer } else { consumer };
            model.run(&ring, call, way.is_inline(toss));
            let stats = ring.0.stats();
            prop_assert_eq!(stats.published, start.wrapping_add(model.published));
            prop_assert_eq!(stats.released, start.wrapping_add(model.released));
            prop_assert_eq!(stats.available, model.queue.len() as u64);
        }
    }

    #[test]
    fn the_capacity_is_the_next_power_of_two_and_at_least_a_page(min in 0..3_000_000_usize) {
        let ring = spsc_shm::Ring::anonymous(min).unwrap();
        let page = spsc_shm::Ring::anonymous(0).unwrap().capacity();
        prop_assert_eq!(ring.capacity(), min.next_power_of_two().max(page));
    }
}
