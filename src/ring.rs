//! The safe Rust interface: [`Ring`], and its two ends [`Producer`] and [`Consumer`].

use crate::conn::Line;
use crate::cursor::{Rx, Tx};
use crate::endpoint::Endpoint;
use crate::grant::{ReadGrant, WriteGrant};
use crate::handle::{Handle, Stats};
use crate::message::{Message, MessageBatch, MessageGrant, Outgoing, Receiver, Sender};
use crate::options::{Options, nanoseconds};
use crate::role::Role;
use crate::segment::Segment;
use crate::status::{Result, Status};
use crate::wait::FOREVER;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

impl Options {
    /// Makes a ring under `name`, as [`Ring::create`].
    ///
    /// ```
    /// # let name = &format!("doc-options-{}", std::process::id());
    /// use spsc_shm::{Options, Ring};
    /// let ring = Options::new().replace_stale(true).create(name, 1 << 16)?;
    /// # Ring::unlink(name)?;
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Ring::create`].
    pub fn create(&self, name: impl AsRef<OsStr>, min_capacity: usize) -> Result<Ring> {
        let name = name.as_ref().as_bytes();
        Ok(Ring::over(Handle::create(name, min_capacity as u64, self)?))
    }

    /// Makes a ring without a name, as [`Ring::anonymous`].
    ///
    /// ```
    /// use spsc_shm::Options;
    /// let ring = Options::new().prefault(true).anonymous(1 << 16)?;
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Ring::anonymous`].
    pub fn anonymous(&self, min_capacity: usize) -> Result<Ring> {
        Ok(Ring::over(Handle::create_anonymous(min_capacity as u64, self)?))
    }
}

/// A time as `timeout_ns`; `None` is without limit.
pub(crate) fn limit(timeout: Option<Duration>) -> u64 {
    timeout.map_or(FOREVER, nanoseconds)
}

fn outgoing(&(tag, data): &(u32, &[u8])) -> Outgoing {
    Outgoing { data: data.as_ptr(), len: data.len(), tag }
}

/// An open ring. Any thread may look at it. [`split`](Ring::split) it to use it.
///
/// Dropping the last part of a ring closes it. The other process then reads what was published and
/// learns of the end. Memory and name are separate: the memory goes with the last process that has the
/// ring open, and the name stays until [`unlink`](Ring::unlink).
///
/// ```
/// # let name = &format!("doc-ring-{}", std::process::id());
/// use spsc_shm::Ring;
/// use std::io::{Read, Write};
///
/// // In one process:
/// let mut producer = Ring::create(name, 1 << 16)?.into_producer();
/// producer.write_all(b"hello")?;
/// drop(producer); // the end of the stream
///
/// // In another:
/// let mut consumer = Ring::connect(name)?.into_consumer();
/// Ring::unlink(name)?; // both have opened it
/// let mut text = String::new();
/// consumer.read_to_string(&mut text)?;
/// # assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Ring {
    handle: Box<Handle>,
    /// The connection that it is part of, which ends after it.
    _line: Option<Arc<Line>>,
}

impl Ring {
    fn over(handle: Box<Handle>) -> Self {
        Self { handle, _line: None }
    }

