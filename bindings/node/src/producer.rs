//! The end that writes.

use crate::end::{End, NOW, timeout};
use crate::wait::wait;
use napi::{Env, Result, sys};
use napi_derive::napi;
use std::io::Write;
use std::sync::Arc;

#[napi]
pub struct Producer {
    pub(crate) end: Arc<End<spsc_shm::Producer>>,
}

impl Producer {
    pub fn over(producer: spsc_shm::Producer) -> Self {
        Self { end: Arc::new(End::new(producer)) }
    }
}

#[napi]
impl Producer {
    #[napi]
    pub fn send(&self, data: &[u8], tag: u32, milliseconds: f64) -> i64 {
        self.end.call(|producer| producer.send(tag, data, timeout(milliseconds)).map(|()| 0))
    }

    /// The same in the thread pool, with a copy of the data.
    #[napi]
    pub fn send_later(
        &self,
        env: Env,
        data: &[u8],
        tag: u32,
        milliseconds: f64,
    ) -> Result<sys::napi_value> {
        let data = data.to_vec();
        wait(env, &self.end, move |producer| {
            producer.send(tag, &data, timeout(milliseconds)).map(|()| 0)
        })
    }

    #[napi]
    pub fn claim(&self, env: Env, n: i64, milliseconds: f64) -> Result<sys::napi_value> {
        self.end.lend(env, |producer| {
            let mut grant = producer.claim(n as usize, timeout(milliseconds))?;
            Ok((grant.as_mut_ptr(), n as usize))
        })
    }

    #[napi]
    pub fn claim_some(&self, env: Env, min: i64, milliseconds: f64) -> Result<sys::napi_value> {
        self.end.lend(env, |producer| {
            let mut grant = producer.claim_some(min as usize, timeout(milliseconds))?;
            Ok((grant.as_mut_ptr(), grant.len()))
        })
    }

    /// Publishes `n` of the `claimed` bytes.
    #[napi]
    pub fn publish(&self, n: i64, claimed: i64) -> i64 {
        // The same bytes as before, without a wait.
        self.end
            .call(|producer| producer.claim(claimed as usize, NOW)?.publish(n as usize).map(|()| 0))
    }

    #[napi]
    pub fn wait_for_space(&self, n: i64, milliseconds: f64) -> i64 {
        let timeout = timeout(milliseconds);
        self.end.call(|producer| producer.wait_for_space(n as usize, timeout).map(|()| 0))
    }

    #[napi]
    pub fn wait_for_space_later(
        &self,
        env: Env,
        n: i64,
        milliseconds: f64,
    ) -> Result<sys::napi_value> {
        wait(env, &self.end, move |producer| {
            producer.wait_for_space(n as usize, timeout(milliseconds)).map(|()| 0)
        })
    }

    /// Writes as much of the bytes from `offset` on as there is room for now.
    #[napi]
    pub fn write(&self, data: &[u8], offset: u32) -> i64 {
        let data = data.get(offset as usize..).unwrap_or_default();
        self.end.call(|producer| {
            let mut grant = producer.claim_some(1, NOW)?;
            let n = grant.write(data).expect("a grant takes what fits");
            grant.publish(n)?;
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
