//! One process's view of a ring: the mapping, the locks, and an endpoint for either side.

use crate::cursor::{Rx, Side, Tx};
use crate::endpoint::Endpoint;
use crate::layout::{self, CachePadded, Control};
use crate::message::{Receiver, Sender};
use crate::options::Options;
use crate::registry::{Maker, Registry, Slot};
use crate::role::{self, Locks};
use crate::segment::Segment;
use crate::status::{Result, Status};
use crate::sys::file;
use crate::wait::bell::Bell;
use crate::wait::{self, Monitor};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::Ordering;

/// An open ring. Each endpoint may be used by one thread at a time, and all else by any thread.
pub(crate) struct Handle {
    producer: UnsafeCell<Endpoint<Tx>>,
    consumer: UnsafeCell<Endpoint<Rx>>,
    producer_monitor: CachePadded<Monitor>,
    consumer_monitor: CachePadded<Monitor>,
    sender: CachePadded<UnsafeCell<Sender>>,
    receiver: CachePadded<UnsafeCell<Receiver>>,
    locks: Locks,
    segment: Segment,
    registry: &'static Registry,
    slot: &'static Slot,
}

/// Where a handle keeps what belongs to one side.
pub(crate) trait End: Side + Sized {
    fn endpoint(handle: &Handle) -> &UnsafeCell<Endpoint<Self>>;
    fn monitor(handle: &Handle) -> &Monitor;
}

impl End for Tx {
    #[inline(always)]
    fn endpoint(handle: &Handle) -> &UnsafeCell<Endpoint<Self>> {
        &handle.producer
    }

    fn monitor(handle: &Handle) -> &Monitor {
        &handle.producer_monitor
    }
}

impl End for Rx {
    #[inline(always)]
    fn endpoint(handle: &Handle) -> &UnsafeCell<Endpoint<Self>> {
        &handle.consumer
    }

    fn monitor(handle: &Handle) -> &Monitor {
        &handle.consumer_monitor
    }
}

// SAFETY: the pointers in the endpoints are into the handle, which does not move, and into its
// segment, which belongs to the process. The endpoints, and what belongs to messages, are reached
// through `endpoint`, `sender` and `receiver` only, whose callers promise to be the only ones on
// their side; all other state is atomic or immutable.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// Runs when the library is loaded, before the application can register fork handlers of its own.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        // If there is no memory for it now, the first handle tries again.
        let _ = registry();
    }
    at_load
};

pub(crate) fn registry() -> Result<&'static Registry> {
    // SAFETY: the registry is told of handles only (`Handle::open`).
    Registry::get(|handle| unsafe { handle.cast::<Handle>().as_ref().renew() })
}

/// Memory for a value, without aborting the process where there is none.
pub(crate) fn try_box<T>() -> Result<Box<MaybeUninit<T>>> {
    let layout = std::alloc::Layout::new::<T>();
    const { assert!(size_of::<T>() > 0) };
    // SAFETY: the layout is not of size 0. The memory is large enough for a T, and aligned. The box
    // does not assume that it is initialised, and frees it with the same allocator and layout.
    unsafe {
        let memory = std::alloc::alloc(layout).cast::<MaybeUninit<T>>();
        if memory.is_null() { Err(Status::NoMemory.into()) } else { Ok(Box::from_raw(memory)) }
    }
}

impl Handle {
    pub(crate) fn create(name: &[u8], min_capacity: u64, options: &Options) -> Result<Box<Self>> {
        let mut handle = Self::open(Segment::create(name, min_capacity, options))?;
        handle.locks.hold_as_creator()?;
        // The name comes last: whatever fails before leaves nothing behind.
        handle.segment.link_name(name, options)?;
        Ok(handle)
    }

    pub(crate) fn create_anonymous(min_capacity: u64, options: &Options) -> Result<Box<Self>> {
        Self::open(Segment::create_anonymous(min_capacity, options))
    }

    pub(crate) fn connect(name: &[u8]) -> Result<Box<Self>> {
        Self::open(Segment::connect(name))
    }

    pub(crate) fn connect_timeout(name: &[u8], timeout_ns: u64) -> Result<Box<Self>> {
        Self::open(Segment::connect_timeout(name, timeout_ns))
    }

    pub(crate) fn connect_fd(fd: RawFd) -> Result<Box<Self>> {
        Self::open(Segment::connect_fd(fd))
    }

    fn open(segment: Result<Segment>) -> Result<Box<Self>> {
        let segment = segment?;
        let registry = registry()?;
        // First, so that nothing can fail after there is a handle to drop.
        let memory = try_box()?;
        registry.enter(|slot| Self::new(memory, segment, registry, slot))
    }

