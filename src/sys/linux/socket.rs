//! Unix sockets, and what waits for them.

use super::file::beyond_stdio;
use super::futex::timespec;
use super::{clock, errno, last_error, retry};
use crate::status::{Error, Result, Status};
use std::mem::{MaybeUninit, size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// A socket's path.
pub(crate) struct Address {
    raw: libc::sockaddr_un,
}

impl Address {
    /// The longest path, in bytes: the kernel's limit, less a NUL.
    pub(crate) const LONGEST: usize = 107;

    pub(crate) fn new(path: &[u8]) -> Result<Self> {
        if path.is_empty() || path.len() > Self::LONGEST || path.contains(&0) {
            return Err(Status::InvalidName.into());
        }
        // SAFETY: a sockaddr_un is plain numbers, for which zero is a valid value.
        let mut raw: libc::sockaddr_un = unsafe { zeroed() };
        raw.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in raw.sun_path.iter_mut().zip(path) {
            *to = *from as libc::c_char;
        }
        Ok(Self { raw })
    }

    fn as_raw(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        (ptr::from_ref(&self.raw).cast(), size_of::<libc::sockaddr_un>() as libc::socklen_t)
    }
}

/// Owns a descriptor that a call has just given.
fn own(fd: libc::c_int) -> Result<OwnedFd> {
    // SAFETY: the caller got it from the kernel in this moment, and nobody else has it.
    beyond_stdio(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A new stream socket.
fn stream() -> Result<OwnedFd> {
    // SAFETY: no pointer is passed.
    own(retry(|| unsafe {
        libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0)
    })?)
}

/// The status of an error of `bind` or `connect`.
fn on_path(error: Error) -> Error {
    match error.os_error() {
        Some(libc::ENOENT | libc::ECONNREFUSED) => error.with_status(Status::NotFound),
        Some(libc::EADDRINUSE) => error.with_status(Status::AlreadyExists),
        Some(libc::EPROTOTYPE) => error.with_status(Status::NotARing),
        _ => error,
    }
}

/// A socket that is bound to `address`, which must be free, and does not listen yet.
pub(crate) fn bind(address: &Address) -> Result<OwnedFd> {
    let socket = stream()?;
    set_nonblocking(socket.as_fd())?;
    let (at, len) = address.as_raw();
    // SAFETY: the address is valid for its length.
    retry(|| unsafe { libc::bind(socket.as_raw_fd(), at, len) }).map_err(on_path)?;
    Ok(socket)
}

/// Lets clients connect; the kernel holds so many that are not accepted yet.
pub(crate) fn listen(socket: BorrowedFd<'_>, backlog: u32) -> Result<()> {
    let backlog = backlog.try_into().unwrap_or(libc::c_int::MAX);
    // SAFETY: no pointer is passed.
    retry(|| unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    Ok(())
}

/// The next client, if there is one.
pub(crate) fn accept(socket: BorrowedFd<'_>) -> Result<Option<OwnedFd>> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    loop {
        // SAFETY: no address is asked for.
        let fd =
            unsafe { libc::accept4(socket.as_raw_fd(), ptr::null_mut(), ptr::null_mut(), flags) };
        if fd >= 0 {
            return own(fd).map(Some);
        }
        match errno() {
            libc::EAGAIN => return Ok(None),
            // A client that has left already.
            libc::EINTR | libc::ECONNABORTED => {}
            _ => return Err(last_error()),
        }
    }
}

/// Connects to a listener by `deadline`. Waits while its queue is full.
pub(crate) fn connect(address: &Address, deadline: u64) -> Result<OwnedFd> {
    let socket = stream()?;
    let (at, len) = address.as_raw();
    loop {
        let now = clock::now();
        // The kernel waits in `connect` for as long as it would in `send`.
        if deadline != u64::MAX {
            let left = deadline.saturating_sub(now).max(1_000);
            set_send_timeout(&socket, left)?;
        }
        // SAFETY: the address is valid for its length.
        if unsafe { libc::connect(socket.as_raw_fd(), at, len) } == 0 {
            set_nonblocking(socket.as_fd())?;
            return Ok(socket);
        }
        match errno() {
            libc::EINTR => {}
            libc::EAGAIN if clock::now() >= deadline => return Err(Status::Timeout.into()),
            libc::EAGAIN => {}
            _ => return Err(on_path(last_error())),
        }
    }
}

/// Ends the socket for whoever has a copy of it, and for its peer; or ends listening. The close that
/// follows would not do: a child that another thread has forked keeps a copy until its `exec`.
pub(crate) fn hang_up(socket: BorrowedFd<'_>) {
    // SAFETY: no pointer is passed. Where there is nothing to end, that is an error.
    unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RDWR) };
}