    /// A ring of a connection.
    pub(crate) fn of_connection(handle: Box<Handle>, line: Arc<Line>) -> Self {
        Self { handle, _line: Some(line) }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Makes a ring of at least `min_capacity` bytes under `name`, which may have one leading
    /// slash. The capacity is rounded up to a power of two that is at least a page.
    ///
    /// ```
    /// # let name = &format!("doc-create-{}", std::process::id());
    /// use spsc_shm::Ring;
    /// let ring = Ring::create(name, 50_000)?;
    /// assert_eq!(ring.capacity(), 65_536);
    /// # Ring::unlink(name)?;
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::InvalidName`], [`Status::InvalidArgument`], [`Status::AlreadyExists`],
    /// [`Status::Permission`], [`Status::NoSpace`], [`Status::NoMemory`], [`Status::System`].
    pub fn create(name: impl AsRef<OsStr>, min_capacity: usize) -> Result<Self> {
        Options::new().create(name, min_capacity)
    }

    /// Makes a ring without a name. Pass its descriptor ([`sealed_fd`](Self::sealed_fd)) to the
    /// other process. Its size is sealed: no process can cut it short under a mapping.
    ///
    /// ```
    /// use spsc_shm::Ring;
    /// let (producer, consumer) = Ring::anonymous(1 << 16)?.split();
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::InvalidArgument`], [`Status::NoMemory`], [`Status::System`].
    pub fn anonymous(min_capacity: usize) -> Result<Self> {
        Options::new().anonymous(min_capacity)
    }

    /// Opens the ring of this name.
    ///
    /// ```
    /// use spsc_shm::{Ring, Status};
    /// let error = Ring::connect("/nobody-made-it").unwrap_err();
    /// assert_eq!(error.status(), Status::NotFound);
    /// ```
    ///
    /// # Errors
    /// [`Status::InvalidName`], [`Status::NotFound`], [`Status::Permission`],
    /// [`Status::NotReady`], [`Status::NotARing`], [`Status::Version`], [`Status::NoMemory`],
    /// [`Status::System`].
    pub fn connect(name: impl AsRef<OsStr>) -> Result<Self> {
        Ok(Self::over(Handle::connect(name.as_ref().as_bytes())?))
    }

    /// As [`connect`](Self::connect), but waits up to `timeout` (`None`: for ever) for the name to
    /// appear and be ready.
    ///
    /// ```
    /// use spsc_shm::{Ring, Status};
    /// use std::time::Duration;
    /// let error = Ring::connect_timeout("/nobody-made-it", Some(Duration::from_millis(1)));
    /// assert_eq!(error.unwrap_err().status(), Status::Timeout);
    /// ```
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and [`Status::Timeout`].
    pub fn connect_timeout(name: impl AsRef<OsStr>, timeout: Option<Duration>) -> Result<Self> {
        let name = name.as_ref().as_bytes();
        Ok(Self::over(Handle::connect_timeout(name, limit(timeout))?))
    }

    /// Opens the anonymous ring behind a descriptor, which is duplicated.
    ///
    /// ```
    /// use spsc_shm::Ring;
    /// let ring = Ring::anonymous(4096)?;
    /// let fd = ring.sealed_fd().expect("it has no name"); // hand it to another process, and there:
    /// let same = Ring::connect_fd(fd)?;
    /// # assert_eq!(same.capacity(), ring.capacity());
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::NotARing`] also where the object is not sealed; else as
    /// [`connect`](Self::connect).
    pub fn connect_fd(fd: impl AsFd) -> Result<Self> {
        Ok(Self::over(Handle::connect_fd(fd.as_fd().as_raw_fd())?))
    }

    /// Removes a name. Whoever has the ring open keeps it.
    ///
    /// ```
    /// # let name = &format!("doc-unlink-{}", std::process::id());
    /// use spsc_shm::Ring;
    /// let ring = Ring::create(name, 4096)?;
    /// Ring::unlink(name)?;
    /// assert!(Ring::connect(name).is_err());
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::InvalidName`], [`Status::NotFound`], [`Status::Permission`], [`Status::System`].
    pub fn unlink(name: impl AsRef<OsStr>) -> Result<()> {
        Segment::unlink(name.as_ref().as_bytes())
    }

    /// Removes the name of a ring that nobody uses: no live handle made it, or has a role in it. Gives
    /// whether it did; false if somebody uses the ring. It may hold bytes that nobody has read yet.
    ///
    /// ```
    /// # let name = &format!("doc-unlink-stale-{}", std::process::id());
    /// use spsc_shm::Ring;
    /// let ring = Ring::create(name, 4096)?;
    /// assert!(!Ring::unlink_stale(name)?);
    /// drop(ring);
    /// assert!(Ring::unlink_stale(name)?);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::InvalidName`], [`Status::NotFound`], [`Status::NotARing`], [`Status::Version`],
    /// [`Status::Permission`], [`Status::System`].
    pub fn unlink_stale(name: impl AsRef<OsStr>) -> Result<bool> {
        Segment::unlink_stale(name.as_ref().as_bytes())
    }

    /// The two ends, for one thread each.
    ///
    /// Each takes its role in the ring at its first use, and gives it up when it is dropped.
    ///
    /// ```
    /// use spsc_shm::Ring;
    /// use std::io::{Read, Write};
    /// let (mut producer, mut consumer) = Ring::anonymous(4096)?.split();
    /// std::thread::spawn(move || producer.write_all(b"hello"));
    /// let mut text = String::new();
    /// consumer.read_to_string(&mut text)?; // ends when the producer is dropped
    /// assert_eq!(text, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn split(self) -> (Producer, Consumer) {
        let ring = Arc::new(self);
        (Producer { ring: Arc::clone(&ring) }, Consumer { ring })
    }

