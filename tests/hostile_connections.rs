//! Peers that break the rules of a connection's beginning, or ring without cause: they delay and harm
//! nobody, and nothing is left of them. Each test is a process of its own, which counts its descriptors.

use spsc_shm::{ConnOptions, Connection, Listener, Ring, Status};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use support::{alone, dial, may_be_dropped, status, until};

// The wire format, once more, by docs/PROTOCOL.md.
const HELLO: u32 = 1;
const WELCOME: u32 = 2;
const READY: u32 = 3;
const REFUSED: u32 = 4;
const SIZE: usize = 48;
const HEAVY_BARRIER: u64 = 1;

#[derive(Clone, Copy)]
struct Letter {
    magic: [u8; 8],
    version: u32,
    kind: u32,
    features: u64,
    to_server: u64,
    to_client: u64,
    status: i32,
}

const LETTER: Letter = Letter {
    magic: *b"spscconn",
    version: 1 << 16,
    kind: HELLO,
    features: HEAVY_BARRIER,
    to_server: 0,
    to_client: 0,
    status: 0,
};

impl Letter {
    fn bytes(self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.features.to_le_bytes());
        bytes.extend(self.to_server.to_le_bytes());
        bytes.extend(self.to_client.to_le_bytes());
        bytes.extend(self.status.to_le_bytes());
        bytes.resize(SIZE, 0);
        bytes
    }
}

const fn letter(kind: u32) -> Letter {
    Letter { kind, ..LETTER }
}

/// Sends bytes with descriptors.
fn send_with(socket: &UnixStream, bytes: &[u8], fds: &[RawFd]) -> io::Result<()> {
    let mut control = [0u64; 32];
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let payload = size_of_val(fds) as u32;
    // SAFETY: the message refers to the two buffers, which are large enough, for the call.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(payload) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(payload) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().copy_from_nonoverlapping(fds.as_ptr(), fds.len());
        let sent = libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL);
        if sent == bytes.len() as isize { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn path() -> PathBuf {
    std::env::temp_dir().join(format!("spsc-hostile-{}", std::process::id()))
}

/// A good client, which must be served.
fn is_served(path: &Path) {
    let mut client = dial(path);
    client.sender().send(7, b"hello", None).unwrap();
    let answer = client.receiver().receive(None).unwrap();
    assert_eq!(answer.into_vec(), b"hello");
}

/// Serves good clients, one after the other, until it is interrupted.
fn serve(listener: &Listener) {
    loop {
        let mut client = match listener.accept(None) {
            Ok(client) => client,
            Err(error) => return assert_eq!(error.status(), Status::Interrupted),
        };
        let (sender, receiver) = client.split();
        while let Ok(message) = receiver.receive(None) {
            let tag = message.tag();
            sender.send(tag, &message.into_vec(), None).unwrap();
        }
    }
}

/// What a server's socket says until it is closed: the statuses of its refusals.
fn refusals(mut socket: &UnixStream) -> Vec<i32> {
    let mut all = Vec::new();
    // It may have been closed with something unread, which is an error here.
    let _ = socket.read_to_end(&mut all);
    all.chunks_exact(SIZE)
        .filter(|letter| letter[12] == REFUSED as u8)
        .map(|letter| i32::from_le_bytes(letter[40..44].try_into().unwrap()))
        .collect()
}

/// What a client that behaves like this is refused with. One that did not run for long is dropped before
/// it has said what is wrong with it, and tries again.
fn answers(
    path: &Path,
    expects: usize,
    behave: impl Fn(&UnixStream) -> io::Result<()>,
) -> Vec<i32> {
    loop {
        let start = Instant::now();
        let socket = UnixStream::connect(path).unwrap();
        let behaved = behave(&socket);
        let refusals = refusals(&socket);
        if (behaved.is_ok() && refusals.len() == expects) || !may_be_dropped(start) {
            behaved.unwrap();
            return refusals;
        }
    }
}

/// Several clients that behave like this get the status, or no answer, and are gone; all the while good
/// clients are served.
#[track_caller]
fn harms_nobody(status: Option<Status>, behave: impl Fn(&UnixStream) -> io::Result<()> + Sync) {
    alone(|| {
        let path = path();
        let listener = ConnOptions::new().backlog(3).listen(&path).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| serve(&listener));
            is_served(&path);
            until("the first is gone", || descriptors() <= 12);
            let before = descriptors();
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let expected: Vec<i32> = status.iter().map(|s| *s as i32).collect();
                        assert_eq!(answers(&path, expected.len(), &behave), expected);
                    });
                }
                for _ in 0..20 {
                    is_served(&path);
                }
            });
            until("nothing is left of them", || descriptors() <= before);
            is_served(&path);
            listener.interrupt();
        });
    });
}

