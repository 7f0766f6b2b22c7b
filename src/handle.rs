//! One process's view of a ring: the mapping, the locks, and a cursor for either side. Both the C
//! functions and the Rust types are thin layers over it.

use crate::cursor::{Cursor, Rx, Shared, Side, Tx};
use crate::layout::{self, Control, Line};
use crate::park::{self, Tally};
use crate::registry::{self, Inherited};
use crate::role::{self, FileLocks};
use crate::segment::{Choices, Segment};
use crate::status::{Result, Status};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

/// An open ring. Either side's cursor may be used by one thread at a time; all else by any.
pub(crate) struct Handle {
    producer: Line<UnsafeCell<Half<Tx>>>,
    consumer: Line<UnsafeCell<Half<Rx>>>,
    producer_tally: Tally,
    consumer_tally: Tally,
    segment: Segment,
    locks: FileLocks,
}

/// What one side needs on its fast paths, on cache lines that the other side does not touch.
#[repr(C)]
pub(crate) struct Half<S> {
    control: NonNull<Control>,
    data: NonNull<u8>,
    cursor: Cursor<S>,
}

impl<S: Side> Half<S> {
    fn new(segment: &Segment) -> Self {
        let control = segment.control();
        Self {
            control: control.into(),
            data: segment.data(),
            cursor: Cursor::new(control, segment.capacity(), segment.spin_ns()),
        }
    }
}

/// Where a handle keeps what belongs to one side.
pub(crate) trait End: Side + Sized {
    /// Its half.
    fn half(handle: &Handle) -> &UnsafeCell<Half<Self>>;
    /// What this side of the handle has been through.
    fn tally(handle: &Handle) -> &Tally;
}

impl End for Tx {
    #[inline(always)]
    fn half(handle: &Handle) -> &UnsafeCell<Half<Self>> {
        &handle.producer
    }

    #[inline(always)]
    fn tally(handle: &Handle) -> &Tally {
        &handle.producer_tally
    }
}

impl End for Rx {
    #[inline(always)]
    fn half(handle: &Handle) -> &UnsafeCell<Half<Self>> {
        &handle.consumer
    }

    #[inline(always)]
    fn tally(handle: &Handle) -> &Tally {
        &handle.consumer_tally
    }
}

// SAFETY: the pointers in the halves are into the segment, which lives as long as the handle and
// belongs to the process. The cursors are reached through `lane` only, whose caller promises to be
// the only one on its side; all other state is atomic or immutable.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// Memory for a value, without aborting the process where there is none.
fn try_box<T>() -> Result<Box<MaybeUninit<T>>> {
    let layout = std::alloc::Layout::new::<T>();
    const { assert!(size_of::<T>() > 0) };
    // SAFETY: the layout is not of size 0; the memory is big and aligned enough for a T, and the
    // box, which does not take it for one yet, frees it by the same allocator and layout.
    unsafe {
        let memory = std::alloc::alloc(layout).cast::<MaybeUninit<T>>();
        if memory.is_null() { Err(Status::NoMemory.into()) } else { Ok(Box::from_raw(memory)) }
    }
}

impl Handle {
    pub(crate) fn create(name: &[u8], min_capacity: u64, choices: &Choices) -> Result<Box<Self>> {
        let handle = Self::open(Segment::create(name, min_capacity, choices))?;
        handle.locks.hold_as_creator()?;
        // The name last: whatever fails before leaves nothing behind.
        handle.segment.publish(name, choices)?;
        Ok(handle)
    }

    pub(crate) fn create_anonymous(min_capacity: u64, choices: &Choices) -> Result<Box<Self>> {
        Self::open(Segment::create_anonymous(min_capacity, choices))
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
        // First, so that nothing can fail once there is a handle to be dropped.
        let memory = try_box()?;
        registry::enter(|| Ok(Box::write(memory, Self::new(segment)?)))
    }

    fn new(segment: Segment) -> Result<Self> {
        let locks = FileLocks::new(segment.file())?;
        Ok(Self {
            producer: Line(UnsafeCell::new(Half::new(&segment))),
            consumer: Line(UnsafeCell::new(Half::new(&segment))),
            producer_tally: Tally::default(),
            consumer_tally: Tally::default(),
            segment,
            locks,
        })
    }

    /// One side of the ring.
    ///
    /// # Safety
    /// While the lane lives, no other lane of this side of this handle is used.
    #[inline(always)]
    pub(crate) unsafe fn lane<S: End>(&self) -> Lane<'_, S> {
        // SAFETY: the caller's promise.
        let Half { cursor, control, data } = unsafe { &mut *S::half(self).get() };
        // SAFETY: the control block lives as long as the segment, which the borrow of `self`
        // keeps.
        let control = unsafe { control.as_ref() };
        let data = *data;
        let shared =
            Shared { control, data: data.as_ptr(), locks: &self.locks, tally: S::tally(self) };
        Lane { cursor, shared, data }
    }

    /// Bytes of data: a power of two.
    pub(crate) fn capacity(&self) -> u64 {
        self.segment.capacity()
    }

    /// Bytes published and not yet released, by a look at either counter.
    pub(crate) fn available(&self) -> u64 {
        self.counters().1
    }

    /// `tail`, and how far `head` is ahead of it: never more than the capacity, though the two
    /// are read one after the other and another process may have written anything.
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

    /// The same, where it can do no harm: the object's size is sealed.
    pub(crate) fn sealed_file(&self) -> Option<BorrowedFd<'_>> {
        self.segment.is_sealed().then(|| self.file())
    }

    /// Ends the current or next wait of both sides, once.
    pub(crate) fn wakeup_all(&self) {
        park::interrupt_all(self.segment.control());
    }

    /// Ends the current or next wait of one side of this handle, once.
    pub(crate) fn interrupt<S: End>(&self) {
        park::interrupt(S::park(self.segment.control()), S::tally(self));
    }

    /// Takes back an interrupt that no wait has answered.
    pub(crate) fn clear_interrupt<S: End>(&self) {
        S::tally(self).interrupted.store(0, Ordering::Relaxed);
    }

    /// What can be seen of the ring from outside.
    pub(crate) fn stats(&self) -> Stats {
        let (released, available) = self.counters();
        Stats {
            capacity: self.capacity(),
            published: released.wrapping_add(available),
            released,
            available,
            producer: self.role_stats::<Tx>(),
            consumer: self.role_stats::<Rx>(),
        }
    }

    fn role_stats<S: End>(&self) -> RoleStats {
        let tally = S::tally(self);
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
            parks: tally.parks.get(),
            wakes: tally.wakes.get(),
            interruptions: tally.interruptions.get(),
        }
    }
}

