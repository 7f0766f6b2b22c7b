//! Making, opening, replacing, handing over and closing rings.

use spsc_shm::{Options, Ring, RoleState, Status};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};
use support::{Name, Process, fork, object, page_size, reap, status, until, watchdog};

const FOREVER: Option<Duration> = None;
const NOW: Option<Duration> = Some(Duration::ZERO);

fn replace() -> Options {
    Options::new().replace_stale(true)
}

/// Runs until killed.
fn sleep_until_killed() -> ! {
    loop {
        thread::park();
    }
}

#[test]
#[ignore = "a child process of the other tests"]
fn child_process() {
    let Some((task, argument)) = support::task() else { return };
    match task.as_str() {
        "create" => {
            let _ring = Ring::create(&argument, 1).unwrap();
            sleep_until_killed();
        }
        "race to replace" => race_to_replace(&argument),
        "receive a ring" => receive_a_ring(&argument),
        other => panic!("no task {other}"),
    }
}

/// A ring whose creator was killed.
fn left_behind(name: &Name) {
    let mut creator = Process::start("create", name);
    until("the ring is there", || Ring::connect(name).is_ok());
    creator.kill();
}

fn inode(name: &Name) -> u64 {
    fs::metadata(name.path()).unwrap().ino()
}

fn inode_of(ring: &Ring) -> u64 {
    object(ring).metadata().unwrap().ino()
}

#[test]
fn a_ring_left_by_a_killed_creator_is_replaced() {
    let _watchdog = watchdog();
    let name = Name::new();
    left_behind(&name);
    assert_eq!(status(Ring::create(&name, 1)), Status::AlreadyExists);
    let old = inode(&name);
    let ring = replace().create(&name, 2 * page_size()).unwrap();
    assert_eq!(inode(&name), inode_of(&ring));
    assert_ne!(inode(&name), old);
    assert_eq!(Ring::connect(&name).unwrap().capacity(), 2 * page_size());
}

#[test]
fn a_ring_that_everybody_closed_is_replaced() {
    let name = Name::new();
    let (mut producer, mut consumer) = Ring::create(&name, 1).unwrap().split();
    producer.claim(1, NOW).unwrap().publish_all();
    let _ = consumer.peek(1, NOW).unwrap();
    drop(producer);
    assert_eq!(status(replace().create(&name, 1)), Status::AlreadyExists);
    drop(consumer);
    let ring = replace().create(&name, 1).unwrap();
    assert_eq!(ring.available(), 0);
}

#[test]
fn a_ring_in_use_is_never_replaced() {
    let name = Name::new();
    let creator = Ring::create(&name, 1).unwrap();
    assert_eq!(status(replace().create(&name, 1)), Status::AlreadyExists, "a live creator");

    let mut producer = Ring::connect(&name).unwrap().into_producer();
    let _ = producer.claim(1, NOW).unwrap();
    drop(creator);
    assert_eq!(status(replace().create(&name, 1)), Status::AlreadyExists, "a live producer");

    let mut consumer = Ring::connect(&name).unwrap().into_consumer();
    assert_eq!(status(consumer.peek(1, NOW)), Status::Timeout);
    drop(producer);
    assert_eq!(status(replace().create(&name, 1)), Status::AlreadyExists, "a live consumer");
    assert_eq!(inode(&name), inode_of(consumer.ring()));

    drop(consumer);
    replace().create(&name, 1).unwrap();
}

#[test]
fn what_is_no_ring_is_never_replaced() {
    type Make = fn(&str);
    let kinds: [(&str, Make); 7] = [
        ("an empty file", |path| fs::write(path, b"").unwrap()),
        ("a short file", |path| fs::write(path, b"spscring").unwrap()),
        ("garbage", |path| fs::write(path, vec![0xA5; 3 * page_size()]).unwrap()),
        ("zeros", |path| fs::write(path, vec![0; 3 * page_size()]).unwrap()),
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a symbolic link", |path| std::os::unix::fs::symlink("/dev/null", path).unwrap()),
        ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
    ];
    for (what, make) in kinds {
        let name = Name::new();
        make(&name.path());
        let before = fs::symlink_metadata(name.path()).unwrap();
        assert_eq!(status(replace().create(&name, 1)), Status::AlreadyExists, "{what}");
        assert_eq!(status(Ring::create(&name, 1)), Status::AlreadyExists, "{what}");
        let after = fs::symlink_metadata(name.path()).unwrap();
        assert_eq!((before.ino(), before.len()), (after.ino(), after.len()), "{what}");
    }
}

