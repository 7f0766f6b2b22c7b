//! The live handles of this process, so that a forked child can let go of what is its parent's.
//!
//! After `fork`, a handler makes the child's handles its own before any other code can use them.
//! `_Fork` and `clone` run no handlers. So each handle also finds out by itself, wherever a role is
//! taken or given up and when it is closed: it remembers the generation of its process, a number
//! that stands in a page which the kernel wipes in every child.
//!
//! The handler is installed when the library is loaded, so that the application's handlers run
//! outside of it: theirs may use and close handles. One that was registered even earlier runs
//! inside; the thread that forks may take the lock again, and the child notices the fork at the
//! first call, whoever makes it.
//!
//! A program may hold several copies of the library, each with a registry of its own. A handle
//! knows its registry and its place there, and may be closed through any copy.

use crate::status::{Result, Status};
use crate::sys::{barrier, fork, memory};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Makes a handle the child's own, in a forked child. Async-signal-safe.
///
/// Its caller promises that the pointer is one that was [entered](Registry::enter) and has not
/// left, and that no call on the handle is under way.
pub(crate) type Renew = unsafe fn(NonNull<()>);

/// One copy's live handles. Never freed: a handle may outlive the copy that made it.
#[derive(Debug)]
pub(crate) struct Registry {
    lock: fork::Lock,
    /// The first of a list that only grows, and is whole at any instant: `_Fork` waits for nobody.
    slots: AtomicPtr<Slot>,
    /// In the page that a child finds wiped: the generation of this process, or [`NOTICING`].
    generation: &'static AtomicU64,
    /// The last generation given out.
    last: AtomicU64,
    /// The generation of the process that is forking.
    forking: AtomicU64,
    renew: Renew,
}

/// The generation of a process whose first thread is just noticing that it was forked.
const NOTICING: u64 = u64::MAX;

/// A place for one handle.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Null while the place is free.
    handle: AtomicPtr<()>,
    next: *mut Slot,
}

// SAFETY: `next` is written before the slot is shared, and slots are never freed.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

/// This copy's registry, once it is made.
static REGISTRY: AtomicPtr<Registry> = AtomicPtr::new(ptr::null_mut());

fn current() -> Option<&'static Registry> {
    // SAFETY: null, or a registry, which is never freed.
    unsafe { REGISTRY.load(Ordering::Acquire).as_ref() }
}

/// A value that is never freed, or no memory.
fn leak<T>(value: T) -> Result<&'static T> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(1).map_err(|_| Status::NoMemory)?;
    memory.push(value);
    Ok(&memory.leak()[0])
}

impl Registry {
    /// This copy's registry; made, with the fork handlers, at the first call.
    pub(crate) fn get(renew: Renew) -> Result<&'static Self> {
        static MAKING: Mutex<()> = Mutex::new(());
        if let Some(made) = current() {
            return Ok(made);
        }
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = current() {
            return Ok(made);
        }
        let generation = memory::wiped_in_children()?;
        generation.store(1, Ordering::Relaxed);
        let made = leak(Self {
            lock: fork::Lock::new(),
            slots: AtomicPtr::new(ptr::null_mut()),
            generation,
            last: AtomicU64::new(1),
            forking: AtomicU64::new(0),
            renew,
        })?;
        fork::install(before_fork, after_fork_in_parent, after_fork_in_child)?;
        REGISTRY.store(ptr::from_ref(made).cast_mut(), Ordering::Release);
        Ok(made)
    }

    /// Keeps other threads from forking and from changing the list.
    pub(crate) fn lock(&self) -> fork::Locked<'_> {
        // In a child, the lock may be held by a thread that is not there any more.
        self.generation();
        self.lock.lock()
    }

    /// Which process this is: another number in each forked child.
    pub(crate) fn generation(&self) -> u64 {
        match self.generation.load(Ordering::Acquire) {
            0 | NOTICING => self.notice_fork(),
            generation => generation,
        }
    }

    #[cold]
    fn notice_fork(&self) -> u64 {
        let first =
            self.generation.compare_exchange(0, NOTICING, Ordering::AcqRel, Ordering::Relaxed);
        if first.is_ok() {
            self.lock.reset();
            barrier::forget();
            let generation = self.last.fetch_add(1, Ordering::Relaxed) + 1;
            self.generation.store(generation, Ordering::Release);
            return generation;
        }
        loop {
            match self.generation.load(Ordering::Acquire) {
                NOTICING => std::hint::spin_loop(),
                generation => return generation,
            }
        }
    }

    /// Makes a handle and notes it, with no fork in between: the child of one would never let go of
    /// the descriptors that `make` opens.
    pub(crate) fn enter<T>(
        &'static self,
        make: impl FnOnce(&'static Slot) -> Result<Box<T>>,
    ) -> Result<Box<T>> {
        let _locked = self.lock();
        let slot = self.free_slot()?;
        let handle = make(slot)?;
        slot.handle.store(ptr::from_ref(&*handle).cast_mut().cast(), Ordering::Release);
        Ok(handle)
    }

    /// Forgets the handle that was noted in `slot`.
    pub(crate) fn leave(&self, slot: &Slot) {
        let _locked = self.lock();
        slot.handle.store(ptr::null_mut(), Ordering::Release);
    }

    fn slots(&self) -> impl Iterator<Item = &'static Slot> {
        let mut next = self.slots.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: null, or a slot, which is never freed.
            let slot: &'static Slot = unsafe { next.as_ref()? };
            next = slot.next;
            Some(slot)
        })
    }

    fn free_slot(&self) -> Result<&'static Slot> {
        if let Some(free) = self.slots().find(|slot| slot.handle.load(Ordering::Relaxed).is_null())
        {
            return Ok(free);
        }
        let next = self.slots.load(Ordering::Relaxed);
        let slot = leak(Slot { handle: AtomicPtr::new(ptr::null_mut()), next })?;
        self.slots.store(ptr::from_ref(slot).cast_mut(), Ordering::Release);
        Ok(slot)
    }
}

extern "C" fn before_fork() {
    if let Some(registry) = current() {
        std::mem::forget(registry.lock());
        registry.forking.store(registry.generation(), Ordering::Relaxed);
    }
}

extern "C" fn after_fork_in_parent() {
    if let Some(registry) = current() {
        // SAFETY: `before_fork` locked it, in this thread.
        unsafe { registry.lock.unlock() };
    }
}

extern "C" fn after_fork_in_child() {
    let Some(registry) = current() else { return };
    if registry.generation.load(Ordering::Relaxed) == registry.forking.load(Ordering::Relaxed) {
        // A kernel that does not wipe pages.
        registry.generation.store(0, Ordering::Relaxed);
    }
    registry.generation();
    for slot in registry.slots() {
        if let Some(handle) = NonNull::new(slot.handle.load(Ordering::Acquire)) {
            // SAFETY: a handle leaves its slot before it is dropped, and the forking thread held
            // the lock. The child has that thread only, which is inside `fork` and thus inside no
            // call on a handle.
            unsafe { (registry.renew)(handle) };
        }
    }
}
