//! The live handles of this process, so that a forked child can let go of what is its parent's.
//!
//! After `fork`, a handler makes the child's handles its own before any other code can use them.
//! `_Fork` and `clone` run no handlers. So each handle also finds out by itself that it was forked. It
//! remembers the generation of its process, a number in a page that the kernel wipes in every child. It
//! compares where a role is taken or given up, and when it is closed.
//!
//! The handlers are installed when the library is loaded. So the application's handlers run outside of
//! them, and may use and close handles. A handler that was registered even earlier runs inside. That
//! works too: the thread that forks may take the lock again, and the child notices the fork at its first
//! call, whoever makes it.
//!
//! A program may contain several copies of the library, each with a registry of its own. A handle
//! knows its registry and its slot there, and may be closed through any copy.

use crate::status::{Result, Status};
use crate::sys::{barrier, fork, memory};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Makes a handle the child's own, in a forked child. Async-signal-safe.
///
/// The caller promises that the pointer was [entered](Registry::enter) and has not left, and that no
/// call on the handle is under way.
pub(crate) type Renew = unsafe fn(NonNull<()>);

/// One copy's live handles. Never freed: a handle may outlive the copy that made it.
#[derive(Debug)]
pub(crate) struct Registry {
    lock: fork::Lock,
    /// The first of a list that only grows, and is whole at any instant: `_Fork` takes no lock.
    slots: AtomicPtr<Slot>,
    /// The generation of this process, or [`NOTICING`]. It is in the page that a child finds wiped.
    generation: &'static AtomicU64,
    /// The newest generation that was given to a process.
    last: AtomicU64,
    /// The generation of the process that is forking.
    forking: AtomicU64,
    renew: Renew,
}

/// In place of a generation, while a thread is noticing that the process was forked.
const NOTICING: u64 = u64::MAX;

/// The process that has made something, of which a forked child has a copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker {
    registry: &'static Registry,
    generation: u64,
}

impl Maker {
    pub(crate) fn this_process(registry: &'static Registry) -> Self {
        Self { registry, generation: registry.generation() }
    }

    pub(crate) fn is_this_process(&self) -> bool {
        self.registry.generation() == self.generation
    }
}

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
    /// This copy's registry. The first call makes it, and installs the fork handlers.
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
        // In a child, the lock may be held by a thread that exists only in the parent.
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
