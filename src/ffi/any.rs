//! What any thread may do with a ring, and what either side may.

use super::guard::{bytes, guard, guard_or, handle};
use super::side::endpoint;
use super::sized;
use super::types::{
    SPSC_CONSUMER, SPSC_PRODUCER, SPSC_WAIT_FRESH, SPSC_WAIT_NEXT_PEER, spsc_ring, spsc_stats_t,
    spsc_status,
};
use crate::cursor::{Rx, Tx};
use crate::handle::{RoleStats, Stats};
use crate::status::{Result, Status};
use crate::wait::Patience;
use std::ffi::{CStr, c_char};
use std::fmt::{self, Write as _};
use std::io::Write as _;

/// Interrupts the current wait of both sides, in every process. A side that is not waiting is
/// interrupted in its next wait. The wait ends with SPSC_INTERRUPTED, unless what it waits for is
/// there. Each call interrupts the waits of each attached handle once; calls that meet the same
/// wait are one. A call can't be lost in the moment between a waiter's own check and its wait. A
/// wait with timeout_ns 0 is not interrupted, and does not use an interruption up.
///
/// Thread: any. Blocks: no. Async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_wakeup_all(ring: *mut spsc_ring) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or an open handle.
        unsafe { handle(ring)? }.wakeup_all();
        Ok(())
    })
}

/// Waits as spsc_wait_for_space or spsc_wait_for_data does, but can outlive a peer.
///
/// side: SPSC_PRODUCER waits for need free bytes, SPSC_CONSUMER for need bytes of data.
/// flags: SPSC_WAIT_NEXT_PEER and SPSC_WAIT_FRESH, or'ed. With 0 there is no difference.
///
/// For a server that outlives its clients. When the producer is gone, spsc_wait_for_data returns
/// SPSC_CLOSED at once, and a loop around it would burn a CPU. This function sleeps until the next
/// producer has published, or until the time runs out.
///
/// Outcomes and errors as spsc_claim and spsc_peek; SPSC_ERR_INVALID_ARGUMENT for another side or
/// an unknown flag.
///
/// Thread: the side's. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_wait(
    ring: *mut spsc_ring,
    side: u32,
    need: usize,
    timeout_ns: u64,
    flags: u32,
) -> spsc_status {
    guard(|| {
        if flags & !(SPSC_WAIT_NEXT_PEER | SPSC_WAIT_FRESH) != 0 {
            return Err(Status::InvalidArgument.into());
        }
        let patience = Patience {
            next_peer: flags & SPSC_WAIT_NEXT_PEER != 0,
            fresh: flags & SPSC_WAIT_FRESH != 0,
        };
        match side {
            // SAFETY: a caller passes NULL or an open handle, from the one thread of this side.
            SPSC_PRODUCER => unsafe {
                endpoint::<Tx>(ring)?.wait_with(need as u64, timeout_ns, patience)
            },
            // SAFETY: as above.
            SPSC_CONSUMER => unsafe {
                endpoint::<Rx>(ring)?.wait_with(need as u64, timeout_ns, patience)
            },
            _ => Err(Status::InvalidArgument.into()),
        }
    })
}

/// Gives up the named roles of this handle and wakes the other side, as spsc_close does. But the
/// handle stays open and its memory mapped. So one of two threads that share a handle can end its
/// stream while the other goes on. What was claimed and not published is gone. The next claim or
/// peek takes the role again. A role that the handle does not hold is left alone.
///
/// sides: as for spsc_interrupt.
///
/// Thread: that of each named side. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_leave(ring: *mut spsc_ring, sides: u32) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or an open handle.
        let handle = unsafe { handle(ring)? };
        // SAFETY: the caller is the one thread of each side that it names.
        on_sides(
            sides,
            || unsafe { handle.leave_producer() },
            || unsafe { handle.leave_consumer() },
        )
    })
}

/// Interrupts the current wait of the named sides of this handle, once. A side that is not waiting
/// is interrupted in its next wait. The wait ends with SPSC_INTERRUPTED, unless what it waits for is
/// there. Interrupts that no wait has answered yet are one. Neither the other process nor another
/// handle notices. Like spsc_wakeup_all it can't be lost, and a wait with timeout_ns 0 does not use
/// it up.
///
/// sides: SPSC_PRODUCER, SPSC_CONSUMER, or both or'ed; anything else gives
/// SPSC_ERR_INVALID_ARGUMENT.
///
/// Thread: any. Blocks: no. Async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_interrupt(ring: *mut spsc_ring, sides: u32) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or an open handle.
        let handle = unsafe { handle(ring)? };
        on_sides(sides, || handle.interrupt::<Tx>(), || handle.interrupt::<Rx>())
    })
}

