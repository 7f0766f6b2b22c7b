//! Listening, dialling, and what can be done with a connection.
#![allow(non_camel_case_types, reason = "the names are those of the C interface")]

use super::guard::{bytes, guard, guard_or, place};
use super::sized::{self, Growing};
use super::types::{SPSC_PREFAULT, SPSC_SPIN_ADAPTIVE, spsc_ring, spsc_status};
use crate::conn::{self, Conn, Line, Listener, Role, Settings};
use crate::handle::try_box;
use crate::status::{Result, Status};
use std::ffi::{c_char, c_int};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// What the functions that give a descriptor return for none.
const NO_DESCRIPTOR: c_int = -1;

/// Waits for clients at a path: spsc_listen.
pub struct spsc_listener {
    _inner: Listener,
}

/// A connection between two processes: two sealed rings without names, one for each direction, and
/// the Unix socket over which they were handed, which tells of both.
///
/// Thread: as its rings. At any time one thread sends and one thread receives. One of them may wait in
/// an event loop, by spsc_conn_arm, and the other in calls.
pub struct spsc_conn {
    _inner: Conn,
}

/// What can be chosen for a listener or a connection. Fill it with SPSC_CONN_OPTIONS_INIT or
/// spsc_conn_options_init first. A NULL for it means the defaults. It may get members at its end in
/// any version.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct spsc_conn_options {
    /// The size of this struct in bytes, as the caller knows it. Members that only the library knows
    /// have their defaults. Members that only the caller knows must be 0.
    pub struct_size: usize,
    /// Bytes of the ring from the client to the server, at least; rounded up as for spsc_create. The
    /// server's choice counts. Where it makes none (0, the default), a client gets what it asks for,
    /// up to 1 MiB (more: its dial gives SPSC_ERR_TOO_LARGE), and else 64 KiB.
    pub to_server: usize,
    /// Bytes of the ring from the server to the client, by the same rules.
    pub to_client: usize,
    /// The longest spin before a wait sleeps, as in spsc_options. The server's choice holds for both
    /// ends.
    pub spin_ns: u64,
    /// Permission bits of a listener's path, whatever the umask. Default 0600. Whoever may write the
    /// socket may connect.
    pub mode: u32,
    /// SPSC_PREFAULT, or 0, the default: the server enters all pages into its page tables at once.
    pub flags: u32,
    /// How many clients of a listener may be on their way in: so many wait in the kernel until they
    /// are accepted, and so many may be in the handshake. Default 128, at most 4096.
    pub backlog: u32,
    /// Must be 0.
    pub reserved: u32,
}

// SAFETY: integers, without padding.
unsafe impl Growing for spsc_conn_options {
    const FIRST: usize = 48;
}

const DEFAULTS: spsc_conn_options = spsc_conn_options {
    struct_size: size_of::<spsc_conn_options>(),
    to_server: 0,
    to_client: 0,
    spin_ns: SPSC_SPIN_ADAPTIVE,
    mode: Settings::DEFAULT.mode,
    flags: 0,
    backlog: Settings::DEFAULT.backlog,
    reserved: 0,
};

/// Who is on the other end of a connection: the process that dialled, that listened, or that made the
/// pair of sockets. The kernel says so, and the peer can't lie. It may get members at its end in any
/// version.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct spsc_peer {
    /// Its number in the caller's PID namespace; 0 if it has none there.
    pub pid: i32,
    /// Its effective user, as of then.
    pub uid: u32,
    /// Its effective group, as of then.
    pub gid: u32,
    /// A descriptor of the process, for poll or pidfd_send_signal. It stays the connection's own. -1
    /// where the kernel gives none (before Linux 6.5).
    pub pidfd: i32,
}

// SAFETY: integers, without padding.
unsafe impl Growing for spsc_peer {
    const FIRST: usize = 16;
}

/// Bit of spsc_conn_arm: data can be peeked at, or will never come.
pub const SPSC_READABLE: u32 = 1;

/// Bit of spsc_conn_arm: space can be claimed, or will never be free.
pub const SPSC_WRITABLE: u32 = 2;

/// # Safety
/// `options` is NULL, or valid for reading as many bytes as its `struct_size` says.
unsafe fn settings(options: *const spsc_conn_options) -> Result<Settings> {
    let options = if options.is_null() {
        DEFAULTS
    } else {
        // SAFETY: the caller's promise; `struct_size` is the first member in every version.
        unsafe { sized::read(options, options.cast::<usize>().read(), DEFAULTS)? }
    };
    if options.flags & !SPSC_PREFAULT != 0 || options.reserved != 0 {
        return Err(Status::InvalidArgument.into());
    }
    Ok(Settings {
        to_server: options.to_server as u64,
        to_client: options.to_client as u64,
        spin_ns: options.spin_ns,
        prefault: options.flags & SPSC_PREFAULT != 0,
        mode: options.mode,
        backlog: options.backlog,
    })
}

