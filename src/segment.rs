//! A ring's object and its mapping: a named or an anonymous file, with the control block and then the
//! data. The data is mapped twice in a row, so that no region is ever split at the end of the buffer.
//!
//! ```text
//!     │ guard │ control │ data │ data again │ guard │
//! ```
//!
//! The second mapping of the data shows the same memory: a write at `capacity + i` through the
//! first pointer is a write at `i`. The idea is older than this library; see "magic ring buffer"
//! (P. Howard) and the virtual ring buffers of the `vrb` package (2002). The guards can't be touched: an
//! overrun of the data faults where it happens, and corrupts nothing elsewhere.

use crate::layout::{Control, MAGIC, VERSION, VERSION_MAJOR};
use crate::options::Options;
use crate::role::claim_stale;
use crate::status::{Result, Status};
use crate::sys::file::Identity;
use crate::sys::memory::{Reservation, page_size, total_memory};
use crate::sys::{clock, file, lock, process_id};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{Ordering, fence};

/// The largest capacity, in bytes: the doubled mapping must fit the address space.
const CAPACITY_MAX: u64 = 1 << 46;

/// The numbers of a ring, copied out of the control block and checked. No pointer is computed from
/// anything that another process can change.
#[derive(Clone, Copy, Debug)]
struct Shape {
    data_offset: usize,
    capacity: usize,
    spin_ns: u64,
}

impl Shape {
    fn size(self) -> u64 {
        (self.data_offset + self.capacity) as u64
    }
}

/// A mapped ring, before anybody has a role in it.
#[derive(Debug)]
pub(crate) struct Segment {
    memory: Reservation,
    /// The descriptor that may be handed over. It never holds a lock.
    file: OwnedFd,
    shape: Shape,
    /// The object whose name this one is to get, locked.
    replaced: Option<lock::Held>,
}

impl Segment {
    /// Makes a ring that is to be [linked](Self::link_name) under a name.
    pub(crate) fn create(name: &[u8], min_capacity: u64, options: &Options) -> Result<Self> {
        if options.mode & !0o777 != 0 || file::blocking_bits(options.mode) != 0 {
            return Err(Status::InvalidArgument.into());
        }
        let shape = Self::shape_for(min_capacity, options)?;
        // Early, so that a name that is taken is not reported as a full file system, and so that the
        // old ring's memory is free for the new one.
        let replaced = Self::retire_stale(name, options)?;
        let file = file::create_unnamed(options.mode)?;
        file::restrict_mode(file.as_fd())?;
        Ok(Self { replaced, ..Self::initialise(file, shape, options)? })
    }

    /// Gives the ring its name, now that it is ready. So a process that dies on the way leaves nothing
    /// behind, and nobody ever connects to a half-made ring.
    pub(crate) fn link_name(&mut self, name: &[u8], options: &Options) -> Result<()> {
        // Kept once it is there: an object that has lost its last name never gets another.
        let mut own = None;
        loop {
            if let Some(old) = self.replaced.take()
                && self.take_over(name, old.as_fd(), &mut own)?
            {
                return Ok(());
            }
            let linked = match &own {
                None => file::link_name(self.file.as_fd(), name),
                Some(own) => file::rename(own.as_bytes(), name),
            };
            match linked {
                Err(error) if error.status() == Status::AlreadyExists => {
                    self.replaced = Self::retire_stale(name, options)?;
                }
                linked => return linked,
            }
        }
    }

    /// Makes a ring without a name, whose size nobody can change.
    pub(crate) fn create_anonymous(min_capacity: u64, options: &Options) -> Result<Self> {
        let shape = Self::shape_for(min_capacity, options)?;
        if shape.size() > total_memory() {
            return Err(Status::NoMemory.into());
        }
        let segment = Self::initialise(file::create_anonymous()?, shape, options)?;
        file::seal(segment.file.as_fd())?;
        Ok(segment)
    }

    /// Opens the ring of this name.
    pub(crate) fn connect(name: &[u8]) -> Result<Self> {
        Self::adopt(file::open(name)?)
    }

    /// As [`connect`](Self::connect), but waits for the name to appear and be ready. It looks again
    /// after pauses that grow to 5 ms.
    pub(crate) fn connect_timeout(name: &[u8], timeout_ns: u64) -> Result<Self> {
        let deadline = clock::now().saturating_add(timeout_ns);
        let mut pause = 50_000;
        loop {
            let result = Self::connect(name);
            match &result {
                Err(error) if matches!(error.status(), Status::NotFound | Status::NotReady) => {}
                _ => return result,
            }
            if timeout_ns == 0 {
                return result;
            }
            let now = clock::now();
            if now >= deadline {
                return Err(Status::Timeout.into());
            }
            clock::sleep(pause.min(deadline - now));
            pause = (pause * 2).min(5_000_000);
        }
    }