#[test]
fn a_silent_client() {
    // It is dropped after a while.
    harms_nobody(None, |_| Ok(()));
}

#[test]
fn a_client_that_goes_at_once() {
    harms_nobody(None, |socket| socket.shutdown(Shutdown::Both));
}

#[test]
fn a_slow_client() {
    harms_nobody(None, |mut socket| {
        for byte in LETTER.bytes() {
            if socket.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(30));
        }
        Ok(())
    });
}

#[test]
fn a_client_that_speaks_something_else() {
    harms_nobody(Some(Status::NotARing), |mut socket| {
        socket.write_all(b"GET / HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n")
    });
}

#[test]
fn a_client_of_another_version() {
    harms_nobody(Some(Status::Version), |mut socket| {
        socket.write_all(&Letter { version: 2 << 16, ..LETTER }.bytes())
    });
}

#[test]
fn a_client_that_says_something_out_of_turn() {
    alone(|| {
        for kind in [0, WELCOME, READY, REFUSED, 5] {
            harms_nobody(Some(Status::NotARing), |mut socket| {
                socket.write_all(&letter(kind).bytes())
            });
        }
    });
}

#[test]
fn a_client_that_wants_too_much() {
    harms_nobody(Some(Status::TooLarge), |mut socket| {
        let all = Letter { to_server: u64::MAX, to_client: u64::MAX, ..LETTER };
        socket.write_all(&all.bytes())
    });
}

#[test]
fn a_client_that_stops_in_the_middle_of_a_word() {
    harms_nobody(Some(Status::Closed), |mut socket| {
        socket.write_all(&LETTER.bytes()[..20])?;
        socket.shutdown(Shutdown::Write)
    });
}

#[test]
fn a_client_that_is_never_ready() {
    harms_nobody(None, |mut socket| socket.write_all(&LETTER.bytes()));
}

#[test]
fn a_client_that_is_not_ready_but_something_else() {
    harms_nobody(Some(Status::NotARing), |mut socket| {
        socket.write_all(&LETTER.bytes())?;
        socket.write_all(&LETTER.bytes())
    });
}

#[test]
fn a_client_that_brings_descriptors() {
    harms_nobody(Some(Status::NotARing), |socket| {
        let file = File::open("/dev/null").unwrap();
        send_with(socket, &letter(READY).bytes(), &[file.as_raw_fd(); 16])
    });
}

