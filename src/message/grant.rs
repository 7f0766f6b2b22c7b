//! The Rust types: a message to write in place, and messages that were received.
//!
//! What is in the ring is shared memory. So the same holds as for [`WriteGrant`] and
//! [`ReadGrant`](crate::ReadGrant): safe code copies in and out.
//!
//! [`WriteGrant`]: crate::WriteGrant

use super::receive::{Frames, Given, Receiver};
use super::send::Sender;
use crate::cursor::{Rx, Tx};
use crate::endpoint::Endpoint;
use crate::grant::WriteGrant;
use crate::status::Result;
use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;

/// The payload of a message, to write in place. Dropped without [`publish`](Self::publish), nothing
/// is sent.
///
/// ```
/// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
/// use std::io::Write;
/// let mut grant = producer.claim_message(100, None)?;
/// write!(grant, "{} and {}", 1, 2)?;
/// let written = grant.written();
/// grant.publish(7, written)?;
/// # let message = consumer.receive(None)?;
/// # assert_eq!((message.tag(), message.to_vec()), (7, b"1 and 2".to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is sent until it is published"]
pub struct MessageGrant<'a> {
    payload: WriteGrant<'a>,
    sender: &'a mut Sender,
}

impl<'a> MessageGrant<'a> {
    pub(crate) fn new(
        endpoint: &'a mut Endpoint<Tx>,
        sender: &'a mut Sender,
        data: *mut u8,
        len: usize,
    ) -> Self {
        Self { payload: WriteGrant::new(endpoint, data, len), sender }
    }

    /// Bytes granted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.payload.len()
    }

    /// Whether no bytes were granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// The first byte, aligned to 8; valid for reading and writing [`len`](Self::len) bytes while
    /// the grant lives.
    #[must_use]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.payload.as_mut_ptr()
    }

    /// Copies all of `source` to the start of the grant.
    ///
    /// # Panics
    /// If `source` is longer than the grant.
    pub fn copy_from_slice(&mut self, source: &[u8]) {
        self.payload.copy_from_slice(source);
    }

    /// Bytes written by [`std::io::Write`].
    #[must_use]
    pub fn written(&self) -> usize {
        self.payload.written()
    }

    /// The granted bytes, as a slice.
    ///
    /// # Safety
    /// The other process keeps to the protocol: while the slice lives, no process reads or writes these
    /// bytes.
    #[must_use]
    pub unsafe fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: the caller's promise.
        unsafe { self.payload.as_mut_slice() }
    }

    /// Sends the first `len` bytes as a message.
    ///
    /// ```
    /// # let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
    /// let mut grant = producer.claim_message(100, None)?;
    /// grant.copy_from_slice(b"hello");
    /// grant.publish(7, 5)?;
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::Misuse`](crate::Status::Misuse) if `len` is more than was granted; nothing is sent
    /// then.
    pub fn publish(self, tag: u32, len: usize) -> Result<()> {
        self.sender.publish(self.payload.into_endpoint(), tag, len)
    }
}

impl Write for MessageGrant<'_> {
    /// Copies as much as fits, after what was written before.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.payload.write(buf)
    }

    /// Does nothing: [`publish`](Self::publish) sends.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for MessageGrant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageGrant").field("len", &self.payload.len()).finish_non_exhaustive()
    }
}

/// One message to read: in the ring, or where its fragments were assembled.
///
/// A broken or hostile sender can change what is in the ring at any time: copy before you validate. The
/// length was read once, and does not change.
///
/// ```
/// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
/// producer.send(7, &5_u64.to_le_bytes(), None)?;
/// let message = consumer.receive(None)?;
/// let mut number = [0; 8];
/// if message.len() == 8 {
///     message.copy_to_slice(&mut number);
/// }
/// message.done();
/// assert_eq!(u64::from_le_bytes(number), 5);
/// # Ok::<(), spsc_shm::Error>(())
/// ```
pub struct Payload<'a> {
    given: Given,
    lives: PhantomData<&'a ()>,
}

