//! The safe Rust interface: [`Ring`], and its two ends [`Producer`] and [`Consumer`].

use crate::cursor::{Rx, Tx};
use crate::handle::{Handle, Lane, Stats};
use crate::park::FOREVER;
use crate::segment::{Choices, Segment};
use crate::spin::SPIN_ADAPTIVE;
use crate::status::{Result, Status};
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// How long a wait spins before it sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spin {
    /// As recent waits suggest, up to 50 µs. The default.
    #[default]
    Adaptive,
    /// Not at all: every wait sleeps.
    Never,
    /// For this long, whatever recent waits took; at most 100 ms.
    For(Duration),
}

/// What can be chosen when a ring is made.
///
/// ```
/// use spsc_shm::{Options, Spin};
/// let ring = Options::new().spin(Spin::Never).anonymous(4096)?;
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    choices: Choices,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// Mode 0600, no replacing, no prefaulting, adaptive spinning.
    #[must_use]
    pub const fn new() -> Self {
        Self { choices: Choices::DEFAULT }
    }

    /// Permission bits of a named ring's object, less the process's umask; what is beyond 0777 is
    /// left out. The owner must be left with reading and writing, or creating fails with
    /// [`Status::Permission`].
    #[must_use]
    pub const fn mode(mut self, mode: u32) -> Self {
        self.choices.mode = mode & 0o777;
        self
    }

    /// Whether to replace a ring of the same name that has no live producer, no live consumer and
    /// no live creator. A ring in use is never replaced, nor an object that is no ring.
    #[must_use]
    pub const fn replace_stale(mut self, yes: bool) -> Self {
        self.choices.replace_stale = yes;
        self
    }

    /// Whether to enter all pages into this process's page tables at once, so that the first lap
    /// takes no faults.
    #[must_use]
    pub const fn prefault(mut self, yes: bool) -> Self {
        self.choices.prefault = yes;
        self
    }

    /// How long a wait spins before it sleeps, on both sides of the ring.
    #[must_use]
    pub fn spin(mut self, spin: Spin) -> Self {
        self.choices.spin_ns = match spin {
            Spin::Adaptive => SPIN_ADAPTIVE,
            Spin::Never => 0,
            Spin::For(time) => limited(time),
        };
        self
    }

    /// Makes a ring under `name`, as [`Ring::create`].
    ///
    /// # Errors
    /// As [`Ring::create`].
    pub fn create(&self, name: impl AsRef<OsStr>, min_capacity: usize) -> Result<Ring> {
        let name = name.as_ref().as_bytes();
        Ok(Ring { handle: Handle::create(name, min_capacity as u64, &self.choices)? })
    }

    /// Makes a ring without a name, as [`Ring::anonymous`].
    ///
    /// # Errors
    /// As [`Ring::anonymous`].
    pub fn anonymous(&self, min_capacity: usize) -> Result<Ring> {
        Ok(Ring { handle: Handle::create_anonymous(min_capacity as u64, &self.choices)? })
    }
}

/// A time as `timeout_ns`; `None` and what does not fit are without limit.
fn nanoseconds(timeout: Option<Duration>) -> u64 {
    timeout.map_or(FOREVER, limited)
}

/// A time in nanoseconds, that is never mistaken for "without limit".
fn limited(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(FOREVER).min(FOREVER - 1)
}

/// An open ring. Any thread may look at it; [`split`](Ring::split) it to use it.
///
/// Dropping the last part of a ring closes it: the other process then reads what was published
/// and learns of the end. Memory and name are separate: the memory goes with the last process
/// that has it open, the name stays until [`unlink`](Ring::unlink).
pub struct Ring {
    handle: Box<Handle>,
}

impl Ring {
    /// Makes a ring of at least `min_capacity` bytes under `name`, which may have one leading
    /// slash. The capacity is rounded up to a power of two that is at least a page.
    ///
    /// # Errors
    /// [`Status::InvalidName`], [`Status::InvalidArgument`], [`Status::AlreadyExists`],
    /// [`Status::Permission`], [`Status::NoSpace`], [`Status::NoMemory`], [`Status::System`].
    pub fn create(name: impl AsRef<OsStr>, min_capacity: usize) -> Result<Self> {
        Options::new().create(name, min_capacity)
    }

    /// Makes a ring without a name: pass its descriptor ([`AsFd`]) to the other process. Its size
    /// is sealed, so that no other process can cut it short under a mapping.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`], [`Status::NoMemory`], [`Status::System`].
    pub fn anonymous(min_capacity: usize) -> Result<Self> {
        Options::new().anonymous(min_capacity)
    }

    /// Opens the ring of this name.
    ///
    /// # Errors
    /// [`Status::InvalidName`], [`Status::NotFound`], [`Status::Permission`],
    /// [`Status::NotReady`], [`Status::NotARing`], [`Status::Version`], [`Status::NoMemory`],
    /// [`Status::System`].
    pub fn connect(name: impl AsRef<OsStr>) -> Result<Self> {
        Ok(Self { handle: Handle::connect(name.as_ref().as_bytes())? })
    }