    fn new(
        mut memory: Box<MaybeUninit<Self>>,
        segment: Segment,
        registry: &'static Registry,
        slot: &'static Slot,
    ) -> Result<Box<Self>> {
        // SAFETY: the segment lives as long as the locks.
        let locks = unsafe { Locks::new(segment.file(), registry)? };
        let (capacity, spin_ns) = (segment.capacity(), segment.spin_ns());
        let data = segment.data().as_ptr();
        let this = memory.as_mut_ptr();
        // SAFETY: each member of the handle is written once, without a reference to the whole. What
        // the endpoints refer to is written before them, and stays in its place as long as they do: the
        // handle is never moved out of its box.
        unsafe {
            (&raw mut (*this).producer_monitor).write(CachePadded::default());
            (&raw mut (*this).consumer_monitor).write(CachePadded::default());
            let sender = UnsafeCell::new(Sender::new(capacity));
            (&raw mut (*this).sender).write(CachePadded(sender));
            let receiver = UnsafeCell::new(Receiver::new());
            (&raw mut (*this).receiver).write(CachePadded(receiver));
            (&raw mut (*this).locks).write(locks);
            (&raw mut (*this).segment).write(segment);
            (&raw mut (*this).registry).write(registry);
            (&raw mut (*this).slot).write(slot);
            let (control, locks) = ((*this).segment.control(), &(*this).locks);
            let monitor = &(*this).producer_monitor;
            let producer = Endpoint::new(control, locks, monitor, data, capacity, spin_ns);
            (&raw mut (*this).producer).write(UnsafeCell::new(producer));
            let monitor = &(*this).consumer_monitor;
            let consumer = Endpoint::new(control, locks, monitor, data, capacity, spin_ns);
            (&raw mut (*this).consumer).write(UnsafeCell::new(consumer));
            Ok(memory.assume_init())
        }
    }

    /// One side of the ring. Only one thread at a time may use it.
    #[inline(always)]
    pub(crate) fn endpoint<S: End>(&self) -> *mut Endpoint<S> {
        S::endpoint(self).get()
    }

    /// What belongs to the messages that are sent; as the producer's [`endpoint`](Self::endpoint).
    #[inline(always)]
    pub(crate) fn sender(&self) -> *mut Sender {
        self.sender.get()
    }

    /// What belongs to the messages that are received; as the consumer's
    /// [`endpoint`](Self::endpoint).
    #[inline(always)]
    pub(crate) fn receiver(&self) -> *mut Receiver {
        self.receiver.get()
    }

    /// Gives the producer's role up, if this handle has it, and tells the other side.
    ///
    /// # Safety
    /// The caller is the only one on this side of this handle.
    pub(crate) unsafe fn leave_producer(&self) {
        // SAFETY: the caller's promise.
        unsafe { (*self.endpoint::<Tx>()).detach() };
    }

    /// Gives the consumer's role up, if this handle has it, and tells the other side. What was
    /// assembled of a message is forgotten.
    ///
    /// # Safety
    /// The caller is the only one on this side of this handle.
    pub(crate) unsafe fn leave_consumer(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            (*self.endpoint::<Rx>()).detach();
            (*self.receiver()).forget();
        }
    }

    /// Bytes of data: a power of two.
    pub(crate) fn capacity(&self) -> u64 {
        self.segment.capacity()
    }

    /// Bytes published and not yet released, by a look at either counter.
    pub(crate) fn available(&self) -> u64 {
        self.counters().1
    }

    /// `tail`, and how far `head` is ahead of it. This is never more than the capacity, though the two
    /// are read one after the other, and another process may have written anything.
    fn counters(&self) -> (u64, u64) {
        let control = self.segment.control();
        // counter: an observer touches no data, but must not see a head older than the tail.
        let tail = control.tail.load(Ordering::Acquire);
        let head = control.head.load(Ordering::Acquire);
        (tail, head.wrapping_sub(tail).min(self.capacity()))
    }

    /// The descriptor that may be handed to another process.
    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.segment.file()
    }

    /// The same, if the object's size is sealed: then the descriptor can do no harm.
    pub(crate) fn sealed_file(&self) -> Option<BorrowedFd<'_>> {
        self.segment.is_sealed().then(|| self.file())
    }

    /// Ends the current or next wait of both sides, once.
    pub(crate) fn wakeup_all(&self) {
        let control = self.segment.control();
        wait::interrupt_all(control);
        // One of the two belongs to a connection, if either does.
        for (bell, own, peer) in [
            (self.bell::<Tx>(), Tx::park(control), Tx::other_park(control)),
            (self.bell::<Rx>(), Rx::park(control), Rx::other_park(control)),
        ] {
            bell.rouse_own(own);
            bell.rouse_peer(peer);
        }
    }

    /// Ends the current or next wait of one side of this handle, once.
    pub(crate) fn interrupt<S: End>(&self) {
        S::monitor(self).interrupt::<S>(self.segment.control());
    }

    /// Takes back an interrupt that no wait has answered. False if there was none.
    pub(crate) fn clear_interrupt<S: End>(&self) -> bool {
        S::monitor(self).clear_interrupt()
    }

    /// How the other side is told that this one has moved on, if it waits for a descriptor.
    pub(crate) fn bell<S: End>(&self) -> &Bell {
        &S::monitor(self).bell
    }

    /// This process, as the maker of what comes with this handle.
    pub(crate) fn maker(&self) -> Maker {
        Maker::this_process(self.registry)
    }

    /// The control block.
    pub(crate) fn control(&self) -> &Control {
        self.segment.control()
    }

    /// What can be seen of the ring from outside.
    pub(crate) fn stats(&self) -> Stats {
        let (released, available) = self.counters();
        Stats {
            capacity: self.capacity(),
            published: released.wrapping_add(available),
            released,
            available,
            // Where that can't be told, it is safer to think so.
            in_use: self.locks.in_use().unwrap_or(true),
            producer: self.role_stats::<Tx>(),
            consumer: self.role_stats::<Rx>(),
        }
    }

    fn role_stats<S: End>(&self) -> RoleStats {
        let monitor = S::monitor(self);
        let control = self.segment.control();
        let word = S::ROLE.word(control);
        let state = if role::has_died(control, &self.locks, S::ROLE) {
            RoleState::Dead
        } else {
            match word.state.load(Ordering::Acquire) {
                layout::ATTACHED => RoleState::Attached,
                layout::CLOSED => RoleState::Closed,
                _ => RoleState::Never,
            }
        };
        RoleStats {
            state,
            generation: word.generation.load(Ordering::Relaxed),
            pid: word.pid.load(Ordering::Relaxed),
            parked: S::park(control).parked.load(Ordering::Relaxed) != 0,
            parks: monitor.parks.get(),
            wakes: monitor.wakes.get(),
            interruptions: monitor.interruptions.get(),
        }
    }
}