fn set_send_timeout(socket: &OwnedFd, ns: u64) -> Result<()> {
    let time = libc::timeval {
        tv_sec: (ns / 1_000_000_000) as libc::time_t,
        tv_usec: (ns % 1_000_000_000 / 1_000) as libc::suseconds_t,
    };
    let len = size_of::<libc::timeval>() as libc::socklen_t;
    let (level, name) = (libc::SOL_SOCKET, libc::SO_SNDTIMEO);
    // SAFETY: `time` is valid for its size.
    retry(|| unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const time).cast(), len)
    })?;
    Ok(())
}

fn set_nonblocking(socket: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: no pointers are passed.
    let flags = retry(|| unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    retry(|| unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

/// Checks that `fd` is a connected Unix socket of a kind that can be a connection's, and prepares it.
pub(crate) fn prepare(fd: BorrowedFd<'_>) -> Result<()> {
    let family = option(fd, libc::SO_DOMAIN).map_err(bad_descriptor)?;
    let kind = option(fd, libc::SO_TYPE)?;
    let listens = option(fd, libc::SO_ACCEPTCONN)?;
    let fits = family == libc::AF_UNIX && matches!(kind, libc::SOCK_STREAM | libc::SOCK_SEQPACKET);
    if !fits || listens != 0 {
        return Err(Status::InvalidArgument.into());
    }
    set_nonblocking(fd)?;
    // SAFETY: no pointer is passed.
    retry(|| unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    Ok(())
}

fn bad_descriptor(error: Error) -> Error {
    match error.os_error() {
        Some(libc::EBADF | libc::ENOTSOCK) => error.with_status(Status::InvalidArgument),
        _ => error,
    }
}

/// A socket option that is a number.
fn option(fd: BorrowedFd<'_>, name: libc::c_int) -> Result<libc::c_int> {
    get_option(fd, name, 0)
}

/// A socket option of any type, which zeros and whatever the kernel writes are values of.
fn get_option<T: Copy>(fd: BorrowedFd<'_>, name: libc::c_int, mut value: T) -> Result<T> {
    let mut len = size_of::<T>() as libc::socklen_t;
    let level = libc::SOL_SOCKET;
    // SAFETY: `value` is a valid place for `len` bytes. Callers ask for structs of integers.
    retry(|| unsafe {
        libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len)
    })?;
    Ok(value)
}

/// Who is on the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credentials {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
}

/// The process that connected, listened, or made the pair of sockets.
pub(crate) fn credentials(socket: BorrowedFd<'_>) -> Result<Credentials> {
    let none = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let libc::ucred { pid, uid, gid } = get_option(socket, libc::SO_PEERCRED, none)?;
    Ok(Credentials { pid, uid, gid })
}

/// The number of the option since Linux 6.5. Not every `libc` has it.
const SO_PEERPIDFD: libc::c_int = 77;

/// A descriptor of the process on the other end, if the kernel gives one.
pub(crate) fn peer_pidfd(socket: BorrowedFd<'_>) -> Option<OwnedFd> {
    let fd = get_option(socket, SO_PEERPIDFD, -1).ok()?;
    if fd < 0 { None } else { own(fd).ok() }
}

/// The size of the control data that two descriptors take.
const CONTROL: usize = 64;

/// Space for control data, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

fn message(bytes: &mut libc::iovec, control: &mut Control, len: usize) -> libc::msghdr {
    // SAFETY: a msghdr is numbers and pointers, for which zero is a valid value.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = bytes;
    message.msg_iovlen = 1;
    message.msg_control = ptr::from_mut(control).cast();
    message.msg_controllen = len as _;
    message
}

/// Sends `bytes` in one piece, with copies of descriptors. What does not fit into the queue of a new
/// socket never will.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[RawFd]) -> Result<()> {
    let mut control = Control([0; CONTROL]);
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let payload = size_of_val(fds) as libc::c_uint;
    // SAFETY: it only computes.
    let space = unsafe { libc::CMSG_SPACE(payload) } as usize;
    assert!(space <= CONTROL);
    let mut message = message(&mut part, &mut control, if fds.is_empty() { 0 } else { space });
    if !fds.is_empty() {
        // SAFETY: the control data has room for one header and the descriptors, just computed.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(payload) as _;
            libc::CMSG_DATA(header)
                .cast::<RawFd>()
                .copy_from_nonoverlapping(fds.as_ptr(), fds.len());
        }
    } else {
        message.msg_control = ptr::null_mut();
    }
    let how = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the message is valid, and so is all that it refers to.
    let sent = retry(|| unsafe {
        libc::sendmsg(socket.as_raw_fd(), &raw const message, how) as libc::c_int
    });
    match sent {
        Ok(n) if n as usize == bytes.len() => Ok(()),
        Ok(_) => Err(Status::System.into()),
        Err(error) => Err(gone(error)),
    }
}