/// The listener behind a pointer from C.
///
/// # Safety
/// `listener` is NULL or open, and stays open for `'a`.
unsafe fn listener_of<'a>(listener: *const spsc_listener) -> Result<&'a Listener> {
    // SAFETY: the caller's promise.
    unsafe { listener.cast::<Listener>().as_ref() }.ok_or_else(|| Status::InvalidArgument.into())
}

/// The connection behind a pointer from C.
///
/// # Safety
/// `conn` is NULL or open, and stays open for `'a`.
unsafe fn conn_of<'a>(conn: *const spsc_conn) -> Result<&'a Conn> {
    // SAFETY: the caller's promise.
    unsafe { conn.cast::<Conn>().as_ref() }.ok_or_else(|| Status::InvalidArgument.into())
}

/// Makes something and hands it out, without aborting the process where there is no memory.
///
/// # Safety
/// `out` is NULL, or valid for writing a pointer.
unsafe fn hand_out<T, C>(out: *mut *mut C, make: impl FnOnce() -> Result<T>) -> Result<()> {
    // SAFETY: the caller's promise.
    let out = unsafe { place(out)? };
    // First, so that nothing can fail after the thing is made.
    let memory = try_box::<T>()?;
    out.write(Box::into_raw(Box::write(memory, make()?)).cast());
    Ok(())
}

/// Fills *options with the defaults. SPSC_CONN_OPTIONS_INIT is the same as an initialiser.
///
/// struct_size: sizeof(spsc_conn_options). It is stored in the struct. No byte beyond it is written.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_conn_options_init(
    options: *mut spsc_conn_options,
    struct_size: usize,
) -> spsc_status {
    // SAFETY: a caller passes NULL or a place for as many bytes.
    guard(|| unsafe {
        sized::write(options, struct_size, &spsc_conn_options { struct_size, ..DEFAULTS })
    })
}

/// Listens at a path of the file system, where a Unix socket then stands.
///
/// path: at most 103 bytes.
/// options: NULL for the defaults.
/// out_listener: to be closed with spsc_listener_close.
///
/// A path whose listener is gone is taken over. A file PATH.lock beside it, which the listener keeps
/// locked, tells that from one in use. A client never finds a socket that nobody listens to yet.
///
/// Errors: SPSC_ERR_ALREADY_EXISTS if somebody listens there, or if it is no socket;
/// SPSC_ERR_INVALID_NAME, SPSC_ERR_NOT_FOUND (no such directory), SPSC_ERR_PERMISSION,
/// SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_NO_MEMORY, SPSC_ERR_SYSTEM.
///
/// Thread: any. Blocks: no.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_listen(
    path: *const c_char,
    options: *const spsc_conn_options,
    out_listener: *mut *mut spsc_listener,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or what the parameters' types say, valid during the call.
        unsafe {
            let (path, settings) = (bytes(path)?, settings(options)?);
            hand_out(out_listener, || Listener::bind(path, &settings))
        }
    })
}

/// The next client's connection. Clients come in the order in which they have said what they must.
/// No client keeps another waiting, whatever it does or fails to do: one that does not get on is
/// dropped after a second, or after a tenth while so many are on their way that no more can come in.
///
/// out_conn: to be closed with spsc_conn_close.
///
/// Outcomes: SPSC_TIMEOUT, SPSC_INTERRUPTED (spsc_listener_interrupt). Errors:
/// SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_NO_MEMORY (also if there are no descriptors left),
/// SPSC_ERR_MISUSE in a forked child, SPSC_ERR_SYSTEM. What is wrong with a client is not reported.
///
/// Thread: any, several at once. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_accept(
    listener: *mut spsc_listener,
    timeout_ns: u64,
    out_conn: *mut *mut spsc_conn,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or an open listener, and NULL or a place for a pointer.
        unsafe {
            let listener = listener_of(listener)?;
            hand_out(out_conn, || listener.accept(timeout_ns))
        }
    })
}

