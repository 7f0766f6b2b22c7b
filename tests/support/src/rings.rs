//! What tests do to a ring, in one line.

use spsc_shm::{ConnOptions, Connection, Consumer, Producer, Result, Ring, Status};
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A call's failure, as its status.
#[track_caller]
pub fn status<T>(result: Result<T>) -> Status {
    match result {
        Ok(_) => panic!("the call succeeded"),
        Err(error) => error.status(),
    }
}

/// The ring's object, to read and write what only a broken or hostile process would.
pub fn object(ring: &Ring) -> File {
    // SAFETY: the descriptor is open for as long as the ring is.
    let fd = unsafe { BorrowedFd::borrow_raw(ring.as_raw_fd()) };
    File::from(fd.try_clone_to_owned().expect("a descriptor"))
}

/// The size of a page: where the data begins, and the least capacity.
pub fn page_size() -> usize {
    // SAFETY: sysconf touches no memory of ours.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("every system has pages")
}

/// Offsets in the control block.
pub const HEAD: u64 = 128;
pub const TAIL: u64 = 256;

/// Sets both counters, as if so many bytes had gone through the ring.
pub fn set_counters(ring: &Ring, head: u64, tail: u64) {
    let object = object(ring);
    object.write_all_at(&head.to_ne_bytes(), HEAD).expect("the object is ours");
    object.write_all_at(&tail.to_ne_bytes(), TAIL).expect("the object is ours");
}

/// Publishes bytes, for which there must be room soon.
pub fn publish(producer: &mut Producer, bytes: &[u8]) {
    let mut grant = producer.claim(bytes.len(), None).unwrap();
    grant.copy_from_slice(bytes);
    grant.publish_all();
}

/// Reads `n` bytes, once they are there.
pub fn read(consumer: &mut Consumer, n: usize) -> Vec<u8> {
    let grant = consumer.peek(n, None).unwrap();
    let bytes = grant.to_vec();
    grant.release_all();
    bytes
}

/// A listener drops a client that takes a second to say what it has to, or a tenth of one where many
/// come. It may have done so to one that has taken so long.
pub fn may_be_dropped(since: Instant) -> bool {
    since.elapsed() >= Duration::from_millis(100)
}

/// A connection to a listener that serves. A client that did not run for long dials again.
#[track_caller]
pub fn dial(path: impl AsRef<Path>) -> Connection {
    dial_with(&ConnOptions::new(), path).unwrap()
}

/// The same, with options, and with what the listener says to them.
pub fn dial_with(options: &ConnOptions, path: impl AsRef<Path>) -> Result<Connection> {
    loop {
        let start = Instant::now();
        let dialled = options.dial(&path, None);
        let is_closed = dialled.as_ref().is_err_and(|error| error.status() == Status::Closed);
        if !(is_closed && may_be_dropped(start)) {
            return dialled;
        }
    }
}
