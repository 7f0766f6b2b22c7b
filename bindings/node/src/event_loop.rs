//! What the addon uses of libuv, which Node.js exports: its thread pool, and polls of descriptors.
//!
//! Node.js ends an environment (a worker's, say) by its cleanup hooks, and closes the loop afterwards. So
//! whatever still runs has such a hook, and removes it only once libuv has let go of it.

use napi::sys;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

pub type Handle = c_void;
pub type Work = c_void;

pub const READABLE: c_int = 1;
/// libuv's numbers of its kinds, which it gives the sizes of.
pub const KIND_POLL: c_int = 8;
pub const KIND_WORK: c_int = 7;

unsafe extern "C" {
    pub fn uv_handle_size(kind: c_int) -> usize;
    pub fn uv_req_size(kind: c_int) -> usize;
    pub fn uv_handle_set_data(handle: *mut Handle, data: *mut c_void);
    pub fn uv_handle_get_data(handle: *const Handle) -> *mut c_void;
    pub fn uv_req_set_data(request: *mut Work, data: *mut c_void);
    pub fn uv_req_get_data(request: *const Work) -> *mut c_void;
    pub fn uv_poll_init(uv_loop: *mut sys::uv_loop_s, handle: *mut Handle, fd: c_int) -> c_int;
    pub fn uv_poll_start(
        handle: *mut Handle,
        events: c_int,
        callback: unsafe extern "C" fn(*mut Handle, c_int, c_int),
    ) -> c_int;
    pub fn uv_poll_stop(handle: *mut Handle) -> c_int;
    pub fn uv_close(handle: *mut Handle, callback: unsafe extern "C" fn(*mut Handle));
    pub fn uv_ref(handle: *mut Handle);
    pub fn uv_unref(handle: *mut Handle);
    pub fn uv_queue_work(
        uv_loop: *mut sys::uv_loop_s,
        request: *mut Work,
        work: unsafe extern "C" fn(*mut Work),
        after: unsafe extern "C" fn(*mut Work, c_int),
    ) -> c_int;
    pub fn uv_strerror(code: c_int) -> *const std::ffi::c_char;
}

/// Memory for one of libuv's structs, which only libuv knows the insides of.
pub struct Storage(Box<[u128]>);

impl Storage {
    pub fn new(size: usize) -> Self {
        Self(vec![0; size.div_ceil(size_of::<u128>())].into_boxed_slice())
    }

    pub fn as_ptr(&mut self) -> *mut c_void {
        self.0.as_mut_ptr().cast()
    }
}

pub fn of(env: sys::napi_env) -> *mut sys::uv_loop_s {
    let mut uv_loop = null_mut();
    // SAFETY: of a call from JavaScript.
    unsafe { sys::napi_get_uv_event_loop(env, &raw mut uv_loop) };
    uv_loop
}

/// Calls into JavaScript from a callback of libuv's, with the microtasks that follow.
///
/// # Safety
/// On the environment's thread.
pub unsafe fn enter(env: sys::napi_env, call: impl FnOnce()) {
    let (mut scope, mut callback_scope) = (null_mut(), null_mut());
    let (mut context, mut name, mut resource) = (null_mut(), null_mut(), null_mut());
    let text = c"spsc-shm";
    // SAFETY: each is closed below, in the opposite order; after a failure the others do nothing.
    unsafe {
        if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
            return;
        }
        sys::napi_create_string_utf8(
            env,
            text.as_ptr(),
            text.count_bytes() as isize,
            &raw mut name,
        );
        sys::napi_create_object(env, &raw mut resource);
        if sys::napi_async_init(env, resource, name, &raw mut context) == sys::Status::napi_ok {
            sys::napi_open_callback_scope(env, resource, context, &raw mut callback_scope);
            call();
            sys::napi_close_callback_scope(env, callback_scope);
            sys::napi_async_destroy(env, context);
        }
        sys::napi_close_handle_scope(env, scope);
    }
}

pub fn error(code: c_int) -> napi::Error {
    // SAFETY: a text that lives for ever, for any number.
    let text = unsafe { std::ffi::CStr::from_ptr(uv_strerror(code)) };
    napi::Error::from_reason(text.to_string_lossy().into_owned())
}
