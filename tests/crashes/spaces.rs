//! A full shared-memory file system, process numbers that mean nothing to the other side, and connections
//! between those who share nothing but a path: in namespaces of our own.

use crate::Options;
use crate::connections::{Place, echo, serve_once};
use crate::process::{Child, Shared};
use crate::ring::*;
use crate::stream::Stream;
use spsc_shm::ffi::SPSC_WAIT_FOREVER;
use spsc_shm::{ConnOptions, Connection, Listener, Status};
use std::fs;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};
use support::{dial, status, until};

/// Moves this process into new namespaces: without root, into a user namespace as well.
fn unshare(kinds: libc::c_int) {
    // SAFETY: takes no pointers; this process has one thread.
    let (user, extra) =
        unsafe { (libc::geteuid(), if libc::geteuid() == 0 { 0 } else { libc::CLONE_NEWUSER }) };
    // SAFETY: as above.
    let done = unsafe { libc::unshare(kinds | extra) };
    assert_eq!(done, 0, "unshare (root can): {}", std::io::Error::last_os_error());
    if extra != 0 {
        fs::write("/proc/self/uid_map", format!("0 {user} 1")).expect("root of our own namespace");
    }
}

/// What a `statvfs` of the shared-memory file system says is free, in bytes.
fn free() -> u64 {
    // SAFETY: plain numbers, for which zero is a valid value; the path is a C string.
    unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        assert_eq!(libc::statvfs(c"/dev/shm".as_ptr(), &raw mut stat), 0);
        stat.f_bavail * stat.f_frsize
    }
}

/// If the file system can't hold a ring, none is made, and nothing is left of the attempt. Filling the
/// rest of the file system hurts no ring that was made before.
pub fn full_memory(_: &Options) {
    Child::fork(|| {
        unshare(libc::CLONE_NEWNS);
        let mount = |source: &std::ffi::CStr, target: &std::ffi::CStr, flags, data: *const _| {
            let tmpfs = c"tmpfs".as_ptr();
            // SAFETY: all strings are C strings.
            let done = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), tmpfs, flags, data) };
            assert_eq!(done, 0, "mount: {}", std::io::Error::last_os_error());
        };
        mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE, std::ptr::null());
        mount(c"tmpfs", c"/dev/shm", 0, c"size=1m".as_ptr().cast());

        let objects = || fs::read_dir("/dev/shm").unwrap().count();
        let (name, before) = (Name::unique(), free());
        assert!(before <= 1 << 20);
        // With its control block, the second is too large by a page.
        for capacity in [4 << 20, 1 << 20] {
            let refused = Ring::create(&name, capacity, &options(|_| ()));
            assert!(matches!(refused, Err(SPSC_ERR_NO_SPACE)), "{:?}", refused.err());
            assert_eq!((objects(), free()), (0, before), "something is left");
        }
        let ring = Ring::create(&name, 512 << 10, &options(|_| ())).unwrap();
        let filler = vec![0; free() as usize];
        fs::write("/dev/shm/filler", filler).expect("there is as much room as was said");
        assert_eq!(free(), 0);
        let refused = Ring::create(&Name::unique(), 4096, &options(|_| ()));
        assert!(matches!(refused, Err(SPSC_ERR_NO_SPACE)));
        assert_eq!(objects(), 2);

        // Every page of the ring was reserved: none of these accesses is a SIGBUS.
        let stream = Stream::uniform(32 << 10);
        let peer = Ring::connect(&name).unwrap();
        for number in 0..64 {
            send(&ring, &stream, number);
            receive(&peer, &stream, number);
        }
    })
    .finish("process with a small /dev/shm");
}

fn send(ring: &Ring, stream: &Stream, number: u64) {
    let (mut data, len) = (std::ptr::null_mut(), stream.len(number));
    assert_eq!(ring.claim(len, SPSC_WAIT_FOREVER, &mut data), SPSC_OK);
    // SAFETY: `len` bytes are claimed.
    stream.write(number, unsafe { std::slice::from_raw_parts_mut(data, len) });
    assert_eq!(ring.publish(len), SPSC_OK);
}

fn receive(ring: &Ring, stream: &Stream, number: u64) {
    let (mut data, len) = (std::ptr::null(), stream.len(number));
    assert_eq!(ring.peek(len, SPSC_WAIT_FOREVER, &mut data), SPSC_OK);
    // SAFETY: `len` bytes are peeked.
    stream.check(number, unsafe { std::slice::from_raw_parts(data, len) });
    assert_eq!(ring.release(len), SPSC_OK);
}

/// A process that runs `body` as number 1 of a PID namespace of its own. It dies with what is
/// returned, which waits for it.
fn in_own_namespace(body: impl FnOnce()) -> Child {
    Child::fork(|| {
        unshare(libc::CLONE_NEWPID);
        Child::fork(|| {
            assert_eq!(std::process::id(), 1);
            body();
        })
        .finish("first process of a PID namespace");
    })
}

