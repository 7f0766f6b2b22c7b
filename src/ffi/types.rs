//! The types of the C interface.
#![allow(non_camel_case_types, reason = "the names are those of the C interface")]

use super::sized::Growing;
use crate::handle::{Handle, RoleState, RoleStats, Stats};
use crate::status::Status;
use static_assertions::const_assert_eq;

/// An open ring, or more exactly one process's handle on it.
///
/// Thread: at any time at most one producer and one consumer per ring, in any processes. Two
/// threads may share one handle, one producing and one consuming, or use one handle each.
///
/// Named rings need /dev/shm, and all rings need /proc.
pub struct spsc_ring {
    _handle: Handle,
}

/// How a call ended. 0 is success. Positive values are outcomes of a wait, in which nothing is
/// wrong. Negative values are errors. Numbers are append-only. Outputs are written only on
/// SPSC_OK. After a status other than SPSC_OK, errno holds the number of the error if it came from
/// the operating system, and 0 if not.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum spsc_status {
    /// Done.
    SPSC_OK = 0,
    /// The time ran out first.
    SPSC_TIMEOUT = 1,
    /// spsc_wakeup_all or spsc_interrupt was called.
    SPSC_INTERRUPTED = 2,
    /// The other side closed its handle, and what is asked for can't come until a new peer
    /// attaches.
    SPSC_CLOSED = 3,
    /// The other side's process died without closing. Reported within 250 ms of the moment in which
    /// the kernel closes the process's descriptors. That comes after it has freed the process's
    /// memory and written a core file, if any, which takes seconds for gigabytes.
    SPSC_PEER_DEAD = 4,
    /// A NULL where none is allowed, a bad descriptor or option, or a capacity that can't be
    /// represented.
    SPSC_ERR_INVALID_ARGUMENT = -1,
    /// A name that is empty, longer than 255 bytes, "." or "..", or that has a slash other than one
    /// at its start.
    SPSC_ERR_INVALID_NAME = -2,
    /// Create: the name is taken.
    SPSC_ERR_ALREADY_EXISTS = -3,
    /// Connect, unlink: no such name.
    SPSC_ERR_NOT_FOUND = -4,
    /// The operating system refused access.
    SPSC_ERR_PERMISSION = -5,
    /// The shared-memory file system can't hold the ring.
    SPSC_ERR_NO_SPACE = -6,
    /// Out of memory, address space or file descriptors.
    SPSC_ERR_NO_MEMORY = -7,
    /// Connect: the creator has not finished. First claim or peek: another ring has replaced this
    /// one under its name since this handle connected; close the handle and connect again.
    SPSC_ERR_NOT_READY = -8,
    /// Connect: a wrong magic, sizes that don't fit the object, or a descriptor whose object is not
    /// sealed.
    SPSC_ERR_NOT_A_RING = -9,
    /// Connect: the ring has another layout version, or was made with another page size.
    SPSC_ERR_VERSION = -10,
    /// Another live handle is already the producer (or the consumer).
    SPSC_ERR_ROLE_TAKEN = -11,
    /// More than the capacity: could never be satisfied.
    SPSC_ERR_TOO_LARGE = -12,
    /// Publish of more than is claimed, or release of more than is peeked; nothing changed.
    SPSC_ERR_MISUSE = -13,
    /// The shared counters contradict each other; nothing was touched.
    SPSC_ERR_CORRUPT = -14,
    /// Any other operating-system error; see errno.
    SPSC_ERR_SYSTEM = -15,
    /// A defect in the library, caught at the boundary.
    SPSC_ERR_PANIC = -16,
}

impl From<Status> for spsc_status {
    #[inline]
    fn from(status: Status) -> Self {
        match status {
            Status::Timeout => Self::SPSC_TIMEOUT,
            Status::Interrupted => Self::SPSC_INTERRUPTED,
            Status::Closed => Self::SPSC_CLOSED,
            Status::PeerDead => Self::SPSC_PEER_DEAD,
            Status::InvalidArgument => Self::SPSC_ERR_INVALID_ARGUMENT,
            Status::InvalidName => Self::SPSC_ERR_INVALID_NAME,
            Status::AlreadyExists => Self::SPSC_ERR_ALREADY_EXISTS,
            Status::NotFound => Self::SPSC_ERR_NOT_FOUND,
            Status::Permission => Self::SPSC_ERR_PERMISSION,
            Status::NoSpace => Self::SPSC_ERR_NO_SPACE,
            Status::NoMemory => Self::SPSC_ERR_NO_MEMORY,
            Status::NotReady => Self::SPSC_ERR_NOT_READY,
            Status::NotARing => Self::SPSC_ERR_NOT_A_RING,
            Status::Version => Self::SPSC_ERR_VERSION,
            Status::RoleTaken => Self::SPSC_ERR_ROLE_TAKEN,
            Status::TooLarge => Self::SPSC_ERR_TOO_LARGE,
            Status::Misuse => Self::SPSC_ERR_MISUSE,
            Status::Corrupt => Self::SPSC_ERR_CORRUPT,
            Status::System => Self::SPSC_ERR_SYSTEM,
        }
    }
}

/// A timeout_ns without limit.
pub const SPSC_WAIT_FOREVER: u64 = u64::MAX;

/// A spin_ns that leaves the choice to the library: as long as recent waits suggest, at most 50 µs.
pub const SPSC_SPIN_ADAPTIVE: u64 = u64::MAX;

// The header's numbers have to stand here; they are those of the library.
const_assert_eq!(SPSC_WAIT_FOREVER, crate::wait::FOREVER);
const_assert_eq!(SPSC_SPIN_ADAPTIVE, crate::wait::spin::SPIN_ADAPTIVE);