#[test]
fn a_handle_on_a_replaced_ring_says_so_at_its_first_claim() {
    let _watchdog = watchdog();
    let name = Name::new();
    left_behind(&name);
    let (mut producer, mut consumer) = Ring::connect(&name).unwrap().split();
    let _new = replace().create(&name, 1).unwrap();
    assert_eq!(status(producer.claim(1, FOREVER)), Status::NotReady);
    assert_eq!(status(consumer.peek(1, FOREVER)), Status::NotReady);
    let mut producer = Ring::connect(&name).unwrap().into_producer();
    producer.claim(1, NOW).unwrap().publish_all();
}

/// Races another process to replace a ring: a byte in one ring says when, and another ring takes the
/// result.
fn race_to_replace(names: &str) {
    let [name, start, result] = names.split(',').collect::<Vec<_>>()[..] else { panic!("{names}") };
    let mut start = Ring::connect(start).unwrap().into_consumer();
    let mut result = Ring::connect(result).unwrap().into_producer();
    while let Ok(go) = start.peek(1, FOREVER) {
        go.release_all();
        let created = replace().create(name, 1);
        let (status, inode) = match &created {
            Ok(ring) => (0, inode_of(ring)),
            Err(error) => (error.status() as i32, 0),
        };
        let mut report = result.claim(12, FOREVER).unwrap();
        report.write_all(&status.to_ne_bytes()).unwrap();
        report.write_all(&inode.to_ne_bytes()).unwrap();
        report.publish_all();
        // The winner keeps its ring until the other one is done, too.
        start.peek(1, FOREVER).unwrap().release_all();
        drop(created);
        result.claim(1, FOREVER).unwrap().publish_all();
    }
}

