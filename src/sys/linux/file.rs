//! The objects that rings live in: files under `/dev/shm`, where `shm_open` keeps its own, and
//! memfds.

use super::{errno, last_error, retry};
use crate::status::{Error, Result, Status};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The directory of named objects, the same that glibc and musl use.
const DIRECTORY: &[u8] = b"/dev/shm/";
/// The longest name, in bytes, without a leading slash.
pub(crate) const NAME_MAX: usize = 255;
/// What an anonymous ring is sealed against, so that no mapping of it can ever be cut short.
const SEALS: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// A NUL-terminated path, on the stack: a forked child may come here, and must not allocate.
struct PathBuffer {
    bytes: [u8; DIRECTORY.len() + NAME_MAX + 1],
}

impl PathBuffer {
    fn new(write: impl FnOnce(&mut &mut [u8]) -> std::io::Result<()>) -> Result<Self> {
        let mut bytes = [0; DIRECTORY.len() + NAME_MAX + 1];
        let last = bytes.len() - 1;
        write(&mut &mut bytes[..last]).map_err(|_| Status::InvalidName)?;
        Ok(Self { bytes })
    }

    /// Where the object `name` lives, by the rules of `shm_open`: one leading slash is allowed.
    fn of_name(name: &[u8]) -> Result<Self> {
        let name = name.strip_prefix(b"/").unwrap_or(name);
        let allowed = !matches!(name, b"" | b"." | b"..")
            && name.len() <= NAME_MAX
            && !name.iter().any(|byte| matches!(byte, b'/' | 0));
        if !allowed {
            return Err(Status::InvalidName.into());
        }
        Self::new(|to| {
            to.write_all(DIRECTORY)?;
            to.write_all(name)
        })
    }

    /// The open file `fd`, as a path. Opening the path gives a description of its own.
    fn of_descriptor(fd: RawFd) -> Result<Self> {
        // Not `/proc/self`: that is the descriptor table of the process's first thread. This thread may
        // have unshared its own, and the first one may have ended.
        Self::new(|to| write!(to, "/proc/thread-self/fd/{fd}"))
    }

    fn as_ptr(&self) -> *const libc::c_char {
        self.bytes.as_ptr().cast()
    }