    /// Opens the anonymous ring behind a descriptor, which stays the caller's.
    pub(crate) fn connect_fd(fd: RawFd) -> Result<Self> {
        if fd < 0 {
            return Err(Status::InvalidArgument.into());
        }
        let file = file::duplicate(fd)?;
        if !file::is_sealed(file.as_fd()) {
            return Err(Status::NotARing.into());
        }
        Self::adopt(file)
    }

    /// Removes a name.
    pub(crate) fn unlink(name: &[u8]) -> Result<()> {
        file::unlink(name)
    }

    /// Removes the name of a ring that nobody uses. False if somebody uses it.
    ///
    /// Between a look at the name and its removal, another process may give it to a new ring. So the
    /// object is first given a name that nobody else knows. If it is not the one that was looked at, it
    /// gets its name back.
    pub(crate) fn unlink_stale(name: &[u8]) -> Result<bool> {
        if !file::metadata_of_name(name)?.regular {
            return Err(Status::NotARing.into());
        }
        let ring = file::open(name)?;
        Self::read_shape_of(ring.as_fd(), &[MAGIC, 0])?;
        // While its locks are held, nobody begins to use it.
        let Some(ring) = claim_stale(ring)? else { return Ok(false) };
        let own = TemporaryName::rename(name)?;
        if own.identity()? == file::metadata(ring.as_fd())?.identity {
            return Ok(true);
        }
        match file::rename(own.as_bytes(), name) {
            // A newer ring has the name. This one would have lost it to that one's maker.
            Err(error) if error.status() == Status::AlreadyExists => {}
            renamed => renamed?,
        }
        Ok(false)
    }

    /// The control block. It lives as long as the segment, and other processes change it.
    pub(crate) fn control(&self) -> &Control {
        // SAFETY: the mapping holds a control block at this place (its size is below
        // `data_offset`), aligned to a page, for as long as `self` lives. Every field is an
        // atomic, for which any bytes are valid.
        unsafe { self.memory.base().add(page_size()).cast().as_ref() }
    }

    /// The first byte of the data. `2 * capacity` bytes from there on are mapped.
    pub(crate) fn data(&self) -> NonNull<u8> {
        // SAFETY: inside the reservation, by its construction in `map`.
        unsafe { self.memory.base().add(page_size() + self.shape.data_offset) }
    }

    /// Bytes of data: a power of two.
    pub(crate) fn capacity(&self) -> u64 {
        self.shape.capacity as u64
    }

    /// How long a wait may spin, by the creator's choice.
    pub(crate) fn spin_ns(&self) -> u64 {
        self.shape.spin_ns
    }

    /// The descriptor that may be handed over.
    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Whether nobody can cut the object short.
    pub(crate) fn is_sealed(&self) -> bool {
        file::is_sealed(self.file.as_fd())
    }

    fn shape_for(min_capacity: u64, options: &Options) -> Result<Shape> {
        let page = page_size();
        if min_capacity > CAPACITY_MAX {
            return Err(Status::InvalidArgument.into());
        }
        let capacity = min_capacity.next_power_of_two().max(page as u64) as usize;
        Ok(Shape { data_offset: page, capacity, spin_ns: options.spin_ns })
    }

    /// Fills a new object. Nobody else knows it yet.
    fn initialise(file: OwnedFd, shape: Shape, options: &Options) -> Result<Self> {
        file::reserve(file.as_fd(), shape.size())?;
        let segment = Self::map(file, shape)?;
        if options.prefault {
            let at = page_size();
            segment.memory.populate(at, shape.data_offset + 2 * shape.capacity);
        }
        let header = &segment.control().header;
        header.layout_version.store(VERSION, Ordering::Relaxed);
        header.data_offset.store(shape.data_offset as u32, Ordering::Relaxed);
        header.capacity.store(shape.capacity as u64, Ordering::Relaxed);
        header.spin_ns.store(shape.spin_ns, Ordering::Relaxed);
        // ready: pairs with the fence in `read_shape`.
        header.magic.store(MAGIC, Ordering::Release);
        Ok(segment)
    }

    fn adopt(file: OwnedFd) -> Result<Self> {
        let shape = Self::read_shape(file.as_fd())?;
        Self::map(file, shape)
    }

    /// Reads and checks the numbers of an object that may be anything: first magic, then version,
    /// then the sizes against the object's own. Nothing is mapped yet.
    fn read_shape(file: BorrowedFd<'_>) -> Result<Shape> {
        Self::read_shape_of(file, &[MAGIC])
    }

