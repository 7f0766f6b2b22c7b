//! What the two ends hand out: bytes of the ring's memory, to write or to read in place.
//!
//! The memory is shared, and a broken or hostile process can write it at any time. A `&[u8]` into it
//! would be undefined behaviour that safe code can reach. So safe code copies bytes in and out. There are
//! raw pointers, and slices that are `unsafe` to ask for, as in the `memmap2` crate: the caller answers
//! for what the other process does.

use crate::cursor::{Rx, Tx};
use crate::endpoint::Endpoint;
use crate::status::Result;
use std::fmt;
use std::io::{self, Read, Write};

/// Free bytes to write into. Dropped without [`publish`](Self::publish), nothing is sent.
///
/// ```
/// # let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
/// use std::io::Write;
/// let mut grant = producer.claim(16, None)?;
/// grant.copy_from_slice(b"at the start");
/// grant.publish(12)?;
///
/// let mut grant = producer.claim(16, None)?;
/// write!(grant, "{} and {}", 1, 2)?; // one after the other
/// let written = grant.written();
/// grant.publish(written)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is sent until it is published"]
pub struct WriteGrant<'a> {
    endpoint: &'a mut Endpoint<Tx>,
    data: *mut u8,
    len: usize,
    written: usize,
}

impl<'a> WriteGrant<'a> {
    pub(crate) fn new(endpoint: &'a mut Endpoint<Tx>, data: *mut u8, len: usize) -> Self {
        Self { endpoint, data, len, written: 0 }
    }

    /// To hand over what was granted in another way than [`publish`](Self::publish).
    pub(crate) fn into_endpoint(self) -> &'a mut Endpoint<Tx> {
        self.endpoint
    }

    /// Bytes granted.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no bytes were granted.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first byte; valid for reading and writing [`len`](Self::len) bytes while the grant
    /// lives.
    #[must_use]
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.data
    }

    /// Copies all of `source` to the start of the grant.
    ///
    /// ```
    /// # let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
    /// let mut grant = producer.claim(5, None)?;
    /// grant.copy_from_slice(b"hello");
    /// grant.publish_all();
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `source` is longer than the grant.
    #[inline]
    pub fn copy_from_slice(&mut self, source: &[u8]) {
        self.put(0, source);
    }

    /// Bytes written by [`std::io::Write`].
    ///
    /// ```
    /// # let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
    /// use std::io::Write;
    /// let mut grant = producer.claim_some(64, None)?;
    /// write!(grant, "line {}\n", 1)?;
    /// let written = grant.written();
    /// grant.publish(written)?;
    /// # assert_eq!(written, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn written(&self) -> usize {
        self.written
    }

    #[inline]
    fn put(&mut self, at: usize, source: &[u8]) {
        assert!(
            source.len() <= self.len - at,
            "{} bytes into a grant of {}",
            source.len(),
            self.len
        );
        // SAFETY: `len` bytes from `data` on are mapped for as long as the endpoint's handle lives, and
        // `at + source.len()` is at most `len`. The source can't overlap: there is no safe reference
        // into the memory of a ring.
        unsafe {
            let to = self.data.add(at);
            source.as_ptr().copy_to_nonoverlapping(to, source.len());
        }
    }

    /// The granted bytes, as a slice.
    ///
    /// ```
    /// # let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
    /// let mut grant = producer.claim(64, None)?;
    /// // SAFETY: the other process is our own program, and leaves alone what is not published.
    /// unsafe { grant.as_mut_slice() }.fill(7);
    /// grant.publish_all();
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Safety
    /// The other process keeps to the protocol: while the slice lives, no process reads or writes these
    /// bytes.
    #[must_use]
    #[inline]
    pub unsafe fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: mapped and initialised, as in `put`; the caller promises that nobody else uses
        // them, and the grant is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.len) }
    }

    /// Makes the first `n` bytes visible to the consumer. The rest is given up.
    ///
    /// ```
    /// # let mut producer = spsc_shm::Ring::anonymous(4096)?.into_producer();
    /// let mut grant = producer.claim(64, None)?; // at most 64 bytes are to come
    /// grant.copy_from_slice(b"hello");
    /// grant.publish(5)?;
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::Misuse`](crate::Status::Misuse) if `n` is more than was granted; nothing is sent
    /// then.
    #[inline]
    pub fn publish(self, n: usize) -> Result<()> {
        self.endpoint.advance(n as u64)
    }

    /// Makes all bytes visible to the consumer.
    #[inline]
    pub fn publish_all(self) {
        // Fails only in a forked child, which holds no role.
        let _ = self.endpoint.advance(self.len as u64);
    }
}

impl Write for WriteGrant<'_> {
    /// Copies as much as fits, after what was written before.
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = buf.len().min(self.len - self.written);
        self.put(self.written, &buf[..n]);
        self.written += n;
        Ok(n)
    }

    /// Does nothing: [`publish`](Self::publish) sends.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for WriteGrant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteGrant")
            .field("len", &self.len)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// Published bytes to read. Dropped without [`release`](Self::release), nothing is consumed.
///
/// A broken or hostile producer can change them at any time: copy before you validate.
///
/// ```
/// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
/// # std::io::Write::write_all(&mut producer, b"hello")?;
/// let grant = consumer.peek(5, None)?;
/// let mut text = [0; 5];
/// grant.copy_to_slice(&mut text);
/// grant.release_all();
/// # assert_eq!(&text, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is consumed until it is released"]
pub struct ReadGrant<'a> {
    endpoint: &'a mut Endpoint<Rx>,
    data: *mut u8,
    len: usize,
    read: usize,
}

