//! Making, opening, handing over and closing rings.

use super::guard::{bytes, guard, guard_or, handle, place};
use super::sized;
use super::types::{
    SPSC_PREFAULT, SPSC_REPLACE_STALE, SPSC_SPIN_ADAPTIVE, spsc_options, spsc_ring, spsc_status,
};
use crate::handle::Handle;
use crate::options::Options;
use crate::segment::Segment;
use crate::status::{Result, Status};
use std::ffi::{c_char, c_int};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

/// What `spsc_fd` returns for no ring.
const NO_DESCRIPTOR: c_int = -1;

const DEFAULTS: spsc_options = spsc_options {
    struct_size: size_of::<spsc_options>(),
    mode: 0o600,
    flags: 0,
    spin_ns: SPSC_SPIN_ADAPTIVE,
};

fn checked(options: &spsc_options) -> Result<Options> {
    if options.flags & !(SPSC_REPLACE_STALE | SPSC_PREFAULT) != 0 {
        return Err(Status::InvalidArgument.into());
    }
    Ok(Options {
        mode: options.mode,
        replace_stale: options.flags & SPSC_REPLACE_STALE != 0,
        prefault: options.flags & SPSC_PREFAULT != 0,
        spin_ns: options.spin_ns,
    })
}

/// # Safety
/// `options` is NULL, or valid for reading as many bytes as its `struct_size` says.
unsafe fn read_options(options: *const spsc_options) -> Result<spsc_options> {
    if options.is_null() {
        return Err(Status::InvalidArgument.into());
    }
    // SAFETY: the caller's promise; `struct_size` is the first member in every version.
    unsafe { sized::read(options, options.cast::<usize>().read(), DEFAULTS) }
}

fn hand_out(out: &mut MaybeUninit<*mut spsc_ring>, handle: Box<Handle>) {
    out.write(Box::into_raw(handle).cast());
}

/// Fills *options with the defaults: mode 0600, no flags, SPSC_SPIN_ADAPTIVE. SPSC_OPTIONS_INIT
/// is the same as an initialiser.
///
/// struct_size: sizeof(spsc_options). It is stored in the struct. No byte beyond it is written.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_options_init(
    options: *mut spsc_options,
    struct_size: usize,
) -> spsc_status {
    // SAFETY: a caller passes NULL or a place for as many bytes.
    guard(|| unsafe {
        sized::write(options, struct_size, &spsc_options { struct_size, ..DEFAULTS })
    })
}

/// Makes a ring under a name and opens it.
///
/// name: as for shm_open, with or without one leading slash.
/// min_capacity: bytes; rounded up to a power of two that is at least a page.
/// out_ring: the new handle, to be closed with spsc_close.
///
/// All memory is reserved before this returns, so that no later access fails for lack of it. The
/// name appears when the ring is complete, and stays until spsc_unlink. The memory goes with the
/// last process that has the ring open.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_INVALID_NAME, SPSC_ERR_ALREADY_EXISTS,
/// SPSC_ERR_PERMISSION, SPSC_ERR_NO_SPACE, SPSC_ERR_NO_MEMORY, SPSC_ERR_SYSTEM.
///
/// Thread: any. Blocks: no.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_create(
    name: *const c_char,
    min_capacity: usize,
    out_ring: *mut *mut spsc_ring,
) -> spsc_status {
    // SAFETY: as the caller's of this function.
    unsafe { spsc_create_with(name, min_capacity, &DEFAULTS, out_ring) }
}

/// As spsc_create, with options.
///
/// options: filled by SPSC_OPTIONS_INIT or spsc_options_init, then changed. Unknown flags, a mode
/// beyond 0777, and one that gives reading without writing are SPSC_ERR_INVALID_ARGUMENT.
///
/// Thread: any. Blocks: no.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_create_with(
    name: *const c_char,
    min_capacity: usize,
    options: *const spsc_options,
    out_ring: *mut *mut spsc_ring,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or what the parameters' types say, valid during the call.
        let (name, options, out) =
            unsafe { (bytes(name)?, read_options(options)?, place(out_ring)?) };
        hand_out(out, Handle::create(name, min_capacity as u64, &checked(&options)?)?);
        Ok(())
    })
}

/// Opens the ring of this name.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_INVALID_NAME, SPSC_ERR_NOT_FOUND,
/// SPSC_ERR_PERMISSION, SPSC_ERR_NOT_READY, SPSC_ERR_NOT_A_RING, SPSC_ERR_VERSION,
/// SPSC_ERR_NO_MEMORY, SPSC_ERR_SYSTEM.
///
/// Thread: any. Blocks: no.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_connect(
    name: *const c_char,
    out_ring: *mut *mut spsc_ring,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or what the parameters' types say, valid during the call.
        let (name, out) = unsafe { (bytes(name)?, place(out_ring)?) };
        hand_out(out, Handle::connect(name)?);
        Ok(())
    })
}