impl Handle {
    /// In a forked child, with no call under way on the handle: lets go of what is the parent's.
    /// Async-signal-safe.
    fn renew(&self) {
        self.locks.renew();
        // A connection is the parent's, and its peer must see it end when the parent does.
        for monitor in [&self.producer_monitor, &self.consumer_monitor] {
            if let Some(socket) = monitor.bell.disconnect() {
                file::cover(self.file(), socket);
            }
        }
        // SAFETY: no call is under way, and so nobody else uses either side.
        unsafe {
            (*self.endpoint::<Tx>()).forget_role();
            (*self.endpoint::<Rx>()).forget_role();
            (*self.receiver()).forget();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.producer.get_mut().detach();
        self.consumer.get_mut().detach();
        // Closing the descriptor would not do: a child that is just being forked may have a copy for a
        // moment more.
        self.locks.release_all();
        self.registry.leave(self.slot);
    }
}

/// What can be seen of a ring from outside, at one moment or nearly so.
///
/// ```
/// # let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
/// producer.claim(100, None)?.publish_all();
/// let stats = producer.ring().stats();
/// assert_eq!((stats.published, stats.released, stats.available), (100, 0, 100));
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes of data that the ring holds at most.
    pub capacity: u64,
    /// Bytes ever published, modulo 2^64.
    pub published: u64,
    /// Bytes ever released, modulo 2^64.
    pub released: u64,
    /// Bytes published and not yet released.
    pub available: u64,
    /// Whether a live handle has a role, or made the ring. One that is not in use is stale:
    /// [`Options::replace_stale`](crate::Options::replace_stale) and
    /// [`Ring::unlink_stale`](crate::Ring::unlink_stale) may take its name.
    pub in_use: bool,
    /// The side that writes.
    pub producer: RoleStats,
    /// The side that reads.
    pub consumer: RoleStats,
}

/// What can be seen of one side.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RoleStats {
    /// Whether somebody has the role.
    pub state: RoleState,
    /// How many handles have taken it so far.
    pub generation: u32,
    /// The process of the last one, in its own PID namespace; 0 before the first. That process wrote
    /// it: for people, not to decide by.
    pub pid: u32,
    /// Whether it sleeps, or is about to.
    pub parked: bool,
    /// Times that this handle went to sleep in this role.
    pub parks: u64,
    /// Times that this handle woke the other side.
    pub wakes: u64,
    /// Waits of this handle that `wakeup_all` or an interrupt ended.
    pub interruptions: u64,
}

/// Who has a role.
///
/// ```
/// use spsc_shm::{Ring, RoleState};
/// let (mut producer, consumer) = Ring::anonymous(4096)?.split();
/// producer.wait_for_space(1, None)?;
/// assert_eq!(consumer.ring().stats().producer.state, RoleState::Attached);
/// drop(producer);
/// assert_eq!(consumer.ring().stats().producer.state, RoleState::Closed);
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoleState {
    /// Nobody has had it yet.
    Never = 0,
    /// A live handle.
    Attached = 1,
    /// Nobody since the last one closed.
    Closed = 2,
    /// Nobody since the last one's process died.
    Dead = 3,
}
