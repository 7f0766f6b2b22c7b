//! After `fork` without `exec`, the child's copy of a handle holds no role and keeps none of the
//! parent's alive. It works as if newly connected. Each test runs in a process of its own.

use spsc_shm::ffi::*;
use spsc_shm::{Connection, Consumer, Listener, Options, Producer, Ring, RoleState, Spin, Status};
use std::cell::Cell;
use std::fs;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::id;
use std::ptr;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use support::{Name, alone, fork, publish, read, reap, slay, status, until};

const FOREVER: Option<Duration> = None;
const NOW: Option<Duration> = Some(Duration::ZERO);

fn ring() -> (Producer, Consumer) {
    Options::new().spin(Spin::Never).anonymous(1).unwrap().split()
}

/// What one process waits for, until another tells it, or ends without telling.
struct Pipe {
    reader: PipeReader,
    writer: Cell<Option<PipeWriter>>,
}

impl Pipe {
    fn new() -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        Self { reader, writer: Cell::new(Some(writer)) }
    }

    fn tell(&self) {
        self.writer.take().unwrap().write_all(&[0]).unwrap();
    }

    /// Waits until another process tells, or until all that could tell have ended.
    fn wait(&self) {
        drop(self.writer.take());
        let _ = (&self.reader).read(&mut [0]);
    }
}

#[test]
fn the_childs_copy_holds_no_role_and_the_parent_keeps_its_own() {
    alone(|| {
        let (mut producer, mut consumer) = ring();
        publish(&mut producer, b"before");
        assert_eq!(read(&mut consumer, 3), b"bef");
        let child = fork(|| {
            assert_eq!(status(producer.claim(1, NOW)), Status::RoleTaken);
            assert_eq!(status(producer.claim_some(0, NOW)), Status::RoleTaken);
            assert_eq!(status(consumer.peek(1, NOW)), Status::RoleTaken);
            assert_eq!(status(consumer.peek_some(0, NOW)), Status::RoleTaken);
            let stats = producer.ring().stats();
            assert_eq!(stats.available, 3);
            assert_eq!(stats.producer.state, RoleState::Attached);
            assert_eq!(stats.consumer.state, RoleState::Attached);
        });
        assert_eq!(reap(child), 0);
        publish(&mut producer, b"after");
        assert_eq!(read(&mut consumer, 8), b"oreafter");
        let stats = producer.ring().stats();
        assert_eq!((stats.producer.pid, stats.producer.generation), (id(), 1));
    });
}

#[test]
fn the_childs_copy_of_a_claim_and_of_a_peek_is_void() {
    alone(|| {
        let mut ring = ptr::null_mut();
        let (mut data, mut read) = (ptr::null_mut(), ptr::null());
        // SAFETY: the places are valid, and the handle is open until the last line.
        unsafe {
            assert_eq!(spsc_create_anonymous(1, &raw mut ring), spsc_status::SPSC_OK);
            assert_eq!(spsc_claim(ring, 20, 0, &raw mut data), spsc_status::SPSC_OK);
            assert_eq!(spsc_publish(ring, 10), spsc_status::SPSC_OK);
            assert_eq!(spsc_peek(ring, 5, 0, &raw mut read), spsc_status::SPSC_OK);
            let child = fork(|| {
                assert_eq!(spsc_publish(ring, 1), spsc_status::SPSC_ERR_MISUSE);
                assert_eq!(spsc_release(ring, 1), spsc_status::SPSC_ERR_MISUSE);
                spsc_close(ring);
            });
            assert_eq!(reap(child), 0);
            assert_eq!(spsc_available(ring), 10);
            assert_eq!(spsc_publish(ring, 10), spsc_status::SPSC_OK);
            assert_eq!(spsc_release(ring, 5), spsc_status::SPSC_OK);
            assert_eq!(spsc_available(ring), 15);
            spsc_close(ring);
        }
    });
}

#[test]
fn closing_in_the_child_does_not_close_the_parents() {
    alone(|| {
        let (mut producer, mut consumer) = ring();
        publish(&mut producer, b"12");
        assert_eq!(read(&mut consumer, 1), b"1");
        let mut both = Some((producer, consumer));
        let child = fork(|| drop(both.take()));
        assert_eq!(reap(child), 0);
        let (mut producer, mut consumer) = both.unwrap();
        assert_eq!(status(consumer.peek(2, NOW)), Status::Timeout);
        publish(&mut producer, b"3");
        assert_eq!(read(&mut consumer, 2), b"23");
        assert_eq!(producer.ring().stats().producer.state, RoleState::Attached);
    });
}

