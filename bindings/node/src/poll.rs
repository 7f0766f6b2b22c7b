//! A descriptor that the event loop watches.

use crate::event_loop::{self, Handle, Storage};
use napi::bindgen_prelude::{Function, JsValue};
use napi::{Env, Result, sys};
use napi_derive::napi;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::rc::Rc;

struct State {
    storage: Storage,
    env: sys::napi_env,
    /// What is called when the descriptor is readable.
    callback: sys::napi_ref,
    hook: sys::napi_async_cleanup_hook_handle,
    /// What the object knows of it.
    open: Open,
}

/// `None` once it is closed, by the object or because the environment ends. libuv frees what is behind it.
type Open = Rc<Cell<Option<*mut State>>>;

/// Calls a function whenever a descriptor is readable, from `start` to `stop`. The descriptor must be open
/// until `close`.
#[napi]
pub struct Poll {
    open: Open,
}

#[napi]
impl Poll {
    #[napi(constructor)]
    pub fn new(env: Env, fd: i32, callback: Function<'_, (), ()>) -> Result<Self> {
        let env = env.raw();
        // SAFETY: a question.
        let size = unsafe { event_loop::uv_handle_size(event_loop::KIND_POLL) };
        let open = Open::default();
        let state = Box::into_raw(Box::new(State {
            storage: Storage::new(size),
            env,
            callback: null_mut(),
            hook: null_mut(),
            open: Rc::clone(&open),
        }));
        // SAFETY: `state` lives until libuv has closed the handle.
        unsafe {
            let handle = (*state).storage.as_ptr();
            let status = event_loop::uv_poll_init(event_loop::of(env), handle, fd);
            if status != 0 {
                drop(Box::from_raw(state));
                return Err(event_loop::error(status));
            }
            event_loop::uv_handle_set_data(handle, state.cast());
            sys::napi_create_reference(env, callback.raw(), 1, &raw mut (*state).callback);
            sys::napi_add_async_cleanup_hook(
                env,
                Some(environment_ends),
                state.cast(),
                &raw mut (*state).hook,
            );
        }
        open.set(Some(state));
        Ok(Self { open })
    }

    fn handle(&self) -> Option<*mut Handle> {
        // SAFETY: it is alive until `close`.
        self.open.get().map(|state| unsafe { (*state).storage.as_ptr() })
    }

    #[napi]
    pub fn start(&self) {
        if let Some(handle) = self.handle() {
            // SAFETY: an open handle. It can't fail: the descriptor was taken before.
            unsafe { event_loop::uv_poll_start(handle, event_loop::READABLE, readable) };
        }
    }

    #[napi]
    pub fn stop(&self) {
        if let Some(handle) = self.handle() {
            // SAFETY: an open handle.
            unsafe { event_loop::uv_poll_stop(handle) };
        }
    }

    /// Whether it keeps the process alive while it is started.
    #[napi]
    pub fn set_ref(&self, yes: bool) {
        if let Some(handle) = self.handle() {
            // SAFETY: an open handle.
            unsafe { if yes { event_loop::uv_ref(handle) } else { event_loop::uv_unref(handle) } };
        }
    }

    /// Stops for good.
    #[napi]
    pub fn close(&self) {
        close(&self.open);
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        close(&self.open);
    }
}

fn close(open: &Open) {
    if let Some(state) = open.take() {
        // SAFETY: an open handle, and this is the last call with it.
        unsafe { event_loop::uv_close((*state).storage.as_ptr(), closed) };
    }
}

unsafe extern "C" fn closed(handle: *mut Handle) {
    // SAFETY: libuv has let go of it.
    unsafe {
        let state = Box::from_raw(event_loop::uv_handle_get_data(handle).cast::<State>());
        sys::napi_delete_reference(state.env, state.callback);
        sys::napi_remove_async_cleanup_hook(state.hook);
    }
}

unsafe extern "C" fn readable(handle: *mut Handle, _status: c_int, _events: c_int) {
    // SAFETY: an open handle's data. The callback may close it: the state outlives this call all the same,
    // as libuv closes in a later step of its loop.
    unsafe {
        let state = event_loop::uv_handle_get_data(handle).cast::<State>();
        let env = (*state).env;
        event_loop::enter(env, || {
            let (mut callback, mut this, mut ignored) = (null_mut(), null_mut(), null_mut());
            sys::napi_get_reference_value(env, (*state).callback, &raw mut callback);
            sys::napi_get_global(env, &raw mut this);
            sys::napi_call_function(env, this, callback, 0, null_mut(), &raw mut ignored);
        });
    }
}

/// The environment ends, perhaps before its objects.
unsafe extern "C" fn environment_ends(
    _hook: sys::napi_async_cleanup_hook_handle,
    state: *mut c_void,
) {
    // SAFETY: `closed` removes the hook before it drops this.
    close(unsafe { &(*state.cast::<State>()).open });
}
