//! Waits in libuv's thread pool.
//!
//! Not by `napi_create_async_work`: Node.js waits for such work before it runs the cleanup hooks of an
//! environment that ends, and a wait without limit would never let a worker end.

use crate::end::{End, Side};
use crate::event_loop::{self, Storage, Work};
use napi::{Env, sys};
use spsc_shm::Result;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::Arc;

struct Wait {
    storage: Storage,
    env: sys::napi_env,
    deferred: sys::napi_deferred,
    hook: sys::napi_async_cleanup_hook_handle,
    /// Taken by the thread that does it.
    call: Option<Box<dyn FnOnce() -> i64 + Send>>,
    /// Ends the wait.
    interrupt: Box<dyn Fn()>,
    result: i64,
}

/// Does `call` with the end in the thread pool. Gives a promise of its result.
pub fn wait<S: Side>(
    env: Env,
    end: &Arc<End<S>>,
    call: impl FnOnce(&mut S) -> Result<i64> + Send + 'static,
) -> napi::Result<sys::napi_value> {
    let (waiting, interrupted) = (Arc::clone(end), Arc::clone(end));
    in_pool(env, move || waiting.wait(call), move || interrupted.interrupt())
}

/// Does `call` in the thread pool. Gives a promise of its result, which `interrupt` hastens.
pub fn in_pool(
    env: Env,
    call: impl FnOnce() -> i64 + Send + 'static,
    interrupt: impl Fn() + 'static,
) -> napi::Result<sys::napi_value> {
    let env = env.raw();
    let (mut deferred, mut promise) = (null_mut(), null_mut());
    // SAFETY: of this call.
    unsafe { sys::napi_create_promise(env, &raw mut deferred, &raw mut promise) };
    // SAFETY: a question.
    let size = unsafe { event_loop::uv_req_size(event_loop::KIND_WORK) };
    let wait = Box::into_raw(Box::new(Wait {
        storage: Storage::new(size),
        env,
        deferred,
        hook: null_mut(),
        call: Some(Box::new(call)),
        interrupt: Box::new(interrupt),
        result: 0,
    }));
    // SAFETY: `wait` lives until `done`, which comes after `work`; nothing else of this function runs then.
    unsafe {
        sys::napi_add_async_cleanup_hook(env, Some(end_it), wait.cast(), &raw mut (*wait).hook);
        let request = (*wait).storage.as_ptr();
        event_loop::uv_req_set_data(request, wait.cast());
        let queued = event_loop::uv_queue_work(event_loop::of(env), request, work, done);
        assert!(queued == 0, "libuv takes any work");
    }
    Ok(promise)
}

unsafe extern "C" fn work(request: *mut Work) {
    // SAFETY: nobody else touches it until `done`, but for `hook` and `interrupt`.
    unsafe {
        let wait = event_loop::uv_req_get_data(request).cast::<Wait>();
        let call = (*wait).call.take().expect("it is done once");
        (*wait).result = call();
    }
}

unsafe extern "C" fn done(request: *mut Work, _status: c_int) {
    // SAFETY: this is the loop's thread, and the last that happens to it.
    let wait = unsafe { Box::from_raw(event_loop::uv_req_get_data(request).cast::<Wait>()) };
    // SAFETY: as above. Where the environment ends, the calls into it fail, and nobody minds.
    unsafe {
        event_loop::enter(wait.env, || {
            let mut result = null_mut();
            sys::napi_create_int64(wait.env, wait.result, &raw mut result);
            sys::napi_resolve_deferred(wait.env, wait.deferred, result);
        });
        sys::napi_remove_async_cleanup_hook(wait.hook);
    }
}

/// The environment ends: so must the wait.
unsafe extern "C" fn end_it(_hook: sys::napi_async_cleanup_hook_handle, wait: *mut c_void) {
    // SAFETY: `done` removes the hook before it drops this.
    unsafe { ((*wait.cast::<Wait>()).interrupt)() };
}