    /// The writing end alone, for a process that does not read.
    ///
    /// ```
    /// let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
    /// producer.claim(5, None)?.publish_all();
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    #[must_use]
    pub fn into_producer(self) -> Producer {
        self.split().0
    }

    /// The reading end alone, for a process that does not write.
    ///
    /// ```
    /// let consumer = spsc_shm::Ring::anonymous(4096)?.into_consumer();
    /// assert_eq!(consumer.ring().available(), 0);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
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
    ///
    /// ```
    /// use std::io::Write;
    /// let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
    /// producer.write_all(b"hello")?;
    /// assert_eq!(producer.ring().available(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn available(&self) -> usize {
        self.handle.available() as usize
    }

    /// Interrupts the current wait of both sides, in every process. A side that is not waiting is
    /// interrupted in its next wait. Each call interrupts each side once; calls that meet the same wait
    /// are one.
    ///
    /// ```
    /// use spsc_shm::{Ring, Status};
    /// let mut consumer = Ring::anonymous(4096)?.into_consumer();
    /// consumer.ring().wakeup_all();
    /// let ended = consumer.wait_for_data(1, None).unwrap_err();
    /// assert_eq!(ended.status(), Status::Interrupted);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    pub fn wakeup_all(&self) {
        self.handle.wakeup_all();
    }

    /// The descriptor of a ring without a name, to hand to another process for
    /// [`connect_fd`](Self::connect_fd). It stays the ring's, and is closed on exec. `None` for a
    /// named ring: through its descriptor the object could be cut short, and the next access would end
    /// the process.
    ///
    /// ```
    /// # fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::process::{Command, Stdio};
    /// let ring = spsc_shm::Ring::anonymous(1 << 16)?;
    /// let fd = ring.sealed_fd().expect("it has no name").try_clone_to_owned()?;
    /// // The child says Ring::connect_fd(std::io::stdin()).
    /// let child = Command::new("child").stdin(Stdio::from(fd)).spawn()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn sealed_fd(&self) -> Option<BorrowedFd<'_>> {
        self.handle.sealed_file()
    }

    /// What can be seen of the ring from outside.
    ///
    /// ```
    /// use spsc_shm::{Ring, RoleState};
    /// let stats = Ring::anonymous(4096)?.stats();
    /// assert_eq!(stats.producer.state, RoleState::Never);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }
}

impl AsRawFd for Ring {
    /// The number of the descriptor of the ring's memory, which stays the ring's. Only
    /// [`sealed_fd`](Ring::sealed_fd) lends the descriptor itself.
    fn as_raw_fd(&self) -> RawFd {
        self.handle.file().as_raw_fd()
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ring").field(&self.stats()).finish()
    }
}

/// The end that writes. It becomes the ring's producer with its first claim or wait, and is it until it
/// is dropped: the consumer then reads what was published and learns of the end. An end that never had
/// the role ends nobody's stream.
///
/// ```
/// use spsc_shm::Ring;
/// let mut producer = Ring::anonymous(4096)?.into_producer();
/// let mut grant = producer.claim(5, None)?;
/// grant.copy_from_slice(b"hello"); // right into the ring
/// grant.publish_all();
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[derive(Debug)]
pub struct Producer {
    ring: Arc<Ring>,
}

impl Producer {
    #[inline(always)]
    pub(crate) fn endpoint(&mut self) -> &mut Endpoint<Tx> {
        // SAFETY: there is one producer of this handle, and it is borrowed mutably.
        unsafe { &mut *self.ring.handle.endpoint() }
    }

    /// The same, and what belongs to the messages that it sends.
    #[inline(always)]
    fn ends(&mut self) -> (&mut Endpoint<Tx>, &mut Sender) {
        // SAFETY: as in `endpoint`; they are two things.
        unsafe { (&mut *self.ring.handle.endpoint(), &mut *self.ring.handle.sender()) }
    }

