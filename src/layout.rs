//! The control block: what two processes share besides the data, to the byte.
//!
//! ```text
//!     0 ┌────────────────────────────────────────────────┐
//!       │ magic │ version │ data offset │ capacity │ spin │  written by the creator, once
//!   128 ├────────────────────────────────────────────────┤
//!       │ head: bytes ever published                     │  written by the producer
//!   256 ├────────────────────────────────────────────────┤
//!       │ tail: bytes ever released                      │  written by the consumer
//!   384 ├────────────────────────────────────────────────┤
//!       │ consumer's park word                           │  quiet while both sides are busy
//!   512 ├────────────────────────────────────────────────┤
//!       │ producer's park word                           │  quiet while both sides are busy
//!   640 ├────────────────────────────────────────────────┤
//!       │ interrupts: calls of wakeup_all                │
//!   768 ├────────────────────────────────────────────────┤
//!       │ producer: state │ generation │ pid │ CPU       │
//!   896 ├────────────────────────────────────────────────┤
//!       │ consumer: state │ generation │ pid │ CPU       │
//!  1024 └────────────────────────────────────────────────┘
//!       …
//!  data offset (a page): the data, `capacity` bytes
//! ```
//!
//! Each word that is written while the ring is busy has 128 bytes of its own: two cache lines, as
//! processors fetch lines in pairs. The park words are apart from the counters, so that each publish
//! looks at a line that nobody writes.

use crate::sync::{AtomicU32, AtomicU64};

/// "spscring", read as little-endian bytes. Stored last: an object without it is not ready.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"spscring");
/// The layout described here. Another minor number is compatible, and another major number is not.
pub(crate) const VERSION_MAJOR: u32 = 1;
///
/// Minor 1: a park word may be [`ARMED`].
const VERSION_MINOR: u32 = 1;
/// Both, as in the control block.
pub(crate) const VERSION: u32 = VERSION_MAJOR << 16 | VERSION_MINOR;

/// A value on a pair of cache lines of its own.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub(crate) struct CachePadded<T>(pub T);

impl<T> std::ops::Deref for CachePadded<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// What the creator writes before anybody else can see the ring.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Header {
    /// [`MAGIC`]; 0 while the ring is not ready, and after another has replaced it under its name.
    pub magic: AtomicU64,
    /// [`VERSION`].
    pub layout_version: AtomicU32,
    /// Bytes from the start of the object to the data: the creator's page size.
    pub data_offset: AtomicU32,
    /// Bytes of data: a power of two, at least a page.
    pub capacity: AtomicU64,
    /// How long a wait may spin, in nanoseconds. `u64::MAX` leaves it to the library.
    pub spin_ns: AtomicU64,
}

/// Where one side sleeps, and for what.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct ParkWord {
    /// The futex word: [`PARKED`] while its side sleeps or is about to sleep, [`ARMED`] while it waits
    /// for the doorbell, else 0. Its side sets it, and that side or its waker clears it.
    pub parked: AtomicU32,
    _padding: u32,
    /// The value of the other side's counter that ends the sleep. Valid while `parked` is set.
    pub wanted: AtomicU64,
}

/// A side that sleeps on its park word.
pub(crate) const PARKED: u32 = 1;
/// A side that waits for a byte on the socket of its connection.
pub(crate) const ARMED: u32 = 2;

/// A role that a handle holds, or held when its process died.
pub(crate) const ATTACHED: u32 = 1;
/// A role whose last holder closed its handle.
pub(crate) const CLOSED: u32 = 2;

/// A side that may run on more than one CPU.
pub(crate) const SEVERAL_CPUS: u32 = u32::MAX;

/// Who holds a role.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct RoleWord {
    /// [`ATTACHED`], [`CLOSED`], or 0 while nobody has ever had the role.
    pub state: AtomicU32,
    /// How many handles have taken the role so far.
    pub generation: AtomicU32,
    /// The process of the last one, in its own PID namespace. For people. It never decides anything.
    pub pid: AtomicU32,
    /// The one CPU that it may run on, plus 1, or [`SEVERAL_CPUS`]; 0 before the first.
    pub cpu: AtomicU32,
}

/// The control block, at the start of the object.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub header: CachePadded<Header>,
    /// Bytes ever published. Only the producer writes it. `tail <= head <= tail + capacity`.
    pub head: CachePadded<AtomicU64>,
    /// Bytes ever released. Only the consumer writes it.
    pub tail: CachePadded<AtomicU64>,
    pub consumer_park: CachePadded<ParkWord>,
    pub producer_park: CachePadded<ParkWord>,
    /// How often `wakeup_all` was called.
    pub interrupts: CachePadded<AtomicU32>,
    pub producer: CachePadded<RoleWord>,
    pub consumer: CachePadded<RoleWord>,
}

#[cfg(not(loom))]
mod offsets {
    //! The layout is an interface between separately built programs: a change here is a change of
    //! [`VERSION`](super::VERSION).
    use super::{Control, Header, ParkWord, RoleWord};
    use static_assertions::const_assert_eq;
    use std::mem::offset_of;

    const_assert_eq!(offset_of!(Control, header), 0);
    const_assert_eq!(offset_of!(Header, magic), 0);
    const_assert_eq!(offset_of!(Header, layout_version), 8);
    const_assert_eq!(offset_of!(Header, data_offset), 12);
    const_assert_eq!(offset_of!(Header, capacity), 16);
    const_assert_eq!(offset_of!(Header, spin_ns), 24);
    const_assert_eq!(size_of::<Header>(), 32);
    const_assert_eq!(offset_of!(Control, head), 128);
    const_assert_eq!(offset_of!(Control, tail), 256);
    const_assert_eq!(offset_of!(Control, consumer_park), 384);
    const_assert_eq!(offset_of!(Control, producer_park), 512);
    const_assert_eq!(offset_of!(ParkWord, parked), 0);
    const_assert_eq!(offset_of!(ParkWord, wanted), 8);
    const_assert_eq!(offset_of!(Control, interrupts), 640);
    const_assert_eq!(offset_of!(Control, producer), 768);
    const_assert_eq!(offset_of!(Control, consumer), 896);
    const_assert_eq!(offset_of!(RoleWord, state), 0);
    const_assert_eq!(offset_of!(RoleWord, generation), 4);
    const_assert_eq!(offset_of!(RoleWord, pid), 8);
    const_assert_eq!(offset_of!(RoleWord, cpu), 12);
    const_assert_eq!(size_of::<Control>(), 1024);
}