    /// As [`connect`](Self::connect), but waits up to `timeout` (`None`: for ever) for the name to
    /// appear and be ready.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and [`Status::Timeout`].
    pub fn connect_timeout(name: impl AsRef<OsStr>, timeout: Option<Duration>) -> Result<Self> {
        let name = name.as_ref().as_bytes();
        Ok(Self { handle: Handle::connect_timeout(name, nanoseconds(timeout))? })
    }

    /// Opens the anonymous ring behind a descriptor, which is duplicated.
    ///
    /// # Errors
    /// [`Status::NotARing`] also where the object is not sealed; else as
    /// [`connect`](Self::connect).
    pub fn connect_fd(fd: impl AsFd) -> Result<Self> {
        Ok(Self { handle: Handle::connect_fd(fd.as_fd().as_raw_fd())? })
    }

    /// Removes a name. Whoever has the ring open keeps it.
    ///
    /// # Errors
    /// [`Status::InvalidName`], [`Status::NotFound`], [`Status::Permission`], [`Status::System`].
    pub fn unlink(name: impl AsRef<OsStr>) -> Result<()> {
        Segment::unlink(name.as_ref().as_bytes())
    }

    /// The two ends, for one thread each.
    ///
    /// Either takes its role in the ring at its first use, and gives it up when it is dropped.
    #[must_use]
    pub fn split(self) -> (Producer, Consumer) {
        let ring = Arc::new(self);
        (Producer { ring: Arc::clone(&ring) }, Consumer { ring })
    }

    /// The writing end alone, for a process that does not read.
    #[must_use]
    pub fn into_producer(self) -> Producer {
        self.split().0
    }

    /// The reading end alone, for a process that does not write.
    #[must_use]
    pub fn into_consumer(self) -> Consumer {
        self.split().1
    }

    /// Bytes that the ring holds at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.handle.capacity() as usize
    }

    /// Bytes published and not yet released.
    #[must_use]
    pub fn available(&self) -> usize {
        self.handle.available() as usize
    }

    /// Interrupts the current wait of both sides, in every process, or where a side is not
    /// waiting its next one: once for each call, but calls that meet the same wait are one.
    pub fn wakeup_all(&self) {
        self.handle.wakeup_all();
    }

    /// What can be seen of the ring from outside.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }
}

impl AsFd for Ring {
    /// The descriptor to hand to another process; it stays the ring's.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.file()
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ring").field(&self.stats()).finish()
    }
}

/// The end that writes.
#[derive(Debug)]
pub struct Producer {
    ring: Arc<Ring>,
}

impl Producer {
    #[inline(always)]
    fn lane(&mut self) -> Lane<'_, Tx> {
        // SAFETY: there is one producer of this handle, and it is borrowed mutably.
        unsafe { self.ring.handle.lane() }
    }

    /// The ring, for what any thread may do with it.
    #[must_use]
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// Waits until `want` bytes are free and grants them, contiguous. `None` waits for ever.
    ///
    /// # Errors
    /// [`Status::Timeout`], [`Status::Interrupted`], [`Status::Closed`], [`Status::PeerDead`]
    /// where it would have to wait; [`Status::TooLarge`], [`Status::RoleTaken`],
    /// [`Status::Corrupt`], [`Status::NotReady`] (the ring was replaced under its name),
    /// [`Status::System`].
    #[inline]
    pub fn claim(&mut self, want: usize, timeout: Option<Duration>) -> Result<WriteGrant<'_>> {
        let mut lane = self.lane();
        let data = lane.acquire(want as u64, nanoseconds(timeout))?;
        Ok(WriteGrant { lane, data, len: want })
    }

    /// Waits until `min` bytes are free and grants all that are.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    #[inline]
    pub fn claim_some(&mut self, min: usize, timeout: Option<Duration>) -> Result<WriteGrant<'_>> {
        let mut lane = self.lane();
        let (data, len) = lane.acquire_some(min as u64, nanoseconds(timeout))?;
        Ok(WriteGrant { lane, data, len: len as usize })
    }

    /// Waits until `need` bytes are free.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub fn wait_for_space(&mut self, need: usize, timeout: Option<Duration>) -> Result<()> {
        self.lane().wait_for(need as u64, nanoseconds(timeout))
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.lane().detach();
    }
}

impl Write for Producer {
    /// Writes as much of `buf` as there is room for, once there is any.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut grant = self.claim_some(1, None)?;
        let n = grant.len().min(buf.len());
        grant[..n].copy_from_slice(&buf[..n]);
        grant.publish(n)?;
        Ok(n)
    }

    /// Does nothing: what is written is published at once.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end that reads.
#[derive(Debug)]
pub struct Consumer {
    ring: Arc<Ring>,
}