impl<'a> ReadGrant<'a> {
    pub(crate) fn new(endpoint: &'a mut Endpoint<Rx>, data: *mut u8, len: usize) -> Self {
        Self { endpoint, data, len, read: 0 }
    }

    /// Bytes granted.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no bytes were granted.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first byte; valid for reading [`len`](Self::len) bytes while the grant lives.
    #[must_use]
    #[inline]
    pub fn as_ptr(&self) -> *const u8 {
        self.data
    }

    /// Fills `target` from the start of the grant.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// # std::io::Write::write_all(&mut producer, &7u64.to_le_bytes())?;
    /// let grant = consumer.peek(8, None)?;
    /// let mut number = [0; 8];
    /// grant.copy_to_slice(&mut number);
    /// grant.release_all();
    /// assert_eq!(u64::from_le_bytes(number), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If `target` is longer than the grant.
    #[inline]
    pub fn copy_to_slice(&self, target: &mut [u8]) {
        self.get(0, target);
    }

    /// A copy of all bytes.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// # std::io::Write::write_all(&mut producer, b"hello")?;
    /// assert_eq!(consumer.peek(5, None)?.to_vec(), b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        self.get(0, &mut bytes);
        bytes
    }

    #[inline]
    fn get(&self, at: usize, target: &mut [u8]) {
        assert!(target.len() <= self.len - at, "{} bytes of a grant of {}", target.len(), self.len);
        // SAFETY: as in `WriteGrant::put`.
        unsafe {
            let from = self.data.add(at);
            from.copy_to_nonoverlapping(target.as_mut_ptr(), target.len());
        }
    }

    /// The granted bytes, as a slice.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// # std::io::Write::write_all(&mut producer, b"hello")?;
    /// let grant = consumer.peek(5, None)?;
    /// // SAFETY: the other process is our own program, and leaves alone what is not released.
    /// let l = unsafe { grant.as_slice() }.iter().filter(|byte| **byte == b'l').count();
    /// grant.release_all();
    /// # assert_eq!(l, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Safety
    /// The other process keeps to the protocol: while the slice lives, no process writes these bytes.
    #[must_use]
    #[inline]
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: mapped and initialised, as in `get`; the caller promises that nobody writes them.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }

    /// Consumes the first `n` bytes: the producer may write over them. The rest stays in the ring.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = spsc_shm::Ring::anonymous(4096)?.split();
    /// # std::io::Write::write_all(&mut producer, b"hello")?;
    /// consumer.peek(5, None)?.release(2)?;
    /// assert_eq!(consumer.peek(3, None)?.to_vec(), b"llo");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Status::Misuse`](crate::Status::Misuse) if `n` is more than was granted; nothing is
    /// consumed then.
    #[inline]
    pub fn release(self, n: usize) -> Result<()> {
        self.endpoint.advance(n as u64)
    }

    /// Consumes all bytes.
    #[inline]
    pub fn release_all(self) {
        // Fails only in a forked child, which holds no role.
        let _ = self.endpoint.advance(self.len as u64);
    }
}

impl Read for ReadGrant<'_> {
    /// Copies out what comes after the bytes read before.
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min(self.len - self.read);
        self.get(self.read, &mut buf[..n]);
        self.read += n;
        Ok(n)
    }
}

impl fmt::Debug for ReadGrant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadGrant").field("len", &self.len).finish_non_exhaustive()
    }
}