    /// The ring, for what any thread may do with it.
    #[must_use]
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// What ends this end's waits from another thread.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        Interrupter { ring: Arc::clone(&self.ring), side: Role::Producer }
    }

    /// Waits until `want` bytes are free and grants them, contiguous. `None` waits for ever.
    ///
    /// ```
    /// use spsc_shm::{Ring, Status};
    /// use std::time::Duration;
    /// let mut producer = Ring::anonymous(4096)?.into_producer();
    /// producer.claim(4096, None)?.publish_all();
    /// let full = producer.claim(1, Some(Duration::ZERO)).unwrap_err(); // does not wait
    /// assert_eq!(full.status(), Status::Timeout);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::Timeout`], [`Status::Interrupted`], [`Status::Closed`], [`Status::PeerDead`]
    /// where it would have to wait; [`Status::TooLarge`], [`Status::RoleTaken`],
    /// [`Status::Corrupt`], [`Status::NotReady`] (the ring was replaced under its name),
    /// [`Status::System`].
    #[inline]
    pub fn claim(&mut self, want: usize, timeout: Option<Duration>) -> Result<WriteGrant<'_>> {
        let endpoint = self.endpoint();
        let data = endpoint.reserve(want as u64, limit(timeout))?;
        Ok(WriteGrant::new(endpoint, data, want))
    }

    /// Waits until `min` bytes are free and grants all that are free: one call for many messages.
    /// With `min` 0 it never waits, and may grant 0 bytes.
    ///
    /// ```
    /// use std::io::Write;
    /// let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
    /// let mut grant = producer.claim_some(8, None)?;
    /// for number in 0..3u64 {
    ///     grant.write_all(&number.to_le_bytes())?;
    /// }
    /// let written = grant.written();
    /// grant.publish(written)?; // three messages at once
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    #[inline]
    pub fn claim_some(&mut self, min: usize, timeout: Option<Duration>) -> Result<WriteGrant<'_>> {
        let endpoint = self.endpoint();
        let (data, len) = endpoint.reserve_some(min as u64, limit(timeout))?;
        Ok(WriteGrant::new(endpoint, data, len as usize))
    }

    /// Waits until `need` bytes are free. Claims nothing, but takes the role.
    ///
    /// ```
    /// # let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
    /// // Even if nothing is sent, the consumer shall learn of the end.
    /// producer.wait_for_space(1, None)?;
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub fn wait_for_space(&mut self, need: usize, timeout: Option<Duration>) -> Result<()> {
        self.endpoint().wait_for(need as u64, limit(timeout))
    }

    /// Sends a copy of `data` as one message, once there is room for it. `tag` is the caller's, to
    /// tell kinds of messages apart.
    ///
    /// A message of more than half the capacity goes in fragments, while the other side receives
    /// them, and may be larger than the ring. If the call ends half-way, that message is lost; the
    /// next one is not. With a timeout of zero it is sent only if there is room for all of it.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// producer.send(7, b"hello", None)?;
    /// # assert_eq!(consumer.receive(None)?.into_vec(), b"hello");
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`claim`](Self::claim). [`Status::Corrupt`] also where the stream holds bytes that are no
    /// messages.
    #[inline]
    pub fn send(&mut self, tag: u32, data: &[u8], timeout: Option<Duration>) -> Result<()> {
        let (endpoint, sender) = self.ends();
        let message = outgoing(&(tag, data));
        if sender.try_send(endpoint, message) {
            endpoint.notify();
            return Ok(());
        }
        sender.send(endpoint, message, limit(timeout))
    }

    /// Waits until there is room for the first message, sends all that fit, at once, and says how many
    /// those are. If the first one is larger than half the capacity, it is sent alone.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// let mut messages: &[(u32, &[u8])] = &[(1, b"one"), (2, b"two"), (3, b"three")];
    /// while !messages.is_empty() {
    ///     let sent = producer.send_some(messages, None)?;
    ///     messages = &messages[sent..];
    /// }
    /// # assert_eq!(consumer.receive_some(None)?.len(), 3);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_some(
        &mut self,
        messages: &[(u32, &[u8])],
        timeout: Option<Duration>,
    ) -> Result<usize> {
        let (endpoint, sender) = self.ends();
        let message = |i: usize| outgoing(&messages[i]);
        sender.send_some(endpoint, messages.len(), message, limit(timeout))
    }

    /// Waits until there is room for a message of `max_len` bytes, at most half the capacity, and
    /// grants its payload, to write in place.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// let mut grant = producer.claim_message(100, None)?;
    /// grant.copy_from_slice(b"hello");
    /// grant.publish(7, 5)?; // the tag, and how long the message is
    /// # assert_eq!(consumer.receive(None)?.into_vec(), b"hello");
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send); [`Status::TooLarge`] for more than half the capacity.
    #[inline]
    pub fn claim_message(
        &mut self,
        max_len: usize,
        timeout: Option<Duration>,
    ) -> Result<MessageGrant<'_>> {
        let (endpoint, sender) = self.ends();
        let data = sender.claim(endpoint, max_len, limit(timeout))?;
        Ok(MessageGrant::new(endpoint, sender, data, max_len))
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.endpoint().detach();
    }
}