    fn open(&self, flags: libc::c_int, mode: u32) -> Result<OwnedFd> {
        // SAFETY: the path is NUL-terminated, as the last byte is never written.
        let fd = retry(|| unsafe { libc::open(self.as_ptr(), flags | libc::O_CLOEXEC, mode) })?;
        // SAFETY: `open` gave a new descriptor, which is nobody else's.
        beyond_stdio(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// The first descriptor after the standard streams.
const BEYOND_STDIO: RawFd = libc::STDERR_FILENO + 1;

/// Moves a descriptor away from the numbers of the standard streams, which it gets in a process
/// that has closed them. Whatever is printed there would be written over the control block.
pub(super) fn beyond_stdio(fd: OwnedFd) -> Result<OwnedFd> {
    if fd.as_raw_fd() >= BEYOND_STDIO { Ok(fd) } else { duplicate(fd.as_raw_fd()) }
}

/// Which file a descriptor or a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

/// What the file system says of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metadata {
    /// Which file it is.
    pub identity: Identity,
    /// Whether it is a plain file, as every ring is.
    pub regular: bool,
    /// Its size, in bytes.
    pub size: u64,
}

#[allow(clippy::unnecessary_cast, reason = "the widths differ between architectures")]
pub(super) fn identity(stat: &libc::stat) -> Identity {
    Identity { device: stat.st_dev as u64, inode: stat.st_ino as u64 }
}

impl Metadata {
    fn from_stat(stat: &libc::stat) -> Self {
        Self {
            identity: identity(stat),
            regular: stat.st_mode & libc::S_IFMT == libc::S_IFREG,
            size: u64::try_from(stat.st_size).unwrap_or(0),
        }
    }

    fn query(call: impl FnOnce(*mut libc::stat) -> libc::c_int) -> Result<Self> {
        // SAFETY: a stat is plain numbers, for which zero is a valid value.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        if call(&raw mut stat) == -1 { Err(last_error()) } else { Ok(Self::from_stat(&stat)) }
    }
}

/// A new object without a name, for [`link_name`] to give one. A process that dies before leaves nothing
/// behind.
pub(crate) fn create_unnamed(mode: u32) -> Result<OwnedFd> {
    let path = PathBuffer::new(|to| to.write_all(DIRECTORY))?;
    path.open(libc::O_TMPFILE | libc::O_RDWR, mode)
}

/// Gives an object of [`create_unnamed`] its name, unless that is taken (`AlreadyExists`).
pub(crate) fn link_name(fd: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    let (from, to) = (PathBuffer::of_descriptor(fd.as_raw_fd())?, PathBuffer::of_name(name)?);
    // SAFETY: both paths are NUL-terminated.
    let done = unsafe {
        libc::linkat(
            libc::AT_FDCWD,
            from.as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            libc::AT_SYMLINK_FOLLOW,
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(already_exists(last_error())),
    }
}

/// A new, empty object with a name, unless that is taken (`AlreadyExists`). Only this user may open it.
pub(crate) fn create_new(name: &[u8]) -> Result<OwnedFd> {
    let made = PathBuffer::of_name(name)?.open(libc::O_CREAT | libc::O_EXCL | libc::O_RDWR, 0o600);
    made.map_err(already_exists)
}

/// Renames an object to `to`, unless that name is taken (`AlreadyExists`).
pub(crate) fn rename(name: &[u8], to: &[u8]) -> Result<()> {
    rename_with(name, to, libc::RENAME_NOREPLACE).map_err(already_exists)
}

/// Exchanges two names, in one step.
pub(crate) fn exchange(one: &[u8], other: &[u8]) -> Result<()> {
    rename_with(one, other, libc::RENAME_EXCHANGE).map_err(not_found)
}

fn rename_with(from: &[u8], to: &[u8], how: libc::c_uint) -> Result<()> {
    let (from, to) = (PathBuffer::of_name(from)?, PathBuffer::of_name(to)?);
    let (here, there, at) = (from.as_ptr(), to.as_ptr(), libc::AT_FDCWD);
    // Not by the C library's function, which says EINVAL where the kernel says ENOSYS.
    // SAFETY: both paths are NUL-terminated.
    match unsafe { libc::syscall(libc::SYS_renameat2, at, here, at, there, how) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// Says `AlreadyExists` where that is what the error number means: in a call that makes a name.
fn already_exists(error: Error) -> Error {
    match error.os_error() {
        Some(libc::EEXIST) => error.with_status(Status::AlreadyExists),
        _ => error,
    }
}

/// Takes reading away from those who may not write: see `Options::mode`.
pub(crate) fn restrict_mode(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: a stat is plain numbers, for which zero is a valid value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, and `stat` a valid place for the answer.
    retry(|| unsafe { libc::fstat(fd.as_raw_fd(), &raw mut stat) })?;
    let mode = stat.st_mode & 0o777;
    let restricted = mode & !blocking_bits(mode);
    if restricted != mode {
        // SAFETY: the descriptor is open; no pointer is passed.
        retry(|| unsafe { libc::fchmod(fd.as_raw_fd(), restricted) })?;
    }
    Ok(())
}

/// The bits of a mode that let group or others read, though they may not write. Whoever may read may
/// hold a lock, and with it could keep everybody from a role, or hide a death.
pub(crate) const fn blocking_bits(mode: u32) -> u32 {
    let writers = mode & 0o022;
    mode & 0o044 & !(writers << 1)
}

/// The status that an error number has in a call that looks up a name.
fn not_found(error: Error) -> Error {
    match error.os_error() {
        Some(libc::ENOENT) => error.with_status(Status::NotFound),
        Some(libc::EISDIR | libc::ELOOP | libc::ENXIO) => error.with_status(Status::NotARing),
        _ => error,
    }
}

/// Opens the object `name` for reading and writing.
pub(crate) fn open(name: &[u8]) -> Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    PathBuffer::of_name(name)?.open(flags, 0).map_err(not_found)
}

/// What the file system says of the object `name`.
pub(crate) fn metadata_of_name(name: &[u8]) -> Result<Metadata> {
    let path = PathBuffer::of_name(name)?;
    // SAFETY: the path is NUL-terminated, and the pointer a valid place for the answer.
    Metadata::query(|stat| unsafe { libc::lstat(path.as_ptr(), stat) }).map_err(not_found)
}

/// What the file system says of an open object.
pub(crate) fn metadata(fd: BorrowedFd<'_>) -> Result<Metadata> {
    // SAFETY: the descriptor is open, and the pointer a valid place for the answer.
    Metadata::query(|stat| unsafe { libc::fstat(fd.as_raw_fd(), stat) })
}

/// Removes the name; whoever has the object open keeps it.
pub(crate) fn unlink(name: &[u8]) -> Result<()> {
    let path = PathBuffer::of_name(name)?;
    // SAFETY: the path is NUL-terminated.
    retry(|| unsafe { libc::unlink(path.as_ptr()) }).map_err(not_found)?;
    Ok(())
}

/// A new object that never has a name.
pub(crate) fn create_anonymous() -> Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is NUL-terminated.
    let fd = retry(|| unsafe { libc::memfd_create(c"spsc-shm".as_ptr(), flags) })?;
    // SAFETY: the call gave a new descriptor, which is nobody else's.
    beyond_stdio(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Fixes the size of an anonymous object for ever.
pub(crate) fn seal(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the descriptor is open; no pointer is passed.
    retry(|| unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, SEALS) })?;
    Ok(())
}

/// Whether the object's size is fixed for ever.
pub(crate) fn is_sealed(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: the descriptor is open; no pointer is passed.
    let seals = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) };
    seals != -1 && seals & SEALS == SEALS
}

/// Opens the file of `fd` once more, for a description of its own: one that shares neither locks
/// nor lifetime with any other descriptor. Needs `/proc`. Without it the status is `System`, and not
/// `NotFound`, which would mean the ring's name.
pub(crate) fn reopen(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    PathBuffer::of_descriptor(fd.as_raw_fd())?.open(libc::O_RDWR, 0)
}

/// Puts a new description of `public`'s file behind the number of `target`, in place of the one
/// that a forked child shares with its parent. If that fails, `target` becomes a copy of `public`. In no
/// case does it keep the parent's description alive. For a process with one thread. Async-signal-safe.
pub(crate) fn reopen_at(public: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let replace = |from: BorrowedFd<'_>| {
        // SAFETY: both descriptors are open; the one that `dup3` closes is replaced at once, so
        // that whoever owns its number goes on owning an open descriptor.
        retry(|| unsafe { libc::dup3(from.as_raw_fd(), target.as_raw_fd(), libc::O_CLOEXEC) })
    };
    // Let go of the parent's first. That also frees a place, if the limit of open files is reached.
    replace(public)?;
    let own = reopen(public)?;
    replace(own.as_fd())?;
    Ok(())
}