impl Inherited for Handle {
    unsafe fn after_fork(&self) {
        self.locks.renew_after_fork(self.segment.file());
        // SAFETY: the caller's promise is these functions' own.
        let (producer, consumer) = unsafe { (self.lane::<Tx>(), self.lane::<Rx>()) };
        producer.cursor.forget_role(producer.shared.control);
        consumer.cursor.forget_role(consumer.shared.control);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: `self` is borrowed mutably, so that no lane of it exists.
        unsafe {
            self.lane::<Tx>().detach();
            self.lane::<Rx>().detach();
        }
        // A child that is just being forked may have a copy of the descriptor for a moment more.
        self.locks.release_all();
        registry::remove(self);
    }
}

/// One side of a handle, for one thread.
pub(crate) struct Lane<'a, S> {
    cursor: &'a mut Cursor<S>,
    shared: Shared<'a>,
    data: NonNull<u8>,
}

impl<S: Side> Lane<'_, S> {
    /// Where the side's position lies in the data: `capacity` contiguous bytes from there on are
    /// mapped.
    #[inline(always)]
    fn here(&self) -> NonNull<u8> {
        self.at(self.cursor.offset())
    }

    /// A position of the cursor, in the data.
    #[inline(always)]
    fn at(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: a cursor's offset is below the capacity, and twice the capacity is mapped.
        unsafe { self.data.add(offset) }
    }

    /// Grants `want` contiguous bytes at the position, if they are there. Contains nothing that
    /// could panic.
    #[inline(always)]
    pub(crate) fn try_acquire(&mut self, want: u64) -> Option<NonNull<u8>> {
        let offset = self.cursor.try_acquire(self.shared.control, want)?;
        Some(self.at(offset))
    }

    /// Grants `want` contiguous bytes at the position.
    #[inline(always)]
    pub(crate) fn acquire(&mut self, want: u64, timeout_ns: u64) -> Result<NonNull<u8>> {
        self.cursor.acquire(self.shared, want, timeout_ns)?;
        Ok(self.here())
    }

    /// Grants all that there is, once it is `min` bytes.
    #[inline(always)]
    pub(crate) fn acquire_some(&mut self, min: u64, timeout_ns: u64) -> Result<(NonNull<u8>, u64)> {
        let len = self.cursor.acquire_some(self.shared, min, timeout_ns)?;
        Ok((self.here(), len))
    }

    /// Waits until `need` bytes could be granted.
    #[inline(always)]
    pub(crate) fn wait_for(&mut self, need: u64, timeout_ns: u64) -> Result<()> {
        self.cursor.wait_for(self.shared, need, timeout_ns)
    }

    /// Hands the first `n` granted bytes to the other side; [`must_attend`](Self::must_attend) is
    /// to be asked then. False, and nothing has changed, if `n` is 0 or more than was granted.
    /// Contains nothing that could panic.
    #[inline(always)]
    pub(crate) fn try_advance(&mut self, n: u64) -> bool {
        self.cursor.advance(self.shared.control, n)
    }

    /// Whether the other side may be asleep, after an advance.
    #[inline(always)]
    pub(crate) fn must_attend(&self) -> bool {
        self.cursor.must_attend(self.shared.control)
    }

    /// Wakes the other side, if it sleeps and what it waits for is there.
    pub(crate) fn attend(&self) {
        self.cursor.attend(self.shared);
    }

    /// Hands the first `n` granted bytes to the other side.
    #[inline(always)]
    pub(crate) fn advance(&mut self, n: u64) -> Result<()> {
        if self.try_advance(n) {
            if self.must_attend() {
                self.attend();
            }
        } else if n != 0 {
            return Err(Status::Misuse.into());
        }
        Ok(())
    }

    /// Gives the role up, if this handle has it.
    pub(crate) fn detach(&mut self) {
        self.cursor.detach(self.shared);
    }
}

/// What can be seen of a ring from outside, at one moment or nearly so.
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
    /// The side that writes.
    pub producer: RoleStats,
    /// The side that reads.
    pub consumer: RoleStats,
}

/// What can be seen of one side.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RoleStats {
    /// Who has the role.
    pub state: RoleState,
    /// How many handles have taken it so far.
    pub generation: u32,
    /// The process of the last one, in its own PID namespace; 0 before the first. Written by that
    /// process: for people, not to decide by.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoleState {
    /// Nobody ever had.
    Never = 0,
    /// A live handle.
    Attached = 1,
    /// Nobody since the last one closed.
    Closed = 2,
    /// Nobody since the last one's process died.
    Dead = 3,
}