/// Says `Closed` where the other end is.
fn gone(error: Error) -> Error {
    match error.os_error() {
        Some(libc::EPIPE | libc::ECONNRESET) => error.with_status(Status::Closed),
        _ => error,
    }
}

/// Reads what is there: `None` if nothing is, 0 at the end. Descriptors that came along are dropped.
pub(crate) fn receive(socket: BorrowedFd<'_>, to: &mut [u8]) -> Result<Option<usize>> {
    loop {
        // SAFETY: `to` is valid for its length.
        let got = unsafe {
            libc::recv(socket.as_raw_fd(), to.as_mut_ptr().cast(), to.len(), libc::MSG_DONTWAIT)
        };
        match got {
            0.. => return Ok(Some(got as usize)),
            _ => match errno() {
                libc::EINTR => {}
                libc::EAGAIN => return Ok(None),
                // It has closed with something unread.
                libc::ECONNRESET => return Ok(Some(0)),
                _ => return Err(last_error()),
            },
        }
    }
}

/// What came along with bytes.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub bytes: usize,
    pub fds: [Option<OwnedFd>; 2],
    /// More came than there was room for: in the message, or in this process's table.
    pub truncated: bool,
}

/// As [`receive`], with up to two descriptors.
pub(crate) fn receive_with_fds(socket: BorrowedFd<'_>, to: &mut [u8]) -> Result<Option<Received>> {
    let mut control = Control([0; CONTROL]);
    let mut part = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
    // SAFETY: it only computes.
    let space = unsafe { libc::CMSG_SPACE(size_of::<[RawFd; 2]>() as libc::c_uint) } as usize;
    let mut message = message(&mut part, &mut control, space);
    let how = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    let got = loop {
        // SAFETY: the message is valid, and so is all that it refers to.
        let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, how) };
        match got {
            0.. => break got as usize,
            _ => match errno() {
                libc::EINTR => {}
                libc::EAGAIN => return Ok(None),
                libc::ECONNRESET => break 0,
                _ => return Err(last_error()),
            },
        }
    };
    let mut received = Received {
        bytes: got,
        fds: [None, None],
        truncated: message.msg_flags & libc::MSG_CTRUNC != 0,
    };
    let mut places = received.fds.iter_mut();
    // SAFETY: the kernel has filled the control data, and `message` says how much of it is there.
    // Each descriptor in it is new and nobody else's.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if ((*header).cmsg_level, (*header).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let len = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let fds = libc::CMSG_DATA(header).cast::<RawFd>();
                for at in 0..len / size_of::<RawFd>() {
                    let fd = OwnedFd::from_raw_fd(fds.add(at).read_unaligned());
                    match places.next() {
                        Some(place) => *place = Some(fd),
                        None => received.truncated = true,
                    }
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok(Some(received))
}