impl Payload<'_> {
    /// What the sender marked it with.
    #[must_use]
    pub fn tag(&self) -> u32 {
        self.given.tag
    }

    /// Its size in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.given.len
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.given.len == 0
    }

    /// The first byte; valid for reading [`len`](Self::len) bytes while the message lives. Aligned
    /// to 8 if the message is in the ring.
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.given.data
    }

    /// Fills `target` from the start of the message.
    ///
    /// # Panics
    /// If `target` is longer than the message.
    pub fn copy_to_slice(&self, target: &mut [u8]) {
        let Given { data, len, .. } = self.given;
        assert!(target.len() <= len, "{} bytes of a message of {len}", target.len());
        // SAFETY: `len` bytes at `data` are granted, or in the receiver's own memory, for as long as the
        // message is borrowed. There is no safe reference to them.
        unsafe { data.copy_to_nonoverlapping(target.as_mut_ptr(), target.len()) };
    }

    /// A copy of all bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len()];
        self.copy_to_slice(&mut bytes);
        bytes
    }

    /// The message, as a slice.
    ///
    /// # Safety
    /// The other process keeps to the protocol: while the slice lives, no process writes these bytes.
    #[must_use]
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: initialised and there as in `copy_to_slice`; the caller promises that nobody
        // writes them.
        unsafe { std::slice::from_raw_parts(self.given.data, self.given.len) }
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("tag", &self.tag())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// A message that was received. Dropped without [`done`](Self::done), it is not consumed, and is
/// received again.
///
/// ```
/// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
/// producer.send(7, b"hello", None)?;
/// let message = consumer.receive(None)?;
/// assert_eq!((message.tag(), message.to_vec()), (7, b"hello".to_vec()));
/// message.done();
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[must_use = "it is not consumed until it is done"]
pub struct Message<'a> {
    endpoint: &'a mut Endpoint<Rx>,
    receiver: &'a mut Receiver,
    payload: Payload<'a>,
}

impl<'a> Message<'a> {
    pub(crate) fn new(
        endpoint: &'a mut Endpoint<Rx>,
        receiver: &'a mut Receiver,
        given: Given,
    ) -> Self {
        Self { endpoint, receiver, payload: Payload { given, lives: PhantomData } }
    }

    /// Consumes the message.
    pub fn done(self) {
        // Fails only in a forked child, which holds no role.
        let _ = self.receiver.done(self.endpoint);
    }

    /// Consumes the message, and gives a copy of its bytes.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// producer.send(7, b"hello", None)?;
    /// assert_eq!(consumer.receive(None)?.into_vec(), b"hello");
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        let bytes = self.to_vec();
        self.done();
        bytes
    }
}

impl<'a> std::ops::Deref for Message<'a> {
    type Target = Payload<'a>;

    fn deref(&self) -> &Payload<'a> {
        &self.payload
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Message").field(&self.payload).finish()
    }
}

/// Several messages that were received at once. Dropped without [`done`](Self::done), none of them
/// is consumed.
///
/// ```
/// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
/// producer.send_some(&[(1, b"one"), (2, b"two")], None)?;
/// let messages = consumer.receive_some(None)?;
/// assert_eq!(messages.len(), 2);
/// for message in &messages {
///     println!("{}: {:?}", message.tag(), message.to_vec());
/// }
/// messages.done();
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[must_use = "they are not consumed until they are done"]
pub struct MessageBatch<'a> {
    endpoint: &'a mut Endpoint<Rx>,
    receiver: &'a mut Receiver,
    first: Given,
    /// The rest, unless the first was assembled.
    rest: Frames,
    count: usize,
}

impl<'a> MessageBatch<'a> {
    pub(crate) fn receive(
        endpoint: &'a mut Endpoint<Rx>,
        receiver: &'a mut Receiver,
        max: usize,
        timeout_ns: u64,
    ) -> Result<Self> {
        let mut first = None;
        let note = |_, given| {
            first.get_or_insert(given);
        };
        let count = receiver.receive_some(endpoint, max, note, timeout_ns)?;
        let first: Given = first.ok_or(crate::Status::Corrupt)?;
        let rest = Frames::after(&first, endpoint, count);
        Ok(Self { endpoint, receiver, first, rest, count })
    }

    /// How many messages there are: at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.count
    }

    /// The messages, in the order in which they were sent.
    #[must_use]
    pub fn iter(&self) -> BatchIter<'_> {
        BatchIter {
            first: Some(self.first),
            rest: self.rest.clone(),
            left: self.count,
            lives: PhantomData,
        }
    }

    /// Consumes the messages.
    pub fn done(self) {
        // Fails only in a forked child, which holds no role.
        let _ = self.receiver.done(self.endpoint);
    }
}

impl<'a> IntoIterator for &'a MessageBatch<'_> {
    type Item = Payload<'a>;
    type IntoIter = BatchIter<'a>;

    fn into_iter(self) -> BatchIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for MessageBatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBatch").field("len", &self.count).finish_non_exhaustive()
    }
}

/// The messages of a [`MessageBatch`].
#[derive(Debug)]
pub struct BatchIter<'a> {
    first: Option<Given>,
    /// Its headers are read and checked again: a hostile sender can make it end early.
    rest: Frames,
    left: usize,
    lives: PhantomData<&'a ()>,
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = Payload<'a>;

    fn next(&mut self) -> Option<Payload<'a>> {
        self.left = self.left.checked_sub(1)?;
        let given = self.first.take().or_else(|| self.rest.next())?;
        Some(Payload { given, lives: PhantomData })
    }
}