impl Consumer {
    #[inline(always)]
    fn lane(&mut self) -> Lane<'_, Rx> {
        // SAFETY: there is one consumer of this handle, and it is borrowed mutably.
        unsafe { self.ring.handle.lane() }
    }

    /// The ring, for what any thread may do with it.
    #[must_use]
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// Waits until `want` bytes are there and grants them, contiguous. `None` waits for ever.
    ///
    /// # Errors
    /// As [`Producer::claim`].
    #[inline]
    pub fn peek(&mut self, want: usize, timeout: Option<Duration>) -> Result<ReadGrant<'_>> {
        let mut lane = self.lane();
        let data = lane.acquire(want as u64, nanoseconds(timeout))?;
        Ok(ReadGrant { lane, data, len: want })
    }

    /// Waits until `min` bytes are there and grants all that are.
    ///
    /// # Errors
    /// As [`Producer::claim`].
    #[inline]
    pub fn peek_some(&mut self, min: usize, timeout: Option<Duration>) -> Result<ReadGrant<'_>> {
        let mut lane = self.lane();
        let (data, len) = lane.acquire_some(min as u64, nanoseconds(timeout))?;
        Ok(ReadGrant { lane, data, len: len as usize })
    }

    /// Waits until `need` bytes are there.
    ///
    /// # Errors
    /// As [`Producer::claim`].
    pub fn wait_for_data(&mut self, need: usize, timeout: Option<Duration>) -> Result<()> {
        self.lane().wait_for(need as u64, nanoseconds(timeout))
    }

    /// All that is there, once there is any; nothing at the end of the stream.
    fn next_bytes(&mut self) -> io::Result<Option<ReadGrant<'_>>> {
        match self.peek_some(1, None) {
            Ok(grant) => Ok(Some(grant)),
            Err(error) if error.status() == Status::Closed => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.lane().detach();
    }
}

impl Read for Consumer {
    /// Reads what is there, once there is anything. A closed producer is the end of the stream.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let Some(grant) = self.next_bytes()? else { return Ok(0) };
        let n = grant.len().min(buf.len());
        buf[..n].copy_from_slice(&grant[..n]);
        grant.release(n)?;
        Ok(n)
    }
}

impl BufRead for Consumer {
    /// The bytes that are there, in place.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.next_bytes()?.map_or(&[], ReadGrant::into_slice))
    }

    /// Releases bytes of the last `fill_buf`.
    ///
    /// # Panics
    /// If `n` is more than that returned.
    fn consume(&mut self, n: usize) {
        self.lane().advance(n as u64).expect("consume() of more than fill_buf() returned");
    }
}

/// Free bytes to write into. Dropped without [`publish`](Self::publish), nothing is sent.
///
/// The memory is shared: the other process can write there at any time, though one that keeps to
/// the protocol does not.
pub struct WriteGrant<'a> {
    lane: Lane<'a, Tx>,
    data: NonNull<u8>,
    len: usize,
}

impl WriteGrant<'_> {
    /// Makes the first `n` bytes visible to the consumer.
    ///
    /// # Errors
    /// [`Status::Misuse`] if `n` is more than was granted; nothing is sent then.
    #[inline]
    pub fn publish(mut self, n: usize) -> Result<()> {
        self.lane.advance(n as u64)
    }

    /// Makes all bytes visible to the consumer.
    #[inline]
    pub fn publish_all(mut self) {
        // A grant's own length is granted, but for a forked child's copy, whose role is not its.
        let _ = self.lane.advance(self.len as u64);
    }
}

impl Deref for WriteGrant<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `len` bytes from `data` on are mapped for as long as the lane's handle lives,
        // and by the protocol nobody else touches them until they are published.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl DerefMut for WriteGrant<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; and the grant is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) }
    }
}

impl fmt::Debug for WriteGrant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteGrant").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Published bytes to read. Dropped without [`release`](Self::release), nothing is consumed.
///
/// The memory is shared: a broken or hostile producer can change it at any time. Copy before you
/// validate.
pub struct ReadGrant<'a> {
    lane: Lane<'a, Rx>,
    data: NonNull<u8>,
    len: usize,
}

impl<'a> ReadGrant<'a> {
    /// Consumes the first `n` bytes: the producer may write over them.
    ///
    /// # Errors
    /// [`Status::Misuse`] if `n` is more than was granted; nothing is consumed then.
    #[inline]
    pub fn release(mut self, n: usize) -> Result<()> {
        self.lane.advance(n as u64)
    }

    /// Consumes all bytes.
    #[inline]
    pub fn release_all(mut self) {
        // As in `WriteGrant::publish_all`.
        let _ = self.lane.advance(self.len as u64);
    }

    fn into_slice(self) -> &'a [u8] {
        // SAFETY: as in `deref`; the lane's borrow of the consumer lasts for 'a, and with it
        // nothing can be released.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl Deref for ReadGrant<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `len` bytes from `data` on are mapped for as long as the lane's handle lives,
        // and by the protocol nobody writes them until they are released.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl fmt::Debug for ReadGrant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadGrant").field("len", &self.len).finish_non_exhaustive()
    }
}