/// A descriptor that is readable whenever spsc_accept has something to do, which may be only to read
/// what a client says on its way in: so call it with timeout_ns 0. Who waits for edges calls it until
/// it gives SPSC_TIMEOUT. It stays the listener's own: do not close it or read from it. -1 if listener
/// is NULL.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_listener_fd(listener: *const spsc_listener) -> c_int {
    guard_or(NO_DESCRIPTOR, || {
        // SAFETY: a caller passes NULL or an open listener.
        let listener = unsafe { listener_of(listener) };
        listener.map_or(NO_DESCRIPTOR, |listener| listener.as_fd().as_raw_fd())
    })
}

/// Ends the current wait in spsc_accept, or the next one, once, with SPSC_INTERRUPTED. A call with
/// timeout_ns 0 does not wait.
///
/// Thread: any. Blocks: no. Async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_listener_interrupt(listener: *mut spsc_listener) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or an open listener.
        unsafe { listener_of(listener)? }.interrupt();
        Ok(())
    })
}

/// Closes a listener and removes its path. Connections that it gave stay. Clients on their way in
/// get SPSC_CLOSED. NULL does nothing. In a forked child it leaves the path alone.
///
/// Thread: any, but no other thread may be in a call on the same listener, or begin one. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_listener_close(listener: *mut spsc_listener) {
    guard_or((), || {
        if !listener.is_null() {
            // SAFETY: it came out of `hand_out`, and the caller gives it up.
            drop(unsafe { Box::from_raw(listener.cast::<Listener>()) });
        }
    });
}

/// Connects to the listener at path, and waits until it accepts.
///
/// options: NULL for the defaults. Only the capacities count here: they are a wish.
/// out_conn: to be closed with spsc_conn_close.
///
/// Outcomes: SPSC_TIMEOUT; SPSC_CLOSED if the listener closes meanwhile, or has lost patience.
/// Errors: SPSC_ERR_NOT_FOUND if nobody listens there, SPSC_ERR_PERMISSION, SPSC_ERR_NOT_A_RING if
/// what listens there is something else, SPSC_ERR_VERSION, SPSC_ERR_TOO_LARGE if the listener grants
/// no ring of the size asked for, SPSC_ERR_INVALID_NAME, SPSC_ERR_INVALID_ARGUMENT,
/// SPSC_ERR_NO_MEMORY of either side, SPSC_ERR_SYSTEM.
///
/// Thread: any. Blocks: up to timeout_ns, which is at least one turn of the listener's.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_dial(
    path: *const c_char,
    options: *const spsc_conn_options,
    timeout_ns: u64,
    out_conn: *mut *mut spsc_conn,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or what the parameters' types say, valid during the call.
        unsafe {
            let (path, settings) = (bytes(path)?, settings(options)?);
            hand_out(out_conn, || conn::dial(path, &settings, timeout_ns))
        }
    })
}

/// Makes a connection of a connected Unix socket: one of a socketpair, one that a service manager has
/// accepted, or any other that keeps the order of bytes (SOCK_STREAM, SOCK_SEQPACKET). The process at
/// its other end does the same at the same time, with the other is_server. Nothing may have been sent
/// over it.
///
/// socket: on success it belongs to the connection, is closed on exec and does not block, and any copy
/// of it ends with the connection. Otherwise it stays the caller's, and is of no more use for this.
/// is_server: not 0 for the end that makes the rings and whose options count, 0 for the other.
///
/// Outcomes and errors as spsc_dial; SPSC_ERR_INVALID_ARGUMENT if it is no such socket.
///
/// Thread: any. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_conn_adopt(
    socket: c_int,
    is_server: c_int,
    options: *const spsc_conn_options,
    timeout_ns: u64,
    out_conn: *mut *mut spsc_conn,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or what the parameters' types say, valid during the call.
        let settings = unsafe { settings(options)? };
        if socket < 0 {
            return Err(Status::InvalidArgument.into());
        }
        let role = if is_server != 0 { Role::Server } else { Role::Client };
        let make = || {
            // SAFETY: the caller keeps it open during the call. A number that is no descriptor is found
            // out by the first system call.
            let lent = unsafe { BorrowedFd::borrow_raw(socket) };
            let ends = conn::meet(lent, role, &settings, timeout_ns)?;
            // SAFETY: now the caller gives it up.
            Ok(Conn::new(ends, unsafe { OwnedFd::from_raw_fd(socket) }))
        };
        // SAFETY: as above.
        unsafe { hand_out(out_conn, make) }
    })
}

/// The ring to the peer, to produce into: an ordinary one, which ends as any other. It is the
/// connection's own, and must not be closed by itself; spsc_leave ends this direction alone. NULL if
/// conn is NULL.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_conn_sender(conn: *mut spsc_conn) -> *mut spsc_ring {
    // SAFETY: a caller passes NULL or an open connection.
    ring_of(unsafe { conn_of(conn) }, |conn| &*conn.sender)
}