#[test]
fn of_two_processes_that_race_to_replace_one_wins_and_the_other_is_told() {
    let _watchdog = watchdog();
    let name = Name::new();
    drop(Ring::create(&name, 1).unwrap());
    let mut racers = [(); 2].map(|()| {
        let (start, result) = (Name::new(), Name::new());
        let go = Ring::create(&start, 1).unwrap().into_producer();
        let answer = Ring::create(&result, 1).unwrap().into_consumer();
        let names = format!("{},{},{}", &*name, &*start, &*result);
        (Process::start("race to replace", &names), go, answer, (start, result))
    });
    let start = Instant::now();
    for round in 0..2000 {
        // If processes take turns slowly, as in an emulator, fewer rounds must do.
        if round >= 20 && start.elapsed() > Duration::from_secs(15) {
            break;
        }
        let old = inode(&name);
        for (_, go, ..) in &mut racers {
            go.claim(1, FOREVER).unwrap().publish_all();
        }
        let mut winners = Vec::new();
        for (_, _, answer, _) in &mut racers {
            let (mut status, mut inode) = ([0; 4], [0; 8]);
            answer.read_exact(&mut status).unwrap();
            answer.read_exact(&mut inode).unwrap();
            match i32::from_ne_bytes(status) {
                0 => winners.push(u64::from_ne_bytes(inode)),
                other => assert_eq!(other, Status::AlreadyExists as i32, "{round}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(winners[0], inode(&name), "round {round}");
        assert_ne!(winners[0], old, "round {round}");
        for (_, go, answer, _) in &mut racers {
            go.claim(1, FOREVER).unwrap().publish_all();
            answer.peek(1, FOREVER).unwrap().release_all();
        }
    }
    for (process, go, ..) in racers {
        drop(go);
        process.succeed();
    }
}

#[test]
fn connect_timeout_waits_for_the_name() {
    let _watchdog = watchdog();
    let name = Name::new();
    thread::scope(|scope| {
        let connected = scope.spawn(|| Ring::connect_timeout(&name, FOREVER));
        thread::sleep(Duration::from_millis(30));
        assert!(!connected.is_finished());
        let created = Ring::create(&name, 1).unwrap();
        let connected = connected.join().unwrap().unwrap();
        assert_eq!(inode_of(&connected), inode_of(&created));
    });
}

#[test]
fn connect_timeout_waits_for_an_object_that_is_still_empty() {
    let _watchdog = watchdog();
    let name = Name::new();
    fs::write(name.path(), b"").unwrap();
    let brief = Some(Duration::from_millis(20));
    assert_eq!(status(Ring::connect_timeout(&name, brief)), Status::Timeout);
    thread::scope(|scope| {
        let connected = scope.spawn(|| Ring::connect_timeout(&name, FOREVER));
        fs::remove_file(name.path()).unwrap();
        let _created = Ring::create(&name, 1).unwrap();
        connected.join().unwrap().unwrap();
    });
}

#[test]
fn connect_timeout_gives_up_when_the_time_has_run_out() {
    let name = Name::new();
    let start = Instant::now();
    let limit = Duration::from_millis(50);
    assert_eq!(status(Ring::connect_timeout(&name, Some(limit))), Status::Timeout);
    assert!(start.elapsed() >= limit);
    assert_eq!(status(Ring::connect_timeout(&name, NOW)), Status::NotFound);
}

#[test]
fn connect_timeout_does_not_wait_for_what_will_never_be_a_ring() {
    let _watchdog = watchdog();
    let name = Name::new();
    fs::write(name.path(), vec![1; page_size()]).unwrap();
    assert_eq!(status(Ring::connect_timeout(&name, FOREVER)), Status::NotARing);
    assert_eq!(status(Ring::connect_timeout("no/name", FOREVER)), Status::InvalidName);
}

/// The control block's numbers, as a ring's creator writes them.
fn header(magic: &[u8; 8], version: u32, data_offset: u32, capacity: u64) -> Vec<u8> {
    let mut header = magic.to_vec();
    header.extend(version.to_ne_bytes());
    header.extend(data_offset.to_ne_bytes());
    header.extend(capacity.to_ne_bytes());
    header
}

#[test]
fn every_object_that_is_no_ring_of_ours_has_its_own_status() {
    const V1: u32 = 1 << 16;
    let page = page_size() as u64;
    let page32 = page as u32;
    let ring = |version, data_offset, capacity| header(b"spscring", version, data_offset, capacity);
    // The first bytes of the object, its size, and what connect says.
    let cases = [
        (vec![], 0, Status::NotReady),
        (vec![0; 8], 2 * page, Status::NotReady),
        (vec![0; 4], 4, Status::NotARing),
        (vec![0xA5; 64], 2 * page, Status::NotARing),
        (header(b"gnircsps", V1, page32, page), 2 * page, Status::NotARing),
        (b"spscring".to_vec(), 8, Status::NotARing),
        (ring(V1, page32, page)[..20].to_vec(), 20, Status::NotARing),
        (ring(2 << 16, page32, page), 2 * page, Status::Version),
        (ring(0, page32, page), 2 * page, Status::Version),
        (ring(V1, page32, 2 * page), 2 * page, Status::NotARing),
        (ring(V1, page32, page), 3 * page, Status::NotARing),
        (ring(V1, page32, page), 2 * page - 1, Status::NotARing),
        (ring(V1, page32, 3 * page), 4 * page, Status::NotARing),
        (ring(V1, page32, page / 2), page + page / 2, Status::NotARing),
        (ring(V1, page32, 0), page, Status::NotARing),
        (ring(V1, page32, u64::MAX), 2 * page, Status::NotARing),
        (ring(V1, page32, 1 << 63), 2 * page, Status::NotARing),
        (ring(V1, page32, 0_u64.wrapping_sub(page)), 0, Status::NotReady),
        (ring(V1, 0, page), page, Status::NotARing),
        (ring(V1, 2 * page32, page), 3 * page, Status::NotARing),
        (ring(V1, u32::MAX, page), 2 * page, Status::NotARing),
        // A ring on a machine whose pages have another size.
        (ring(V1, 4 * page32, 4 * page), 8 * page, Status::Version),
        (ring(V1, 16 * page32, 32 * page), 48 * page, Status::Version),
        (ring(V1, page32 / 2, page), page + page / 2, Status::Version),
        (ring(V1, 4 * page32, 4 * page), 9 * page, Status::NotARing),
        (ring(V1, 3 * page32, 4 * page), 7 * page, Status::NotARing),
        (ring(V1, 512, 512), 1024, Status::NotARing),
    ];
    for (number, (start, size, expected)) in cases.into_iter().enumerate() {
        let name = Name::new();
        let file = File::create(name.path()).unwrap();
        file.write_all_at(&start, 0).unwrap();
        file.set_len(size).unwrap();
        assert_eq!(status(Ring::connect(&name)), expected, "case {number}");
    }
}

#[test]
fn another_minor_version_is_compatible() {
    let name = Name::new();
    let ring = Ring::create(&name, 1).unwrap();
    object(&ring).write_all_at(&(1_u32 << 16 | 7).to_ne_bytes(), 8).unwrap();
    Ring::connect(&name).unwrap();
}

#[test]
fn names_follow_the_rules_of_shm_open() {
    let name = Name::new();
    let _ring = Ring::create(format!("/{}", &*name), 1).unwrap();
    Ring::connect(&name).unwrap();
    Ring::unlink(format!("/{}", &*name)).unwrap();
    assert_eq!(status(Ring::connect(&name)), Status::NotFound);
    assert_eq!(status(Ring::unlink(&name)), Status::NotFound);
    let too_long = "n".repeat(256);
    for bad in ["", "/", ".", "..", "/.", "/..", "//x", "a/b", "a/", "a\0b", &too_long] {
        assert_eq!(status(Ring::create(bad, 1)), Status::InvalidName, "{bad:?}");
        assert_eq!(status(Ring::connect(bad)), Status::InvalidName, "{bad:?}");
        assert_eq!(status(Ring::unlink(bad)), Status::InvalidName, "{bad:?}");
    }
    let longest = format!("{:n<255}", &*name);
    let _ring = Ring::create(&longest, 1).unwrap();
    Ring::unlink(&longest).unwrap();
}

#[test]
fn the_mode_is_honoured_less_the_umask() {
    support::alone(|| {
        let mode_of = |options: Options| {
            let name = Name::new();
            let _ring = options.create(&name, 1).unwrap();
            fs::metadata(name.path()).unwrap().permissions().mode() & 0o7777
        };
        // SAFETY: umask can't fail and touches no memory. No other thread makes files here.
        unsafe { libc::umask(0o022) };
        assert_eq!(mode_of(Options::new()), 0o600);
        assert_eq!(mode_of(Options::new().mode(0o666)), 0o600, "nobody reads who can't write");
        // SAFETY: as above.
        unsafe { libc::umask(0) };
        assert_eq!(mode_of(Options::new().mode(0o666)), 0o666);
        assert_eq!(mode_of(Options::new().mode(0o660)), 0o660);
    });
}

#[test]
fn a_mode_that_lets_somebody_read_and_not_write_is_refused() {
    let name = Name::new();
    for mode in [0o640, 0o604, 0o644, 0o664, 0o646, 0o1600] {
        let refused = Options::new().mode(mode).create(&name, 1);
        assert_eq!(status(refused), Status::InvalidArgument, "{mode:o}");
    }
    for mode in [0o600, 0o660, 0o606, 0o666, 0o622] {
        drop(Options::new().mode(mode).create(&name, 1).unwrap());
        Ring::unlink(&name).unwrap();
    }
}

/// This process's descriptors, each with its flags.
fn descriptors() -> Vec<(i32, i32)> {
    let names = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
    let numbers = names.map(|name| name.to_str().unwrap().parse().unwrap());
    let flags = |fd| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        Some((fd, i32::from_str_radix(flags.trim(), 8).unwrap()))
    };
    // The descriptor of the directory itself is closed by now.
    numbers.collect::<Vec<i32>>().into_iter().filter_map(flags).collect()
}

#[test]
fn every_descriptor_is_closed_on_exec_and_when_the_ring_is_closed() {
    support::alone(|| {
        let before = descriptors();
        let name = Name::new();
        let created = Ring::create(&name, 1).unwrap();
        let connected = Ring::connect(&name).unwrap();
        let anonymous = Ring::anonymous(1).unwrap();
        let handed_over = Ring::connect_fd(anonymous.sealed_fd().unwrap()).unwrap();
        let is_new = |entry: &&(i32, i32)| !before.contains(entry);
        let during = descriptors();
        let ours = during.iter().filter(is_new).collect::<Vec<_>>();
        assert_eq!(ours.len(), 8, "{ours:?}");
        for (fd, flags) in ours {
            assert_ne!(flags & libc::O_CLOEXEC, 0, "descriptor {fd}");
        }
        drop((created, connected, anonymous, handed_over));
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn a_process_without_standard_streams_cannot_print_into_a_ring() {
    support::alone(|| {
        let name = Name::new();
        // SAFETY: the copy is put back below; nothing uses the stream meanwhile.
        let stderr = unsafe { libc::dup(2) };
        for stream in 0..=2 {
            // SAFETY: as above.
            unsafe { libc::close(stream) };
        }
        let rings = [Ring::create(&name, 1), Ring::connect(&name), Ring::anonymous(1)];
        let handed_over = Ring::connect_fd(rings[2].as_ref().unwrap().sealed_fd().unwrap());
        let open = (0..=2).filter(|stream| {
            // SAFETY: any number may be asked about; no pointer is passed.
            unsafe { libc::fcntl(*stream, libc::F_GETFD) != -1 }
        });
        let open = open.collect::<Vec<_>>();
        // SAFETY: as above.
        unsafe { libc::dup2(stderr, 2) };
        assert_eq!(open, [], "a ring's descriptor has a standard stream's number");
        drop((rings, handed_over));
    });
}

#[test]
fn failures_leave_no_descriptor_and_no_object() {
    support::alone(|| {
        let before = descriptors();
        let name = Name::new();
        assert_eq!(status(Ring::create(&name, 1 << 45)), Status::NoSpace);
        assert_eq!(status(Ring::connect(&name)), Status::NotFound);
        fs::write(name.path(), vec![1; 2 * page_size()]).unwrap();
        assert_eq!(status(Ring::connect(&name)), Status::NotARing);
        assert_eq!(status(Ring::create(&name, 1)), Status::AlreadyExists);
        assert_eq!(status(replace().create(&name, 1)), Status::AlreadyExists);
        assert_eq!(status(Ring::anonymous(1 << 45)), Status::NoMemory);
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn a_capacity_that_cannot_be_is_refused_without_eating_memory() {
    let name = Name::new();
    for huge in [(1_usize << 46) + 1, 1 << 47, 1 << 63, usize::MAX] {
        assert_eq!(status(Ring::create(&name, huge)), Status::InvalidArgument, "{huge}");
        assert_eq!(status(Ring::anonymous(huge)), Status::InvalidArgument, "{huge}");
    }
    for large in [1 << 43, 1 << 44, 1 << 46] {
        assert_eq!(status(Ring::create(&name, large)), Status::NoSpace, "{large}");
        assert_eq!(status(Ring::anonymous(large)), Status::NoMemory, "{large}");
    }
    assert_eq!(status(Ring::connect(&name)), Status::NotFound);
}

#[test]
fn a_limit_on_the_size_of_files_is_a_status_and_not_a_signal() {
    support::alone(|| {
        let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
        // SAFETY: `limit` is valid.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
        let name = Name::new();
        assert_eq!(status(Ring::create(&name, 1 << 20)), Status::NoSpace);
        assert_eq!(status(Ring::anonymous(1 << 20)), Status::NoSpace);
        Ring::create(&name, 1 << 19).unwrap();
        Ring::anonymous(1 << 19).unwrap();
    });
}

#[test]
fn an_anonymous_ring_cannot_be_resized() {
    let ring = Ring::anonymous(1).unwrap();
    let object = object(&ring);
    for size in [0, page_size() as u64, 4 * page_size() as u64] {
        let error = object.set_len(size).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    }
    // SAFETY: the descriptor is open; no pointer is passed.
    let sealed = unsafe { libc::fcntl(object.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_WRITE) };
    assert_eq!(sealed, -1);
}

/// A memfd with the contents of a ring, and `seals`.
fn copy_of(ring: &Ring, seals: libc::c_int) -> OwnedFd {
    let mut bytes = vec![0; page_size() + ring.capacity()];
    object(ring).read_exact_at(&mut bytes, 0).unwrap();
    // SAFETY: the name is NUL-terminated; the descriptor is new and nobody else's.
    let copy = unsafe {
        let fd = libc::memfd_create(c"copy".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
        OwnedFd::from_raw_fd(fd)
    };
    File::from(copy.try_clone().unwrap()).write_all_at(&bytes, 0).unwrap();
    // SAFETY: the descriptor is open; no pointer is passed.
    assert_eq!(unsafe { libc::fcntl(copy.as_raw_fd(), libc::F_ADD_SEALS, seals) }, 0);
    copy
}

#[test]
fn a_descriptor_that_is_not_fully_sealed_is_refused() {
    let ring = Ring::anonymous(1).unwrap();
    let (shrink, grow, seal) = (libc::F_SEAL_SHRINK, libc::F_SEAL_GROW, libc::F_SEAL_SEAL);
    for missing in [0, shrink, grow, seal, shrink | grow, shrink | seal, grow | seal] {
        let copy = copy_of(&ring, missing);
        assert_eq!(status(Ring::connect_fd(&copy)), Status::NotARing, "seals {missing:#x}");
    }
    Ring::connect_fd(copy_of(&ring, shrink | grow | seal)).unwrap();

    let name = Name::new();
    let named = Ring::create(&name, 1).unwrap();
    assert!(named.sealed_fd().is_none());
    assert_eq!(status(Ring::connect_fd(object(&named))), Status::NotARing);
    assert_eq!(status(Ring::connect_fd(File::open("/dev/null").unwrap())), Status::NotARing);
    // SAFETY: not -1, and used only to be refused.
    let closed = unsafe { BorrowedFd::borrow_raw(1 << 20) };
    assert_eq!(status(Ring::connect_fd(closed)), Status::InvalidArgument);
}

#[test]
fn an_anonymous_ring_reaches_a_forked_child() {
    support::alone(|| {
        let ring = Ring::anonymous(1).unwrap();
        let object = ring.sealed_fd().unwrap().try_clone_to_owned().unwrap();
        let child = fork(|| {
            let mut producer = Ring::connect_fd(&object).unwrap().into_producer();
            producer.claim(5, NOW).unwrap().copy_from_slice(b"child");
            producer.claim(5, NOW).unwrap().publish_all();
        });
        let mut consumer = ring.into_consumer();
        assert_eq!(consumer.peek(5, FOREVER).unwrap().to_vec(), b"child");
        assert_eq!(reap(child), 0);
    });
}

/// Sends or receives one byte and one descriptor with it.
fn pass(
    socket: &UnixStream,
    call: unsafe extern "C" fn(i32, *mut libc::msghdr) -> isize,
    fd: i32,
) -> i32 {
    let mut byte = [0_u8; 1];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let mut control = [0_u64; 8];
    // SAFETY: a message header is plain numbers and pointers, for which zero is a valid value. All
    // pointers are to the locals above, and the buffer is long enough for one descriptor.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(fd);
        assert_eq!(call(socket.as_raw_fd(), &raw mut message), 1);
        libc::CMSG_DATA(header).cast::<i32>().read_unaligned()
    }
}

unsafe extern "C" fn send(socket: i32, message: *mut libc::msghdr) -> isize {
    // SAFETY: as `pass` calls it.
    unsafe { libc::sendmsg(socket, message, 0) }
}

unsafe extern "C" fn receive(socket: i32, message: *mut libc::msghdr) -> isize {
    // SAFETY: as `pass` calls it.
    unsafe { libc::recvmsg(socket, message, libc::MSG_CMSG_CLOEXEC) }
}

fn receive_a_ring(socket: &str) {
    let socket = UnixStream::connect(socket).unwrap();
    // SAFETY: the descriptor just came in, and is nobody else's.
    let object = unsafe { OwnedFd::from_raw_fd(pass(&socket, receive, -1)) };
    let mut consumer = Ring::connect_fd(object).unwrap().into_consumer();
    let read = consumer.peek(5, FOREVER).unwrap();
    assert_eq!(read.to_vec(), b"hello");
    read.release_all();
}

#[test]
fn an_anonymous_ring_reaches_another_program_over_a_socket() {
    let _watchdog = watchdog();
    let name = Name::new();
    let listener = UnixListener::bind(name.path()).unwrap();
    let child = Process::start("receive a ring", &name.path());
    let (socket, _) = listener.accept().unwrap();
    let ring = Ring::anonymous(1).unwrap();
    pass(&socket, send, ring.sealed_fd().unwrap().as_raw_fd());
    let mut producer = ring.into_producer();
    let mut grant = producer.claim(5, NOW).unwrap();
    grant.copy_from_slice(b"hello");
    grant.publish_all();
    child.succeed();
    let stats = producer.ring().stats();
    assert_eq!(stats.available, 0);
}

#[test]
fn stats_say_what_happened() {
    let ring = Ring::anonymous(1).unwrap();
    let stats = ring.stats();
    assert_eq!(
        (stats.capacity, stats.published, stats.released, stats.available),
        (page_size() as u64, 0, 0, 0)
    );
    for role in [stats.producer, stats.consumer] {
        assert_eq!(role.state, RoleState::Never);
        assert_eq!((role.generation, role.pid, role.parked), (0, 0, false));
        assert_eq!((role.parks, role.wakes, role.interruptions), (0, 0, 0));
    }
    let (mut producer, mut consumer) = ring.split();
    producer.claim(100, NOW).unwrap().publish(70).unwrap();
    consumer.peek(50, NOW).unwrap().release(30).unwrap();
    let stats = producer.ring().stats();
    assert_eq!((stats.published, stats.released, stats.available), (70, 30, 40));
    for role in [stats.producer, stats.consumer] {
        assert_eq!(role.state, RoleState::Attached);
        assert_eq!((role.generation, role.pid), (1, std::process::id()));
    }
    drop(producer);
    let stats = consumer.ring().stats();
    assert_eq!(stats.producer.state, RoleState::Closed);
    assert_eq!(stats.consumer.state, RoleState::Attached);
}

#[test]
fn a_prefaulted_ring_is_a_ring() {
    let options = Options::new().prefault(true);
    let (mut producer, mut consumer) = options.anonymous(1 << 20).unwrap().split();
    let everything = producer.ring().capacity();
    producer.claim(everything, NOW).unwrap().publish_all();
    assert!(consumer.peek(everything, NOW).unwrap().to_vec().iter().all(|byte| *byte == 0));
}

#[test]
fn unlinking_hurts_nobody_who_has_the_ring_open() {
    let name = Name::new();
    let mut producer = Ring::create(&name, 1).unwrap().into_producer();
    let mut consumer = Ring::connect(&name).unwrap().into_consumer();
    Ring::unlink(&name).unwrap();
    let _another = Ring::create(&name, 1).unwrap();
    producer.claim(3, NOW).unwrap().publish_all();
    assert_eq!(consumer.peek(3, NOW).unwrap().len(), 3);
}

#[test]
fn only_a_ring_that_nobody_uses_loses_its_name_as_stale() {
    let name = Name::new();
    let made = Ring::create(&*name, 4096).unwrap();
    let watching = Ring::connect(&*name).unwrap();
    assert!(!Ring::unlink_stale(&*name).unwrap() && watching.stats().in_use, "its maker lives");
    drop(made);
    assert!(!watching.stats().in_use, "whoever only looks does not use it");
    let mut producer = Ring::connect(&*name).unwrap().into_producer();
    producer.write_all(b"unread").unwrap();
    assert!(!Ring::unlink_stale(&*name).unwrap() && watching.stats().in_use, "it has a producer");
    drop(producer);
    assert_eq!(watching.stats().available, 6);
    assert!(Ring::unlink_stale(&*name).unwrap());
    assert_eq!(status(Ring::unlink_stale(&*name)), Status::NotFound);
    // Whoever has it open keeps it.
    let mut text = String::new();
    watching.into_consumer().read_to_string(&mut text).unwrap();
    assert_eq!(text, "unread");
    let file = format!("/dev/shm/{}", name.trim_start_matches('/'));
    fs::write(&file, "no ring").unwrap();
    assert_eq!(status(Ring::unlink_stale(&*name)), Status::NotARing);
    fs::remove_file(file).unwrap();
}
