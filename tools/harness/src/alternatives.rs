//! What users have today: ways through the kernel.

use crate::channel::{Channel, Receiver, Sender};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// A pair of descriptors for a stream of bytes.
pub struct Stream {
    tx: File,
    rx: File,
}

impl Stream {
    /// A pipe, of the size that the kernel gives.
    pub fn pipe() -> Self {
        let (rx, tx) = io::pipe().expect("a pipe is to be had");
        Self { tx: File::from(OwnedFd::from(tx)), rx: File::from(OwnedFd::from(rx)) }
    }

    /// A Unix-domain stream socket.
    pub fn socket() -> Self {
        let (tx, rx) = UnixStream::pair().expect("a socket pair is to be had");
        Self { tx: File::from(OwnedFd::from(tx)), rx: File::from(OwnedFd::from(rx)) }
    }
}

impl Channel for Stream {
    type Tx<'a> = &'a File;
    type Rx<'a> = &'a File;

    fn sender(&self) -> &File {
        &self.tx
    }

    fn receiver(&self) -> &File {
        &self.rx
    }
}

impl Sender for &File {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        self.write_all(message).expect("the other side reads");
    }
}

impl Receiver for &File {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        self.read_exact(message).expect("the other side writes");
    }
}

/// A POSIX message queue.
pub struct MessageQueue {
    queue: OwnedFd,
    /// The kernel takes no smaller buffer to receive into.
    message_size: usize,
}

impl MessageQueue {
    /// What the kernel allows without privileges, and so the largest message.
    const MESSAGE_MAX: usize = 8192;
    const MESSAGES_MAX: i64 = 10;

    /// None if the kernel has no message queues, or none for messages of this size.
    pub fn new(message_size: usize) -> Option<Self> {
        if message_size > Self::MESSAGE_MAX {
            return None;
        }
        let name = CString::new(format!("/spsc-shm-measure-{}", std::process::id()))
            .expect("no NUL in it");
        // SAFETY: attributes are plain numbers; the name is a C string; the descriptor is ours.
        unsafe {
            let mut attributes: libc::mq_attr = std::mem::zeroed();
            attributes.mq_maxmsg = Self::MESSAGES_MAX;
            attributes.mq_msgsize = message_size as i64;
            let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
            let queue = libc::mq_open(name.as_ptr(), flags, 0o600, &raw mut attributes);
            if queue < 0 {
                return None;
            }
            libc::mq_unlink(name.as_ptr());
            Some(Self { queue: OwnedFd::from_raw_fd(queue), message_size })
        }
    }
}

impl Channel for MessageQueue {
    type Tx<'a> = &'a MessageQueue;
    type Rx<'a> = &'a MessageQueue;

    fn sender(&self) -> &MessageQueue {
        self
    }

    fn receiver(&self) -> &MessageQueue {
        self
    }
}

impl Sender for &MessageQueue {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let from = message.as_ptr().cast();
        // SAFETY: the bytes are those of the slice.
        let result = unsafe { libc::mq_send(self.queue.as_raw_fd(), from, message.len(), 0) };
        assert!(result == 0, "can't send: {}", io::Error::last_os_error());
    }
}

impl Receiver for &MessageQueue {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        assert!(message.len() >= self.message_size);
        let (to, len) = (message.as_mut_ptr().cast(), message.len());
        let no_priority = std::ptr::null_mut();
        // SAFETY: the bytes are those of the slice.
        let received = unsafe { libc::mq_receive(self.queue.as_raw_fd(), to, len, no_priority) };
        assert!(received == len as isize, "can't receive: {}", io::Error::last_os_error());
    }
}
