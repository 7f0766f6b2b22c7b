//! What runs around `fork`, and a lock that survives it.

use crate::status::{Error, Result};
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

/// From now on `prepare` and `parent` run in the forking thread before and after every fork, and `child`
/// in the child's one thread.
pub(crate) fn install(
    prepare: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> Result<()> {
    // SAFETY: the three functions are 'static and take nothing.
    let number = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    if number == 0 { Ok(()) } else { Err(Error::from_os(number)) }
}

/// A lock that the thread that holds it may take again, in a forked child too. It needs no
/// thread-local storage, which is gone when a thread's last destructors run.
#[derive(Debug)]
pub(crate) struct Lock {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    /// The thread that holds it, or 0. A forked child's thread has the same `pthread_self`.
    owner: AtomicUsize,
    /// How often the owner has locked it. Only the owner touches this.
    depth: Cell<usize>,
}

// SAFETY: a mutex may be used by any thread, and the depth is touched by its holder only.
unsafe impl Send for Lock {}
// SAFETY: as above.
unsafe impl Sync for Lock {}

/// Unlocks when dropped, in the thread that locked.
pub(crate) struct Locked<'a> {
    lock: &'a Lock,
    not_send: PhantomData<*const ()>,
}

fn this_thread() -> usize {
    // SAFETY: it has no preconditions.
    unsafe { libc::pthread_self() as usize }
}

impl Lock {
    pub(crate) const fn new() -> Self {
        Self {
            mutex: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
            owner: AtomicUsize::new(0),
            depth: Cell::new(0),
        }
    }

    pub(crate) fn lock(&self) -> Locked<'_> {
        let this = this_thread();
        if self.owner.load(Ordering::Relaxed) != this {
            // SAFETY: the mutex is initialised, and this thread does not hold it.
            unsafe { libc::pthread_mutex_lock(self.mutex.get()) };
            self.owner.store(this, Ordering::Relaxed);
        }
        self.depth.set(self.depth.get() + 1);
        Locked { lock: self, not_send: PhantomData }
    }

    /// Undoes one `lock` whose guard was forgotten.
    ///
    /// # Safety
    /// This thread has locked it.
    pub(crate) unsafe fn unlock(&self) {
        self.depth.set(self.depth.get() - 1);
        if self.depth.get() == 0 {
            self.owner.store(0, Ordering::Relaxed);
            // SAFETY: this thread holds it.
            unsafe { libc::pthread_mutex_unlock(self.mutex.get()) };
        }
    }

    /// Unlocks it in a forked child, where whoever held it may not exist.
    pub(crate) fn reset(&self) {
        // SAFETY: nobody else has the mutex: the child has one thread that can know of it.
        unsafe { self.mutex.get().write(libc::PTHREAD_MUTEX_INITIALIZER) };
        self.owner.store(0, Ordering::Relaxed);
        self.depth.set(0);
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // A child that was forked meanwhile has reset the lock, and has nothing to undo.
        if self.lock.owner.load(Ordering::Relaxed) == this_thread() {
            // SAFETY: this thread has locked it, and not unlocked it since.
            unsafe { self.lock.unlock() };
        }
    }
}