/// The ring from the peer, to consume from; as spsc_conn_sender.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_conn_receiver(conn: *mut spsc_conn) -> *mut spsc_ring {
    // SAFETY: a caller passes NULL or an open connection.
    ring_of(unsafe { conn_of(conn) }, |conn| &*conn.receiver)
}

fn ring_of(
    conn: Result<&Conn>,
    ring: impl FnOnce(&Conn) -> &crate::handle::Handle,
) -> *mut spsc_ring {
    conn.map_or(ptr::null_mut(), |conn| ptr::from_ref(ring(conn)).cast_mut().cast())
}

/// Who is on the other end.
///
/// struct_size: sizeof(spsc_peer). Not a byte beyond it is written.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT.
///
/// Thread: any. Blocks: no.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_conn_peer(
    conn: *const spsc_conn,
    out_peer: *mut spsc_peer,
    struct_size: usize,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or an open connection.
        let line: &Line = unsafe { &conn_of(conn)?.line };
        let credentials = line.credentials();
        let peer = spsc_peer {
            pid: credentials.pid,
            uid: credentials.uid,
            gid: credentials.gid,
            pidfd: line.pidfd().map_or(NO_DESCRIPTOR, |fd| fd.as_raw_fd()),
        };
        // SAFETY: a caller passes NULL or a place for as many bytes.
        unsafe { sized::write(out_peer, struct_size, &peer) }
    })
}

/// The connection's descriptor, for poll, epoll and whatever is built on them: readable after
/// spsc_conn_arm as that says, and, with a hang-up, as soon as the peer closes its end or its process
/// is gone, whatever is armed. It stays the connection's own: do not close it, read from it or write
/// to it. It is closed on exec. -1 if conn is NULL.
///
/// Thread: any. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_conn_fd(conn: *const spsc_conn) -> c_int {
    guard_or(NO_DESCRIPTOR, || {
        // SAFETY: a caller passes NULL or an open connection.
        unsafe { conn_of(conn) }.map_or(NO_DESCRIPTOR, |conn| conn.line.as_fd().as_raw_fd())
    })
}

/// Asks for the descriptor to become readable, once, as soon as need_data bytes can be peeked at or
/// need_space bytes claimed.
///
/// need_data, need_space: bytes, at most the capacities. 0 does not ask, and takes back what was
/// asked of that direction.
/// out_ready: what is so already: SPSC_READABLE, SPSC_WRITABLE, or both. What can't come any more
/// counts as so, and the next call on that ring says why. Only if the answer is 0 is the connection
/// armed.
///
/// An event loop does what it can, arms, and waits for the descriptor if the answer is 0. Arming
/// again reads what the peer has rung. It makes no system call while there is something to do. A
/// peer rings only who is armed, and only once: while both sides are busy, neither makes a system
/// call. After a wait in a call on either ring, arm again. spsc_wakeup_all and spsc_interrupt end waits
/// in calls, and may ring for nothing.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_TOO_LARGE, SPSC_ERR_CORRUPT if the peer rings without
/// cause, SPSC_ERR_SYSTEM.
///
/// Thread: that of each side asked for. Only one thread at a time may arm and wait for the
/// descriptor. Blocks: no.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_conn_arm(
    conn: *mut spsc_conn,
    need_data: usize,
    need_space: usize,
    out_ready: *mut u32,
) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or an open connection, from the one thread of each side that it
        // asks for, and NULL or a place for a number.
        let (conn, out) = unsafe { (conn_of(conn)?, place(out_ready)?) };
        // SAFETY: as above.
        let ready = unsafe { conn.arm(need_data as u64, need_space as u64)? };
        let bit = |is: bool, bit: u32| if is { bit } else { 0 };
        out.write(bit(ready.readable, SPSC_READABLE) | bit(ready.writable, SPSC_WRITABLE));
        Ok(())
    })
}

/// Closes a connection: both its rings, as spsc_close does, and then the socket, which is shut down for
/// whoever has a copy of it. (In a forked child only the child's copy is closed.) The peer reads what
/// was published and then gets SPSC_CLOSED; its descriptor hangs up. Nothing is left of the
/// connection when the peer has closed it, too. NULL does nothing.
///
/// Thread: any, but no other thread may be in a call on the connection or its rings, or begin one.
/// Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_conn_close(conn: *mut spsc_conn) {
    guard_or((), || {
        if !conn.is_null() {
            // SAFETY: it came out of `hand_out`, and the caller gives it up.
            drop(unsafe { Box::from_raw(conn.cast::<Conn>()) });
        }
    });
}
