//! Which ring it is: a name can be given to another one, this can't.

use spsc_shm::Ring;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::{fs, io};

/// The ring's object on this boot of this machine: device, number and time of birth.
///
/// # Errors
/// Where `/proc` or the object can't be read.
pub fn of(ring: &Ring) -> io::Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path is empty and terminated, and `found` is as large as a statx.
    let done = unsafe {
        libc::statx(
            ring.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            libc::STATX_INO | libc::STATX_BTIME,
            found.as_mut_ptr(),
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all its bytes are 0 or written by the kernel.
    let found = unsafe { found.assume_init() };
    // A file system that knows no time of birth leaves 0.
    let born = format!("{}.{}", found.stx_btime.tv_sec, found.stx_btime.tv_nsec);
    let device = format!("{}.{}", found.stx_dev_major, found.stx_dev_minor);
    Ok(format!("{}-{device}-{}-{born}", boot.trim(), found.stx_ino))
}
