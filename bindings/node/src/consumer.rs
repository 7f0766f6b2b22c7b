//! The end that reads.

use crate::code;
use crate::end::{End, NOW, timeout};
use crate::wait::wait;
use napi::bindgen_prelude::{Uint8ArraySlice, Uint32ArraySlice};
use napi::{Env, Result, sys};
use napi_derive::napi;
use spsc_shm::Status;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

#[napi]
pub struct Consumer {
    pub(crate) end: Arc<End<spsc_shm::Consumer>>,
    /// Of the message received last.
    tag: AtomicU32,
}

impl Consumer {
    pub fn over(consumer: spsc_shm::Consumer) -> Self {
        Self { end: Arc::new(End::new(consumer)), tag: AtomicU32::new(0) }
    }
}

#[napi]
impl Consumer {
    /// Copies the next message into `into` from `offset` on, and gives its length. If it is longer than
    /// that, it stays, and the code tells its length.
    #[napi]
    pub fn receive(&self, mut into: Uint8ArraySlice<'_>, offset: u32, milliseconds: f64) -> i64 {
        // SAFETY: JavaScript stands still during the call.
        let into = unsafe { into.as_mut() }.get_mut(offset as usize..).unwrap_or_default();
        self.end.call(|consumer| {
            let message = consumer.receive(timeout(milliseconds))?;
            let len = message.len();
            let Some(into) = into.get_mut(..len) else { return Ok(code::LARGER - len as i64) };
            message.copy_to_slice(into);
            self.tag.store(message.tag(), Relaxed);
            message.done();
            Ok(len as i64)
        })
    }

    /// The tag of the message received last.
    #[napi]
    pub fn tag(&self) -> u32 {
        self.tag.load(Relaxed)
    }

    /// Waits for a message in the thread pool, and leaves it there.
    #[napi]
    pub fn receive_later(&self, env: Env, milliseconds: f64) -> Result<sys::napi_value> {
        wait(env, &self.end, move |consumer| {
            // A message of fragments is put together here, and stays so.
            consumer.receive(timeout(milliseconds)).map(|_| 0)
        })
    }

    /// Writes the length and the tag of each message that is there into `heads`, as far as that goes,
    /// and gives how many those are.
    #[napi]
    pub fn look(&self, mut heads: Uint32ArraySlice<'_>, milliseconds: f64) -> i64 {
        // SAFETY: JavaScript stands still during the call.
        let heads = unsafe { heads.as_mut() };
        self.end.call(|consumer| {
            let batch = consumer.receive_up_to(heads.len() / 2, timeout(milliseconds))?;
            let mut count = 0;
            for (head, message) in heads.chunks_exact_mut(2).zip(batch.iter()) {
                head.copy_from_slice(&[message.len() as u32, message.tag()]);
                count += 1;
            }
            Ok(count)
        })
    }

    /// Copies the first `count` messages, one after another, and consumes them.
    #[napi]
    pub fn take(&self, mut into: Uint8ArraySlice<'_>, count: u32) -> i64 {
        // SAFETY: JavaScript stands still during the call.
        let mut rest = unsafe { into.as_mut() };
        self.end.call(|consumer| {
            let batch = consumer.receive_up_to(count as usize, NOW)?;
            for message in batch.iter() {
                // A hostile sender may have changed it since it was looked at.
                let rest_now = std::mem::take(&mut rest);
                let Some((here, after)) = rest_now.split_at_mut_checked(message.len()) else {
                    return Err(Status::Corrupt.into());
                };
                message.copy_to_slice(here);
                rest = after;
            }
            batch.done();
            Ok(0)
        })
    }

    #[napi]
    pub fn peek(&self, env: Env, n: i64, milliseconds: f64) -> Result<sys::napi_value> {
        self.end.lend(env, |consumer| {
            let grant = consumer.peek(n as usize, timeout(milliseconds))?;
            Ok((grant.as_ptr().cast_mut(), n as usize))
        })
    }

    #[napi]
    pub fn peek_some(&self, env: Env, min: i64, milliseconds: f64) -> Result<sys::napi_value> {
        self.end.lend(env, |consumer| {
            let grant = consumer.peek_some(min as usize, timeout(milliseconds))?;
            Ok((grant.as_ptr().cast_mut(), grant.len()))
        })
    }

    /// Releases `n` of the `peeked` bytes.
    #[napi]
    pub fn release(&self, n: i64, peeked: i64) -> i64 {
        self.end
            .call(|consumer| consumer.peek(peeked as usize, NOW)?.release(n as usize).map(|()| 0))
    }

    #[napi]
    pub fn wait_for_data(&self, n: i64, milliseconds: f64) -> i64 {
        let timeout = timeout(milliseconds);
        self.end.call(|consumer| consumer.wait_for_data(n as usize, timeout).map(|()| 0))
    }

    #[napi]
    pub fn wait_for_data_later(
        &self,
        env: Env,
        n: i64,
        milliseconds: f64,
    ) -> Result<sys::napi_value> {
        wait(env, &self.end, move |consumer| {
            consumer.wait_for_data(n as usize, timeout(milliseconds)).map(|()| 0)
        })
    }

    /// Reads what is there now into `into` from `offset` on: 0 at the end of the stream.
    #[napi]
    pub fn read(&self, mut into: Uint8ArraySlice<'_>, offset: u32) -> i64 {
        // SAFETY: JavaScript stands still during the call.
        let into = unsafe { into.as_mut() }.get_mut(offset as usize..).unwrap_or_default();
        self.end.call(|consumer| {
            let mut grant = match consumer.peek_some(1, NOW) {
                Err(error) if error.status() == Status::Closed => return Ok(0),
                granted => granted?,
            };
            let n = grant.read(into).expect("a grant gives what it has");
            grant.release(n)?;
            Ok(n as i64)
        })
    }

    #[napi]
    pub fn interrupt(&self) {
        self.end.interrupt();
    }

    #[napi]
    pub fn clear_interrupt(&self) {
        self.end.clear_interrupt();
    }

    #[napi]
    pub fn close(&self) -> i64 {
        self.end.close()
    }
}