/// Waits until one of the descriptors is readable, or has hung up. False once it is `deadline`.
pub(crate) fn wait_readable(fds: &[BorrowedFd<'_>], deadline: u64) -> Result<bool> {
    const MOST: usize = 2;
    let mut polled = [libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 }; MOST];
    for (place, fd) in polled.iter_mut().zip(fds) {
        place.fd = fd.as_raw_fd();
    }
    loop {
        let time = timespec(deadline.saturating_sub(clock::now()));
        let limit = if deadline == u64::MAX { ptr::null() } else { &raw const time };
        // SAFETY: the array and the time are valid for the call; an entry of -1 is passed over.
        let ready =
            unsafe { libc::ppoll(polled.as_mut_ptr(), MOST as libc::nfds_t, limit, ptr::null()) };
        match ready {
            1.. => return Ok(true),
            0 => return Ok(false),
            _ if errno() == libc::EINTR => {}
            _ => return Err(last_error()),
        }
    }
}

/// Descriptors that are waited for together: the descriptor of the set is readable while one of them is.
#[derive(Debug)]
pub(crate) struct Set(OwnedFd);

/// How many events one look reports.
const EVENTS: usize = 32;

impl Set {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: no pointer is passed.
        Ok(Self(own(retry(|| unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?)?))
    }

    fn control(&self, what: libc::c_int, fd: RawFd, events: libc::c_int) -> Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: fd as u64 };
        // SAFETY: `event` is valid for the call.
        retry(|| unsafe { libc::epoll_ctl(self.0.as_raw_fd(), what, fd, &raw mut event) })?;
        Ok(())
    }

    pub(crate) fn add(&self, fd: RawFd) -> Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN)
    }

    /// Whether to report that `fd` is readable.
    pub(crate) fn listen_to(&self, fd: RawFd, yes: bool) -> Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, if yes { libc::EPOLLIN } else { 0 })
    }

    pub(crate) fn remove(&self, fd: RawFd) {
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, 0);
    }

    /// Hands those that are ready now to `each`, until it has had enough. True if there may be more.
    pub(crate) fn look(&self, mut each: impl FnMut(RawFd) -> bool) -> Result<bool> {
        let mut events = [MaybeUninit::<libc::epoll_event>::uninit(); EVENTS];
        let (to, most) = (events.as_mut_ptr().cast(), EVENTS as libc::c_int);
        // SAFETY: the array is a valid place for so many events. The call does not wait.
        let n = retry(|| unsafe { libc::epoll_wait(self.0.as_raw_fd(), to, most, 0) })?;
        for event in &events[..n as usize] {
            // SAFETY: the kernel has filled the first `n`.
            let fd = unsafe { event.assume_init() }.u64 as RawFd;
            if !each(fd) {
                return Ok(true);
            }
        }
        Ok(n as usize == EVENTS)
    }
}

impl AsFd for Set {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A descriptor that becomes readable at a time.
#[derive(Debug)]
pub(crate) struct Timer(OwnedFd);

impl Timer {
    pub(crate) fn new() -> Result<Self> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: no pointer is passed.
        let fd = retry(|| unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })?;
        Ok(Self(own(fd)?))
    }

    /// Readable from `at` on (monotonic, ns). `None` is never.
    pub(crate) fn set(&self, at: Option<u64>) {
        let never = timespec(0);
        let time = libc::itimerspec { it_interval: never, it_value: at.map_or(never, timespec) };
        let how = libc::TFD_TIMER_ABSTIME;
        // SAFETY: `time` is valid for the call. Setting a timer fails only for bad arguments.
        unsafe { libc::timerfd_settime(self.0.as_raw_fd(), how, &raw const time, ptr::null_mut()) };
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A flag with a descriptor that is readable while it is up.
#[derive(Debug)]
pub(crate) struct Flag(OwnedFd);

impl Flag {
    pub(crate) fn new() -> Result<Self> {
        let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
        // SAFETY: no pointer is passed.
        Ok(Self(own(retry(|| unsafe { libc::eventfd(0, flags) })?)?))
    }

    /// Async-signal-safe.
    pub(crate) fn raise(&self) {
        let one = 1u64;
        // SAFETY: `one` is valid for its size. A flag that is up already may refuse.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Takes it down, and says whether it was up.
    pub(crate) fn take(&self) -> bool {
        let mut count = 0u64;
        let to = (&raw mut count).cast();
        // SAFETY: `count` is a valid place for its size.
        unsafe { libc::read(self.0.as_raw_fd(), to, size_of::<u64>()) > 0 }
    }
}

impl AsFd for Flag {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