    fn read_shape_of(file: BorrowedFd<'_>, magics: &[u64]) -> Result<Shape> {
        let metadata = file::metadata(file)?;
        if !metadata.regular {
            return Err(Status::NotARing.into());
        }
        if metadata.size == 0 {
            return Err(Status::NotReady.into());
        }
        match u64::from_ne_bytes(file::read_at(file, 0)?) {
            magic if magics.contains(&magic) => {}
            0 => return Err(Status::NotReady.into()),
            _ => return Err(Status::NotARing.into()),
        }
        // ready: pairs with the Release store of the magic in `initialise`.
        fence(Ordering::Acquire);
        let version = u32::from_ne_bytes(file::read_at(file, 8)?);
        if version >> 16 != VERSION_MAJOR {
            return Err(Status::Version.into());
        }
        let data_offset = u32::from_ne_bytes(file::read_at(file, 12)?);
        let capacity = u64::from_ne_bytes(file::read_at(file, 16)?);
        // The creator's page. The first holds the control block, all others the data.
        let page = u64::from(data_offset);
        let fits = page.is_power_of_two()
            && page >= size_of::<Control>() as u64
            && capacity.is_power_of_two()
            && (page..=CAPACITY_MAX).contains(&capacity)
            && metadata.size == page + capacity;
        if !fits {
            return Err(Status::NotARing.into());
        }
        if page != page_size() as u64 {
            return Err(Status::Version.into());
        }
        Ok(Shape {
            data_offset: data_offset as usize,
            capacity: capacity as usize,
            spin_ns: u64::from_ne_bytes(file::read_at(file, 24)?),
        })
    }

    fn map(file: OwnedFd, shape: Shape) -> Result<Self> {
        let (guard, Shape { data_offset, capacity, .. }) = (page_size(), shape);
        let memory = Reservation::new(guard + data_offset + 2 * capacity + guard)?;
        memory.map(guard, data_offset + capacity, file.as_fd(), 0)?;
        memory.map(guard + data_offset + capacity, capacity, file.as_fd(), data_offset as i64)?;
        Ok(Self { memory, file, shape, replaced: None })
    }

    /// The object that has `name`, if there is one and the options allow to replace it. All its locks are
    /// held then, until the value is dropped. Nobody can use it as a ring any more.
    fn retire_stale(name: &[u8], options: &Options) -> Result<Option<lock::Held>> {
        let named = match file::metadata_of_name(name) {
            Err(error) if error.status() == Status::NotFound => return Ok(None),
            found => found?,
        };
        let taken = Err(Status::AlreadyExists.into());
        // A directory, a link or a device is not even opened: that would fail, or have effects.
        if !options.replace_stale || !named.regular {
            return taken;
        }
        let old = match file::open(name) {
            Err(error) if error.status() == Status::NotFound => return Ok(None),
            Err(error) if error.status() == Status::NotARing => return taken,
            opened => opened?,
        };
        // Only a ring may be replaced, of a layout whose locks we know, and only if we hold all of
        // them. A ring without a magic was being replaced by somebody who died.
        let Ok(shape) = Self::read_shape_of(old.as_fd(), &[MAGIC, 0]) else { return taken };
        let Some(old) = claim_stale(old)? else { return taken };
        // A handle that is connected to the old object and has no role yet must not wait there for
        // ever. When it takes one, it finds no magic.
        file::write_at(old.as_fd(), 0, &0u64.to_ne_bytes())?;
        // If the file system is small, the new ring needs the old one's memory.
        file::punch(old.as_fd(), shape.data_offset as i64, shape.capacity as i64);
        Ok(Some(old))
    }

    /// Puts this ring under `name` in the place of `old`. False if the name is free by now.
    ///
    /// Between a look at the name and a step that removes it, another process may give the name to a new
    /// ring. So this ring first gets a name that nobody else uses, and the two names are exchanged in one
    /// step. Then comes the look at what was exchanged. If it is not the old ring, it gets its name back.
    fn take_over(
        &self,
        name: &[u8],
        old: BorrowedFd<'_>,
        own: &mut Option<TemporaryName>,
    ) -> Result<bool> {
        let old = file::metadata(old)?.identity;
        // Two that exchange at the same time could not tell whose ring is the newer one. As they have
        // locked different rings, the name was given to another ring meanwhile.
        let Some(_lock) = NameLock::acquire(name)? else {
            return Err(Status::AlreadyExists.into());
        };
        let own = match own {
            Some(own) => own,
            none => none.insert(TemporaryName::link(self.file.as_fd())?),
        };
        // Nobody connects to this ring before it is certain that it keeps the name.
        let magic = &self.control().header.magic;
        magic.store(0, Ordering::Relaxed);
        match file::exchange(own.as_bytes(), name) {
            Err(error) if error.status() == Status::NotFound => {
                // ready: as in `initialise`.
                magic.store(MAGIC, Ordering::Release);
                return Ok(false);
            }
            exchanged => exchanged?,
        }
        let exchanged = own.identity();
        if exchanged.as_ref().is_ok_and(|exchanged| *exchanged == old) {
            // ready: as in `initialise`.
            magic.store(MAGIC, Ordering::Release);
            return Ok(true);
        }
        own.put_back(name, file::metadata(self.file.as_fd())?.identity)?;
        Err(exchanged.err().unwrap_or(Status::AlreadyExists.into()))
    }
}