#[test]
fn the_child_can_use_its_copy_as_newly_connected() {
    alone(|| {
        let (mut producer, mut consumer) = ring();
        publish(&mut producer, b"to the ");
        let child = fork(|| {
            assert_eq!(read(&mut consumer, 12), b"to the child");
            // Ends without closing.
        });
        publish(&mut producer, b"child");
        assert_eq!(reap(child), 0);
        assert_eq!(producer.ring().stats().consumer.pid, child.cast_unsigned());
        let capacity = producer.ring().capacity();
        publish(&mut producer, &vec![1; capacity]);
        assert_eq!(status(producer.claim(1, FOREVER)), Status::PeerDead);
        // The parent's own copy of the consumer takes over.
        assert_eq!(read(&mut consumer, capacity).len(), capacity);
    });
}

#[test]
fn a_close_in_the_child_of_its_own_role_is_told() {
    alone(|| {
        let (mut producer, consumer) = ring();
        publish(&mut producer, b"x");
        let capacity = producer.ring().capacity();
        let mut consumer = Some(consumer);
        let child = fork(|| {
            assert_eq!(consumer.as_mut().unwrap().peek(1, FOREVER).unwrap().len(), 1);
            drop(consumer.take());
        });
        assert_eq!(reap(child), 0);
        assert_eq!(status(producer.claim(capacity, FOREVER)), Status::Closed);
    });
}

#[test]
fn parent_and_child_wake_each_other() {
    alone(|| {
        let (mut there, mut there_end) = ring();
        let (mut back, mut back_end) = ring();
        publish(&mut there, b"0");
        assert_eq!(read(&mut there_end, 1), b"0");
        drop(there_end);
        // The child gets an end that the parent never used, and one that it did use.
        let mut there_end =
            Ring::connect_fd(there.ring().sealed_fd().unwrap()).unwrap().into_consumer();
        const ROUNDS: u32 = 2_000;
        let child = fork(|| {
            for _ in 0..ROUNDS {
                let bytes = read(&mut there_end, 4);
                publish(&mut back, &bytes);
            }
        });
        for round in 0..ROUNDS {
            publish(&mut there, &round.to_ne_bytes());
            assert_eq!(read(&mut back_end, 4), round.to_ne_bytes());
        }
        assert_eq!(reap(child), 0);
        let stats = there.ring().stats();
        assert!(stats.producer.wakes > u64::from(ROUNDS / 10), "{} wakes", stats.producer.wakes);
    });
}

#[test]
fn a_dead_parents_role_is_free_though_its_child_lives() {
    alone(|| {
        let end = Pipe::new();
        let name = Name::new();
        let mut consumer = Ring::create(&name, 1).unwrap().into_consumer();
        let parent = fork(|| {
            let mut producer = Ring::connect(&name).unwrap().into_producer();
            publish(&mut producer, b"role");
            let child = fork(|| end.wait());
            publish(&mut producer, &child.to_ne_bytes());
            loop {
                thread::park();
            }
        });
        assert_eq!(read(&mut consumer, 4), b"role");
        let child = libc::pid_t::from_ne_bytes(read(&mut consumer, 4).try_into().unwrap());
        slay(parent);
        assert_eq!(status(consumer.peek(1, FOREVER)), Status::PeerDead);
        let mut next = Ring::connect(&name).unwrap().into_producer();
        publish(&mut next, b"next");
        assert_eq!(read(&mut consumer, 4), b"next");
        // SAFETY: signal 0 only asks whether the process is there.
        assert_eq!(unsafe { libc::kill(child, 0) }, 0, "the child lives");
    });
}

#[test]
fn a_dead_creators_ring_is_stale_though_its_child_lives() {
    alone(|| {
        let end = Pipe::new();
        let name = Name::new();
        let forked = Pipe::new();
        let creator = fork(|| {
            let _ring = Ring::create(&name, 1).unwrap();
            fork(|| end.wait());
            forked.tell();
            loop {
                thread::park();
            }
        });
        forked.wait();
        let replace = Options::new().replace_stale(true);
        assert_eq!(status(replace.create(&name, 1)), Status::AlreadyExists);
        slay(creator);
        until("the ring is stale", || replace.create(&name, 1).is_ok());
    });
}