/// Takes back interrupts of the named sides of this handle that no wait has answered yet: for a
/// cancellation that came too late.
///
/// sides: as for spsc_interrupt.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_clear_interrupt(ring: *mut spsc_ring, sides: u32) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or an open handle.
        let handle = unsafe { handle(ring)? };
        on_sides(
            sides,
            || _ = handle.clear_interrupt::<Tx>(),
            || _ = handle.clear_interrupt::<Rx>(),
        )
    })
}

fn on_sides(sides: u32, producer: impl FnOnce(), consumer: impl FnOnce()) -> Result<()> {
    if sides == 0 || sides & !(SPSC_PRODUCER | SPSC_CONSUMER) != 0 {
        return Err(Status::InvalidArgument.into());
    }
    if sides & SPSC_PRODUCER != 0 {
        producer();
    }
    if sides & SPSC_CONSUMER != 0 {
        consumer();
    }
    Ok(())
}

/// Bytes published and not yet released. 0 if ring is NULL.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_available(ring: *const spsc_ring) -> u64 {
    // SAFETY: a caller passes NULL or an open handle.
    guard_or(0, || unsafe { handle(ring) }.map_or(0, |handle| handle.available()))
}

/// Bytes that the ring holds at most. 0 if ring is NULL.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_capacity(ring: *const spsc_ring) -> u64 {
    // SAFETY: a caller passes NULL or an open handle.
    guard_or(0, || unsafe { handle(ring) }.map_or(0, |handle| handle.capacity()))
}

/// What can be seen of the ring from outside.
///
/// struct_size: sizeof(spsc_stats_t). Not a byte beyond it is written.
///
/// Thread: any. Blocks: no.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_stats(
    ring: *const spsc_ring,
    out_stats: *mut spsc_stats_t,
    struct_size: usize,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or an open handle, and NULL or a place for as many bytes.
        unsafe { sized::write(out_stats, struct_size, &handle(ring)?.stats().into()) }
    })
}

/// Writes what spsc_stats says to the standard error stream, in one line that begins with prefix.
///
/// Thread: any. Blocks: as a write to the standard error stream does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_debug_dump(
    ring: *const spsc_ring,
    prefix: *const c_char,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or what the types say.
        let (handle, prefix) = unsafe { (handle(ring)?, bytes(prefix)?) };
        // On the stack, as there may be no memory. A long prefix is cut. One write, so that the
        // lines of several processes don't mix. A closed stream is not the ring's error.
        let mut line = std::io::Cursor::new([0; 1024]);
        let _ = line.write_all(&prefix[..prefix.len().min(512)]);
        let _ = writeln!(line, "{}", Dump(handle.stats()));
        let used = line.position() as usize;
        let _ = std::io::stderr().write_all(&line.get_ref()[..used]);
        Ok(())
    })
}

struct Dump(Stats);

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { capacity, published, released, available, in_use, producer, consumer } =
            &self.0;
        write!(f, "capacity={capacity} published={published} released={released}")?;
        write!(f, " available={available} in_use={in_use}")?;
        let role = |f: &mut fmt::Formatter<'_>, name: &str, role: &RoleStats| {
            let RoleStats { state, generation, pid, parked, parks, wakes, interruptions } = role;
            write!(f, " {name}={state:?} pid={pid} generation={generation} parked={parked}")?;
            write!(f, " parks={parks} wakes={wakes} interruptions={interruptions}")
        };
        role(f, "producer", producer)?;
        f.write_char(';')?;
        role(f, "consumer", consumer)
    }
}

/// What a status means, in a few English words: static text, never NULL, whatever the number.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub extern "C" fn spsc_status_string(status: i32) -> *const c_char {
    const PANIC: i32 = spsc_status::SPSC_ERR_PANIC as i32;
    let text: &'static CStr = match status {
        0 => c"success",
        PANIC => c"a defect in the library",
        number => Status::from_number(number).map_or(c"unknown status", Status::text),
    };
    text.as_ptr()
}

/// The library's version, MAJOR<<16 | MINOR<<8 | PATCH. It equals SPSC_VERSION_NUMBER of the header
/// that came with it.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub extern "C" fn spsc_version() -> u32 {
    const VERSION: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | number(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | number(env!("CARGO_PKG_VERSION_PATCH"));
    VERSION
}

/// A decimal number, at compile time.
const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("a version number is a number"),
    }
}
