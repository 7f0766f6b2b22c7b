//! Connections: how they begin, what their descriptor says, and how they end.

use spsc_shm::{ConnOptions, Connection, Interrupter, Listener, Readiness, Ring, Status};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;
use support::{dial, dial_with, until, watchdog};

/// A path of this test's own, for a socket.
fn path(test: &str) -> PathBuf {
    std::env::temp_dir().join(format!("spsc-shm-{}-{test}", std::process::id()))
}

const NONE: Readiness = Readiness { readable: false, writable: false };
const READABLE: Readiness = Readiness { readable: true, writable: false };
const WRITABLE: Readiness = Readiness { readable: false, writable: true };

/// Two ends in this process.
fn pair() -> (Connection, Connection) {
    let (one, other) = UnixStream::pair().unwrap();
    let client = thread::spawn(move || ConnOptions::new().adopt_as_client(other, None).unwrap());
    let server = ConnOptions::new().adopt_as_server(one, None).unwrap();
    (server, client.join().unwrap())
}

/// Whether the descriptor is readable now, and whether it has hung up.
fn poll(fd: impl AsFd, timeout_ms: i32) -> (bool, bool) {
    let events = libc::POLLIN;
    let mut poll = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events, revents: 0 };
    // SAFETY: one valid pollfd.
    unsafe { libc::poll(&raw mut poll, 1, timeout_ms) };
    (poll.revents & libc::POLLIN != 0, poll.revents & libc::POLLHUP != 0)
}

#[test]
fn what_one_end_sends_the_other_receives() {
    let path = path("echo");
    let listener = Listener::bind(&path).unwrap();
    let dialled = path.clone();
    let client = thread::spawn(move || {
        let mut client = dial(dialled);
        client.sender().write_all(b"question").unwrap();
        let mut answer = [0; 6];
        client.receiver().read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"answer");
    });
    let mut server = listener.accept(None).unwrap();
    assert_eq!(server.peer().pid, std::process::id() as i32);
    let mut question = [0; 8];
    server.receiver().read_exact(&mut question).unwrap();
    assert_eq!(&question, b"question");
    server.sender().write_all(b"answer").unwrap();
    client.join().unwrap();
    let error = server.receiver().peek(1, None).unwrap_err();
    assert_eq!(error.status(), Status::Closed);
    drop(listener);
    assert!(!path.exists());
    assert!(!path.with_extension("lock").exists());
}

#[test]
fn an_armed_connection_is_rung_once_and_a_busy_one_not_at_all() {
    let (mut server, mut client) = pair();
    client.sender().write_all(b"busy").unwrap();
    assert_eq!(poll(&server, 0), (false, false), "nobody asked");
    assert_eq!(server.arm(1, 0).unwrap(), READABLE);
    assert_eq!(server.arm(5, 0).unwrap(), NONE);
    assert_eq!(poll(&server, 0), (false, false));
    client.sender().write_all(b"!").unwrap();
    assert_eq!(poll(&server, -1), (true, false));
    client.sender().write_all(b"!").unwrap();
    assert_eq!(server.arm(7, 0).unwrap(), NONE);
    assert_eq!(poll(&server, 0), (false, false), "one byte, and it was read");
}

#[test]
fn space_is_asked_for_as_data_is() {
    let (mut server, mut client) = pair();
    let capacity = server.sender().ring().capacity();
    server.sender().claim(capacity, None).unwrap().publish_all();
    assert_eq!(server.arm(1, 100).unwrap(), NONE);
    client.receiver().peek(99, None).unwrap().release_all();
    assert_eq!(poll(&server, 0), (false, false), "not enough");
    client.receiver().peek(1, None).unwrap().release_all();
    assert_eq!(poll(&server, -1), (true, false));
    assert_eq!(server.arm(1, 100).unwrap(), WRITABLE);
    assert_eq!(server.arm(0, capacity + 1).unwrap_err().status(), Status::TooLarge);
}

#[test]
fn the_end_is_readable_and_the_next_call_says_why() {
    let (mut server, mut client) = pair();
    client.sender().write_all(b"last words").unwrap();
    assert_eq!(server.arm(100, 0).unwrap(), NONE);
    drop(client);
    assert_eq!(poll(&server, -1), (true, true));
    assert_eq!(server.arm(100, 0).unwrap(), READABLE);
    let mut text = String::new();
    server.receiver().read_to_string(&mut text).unwrap();
    assert_eq!(text, "last words");
    let capacity = server.sender().ring().capacity();
    server.sender().claim(capacity, None).unwrap().publish_all();
    assert_eq!(server.sender().claim(1, None).unwrap_err().status(), Status::Closed);
}