#[test]
fn a_role_that_the_parent_closes_is_free_though_its_child_lives() {
    alone(|| {
        let end = Pipe::new();
        let name = Name::new();
        let (mut producer, mut consumer) = Ring::create(&name, 1).unwrap().split();
        publish(&mut producer, b"x");
        assert_eq!(read(&mut consumer, 1), b"x");
        let child = fork(|| end.wait());
        drop(producer);
        assert_eq!(status(consumer.peek(1, FOREVER)), Status::Closed);
        drop(consumer);
        let replace = Options::new().replace_stale(true);
        replace.create(&name, 1).unwrap();
        slay(child);
    });
}

#[test]
fn a_child_of_many_handles_lets_go_of_all_of_them() {
    alone(|| {
        let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
        let none = descriptors();
        let mut ends = (0..100).map(|_| ring()).collect::<Vec<_>>();
        for (producer, consumer) in &mut ends {
            publish(producer, b"many");
            assert_eq!(read(consumer, 2), b"ma");
        }
        let some = descriptors();
        let child = fork(|| {
            assert_eq!(descriptors(), some);
            for (producer, consumer) in &mut ends {
                assert_eq!(status(producer.claim(1, NOW)), Status::RoleTaken);
                assert_eq!(status(consumer.peek(1, NOW)), Status::RoleTaken);
            }
            // The same holds for a grandchild.
            let grandchild = fork(|| {
                assert_eq!(descriptors(), some);
                assert_eq!(status(ends[99].0.claim(1, NOW)), Status::RoleTaken);
            });
            assert_eq!(reap(grandchild), 0);
            ends.clear();
            assert_eq!(descriptors(), none);
        });
        assert_eq!(reap(child), 0);
        for (producer, consumer) in &mut ends {
            publish(producer, b"!");
            assert_eq!(read(consumer, 3), b"ny!");
        }
    });
}

#[test]
fn a_child_without_descriptors_to_spare_still_lets_go() {
    alone(|| {
        let end = Pipe::new();
        let name = Name::new();
        let mut consumer = Ring::create(&name, 1).unwrap().into_consumer();
        let parent = fork(|| {
            let mut producer = Ring::connect(&name).unwrap().into_producer();
            producer.wait_for_space(1, NOW).unwrap();
            let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
            // SAFETY: `limit` is valid; the copies are never used, and end with the process.
            unsafe {
                assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
                while libc::dup(0) != -1 {}
            }
            fork(|| end.wait());
            publish(&mut producer, b"forked");
            loop {
                thread::park();
            }
        });
        assert_eq!(read(&mut consumer, 6), b"forked");
        slay(parent);
        assert_eq!(status(consumer.peek(1, FOREVER)), Status::PeerDead);
    });
}

/// As the kernel forks: without the handlers that the C library runs.
fn fork_without_handlers(body: impl FnOnce()) -> libc::pid_t {
    // SAFETY: no other thread of `alone` holds anything that `body` needs.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    assert_ne!(pid, -1, "clone: {}", std::io::Error::last_os_error());
    if pid == 0 {
        body();
        // SAFETY: ends the process.
        unsafe { libc::_exit(0) };
    }
    pid as libc::pid_t
}