/// Keeps others from exchanging what has a name.
///
/// It is a lock on a file beside the ring. Only the process that has locked the file removes it. So a
/// lock counts if the file that was locked still has its name. A file that a dead process left is free
/// to lock, and its next holder removes it.
struct NameLock {
    name: NameBuffer,
    _file: lock::Held,
}

impl NameLock {
    /// `None` if somebody else holds it.
    fn acquire(name: &[u8]) -> Result<Option<Self>> {
        let mut buffer = NameBuffer::new();
        buffer.push(b".spsc-shm.lock.");
        // If it is too long, it is cut off. Names that begin alike then share a lock.
        buffer.push(name.strip_prefix(b"/").unwrap_or(name));
        loop {
            let file = match file::open(buffer.as_bytes()) {
                Err(error) if error.status() == Status::NotFound => {
                    match file::create_new(buffer.as_bytes()) {
                        Err(error) if error.status() == Status::AlreadyExists => continue,
                        made => made?,
                    }
                }
                opened => opened?,
            };
            let Some(file) = lock::Held::acquire(file, 0..1)? else { return Ok(None) };
            match file::metadata_of_name(buffer.as_bytes()) {
                Ok(named) if named.identity == file::metadata(file.as_fd())?.identity => {
                    return Ok(Some(Self { name: buffer, _file: file }));
                }
                Ok(_) => {}
                Err(error) if error.status() == Status::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        // This comes before the lock goes.
        let _ = file::unlink(self.name.as_bytes());
    }
}

/// A second name of an object, which nobody else knows. Removed when dropped. A process that dies before
/// that leaves it behind, with the object that was to be replaced.
struct TemporaryName(NameBuffer);

impl TemporaryName {
    fn link(file: BorrowedFd<'_>) -> Result<Self> {
        Self::new(|own| file::link_name(file, own))
    }

    /// In the place of the name that it has.
    fn rename(name: &[u8]) -> Result<Self> {
        Self::new(|own| file::rename(name, own))
    }

    fn new(give: impl Fn(&[u8]) -> Result<()>) -> Result<Self> {
        loop {
            let mut name = NameBuffer::new();
            write!(name, ".spsc-shm.{}.{:x}", process_id(), clock::now())
                .map_err(|_| Status::InvalidName)?;
            match give(name.as_bytes()) {
                // A process in another PID namespace has the same number and asks at the same time.
                Err(error) if error.status() == Status::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(Self(name)),
            }
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Which object has it.
    fn identity(&self) -> Result<Identity> {
        Ok(file::metadata_of_name(self.as_bytes())?.identity)
    }

    /// Gives `name` back to what was exchanged for `given`.
    ///
    /// If anything other than `given` comes back, another process has removed that, and given the name to
    /// what came back. This is the newest, and gets the name in its turn.
    fn put_back(&self, name: &[u8], mut given: Identity) -> Result<()> {
        loop {
            let held = self.identity()?;
            match file::exchange(self.as_bytes(), name) {
                // It was removed meanwhile, as the other ring's name would have been.
                Err(error) if error.status() == Status::NotFound => return Ok(()),
                exchanged => exchanged?,
            }
            if self.identity()? == given {
                return Ok(());
            }
            given = held;
        }
    }
}

impl Drop for TemporaryName {
    fn drop(&mut self) {
        // If it was renamed, it is no longer there.
        let _ = file::unlink(self.as_bytes());
    }
}

/// A name, on the stack, as there may be no memory. What does not fit is cut off.
struct NameBuffer {
    bytes: [u8; file::NAME_MAX],
    len: usize,
}

impl NameBuffer {
    fn new() -> Self {
        Self { bytes: [0; file::NAME_MAX], len: 0 }
    }

    fn push(&mut self, more: &[u8]) {
        let mut free = &mut self.bytes[self.len..];
        self.len += free.write(more).unwrap_or(0);
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl std::fmt::Write for NameBuffer {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