#[test]
fn one_direction_may_end_alone() {
    let (mut server, client) = pair();
    let (sender, mut receiver) = client.into_split();
    assert_eq!(server.arm(1, 0).unwrap(), NONE);
    drop(sender);
    assert_eq!(poll(&server, -1), (true, false));
    assert_eq!(server.arm(1, 0).unwrap(), READABLE);
    assert_eq!(server.receiver().peek(1, None).unwrap_err().status(), Status::Closed);
    server.sender().write_all(b"still here").unwrap();
    drop(server);
    let mut text = String::new();
    receiver.read_to_string(&mut text).unwrap();
    assert_eq!(text, "still here");
}

fn is_missing(error: spsc_shm::Error) -> bool {
    error.status() == Status::NotFound
}

#[test]
fn a_path_in_use_is_not_taken_and_an_abandoned_one_is() {
    let path = path("stale");
    let listener = Listener::bind(&path).unwrap();
    assert_eq!(Listener::bind(&path).unwrap_err().status(), Status::AlreadyExists);
    drop(listener);
    // A listener that left its file behind, and one of another make that is alive.
    let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert_eq!(Listener::bind(&path).unwrap_err().status(), Status::AlreadyExists);
    drop(other);
    assert!(path.exists());
    // A child that another thread forks would keep the socket until its `exec`.
    until("nobody listens", || {
        Connection::dial(&path, Some(Duration::ZERO)).is_err_and(is_missing)
    });
    drop(Listener::bind(&path).unwrap());
    assert!(!path.exists());
    std::fs::write(&path, "a file").unwrap();
    assert_eq!(Listener::bind(&path).unwrap_err().status(), Status::AlreadyExists);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_wait_in_accept_ends_in_time_or_when_it_is_interrupted() {
    let path = path("accept");
    let listener = Listener::bind(&path).unwrap();
    let status = |timeout| listener.accept(timeout).unwrap_err().status();
    assert_eq!(status(Some(Duration::ZERO)), Status::Timeout);
    assert_eq!(status(Some(Duration::from_millis(5))), Status::Timeout);
    listener.interrupt();
    listener.interrupt();
    assert_eq!(status(Some(Duration::ZERO)), Status::Timeout, "that does not wait");
    assert_eq!(status(None), Status::Interrupted);
    assert_eq!(status(Some(Duration::from_millis(5))), Status::Timeout, "once");
    thread::scope(|scope| {
        scope.spawn(|| listener.interrupt());
        assert_eq!(status(None), Status::Interrupted);
    });
}

#[test]
fn a_listener_s_descriptor_leads_a_loop_that_never_waits_in_accept() {
    let path = path("poll");
    let listener = Listener::bind(&path).unwrap();
    assert_eq!(poll(&listener, 0), (false, false));
    let client = thread::spawn({
        let path = path.clone();
        move || dial(path)
    });
    let server = loop {
        assert_eq!(poll(&listener, -1), (true, false));
        match listener.accept(Some(Duration::ZERO)) {
            Ok(server) => break server,
            Err(error) => assert_eq!(error.status(), Status::Timeout),
        }
    };
    assert_eq!(poll(&listener, 0), (false, false));
    drop((server, client.join().unwrap()));
}

#[test]
fn the_server_s_sizes_count_and_then_the_client_s() {
    let path = path("sizes");
    let listener = ConnOptions::new().to_client(10_000).listen(&path).unwrap();
    let dial = |to_server, to_client| {
        thread::scope(|scope| {
            let client = scope.spawn(|| {
                let options = ConnOptions::new().to_server(to_server).to_client(to_client);
                let mut client = dial_with(&options, &path)?;
                Ok((client.sender().ring().capacity(), client.receiver().ring().capacity()))
            });
            while !client.is_finished() {
                drop(listener.accept(Some(Duration::from_millis(1))));
            }
            client.join().unwrap()
        })
    };
    assert_eq!(dial(0, 0).unwrap(), (65_536, 16_384));
    assert_eq!(dial(5000, 100_000).unwrap(), (8192, 16_384));
    assert_eq!(dial(1 << 20, 0).unwrap(), (1 << 20, 16_384));
    let error: spsc_shm::Error = dial(1 + (1 << 20), 0).unwrap_err();
    assert_eq!(error.status(), Status::TooLarge);
}

#[test]
fn a_dial_that_nobody_accepts_ends_in_time() {
    let path = path("nobody");
    let listener = Listener::bind(&path).unwrap();
    let error = Connection::dial(&path, Some(Duration::from_millis(20))).unwrap_err();
    assert_eq!(error.status(), Status::Timeout);
    assert_eq!(listener.accept(Some(Duration::ZERO)).unwrap_err().status(), Status::Timeout);
}

#[test]
fn a_socket_that_a_service_manager_has_accepted_is_adopted() {
    let path = path("manager");
    let manager = std::os::unix::net::UnixListener::bind(&path).unwrap();
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut client = Connection::dial(&path, None).unwrap();
            client.sender().write_all(b"hello").unwrap();
        });
        let (accepted, _) = manager.accept().unwrap();
        let mut server = ConnOptions::new().adopt_as_server(accepted, None).unwrap();
        let mut text = String::new();
        server.receiver().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        client.join().unwrap();
    });
    std::fs::remove_file(&path).unwrap();
}