/// What is closed ends for its peer, though a child has a copy: one that was just forked by another
/// thread, or that no handler of the library ran in.
#[test]
fn a_socket_that_the_parent_closes_hangs_up_though_a_child_has_it() {
    alone(|| {
        let path = std::env::temp_dir().join(format!("spsc-fork-{}", id()));
        let also = path.with_extension("also");
        let listener = Listener::bind(&path).unwrap();
        fs::hard_link(&path, &also).unwrap();
        let (mut server, mut client) = thread::scope(|scope| {
            let client = scope.spawn(|| support::dial(&path));
            (listener.accept(FOREVER).unwrap(), client.join().unwrap())
        });
        // One that says nothing, and is on its way in.
        let mut silent = UnixStream::connect(&path).unwrap();
        assert_eq!(status(listener.accept(NOW)), Status::Timeout);
        // And one that nobody has let in.
        let mut queued = UnixStream::connect(&path).unwrap();
        queued.set_nonblocking(true).unwrap();
        let end = Pipe::new();
        let child = fork_without_handlers(|| end.wait());
        // A child's own close changes nothing.
        let mut both = Some((listener, server));
        assert_eq!(reap(fork_without_handlers(|| drop(both.take()))), 0);
        let listener;
        (listener, server) = both.unwrap();
        silent.set_nonblocking(true).unwrap();
        assert_eq!(silent.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(path.exists());
        client.sender().send(1, b"goes on", FOREVER).unwrap();
        server.receiver().receive(FOREVER).unwrap().done();
        assert!(!server.arm(1, 0).unwrap().any());
        assert!(!client.arm(1, 0).unwrap().any());

        drop(listener);
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
        assert_eq!(queued.read(&mut [0]).unwrap(), 0);
        assert_eq!(status(Connection::dial(&also, FOREVER)), Status::NotFound);
        let mut socket = UnixStream::from(client.as_fd().try_clone_to_owned().unwrap());
        drop(server);
        // It was rung, and then comes the end. The socket does not block.
        assert_eq!(socket.read(&mut [0; 2]).unwrap(), 1);
        assert_eq!(socket.read(&mut [0; 2]).unwrap(), 0);
        slay(child);
        fs::remove_file(&also).unwrap();
    });
}

#[test]
fn a_fork_while_another_thread_creates_a_ring_does_not_keep_it_in_use() {
    alone(|| {
        let replace = Options::new().replace_stale(true);
        for round in 0..12 {
            let end = Pipe::new();
            let name = Name::new();
            // Large, so that the fork happens while the ring is being made.
            let creator = thread::scope(|scope| {
                let creator = scope.spawn(|| Ring::create(&name, 64 << 20).unwrap());
                thread::sleep(Duration::from_millis(round));
                let child = fork(|| end.wait());
                drop(creator.join().unwrap());
                child
            });
            replace.create(&name, 1).unwrap();
            slay(creator);
        }
    });
}

#[test]
fn a_fork_while_another_thread_connects_does_not_keep_its_role_alive() {
    alone(|| {
        for round in 0..300 {
            let end = Pipe::new();
            let name = Name::new();
            let mut consumer = Ring::create(&name, 1).unwrap().into_consumer();
            assert_eq!(status(consumer.peek(1, NOW)), Status::Timeout);
            let forked = Pipe::new();
            let parent = fork(|| {
                let start = Barrier::new(2);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        start.wait();
                        let mut producer = Ring::connect(&name).unwrap().into_producer();
                        publish(&mut producer, b"x");
                        loop {
                            thread::park();
                        }
                    });
                    start.wait();
                    // At any moment of the other thread's `connect`.
                    for _ in 0..round * 20 {
                        std::hint::spin_loop();
                    }
                    fork(|| end.wait());
                    forked.tell();
                });
            });
            forked.wait();
            assert_eq!(read(&mut consumer, 1), b"x");
            slay(parent);
            let mut next = Ring::connect(&name).unwrap().into_producer();
            // Once the child has let go.
            until("the role is free", || next.wait_for_space(1, NOW).is_ok());
        }
    });
}

#[test]
fn a_fork_while_another_thread_removes_a_stale_name_keeps_no_role() {
    alone(|| {
        for round in 0..300 {
            let name = Name::new();
            let ring = Ring::create(&name, 1).unwrap();
            drop(Ring::connect(&name).unwrap().into_producer());
            let watching = Ring::connect(&name).unwrap();
            drop(ring);
            let end = Pipe::new();
            let start = Barrier::new(2);
            let child = thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    assert!(Ring::unlink_stale(&*name).unwrap());
                });
                start.wait();
                // At any moment of the other thread's removal.
                for _ in 0..round * 10 {
                    std::hint::spin_loop();
                }
                fork(|| end.wait())
            });
            // The child has copies of the descriptors that were open.
            let mut consumer = watching.into_consumer();
            assert_eq!(status(consumer.peek(1, NOW)), Status::Timeout);
            drop(end);
            reap(child);
        }
    });
}