impl Write for Producer {
    /// Writes as much of `buf` as there is room for, once there is any.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut grant = self.claim_some(1, None)?;
        let n = grant.write(buf)?;
        grant.publish(n)?;
        Ok(n)
    }

    /// Does nothing: what is written is published at once.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end that reads. It becomes the ring's consumer with its first peek or wait, and is it until it is
/// dropped. What was not released stays for the next consumer.
///
/// ```
/// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
/// # std::io::Write::write_all(&mut producer, b"hello")?;
/// let grant = consumer.peek(5, None)?; // waits for 5 bytes
/// let text = grant.to_vec();
/// grant.release_all();
/// # assert_eq!(text, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Consumer {
    ring: Arc<Ring>,
}

impl Consumer {
    #[inline(always)]
    pub(crate) fn endpoint(&mut self) -> &mut Endpoint<Rx> {
        // SAFETY: there is one consumer of this handle, and it is borrowed mutably.
        unsafe { &mut *self.ring.handle.endpoint() }
    }

    /// The same, and what belongs to the messages that it receives.
    #[inline(always)]
    fn ends(&mut self) -> (&mut Endpoint<Rx>, &mut Receiver) {
        // SAFETY: as in `endpoint`; they are two things.
        unsafe { (&mut *self.ring.handle.endpoint(), &mut *self.ring.handle.receiver()) }
    }