/// A client whose wait for data sleeps, the ring it sleeps on, and what ends its waits.
fn sleeper<'a>(
    scope: &'a thread::Scope<'a, '_>,
    mut client: Connection,
) -> (ScopedJoinHandle<'a, Status>, Arc<Ring>, Interrupter) {
    let (ring, interrupter) =
        (Arc::clone(client.receiver().ring()), client.receiver().interrupter());
    let waiting =
        scope.spawn(move || client.receiver().peek(1, None).map(|_| ()).unwrap_err().status());
    until("it sleeps", || ring.stats().consumer.parked);
    (waiting, ring, interrupter)
}

#[test]
fn a_wait_in_a_call_is_interrupted_from_either_process() {
    let _watchdog = watchdog();
    for way in 0..3 {
        let (mut server, client) = pair();
        thread::scope(|scope| {
            let (waiting, ring, interrupter) = sleeper(scope, client);
            match way {
                0 => interrupter.interrupt(),
                1 => ring.wakeup_all(),
                _ => server.sender().ring().wakeup_all(),
            }
            assert_eq!(waiting.join().unwrap(), Status::Interrupted);
        });
    }
}

#[test]
fn a_wait_in_a_call_sleeps_once_however_long_and_learns_of_the_end() {
    let _watchdog = watchdog();
    let (server, client) = pair();
    thread::scope(|scope| {
        let (waiting, ring, _) = sleeper(scope, client);
        thread::sleep(Duration::from_millis(400));
        assert_eq!(ring.stats().consumer.parks, 1, "it does not wake to look");
        drop(server);
        assert_eq!(waiting.join().unwrap(), Status::Closed);
    });
}

#[test]
fn two_threads_may_wait_in_calls_one_for_each_direction() {
    let _watchdog = watchdog();
    for _ in 0..200 {
        let (mut server, mut client) = pair();
        let capacity = client.sender().ring().capacity();
        client.sender().claim(capacity, None).unwrap().publish_all();
        let (mut sender, mut receiver) = client.into_split();
        thread::scope(|scope| {
            scope.spawn(|| sender.claim(1, None).unwrap().publish_all());
            scope.spawn(|| receiver.peek(1, None).unwrap().release_all());
            server.receiver().peek(capacity, None).unwrap().release_all();
            server.sender().claim(1, None).unwrap().publish_all();
            server.receiver().peek(1, None).unwrap().release_all();
        });
    }
}

#[test]
fn an_event_loop_and_a_call_of_one_thread_may_follow_each_other() {
    let _watchdog = watchdog();
    let (mut server, mut client) = pair();
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..1000 {
                client.sender().write_all(b"x").unwrap();
                client.receiver().peek(1, None).unwrap().release_all();
            }
        });
        for turn in 0..1000 {
            if turn % 2 == 0 {
                while !server.arm(1, 0).unwrap().readable {
                    poll(&server, -1);
                }
            }
            server.receiver().peek(1, None).unwrap().release_all();
            server.sender().write_all(b"y").unwrap();
        }
    });
}