/// Producer and consumer are number 1 each, in different PID namespaces: the stream flows, the
/// role is refused to a third, and a death is noticed.
pub fn pid_namespaces(_: &Options) {
    let name = Name::unique();
    let stream = Stream::uniform(64);
    let ring = Ring::create(&name, 4096, &sleepy()).unwrap();
    let received = Shared::<AtomicU64>::new();
    let last = Shared::<AtomicI32>::new();

    let mut consumer = in_own_namespace(|| {
        let ring = Ring::connect(&name).unwrap();
        let mut data = std::ptr::null();
        loop {
            let status = ring.peek(64, SPSC_WAIT_FOREVER, &mut data);
            last.store(status as i32, SeqCst);
            if status == SPSC_OK {
                receive(&ring, &stream, received.fetch_add(1, SeqCst));
            }
        }
    });
    let producer = |first: u64| {
        let (name, stream) = (&name, &stream);
        in_own_namespace(move || {
            let ring = Ring::connect(name).unwrap();
            for number in first..first + 1000 {
                send(&ring, stream, number);
            }
            // Goes on, and holds the role.
            loop {
                // SAFETY: takes no pointers.
                unsafe { libc::pause() };
            }
        })
    };
    for first in [0, 1000] {
        let mut sender = producer(first);
        until("all is received", || {
            consumer.assert_alive("consumer");
            sender.assert_alive("producer");
            received.load(SeqCst) == first + 1000
        });
        let stats = ring.stats();
        assert_eq!((stats.producer.pid, stats.consumer.pid), (1, 1));
        assert_eq!((stats.producer.state, stats.consumer.state), (1, 1), "both attached");
        in_own_namespace(|| {
            let third = Ring::connect(&name).unwrap();
            let (mut to, mut from) = (std::ptr::null_mut(), std::ptr::null());
            assert_eq!(third.claim(1, 0, &mut to), SPSC_ERR_ROLE_TAKEN);
            assert_eq!(third.peek(1, 0, &mut from), SPSC_ERR_ROLE_TAKEN);
        })
        .finish("third");
        sender.kill();
        until("the death is noticed", || last.load(SeqCst) == SPSC_PEER_DEAD as i32);
    }
    drop(consumer);
    // The producer's view: room for so much, and then the consumer is dead.
    in_own_namespace(|| {
        let ring = Ring::connect(&name).unwrap();
        let mut data = std::ptr::null_mut();
        assert_eq!(ring.claim(4096, SPSC_WAIT_FOREVER, &mut data), SPSC_OK);
        assert_eq!(ring.publish(4096), SPSC_OK);
        assert_eq!(ring.claim(1, SPSC_WAIT_FOREVER, &mut data), SPSC_PEER_DEAD);
    })
    .finish("producer without a consumer");
}

/// A server and a client in network, IPC, mount and PID namespaces of their own. They share a path.
pub fn connection_namespaces(_: &Options) {
    let kinds = libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWNS;
    let place = Place::new("namespaces");
    let path = place.path();
    let server = in_own_namespace(|| {
        unshare(kinds);
        let listener = Listener::bind(&path).unwrap();
        for _ in 0..2 {
            let mut client = listener.accept(None).unwrap();
            assert_eq!(client.peer().pid, 0, "it has no number here");
            assert_eq!(serve_once(&mut client), Status::Closed);
        }
        // The third one dies.
        let mut client = listener.accept(None).unwrap();
        assert_eq!(serve_once(&mut client), Status::PeerDead);
    });
    until("the server listens", || path.exists());
    let client = |body: &dyn Fn()| {
        in_own_namespace(|| {
            unshare(kinds);
            body();
        })
    };
    for _ in 0..2 {
        client(&|| echo(&mut dial(&path), b"hello")).finish("client");
    }
    let reached = Shared::<AtomicU64>::new();
    let dying = client(&|| {
        let mut connection = dial(&path);
        echo(&mut connection, b"hello");
        reached.store(1, SeqCst);
        // SAFETY: takes no pointers.
        unsafe { libc::pause() };
    });
    until("the third is served", || reached.load(SeqCst) == 1);
    dying.kill();
    server.finish("server");
    place.clean();
}

/// Another user connects if the path's mode says so, and is known by number.
pub fn other_user(_: &Options) {
    const NOBODY: u32 = 65534;
    let place = Place::new("user");
    place.open_to_all();
    let path = place.path();
    let dial_as_nobody = |expected: Option<Status>| {
        Child::fork(|| {
            // SAFETY: takes no pointers.
            assert_eq!(unsafe { libc::setgid(NOBODY) | libc::setuid(NOBODY) }, 0, "root can");
            match expected {
                None => echo(&mut dial(&path), b"from nobody"),
                Some(expected) => assert_eq!(status(Connection::dial(&path, None)), expected),
            }
        })
    };
    let listener = Listener::bind(&path).unwrap();
    dial_as_nobody(Some(Status::Permission)).finish("client without the permission");
    drop(listener);
    let listener = ConnOptions::new().mode(0o666).listen(&path).unwrap();
    let client = dial_as_nobody(None);
    let mut served = listener.accept(None).unwrap();
    assert_eq!((served.peer().uid, served.peer().gid), (NOBODY, NOBODY));
    assert_eq!(serve_once(&mut served), Status::Closed);
    client.finish("client with the permission");
    drop(listener);
    place.clean();
}