    /// The ring, for what any thread may do with it.
    #[must_use]
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// What ends this end's waits from another thread.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        Interrupter { ring: Arc::clone(&self.ring), side: Role::Consumer }
    }

    /// Waits until `want` bytes are there and grants them, contiguous. `None` waits for ever. The
    /// bytes need not have been published in one piece.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// producer.claim(4, None)?.publish_all();
    /// producer.claim(100, None)?.publish_all();
    /// assert_eq!(consumer.peek(104, None)?.len(), 104);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Producer::claim`].
    #[inline]
    pub fn peek(&mut self, want: usize, timeout: Option<Duration>) -> Result<ReadGrant<'_>> {
        let endpoint = self.endpoint();
        let data = endpoint.reserve(want as u64, limit(timeout))?;
        Ok(ReadGrant::new(endpoint, data, want))
    }

    /// Waits until `min` bytes are there and grants all that are there: one call for many messages.
    /// With `min` 0 it never waits, and may grant 0 bytes.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// # std::io::Write::write_all(&mut producer, &[7; 24])?;
    /// let grant = consumer.peek_some(8, None)?;
    /// let messages = grant.len() / 8;
    /// grant.release(8 * messages)?;
    /// # assert_eq!(messages, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Producer::claim`].
    #[inline]
    pub fn peek_some(&mut self, min: usize, timeout: Option<Duration>) -> Result<ReadGrant<'_>> {
        let endpoint = self.endpoint();
        let (data, len) = endpoint.reserve_some(min as u64, limit(timeout))?;
        Ok(ReadGrant::new(endpoint, data, len as usize))
    }

    /// Waits until `need` bytes are there. Grants nothing, but takes the role.
    ///
    /// ```
    /// use spsc_shm::{Ring, Status};
    /// use std::time::Duration;
    /// let mut consumer = Ring::anonymous(4096)?.into_consumer();
    /// let nothing = consumer.wait_for_data(1, Some(Duration::from_millis(1))).unwrap_err();
    /// assert_eq!(nothing.status(), Status::Timeout);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Producer::claim`].
    pub fn wait_for_data(&mut self, need: usize, timeout: Option<Duration>) -> Result<()> {
        self.endpoint().wait_for(need as u64, limit(timeout))
    }

    /// Waits for the next message. Until it is [`done`](Message::done), it is received again.
    ///
    /// A message that came in fragments is assembled in this process's memory. A call that ends half-way
    /// keeps what it has, and the next one goes on. If the producer has closed or died half-way, the
    /// message is lost.
    ///
    /// ```
    /// use spsc_shm::Status;
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// # producer.send(7, b"hello", None)?;
    /// # drop(producer);
    /// loop {
    ///     match consumer.receive(None) {
    ///         Ok(message) => {
    ///             println!("{}: {} bytes", message.tag(), message.len());
    ///             message.done();
    ///         }
    ///         Err(error) if error.status() == Status::Closed => break,
    ///         Err(error) => return Err(error),
    ///     }
    /// }
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`peek`](Self::peek). [`Status::Corrupt`] also where no sender of messages wrote what is
    /// there; [`Status::TooLarge`] for a message of more than
    /// [`set_max_message`](Self::set_max_message) allows, and [`Status::NoMemory`], until
    /// [`skip_message`](Self::skip_message).
    #[inline]
    pub fn receive(&mut self, timeout: Option<Duration>) -> Result<Message<'_>> {
        let (endpoint, receiver) = self.ends();
        let given = match receiver.try_receive(endpoint) {
            Some(given) => given,
            None => receiver.receive(endpoint, limit(timeout))?,
        };
        Ok(Message::new(endpoint, receiver, given))
    }

    /// Waits for the next message, and gives all that are there. A message that came in fragments is
    /// given alone.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// # producer.send(7, b"hello", None)?;
    /// let messages = consumer.receive_some(None)?;
    /// for message in &messages {
    ///     println!("{}: {} bytes", message.tag(), message.len());
    /// }
    /// messages.done(); // all of them
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    #[inline]
    pub fn receive_some(&mut self, timeout: Option<Duration>) -> Result<MessageBatch<'_>> {
        self.receive_up_to(usize::MAX, timeout)
    }

    /// As [`receive_some`](Self::receive_some), but no more than `max` messages, and at least one.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// # producer.send_some(&[(1, b"one"), (2, b"two"), (3, b"three")], None)?;
    /// let messages = consumer.receive_up_to(2, None)?;
    /// assert_eq!(messages.len(), 2);
    /// messages.done(); // these two
    /// assert_eq!(consumer.receive(None)?.tag(), 3);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    #[inline]
    pub fn receive_up_to(
        &mut self,
        max: usize,
        timeout: Option<Duration>,
    ) -> Result<MessageBatch<'_>> {
        let (endpoint, receiver) = self.ends();
        MessageBatch::receive(endpoint, receiver, max.max(1), limit(timeout))
    }

    /// Gives up the message for which the last [`receive`](Self::receive) failed with
    /// [`Status::TooLarge`] or [`Status::NoMemory`]. What is still to come of it is skipped.
    ///
    /// ```
    /// use spsc_shm::{Ring, Status};
    /// let (mut producer, mut consumer) = Ring::anonymous(1 << 16)?.split();
    /// consumer.set_max_message(1000);
    /// producer.send(7, &[0; 40_000], None)?; // more than half the ring: it goes in fragments
    /// producer.send(8, b"hello", None)?;
    /// let refused = consumer.receive(None).map(|_| ()).unwrap_err();
    /// assert_eq!(refused.status(), Status::TooLarge);
    /// consumer.skip_message()?;
    /// assert_eq!(consumer.receive(None)?.tag(), 8);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::Misuse`] if there is none.
    pub fn skip_message(&mut self) -> Result<()> {
        let (endpoint, receiver) = self.ends();
        receiver.skip(endpoint)
    }

    /// Sets how many bytes of fragments are assembled to one message at most: 64 MiB by default. A
    /// message that needs no assembling may be larger. What it does to one that is too large is at
    /// [`skip_message`](Self::skip_message).
    pub fn set_max_message(&mut self, bytes: usize) {
        self.ends().1.set_max(bytes as u64);
    }

    /// The messages, each with its tag and in memory of its own. Each step waits up to `timeout`. The
    /// iterator ends when the producer has closed and all is read, or after an error.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// # producer.send(7, b"hello", None)?;
    /// # drop(producer);
    /// for message in consumer.messages(None) {
    ///     let (tag, bytes) = message?;
    ///     println!("{tag}: {bytes:?}");
    /// }
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    pub fn messages(&mut self, timeout: Option<Duration>) -> Messages<'_> {
        Messages { consumer: self, timeout, over: false }
    }
}

