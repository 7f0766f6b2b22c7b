//! An object of any contents and size. The fuzz target and the property test both include this file.

use spsc_shm::{Ring, Status};
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// The largest object that is made. It is sparse, and costs nothing.
const SIZE_MAX: u64 = 1 << 24;

/// A description of an object starts with its size.
const PREFIX: usize = 4;

/// Makes the object that `description` describes (a size, and then the contents that it begins
/// with), opens it as a ring, by name or by descriptor, and where that works uses it.
pub fn open_object(description: &[u8]) {
    let Some((size, contents)) = description.split_first_chunk::<PREFIX>() else { return };
    let size = u64::from(u32::from_le_bytes(*size));
    // One bit says how to open it, one whether the size is a likely one.
    let (named, likely) = (size & 1 == 0, size & 2 == 0);
    let size = if likely { 4096 + (4096 << (size >> 2 & 7)) } else { (size >> 2) % SIZE_MAX };
    let ring = if named { by_name(size, contents) } else { by_descriptor(size, contents) };
    match ring {
        Ok(ring) => use_it(ring),
        Err(error) => assert!(
            matches!(error.status(), Status::NotReady | Status::NotARing | Status::Version),
            "{error:?}"
        ),
    }
}

fn fill(file: &File, size: u64, contents: &[u8]) {
    file.set_len(size).expect("the object grows");
    let len = contents.len().min(size as usize);
    file.write_all_at(&contents[..len], 0).expect("the object is written");
}

fn by_descriptor(size: u64, contents: &[u8]) -> spsc_shm::Result<Ring> {
    // SAFETY: the name is a C string; the new descriptor is nobody else's.
    let file = unsafe {
        let fd = libc::memfd_create(c"object".as_ptr(), libc::MFD_ALLOW_SEALING);
        assert!(fd >= 0);
        File::from_raw_fd(fd)
    };
    fill(&file, size, contents);
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: takes no pointers.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }, 0);
    Ring::connect_fd(file.as_fd())
}

fn by_name(size: u64, contents: &[u8]) -> spsc_shm::Result<Ring> {
    let name = format!("spsc-object-{}-{:?}", std::process::id(), std::thread::current().id());
    let path = format!("/dev/shm/{name}");
    let file = File::options().read(true).write(true).create_new(true).open(&path);
    fill(&file.expect("the name is free"), size, contents);
    let ring = Ring::connect(&name);
    fs::remove_file(path).expect("the name is there");
    ring
}

/// Whatever size a ring has, all of it is mapped, twice. Its counters may be anything.
fn use_it(ring: Ring) {
    let capacity = ring.capacity();
    assert!(capacity.is_power_of_two() && ring.available() <= capacity);
    let _ = ring.stats();
    let moment = Some(Duration::from_nanos(1));
    let (mut producer, mut consumer) = ring.split();
    for want in [1, capacity / 2, capacity] {
        if let Ok(mut grant) = producer.claim_some(want, moment) {
            assert!(grant.len() >= want && grant.len() <= capacity);
            let last = grant.len() - 1;
            // SAFETY: both bytes are the grant's.
            unsafe {
                grant.as_mut_ptr().write(1);
                grant.as_mut_ptr().add(last).write(1);
            }
            grant.publish_all();
        }
        if let Ok(grant) = consumer.peek_some(want, moment) {
            assert!(grant.len() >= want && grant.len() <= capacity);
            let bytes = grant.to_vec();
            std::hint::black_box(bytes[0] ^ bytes[bytes.len() - 1]);
            grant.release_all();
        }
    }
}