/// As spsc_connect, but waits up to timeout_ns nanoseconds (SPSC_WAIT_FOREVER: without limit) for
/// the ring to appear and be ready. If it does not, the status is SPSC_TIMEOUT, in place of
/// SPSC_ERR_NOT_FOUND and SPSC_ERR_NOT_READY. With 0 it is spsc_connect.
///
/// Thread: any. Blocks: up to timeout_ns; spsc_wakeup_all does not end it.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_connect_timeout(
    name: *const c_char,
    timeout_ns: u64,
    out_ring: *mut *mut spsc_ring,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or what the parameters' types say, valid during the call.
        let (name, out) = unsafe { (bytes(name)?, place(out_ring)?) };
        hand_out(out, Handle::connect_timeout(name, timeout_ns)?);
        Ok(())
    })
}

/// Makes a ring without a name and opens it. Its memory is a memfd that is sealed against
/// shrinking, growing and further seals: no process can cut it short under a mapping. Pass the
/// descriptor, spsc_fd, to the other process for spsc_connect_fd: by fork or over a Unix socket.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_NO_MEMORY, SPSC_ERR_SYSTEM.
///
/// Thread: any. Blocks: no.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_create_anonymous(
    min_capacity: usize,
    out_ring: *mut *mut spsc_ring,
) -> spsc_status {
    // SAFETY: as the caller's of this function.
    unsafe { spsc_create_anonymous_with(min_capacity, &DEFAULTS, out_ring) }
}

/// As spsc_create_anonymous, with options.
///
/// options: as for spsc_create_with. There is no name to have a mode or to be replaced: a mode other
/// than the default, or SPSC_REPLACE_STALE, gives SPSC_ERR_INVALID_ARGUMENT.
///
/// Thread: any. Blocks: no.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_create_anonymous_with(
    min_capacity: usize,
    options: *const spsc_options,
    out_ring: *mut *mut spsc_ring,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or what the parameters' types say, valid during the call.
        let (options, out) = unsafe { (read_options(options)?, place(out_ring)?) };
        if options.mode != DEFAULTS.mode || options.flags & SPSC_REPLACE_STALE != 0 {
            return Err(Status::InvalidArgument.into());
        }
        hand_out(out, Handle::create_anonymous(min_capacity as u64, &checked(&options)?)?);
        Ok(())
    })
}

/// Opens the anonymous ring behind a descriptor. The descriptor is duplicated, and the caller keeps
/// its own. An object that is not sealed, such as a named ring's, gives SPSC_ERR_NOT_A_RING.
///
/// Errors: as spsc_connect; SPSC_ERR_INVALID_ARGUMENT if fd is no open descriptor.
///
/// Thread: any. Blocks: no.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_connect_fd(fd: c_int, out_ring: *mut *mut spsc_ring) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or a place for a handle.
        let out = unsafe { place(out_ring)? };
        hand_out(out, Handle::connect_fd(fd)?);
        Ok(())
    })
}

/// The descriptor of the ring's memory, to hand to another process. It stays the handle's own: do
/// not close it. It is closed on exec. -1 if ring is NULL.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_fd(ring: *const spsc_ring) -> c_int {
    guard_or(NO_DESCRIPTOR, || {
        // SAFETY: a caller passes NULL or an open handle.
        unsafe { handle(ring) }.map_or(NO_DESCRIPTOR, |handle| handle.file().as_raw_fd())
    })
}

/// Removes a name. Whoever has the ring open keeps it.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_INVALID_NAME, SPSC_ERR_NOT_FOUND,
/// SPSC_ERR_PERMISSION, SPSC_ERR_NOT_A_RING (a directory), SPSC_ERR_SYSTEM.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_unlink(name: *const c_char) -> spsc_status {
    // SAFETY: a caller passes NULL or a string.
    guard(|| Segment::unlink(unsafe { bytes(name)? }))
}

/// Closes a handle: gives up its roles, wakes the other side, and unmaps the memory. Pointers from
/// claims and peeks are invalid afterwards. NULL does nothing.
///
/// The other side reads all that was published and then gets SPSC_CLOSED. What was published and
/// not released is kept for the next consumer. What was claimed and not published is gone. A
/// handle that never had a role ends nobody's stream. So a producer that may have nothing to send
/// takes the role first, by spsc_wait_for_space(ring, 1, 0).
///
/// Thread: any, but no other thread may be in a call on the same handle, or begin one. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_close(ring: *mut spsc_ring) {
    guard_or((), || {
        if !ring.is_null() {
            // SAFETY: the handle came out of `hand_out`, and the caller gives it up.
            drop(unsafe { Box::from_raw(ring.cast::<Handle>()) });
        }
    });
}