/// In a forked child: puts a copy of `public` behind the number of `target`, so that what was there is
/// the parent's alone. Async-signal-safe.
pub(crate) fn cover(public: BorrowedFd<'_>, target: RawFd) {
    // SAFETY: `target` is a descriptor of the library's own, and its number stays open: whoever owns it
    // goes on owning an open descriptor.
    unsafe { libc::dup3(public.as_raw_fd(), target, libc::O_CLOEXEC) };
}

/// A second descriptor of the same description, closed on exec. `InvalidArgument` if `fd` is no open
/// descriptor.
pub(crate) fn duplicate(fd: RawFd) -> Result<OwnedFd> {
    // SAFETY: any number may be asked about; no pointer is passed.
    match retry(|| unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, BEYOND_STDIO) }) {
        // SAFETY: the call gave a new descriptor, which is nobody else's.
        Ok(copy) => Ok(unsafe { OwnedFd::from_raw_fd(copy) }),
        Err(error) if error.os_error() == Some(libc::EBADF) => {
            Err(error.with_status(Status::InvalidArgument))
        }
        Err(error) => Err(error),
    }
}

/// Reserves `size` bytes for the object, so that no later access can find the memory gone.
/// On tmpfs a size set by `ftruncate` promises nothing: the first write to a page that no longer
/// fits is a `SIGBUS`.
pub(crate) fn reserve(fd: BorrowedFd<'_>, size: u64) -> Result<()> {
    // Small steps: a signal undoes the step that it interrupts, and under a storm of signals a
    // long one would never end.
    const STEP: u64 = 256 << 10;
    if free_space(fd)? < size {
        return Err(Error::from_os(libc::ENOSPC));
    }
    if largest_file() < size {
        return Err(Error::from_os(libc::EFBIG));
    }
    let mut offset = 0;
    while offset < size {
        let len = STEP.min(size - offset);
        // SAFETY: the descriptor is open; no pointer is passed. The numbers are below `i64::MAX`,
        // as `size` was checked against the free space.
        retry(|| unsafe { libc::fallocate(fd.as_raw_fd(), 0, offset as i64, len as i64) })?;
        offset += len;
    }
    Ok(())
}

/// Bytes that the object's file system could still hold. A memfd's has no limit of its own.
fn free_space(fd: BorrowedFd<'_>) -> Result<u64> {
    // SAFETY: a statvfs is plain numbers, for which zero is a valid value.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, and `stat` a valid place for the answer.
    retry(|| unsafe { libc::fstatvfs(fd.as_raw_fd(), &raw mut stat) })?;
    if stat.f_blocks == 0 {
        return Ok(i64::MAX as u64);
    }
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The size that this process may give to a file. Beyond it the kernel sends `SIGXFSZ`, which ends a
/// process that does not expect it.
fn largest_file() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer, and stands for no limit if there is none.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    limit.rlim_cur
}

/// Gives the memory of a range of the object back. The range then reads as zeros. Only advice.
pub(crate) fn punch(fd: BorrowedFd<'_>, offset: i64, len: i64) {
    let how = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: the descriptor is open; no pointer is passed.
    unsafe { libc::fallocate(fd.as_raw_fd(), how, offset, len) };
}

/// Reads exactly `N` bytes at `offset`, without mapping anything: a file that is cut short
/// meanwhile gives an error, not a `SIGBUS`.
pub(crate) fn read_at<const N: usize>(fd: BorrowedFd<'_>, offset: i64) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    loop {
        // SAFETY: the descriptor is open, and `bytes` a valid place for N bytes.
        let got = unsafe { libc::pread(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), N, offset) };
        match got {
            -1 if errno() == libc::EINTR => {}
            -1 => return Err(last_error()),
            got if got as usize == N => return Ok(bytes),
            _ => return Err(Status::NotARing.into()),
        }
    }
}

/// Writes `bytes` at `offset`.
pub(crate) fn write_at(fd: BorrowedFd<'_>, offset: i64, bytes: &[u8]) -> Result<()> {
    // SAFETY: the descriptor is open, and `bytes` valid for its length.
    let put = || unsafe {
        libc::pwrite(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), offset) as libc::c_int
    };
    if retry(put)? as usize == bytes.len() { Ok(()) } else { Err(Status::System.into()) }
}