/// The messages that a [`Consumer`] receives, in memory of their own.
#[derive(Debug)]
pub struct Messages<'a> {
    consumer: &'a mut Consumer,
    timeout: Option<Duration>,
    over: bool,
}

impl Iterator for Messages<'_> {
    type Item = Result<(u32, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let received = self.consumer.receive(self.timeout);
        let received = received.map(|message| (message.tag(), message.into_vec()));
        self.over = received.is_err();
        match received {
            Err(error) if error.status() == Status::Closed => None,
            received => Some(received),
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.endpoint().detach();
    }
}

impl Read for Consumer {
    /// Reads what is there, once there is anything. A closed producer is the end of the stream.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut grant = match self.peek_some(1, None) {
            Err(error) if error.status() == Status::Closed => return Ok(0),
            granted => granted?,
        };
        let n = grant.read(buf)?;
        grant.release(n)?;
        Ok(n)
    }
}

/// Ends the waits of one end of a ring, from any thread.
///
/// ```
/// use spsc_shm::{Ring, Status};
/// let mut consumer = Ring::anonymous(4096)?.into_consumer();
/// let interrupter = consumer.interrupter();
/// let thread = std::thread::spawn(move || interrupter.interrupt());
/// let ended = consumer.peek(1, None).map(|_| ()).unwrap_err(); // would wait for ever
/// assert_eq!(ended.status(), Status::Interrupted);
/// # thread.join().unwrap();
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Interrupter {
    ring: Arc<Ring>,
    side: Role,
}

impl Interrupter {
    /// Ends this end's current wait, or its next one, with [`Status::Interrupted`]: once. The other
    /// process does not notice, nor does another handle of the same ring. Async-signal-safe.
    ///
    /// ```
    /// use spsc_shm::{Ring, Status};
    /// let mut consumer = Ring::anonymous(4096)?.into_consumer();
    /// consumer.interrupter().interrupt();
    /// let ended = consumer.wait_for_data(1, None).unwrap_err();
    /// assert_eq!(ended.status(), Status::Interrupted);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    pub fn interrupt(&self) {
        match self.side {
            Role::Producer => self.ring.handle.interrupt::<Tx>(),
            Role::Consumer => self.ring.handle.interrupt::<Rx>(),
        }
    }

    /// Takes back an interrupt that no wait has answered yet: for a cancellation that came too late.
    ///
    /// ```
    /// use spsc_shm::{Ring, Status};
    /// use std::time::Duration;
    /// let mut consumer = Ring::anonymous(4096)?.into_consumer();
    /// consumer.interrupter().interrupt();
    /// consumer.interrupter().clear();
    /// let ended = consumer.wait_for_data(1, Some(Duration::from_millis(1))).unwrap_err();
    /// assert_eq!(ended.status(), Status::Timeout);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    pub fn clear(&self) {
        let _ = self.take();
    }

    /// As [`clear`](Self::clear). Says whether there was one.
    ///
    /// ```
    /// let consumer = spsc_shm::Ring::anonymous(4096)?.into_consumer();
    /// consumer.interrupter().interrupt();
    /// assert!(consumer.interrupter().take());
    /// assert!(!consumer.interrupter().take());
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    #[must_use]
    pub fn take(&self) -> bool {
        match self.side {
            Role::Producer => self.ring.handle.clear_interrupt::<Tx>(),
            Role::Consumer => self.ring.handle.clear_interrupt::<Rx>(),
        }
    }
}