/// Flag of spsc_options: replace a ring of the same name, if it has no live producer, no live
/// consumer, and no live creator. A ring in use is never replaced, nor an object that is no ring:
/// that gives SPSC_ERR_ALREADY_EXISTS.
pub const SPSC_REPLACE_STALE: u32 = 1;

/// Flag of spsc_options: enter all pages into the creator's page tables at once, so that the first
/// lap takes no page faults.
pub const SPSC_PREFAULT: u32 = 2;

/// The side that writes, for spsc_interrupt and others.
pub const SPSC_PRODUCER: u32 = 1;

/// The side that reads.
pub const SPSC_CONSUMER: u32 = 2;

/// Flag of spsc_wait: a peer that closed or died does not end the wait, as a new one may come. What
/// the new peer publishes or releases does. If the time runs out and there still is no peer, the
/// status is SPSC_CLOSED or SPSC_PEER_DEAD, not SPSC_TIMEOUT. With timeout_ns 0 it changes nothing.
pub const SPSC_WAIT_NEXT_PEER: u32 = 1;

/// Flag of spsc_wait: calls of spsc_wakeup_all and spsc_interrupt from before this one are
/// forgotten, and do not end it.
pub const SPSC_WAIT_FRESH: u32 = 2;

/// What can be chosen when a ring is made. Fill it with SPSC_OPTIONS_INIT or spsc_options_init
/// first. It may get members at its end in any version.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct spsc_options {
    /// The size of this struct in bytes, as the caller knows it. Members that only the library knows
    /// have their defaults. Members that only the caller knows must be 0.
    pub struct_size: usize,
    /// Permission bits of a named ring, less the process's umask. Default 0600. The owner must be
    /// left with reading and writing, or creating fails with SPSC_ERR_PERMISSION.
    ///
    /// Group and others may get both reading and writing, or neither. Whoever may read may hold a
    /// lock on the object. A reader could so keep everybody from a role, or hide a death. So a mode
    /// that gives reading without writing is SPSC_ERR_INVALID_ARGUMENT, and where the umask takes
    /// writing away, reading goes too.
    pub mode: u32,
    /// SPSC_REPLACE_STALE and SPSC_PREFAULT, or'ed. Default 0.
    pub flags: u32,
    /// The longest spin before a wait sleeps, in nanoseconds, on both sides of the ring: 0 for
    /// none, at most 100 ms, or SPSC_SPIN_ADAPTIVE, the default. A side that may run on one CPU only
    /// never spins, unless the other side is known to run on another.
    pub spin_ns: u64,
}

// SAFETY: integers, without padding.
unsafe impl Growing for spsc_options {
    const FIRST: usize = 24;
}

/// Who has a role.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum spsc_role_state {
    /// Nobody has had it yet.
    SPSC_ROLE_NEVER = 0,
    /// A live handle.
    SPSC_ROLE_ATTACHED = 1,
    /// Nobody since the last one closed.
    SPSC_ROLE_CLOSED = 2,
    /// Nobody since the last one's process died.
    SPSC_ROLE_DEAD = 3,
}

/// What can be seen of one side of a ring.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct spsc_role_stats {
    /// Who has the role: an spsc_role_state.
    pub state: i32,
    /// How many handles have taken it so far.
    pub generation: u32,
    /// The process of the last one, in its own PID namespace; 0 before the first. For people, not
    /// to decide by.
    pub pid: u32,
    /// 1 if it sleeps or is about to, else 0.
    pub parked: u32,
    /// How often this handle went to sleep in this role.
    pub parks: u64,
    /// How often this handle, in this role, woke the other side.
    pub wakes: u64,
    /// Waits of this handle in this role that spsc_wakeup_all or spsc_interrupt ended.
    pub interruptions: u64,
}

/// What can be seen of a ring from outside, at one moment or nearly so. It may get members at its
/// end in any version; spsc_role_stats stays as it is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct spsc_stats_t {
    /// Bytes that the ring holds at most.
    pub capacity: u64,
    /// Bytes ever published, modulo 2^64.
    pub published: u64,
    /// Bytes ever released, modulo 2^64.
    pub released: u64,
    /// Bytes published and not yet released.
    pub available: u64,
    /// The side that writes.
    pub producer: spsc_role_stats,
    /// The side that reads.
    pub consumer: spsc_role_stats,
}

// SAFETY: integers, without padding.
unsafe impl Growing for spsc_stats_t {
    const FIRST: usize = 112;
}

impl From<RoleStats> for spsc_role_stats {
    fn from(stats: RoleStats) -> Self {
        let state = match stats.state {
            RoleState::Never => spsc_role_state::SPSC_ROLE_NEVER,
            RoleState::Attached => spsc_role_state::SPSC_ROLE_ATTACHED,
            RoleState::Closed => spsc_role_state::SPSC_ROLE_CLOSED,
            RoleState::Dead => spsc_role_state::SPSC_ROLE_DEAD,
        };
        Self {
            state: state as i32,
            generation: stats.generation,
            pid: stats.pid,
            parked: stats.parked.into(),
            parks: stats.parks,
            wakes: stats.wakes,
            interruptions: stats.interruptions,
        }
    }
}

impl From<Stats> for spsc_stats_t {
    fn from(stats: Stats) -> Self {
        Self {
            capacity: stats.capacity,
            published: stats.published,
            released: stats.released,
            available: stats.available,
            producer: stats.producer.into(),
            consumer: stats.consumer.into(),
        }
    }
}
