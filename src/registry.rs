//! The live handles of this process, so that a forked child can let go of what is its parent's.

use crate::status::{Result, Status};
use crate::sys::{barrier, fork};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a forked child inherits, and must let go of.
pub(crate) trait Inherited: Send + Sync {
    /// Lets go of what is the parent's. Async-signal-safe.
    ///
    /// # Safety
    /// The process has one thread, and it is in no call on `self`.
    unsafe fn after_fork(&self);
}

/// Where a handle is. Only `after_fork` follows it.
struct Entry(*const dyn Inherited);

// SAFETY: an entry is an address; what is there may be reached from any thread.
unsafe impl Send for Entry {}

impl Entry {
    fn is(&self, address: *const ()) -> bool {
        std::ptr::addr_eq(self.0, address)
    }
}

type Entries = Vec<Entry>;

static LIVE: Mutex<Entries> = Mutex::new(Vec::new());

fn live() -> MutexGuard<'static, Entries> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The lock on the list, across a fork: the child must not find it held by a thread that is
    /// not there any more.
    static FORKING: Cell<Option<MutexGuard<'static, Entries>>> = const { Cell::new(None) };
}

/// Makes a handle and notes it, with no fork in between: the child of one would never let go of
/// the descriptors that `make` opens. `make` must not drop a handle, which would be removed from
/// the list that is locked.
pub(crate) fn enter<T: Inherited + 'static>(
    make: impl FnOnce() -> Result<Box<T>>,
) -> Result<Box<T>> {
    let mut live = live();
    install_hooks()?;
    live.try_reserve(1).map_err(|_| Status::NoMemory)?;
    let handle = make()?;
    live.push(Entry(&raw const *handle));
    Ok(handle)
}

/// Has the hooks run from the first handle on. The caller holds the lock on the list.
fn install_hooks() -> Result<()> {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !INSTALLED.load(Ordering::Relaxed) {
        fork::install(before_fork, after_fork_in_parent, after_fork_in_child)?;
        INSTALLED.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Forgets a handle, if it was noted.
pub(crate) fn remove<T>(handle: &T) {
    let mut live = live();
    let address = std::ptr::from_ref(handle).cast();
    if let Some(at) = live.iter().position(|entry| entry.is(address)) {
        live.swap_remove(at);
    }
}

extern "C" fn before_fork() {
    // A thread whose storage is being torn down forks without the lock: there is then no lock to
    // inherit either, but for another thread's, which is the rarest of chances.
    let _ = FORKING.try_with(|forking| forking.set(Some(live())));
}

extern "C" fn after_fork_in_parent() {
    let _ = FORKING.try_with(Cell::take);
}

extern "C" fn after_fork_in_child() {
    barrier::forget();
    let _ = FORKING.try_with(|forking| {
        let Some(live) = forking.take() else { return };
        for entry in live.iter() {
            // SAFETY: an entry is removed before its handle is dropped, and the list was locked
            // by the forking thread. The child has that thread only, which is inside `fork` and
            // thus inside no call on a handle.
            unsafe { (*entry.0).after_fork() };
        }
    });
}