#[test]
fn a_client_that_fills_the_socket() {
    harms_nobody(Some(Status::NotARing), |mut socket| {
        socket.set_nonblocking(true)?;
        let written = std::iter::repeat_with(|| socket.write(&[0x55; 4096]))
            .take(1000)
            .take_while(|written| written.is_ok())
            .count();
        socket.set_nonblocking(false)?;
        if written > 0 { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
    });
}

/// A client's part of the handshake by hand. It takes no role.
fn shake_hands(path: &Path) -> UnixStream {
    let mut socket = UnixStream::connect(path).unwrap();
    socket.write_all(&LETTER.bytes()).unwrap();
    let mut welcome = [0; SIZE];
    socket.read_exact(&mut welcome).unwrap();
    assert_eq!(welcome[12], WELCOME as u8);
    socket.write_all(&letter(READY).bytes()).unwrap();
    socket
}

#[test]
fn a_client_that_rings_without_cause() {
    alone(|| {
        let path = path();
        let listener = Listener::bind(&path).unwrap();
        thread::scope(|scope| {
            let dialling = scope.spawn(|| {
                let mut socket = shake_hands(&path);
                socket.set_nonblocking(true).unwrap();
                while socket.write(&[1; 64]).is_ok() {}
                socket
            });
            let mut flooded = listener.accept(None).unwrap();
            let mut socket = dialling.join().unwrap();
            // Once found out, its socket is not read again, however much there is.
            for _ in 0..3 {
                let error = flooded.arm(1, 0).unwrap_err();
                assert_eq!(error.status(), Status::Corrupt);
                while socket.write(&[1; 64]).is_ok() {}
            }
            assert_eq!(flooded.arm(1, 0).unwrap_err().status(), Status::Corrupt);
            assert_eq!(socket.write(&[1]).unwrap_err().kind(), ErrorKind::WouldBlock);
            drop(flooded);
            scope.spawn(|| serve(&listener));
            is_served(&path);
            listener.interrupt();
        });
    });
}

#[test]
fn a_client_that_rings_before_it_is_expected_to() {
    alone(|| {
        let path = path();
        let listener = Listener::bind(&path).unwrap();
        thread::scope(|scope| {
            let dialling = scope.spawn(|| shake_hands(&path));
            let mut server = listener.accept(None).unwrap();
            let mut socket = dialling.join().unwrap();
            assert!(!server.arm(1, 0).unwrap().any());
            socket.write_all(&[1]).unwrap();
            assert!(!server.arm(1, 0).unwrap().any(), "one is no harm");
            socket.write_all(&[1]).unwrap();
            assert_eq!(server.arm(1, 0).unwrap_err().status(), Status::Corrupt);
        });
    });
}

/// The server is away for longer than it has patience with its clients. One that says nothing meanwhile
/// may have stood still as well, and is spared once; one that has said what it could is not late.
#[test]
fn clients_do_not_pay_for_the_time_that_nobody_accepts() {
    alone(|| {
        let path = path();
        let listener = Listener::bind(&path).unwrap();
        let away = || thread::sleep(Duration::from_millis(1100));
        let accept = || listener.accept(Some(Duration::ZERO));
        let clients = [(); 3].map(|()| UnixStream::connect(&path).unwrap());
        assert_eq!(status(accept()), Status::Timeout);
        away();
        assert_eq!(status(accept()), Status::Timeout);
        for mut client in &clients {
            client.write_all(&LETTER.bytes()).unwrap();
        }
        away();
        assert_eq!(status(accept()), Status::Timeout);
        for mut client in &clients {
            let mut welcome = [0; SIZE];
            client.read_exact(&mut welcome).unwrap();
            client.write_all(&letter(READY).bytes()).unwrap();
        }
        away();
        for _ in &clients {
            accept().unwrap();
        }
    });
}

/// A dial to a server that behaves like this ends with that, and leaves nothing.
#[track_caller]
fn dial_ends_with(status: Status, behave: impl Fn(&UnixStream) + Sync) {
    alone(|| {
        let path = path();
        let listener = UnixListener::bind(&path).unwrap();
        let before = descriptors();
        for _ in 0..3 {
            thread::scope(|scope| {
                let dialling = scope.spawn(|| {
                    let limit = if status == Status::Timeout { 50 } else { 60_000 };
                    Connection::dial(&path, Some(Duration::from_millis(limit)))
                });
                let (mut socket, _) = listener.accept().unwrap();
                let mut hello = [0; SIZE];
                socket.read_exact(&mut hello).unwrap();
                assert_eq!(hello[..16], LETTER.bytes()[..16]);
                behave(&socket);
                if status != Status::Timeout {
                    socket.shutdown(Shutdown::Write).unwrap();
                }
                let error = dialling.join().unwrap().unwrap_err();
                assert_eq!(error.status(), status);
            });
        }
        assert_eq!(descriptors(), before);
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
fn a_silent_server() {
    dial_ends_with(Status::Timeout, |_| ());
}

#[test]
fn a_server_that_goes() {
    dial_ends_with(Status::Closed, |_| ());
}

#[test]
fn a_server_that_stops_in_the_middle_of_a_word() {
    dial_ends_with(Status::Closed, |mut socket| {
        socket.write_all(&letter(WELCOME).bytes()[..47]).unwrap();
    });
}

#[test]
fn a_server_that_speaks_something_else() {
    dial_ends_with(Status::NotARing, |mut socket| {
        socket.write_all(b"220 mail.example.org ESMTP, and how may I help you?\r\n").unwrap();
    });
}

#[test]
fn a_server_of_another_version() {
    dial_ends_with(Status::Version, |mut socket| {
        socket.write_all(&Letter { version: 2 << 16, ..letter(WELCOME) }.bytes()).unwrap();
    });
}

#[test]
fn a_server_that_refuses() {
    alone(|| {
        dial_ends_with(Status::NoMemory, |mut socket| {
            let status = Status::NoMemory as i32;
            socket.write_all(&Letter { status, ..letter(REFUSED) }.bytes()).unwrap();
        });
        for status in [0, 1, -1000] {
            dial_ends_with(Status::NotARing, |mut socket| {
                socket.write_all(&Letter { status, ..letter(REFUSED) }.bytes()).unwrap();
            });
        }
    });
}

#[test]
fn a_server_that_says_something_out_of_turn() {
    dial_ends_with(Status::NotARing, |mut socket| {
        socket.write_all(&letter(READY).bytes()).unwrap();
    });
}

#[test]
fn a_server_with_too_few_or_too_many_descriptors() {
    alone(|| {
        dial_ends_with(Status::NotARing, |mut socket| {
            socket.write_all(&letter(WELCOME).bytes()).unwrap();
        });
        for count in [1, 3, 4, 60] {
            dial_ends_with(Status::NotARing, |socket| {
                let ring = Ring::anonymous(4096).unwrap();
                let capacity = ring.capacity() as u64;
                let welcome =
                    Letter { to_server: capacity, to_client: capacity, ..letter(WELCOME) };
                send_with(socket, &welcome.bytes(), &vec![ring.as_raw_fd(); count]).unwrap();
            });
        }
    });
}

/// The seals of a ring.
const SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// A memory object of so many bytes, with seals.
fn memory(bytes: i64, seals: i32) -> OwnedFd {
    // SAFETY: a C string, and plain numbers.
    unsafe {
        let fd = libc::memfd_create(c"hostile".as_ptr(), libc::MFD_ALLOW_SEALING);
        assert_eq!(libc::ftruncate(fd, bytes), 0);
        assert_eq!(libc::fcntl(fd, libc::F_ADD_SEALS, seals), 0);
        OwnedFd::from_raw_fd(fd)
    }
}

#[test]
fn a_server_whose_descriptors_are_no_rings() {
    alone(|| {
        let objects: [fn() -> OwnedFd; 5] = [
            || File::open("/dev/null").unwrap().into(),
            || UnixStream::pair().unwrap().0.into(),
            || memory(0, SEALS),
            || memory(1 << 20, 0),
            || memory(1 << 20, SEALS),
        ];
        for object in objects {
            dial_ends_with(Status::NotARing, |socket| {
                let object = object();
                let welcome = Letter { to_server: 4096, to_client: 4096, ..letter(WELCOME) };
                send_with(socket, &welcome.bytes(), &[object.as_raw_fd(); 2]).unwrap();
            });
        }
    });
}

#[test]
fn a_server_that_lies_about_a_size_or_gives_what_is_in_use() {
    alone(|| {
        let rings = || (Ring::anonymous(4096).unwrap(), Ring::anonymous(4096).unwrap());
        dial_ends_with(Status::NotARing, |socket| {
            let (one, other) = rings();
            let welcome = Letter { to_server: 4096, to_client: 8192, ..letter(WELCOME) };
            send_with(socket, &welcome.bytes(), &[one.as_raw_fd(), other.as_raw_fd()]).unwrap();
        });
        dial_ends_with(Status::NotARing, |socket| {
            let (one, other) = rings();
            let mut taken = Ring::connect_fd(one.sealed_fd().unwrap()).unwrap().into_producer();
            taken.wait_for_space(1, None).unwrap();
            let welcome = Letter { to_server: 4096, to_client: 4096, ..letter(WELCOME) };
            send_with(socket, &welcome.bytes(), &[one.as_raw_fd(), other.as_raw_fd()]).unwrap();
            // Until the client has refused it.
            let mut socket = socket;
            let _ = socket.read(&mut [0]);
        });
    });
}
