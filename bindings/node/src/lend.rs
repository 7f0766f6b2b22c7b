//! Bytes of a ring as an `ArrayBuffer`.
//!
//! It is detached when its bytes go back to the ring. Until then, and for as long as anybody has moved the
//! memory to another `ArrayBuffer`, the ring stays mapped: the buffer holds it.

use crate::code;
use napi::bindgen_prelude::{JsValue, Object, ToNapiValue};
use napi::{Env, sys};
use napi_derive::napi;
use spsc_shm::Ring;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

/// Where some bytes of a ring lie.
pub struct Lent {
    pub data: *mut u8,
    pub len: usize,
    pub ring: Arc<Ring>,
}

impl Lent {
    /// `None` where the runtime knows no memory but its own.
    pub fn into_array_buffer(self, env: Env) -> Option<sys::napi_value> {
        let hint = Box::into_raw(Box::new(self.ring));
        let mut value = null_mut();
        // SAFETY: the bytes are mapped until `give_up` drops the ring, and so the last buffer is gone.
        let status = unsafe {
            sys::napi_create_external_arraybuffer(
                env.raw(),
                self.data.cast(),
                self.len,
                Some(give_up),
                hint.cast(),
                &raw mut value,
            )
        };
        if status == sys::Status::napi_ok {
            return Some(value);
        }
        // SAFETY: nobody took it.
        drop(unsafe { Box::from_raw(hint) });
        None
    }
}

unsafe extern "C" fn give_up(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: `into_array_buffer` gave it, and this is called once.
    drop(unsafe { Box::from_raw(hint.cast::<Arc<Ring>>()) });
}

/// Takes an `ArrayBuffer`'s memory away. False if somebody else has done so before.
#[napi]
pub fn detach(env: Env, buffer: Object<'_>) -> bool {
    let mut detached = true;
    // SAFETY: both are of this call.
    unsafe {
        sys::napi_is_detached_arraybuffer(env.raw(), buffer.raw(), &raw mut detached);
        !detached && sys::napi_detach_arraybuffer(env.raw(), buffer.raw()) == sys::Status::napi_ok
    }
}

/// The buffer, or the code for why there is none.
pub fn value(
    env: Env,
    lent: std::result::Result<spsc_shm::Result<Lent>, i64>,
) -> napi::Result<sys::napi_value> {
    let code = match lent {
        Ok(Ok(lent)) => match lent.into_array_buffer(env) {
            Some(value) => return Ok(value),
            None => {
                return Err(napi::Error::from_reason(
                    "this runtime has no buffers over foreign memory",
                ));
            }
        },
        Ok(Err(error)) => code::of(&error),
        Err(code) => code,
    };
    // SAFETY: of this call.
    unsafe { i64::to_napi_value(env.raw(), code) }
}
