//! Who holds a role, and whether its process lives.
//!
//! A role is a lock on one byte of the object's own file, held by an open-file description that
//! no other descriptor shares. The kernel drops the lock when the process ends, however it ends,
//! and in whatever PID namespace it ran. A role that is [`ATTACHED`] in the control block while its lock
//! is free belonged to a process that died.

use crate::layout::{ATTACHED, CLOSED, Control, MAGIC, RoleWord};
use crate::status::{Result, Status};
use crate::sync::{Ordering, fence};

/// The two ends of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Producer = 0,
    Consumer = 1,
}

impl Role {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Producer => Self::Consumer,
            Self::Consumer => Self::Producer,
        }
    }

    pub(crate) fn word(self, control: &Control) -> &RoleWord {
        match self {
            Self::Producer => &control.producer,
            Self::Consumer => &control.consumer,
        }
    }
}

/// Takes the role for this handle. The lock comes first, so that whoever sees the new generation finds
/// the lock held. `enter` runs between the lock and the announcement, and may refuse.
pub(crate) fn attach<T>(
    control: &Control,
    locks: &Locks,
    role: Role,
    enter: impl FnOnce() -> Result<T>,
) -> Result<T> {
    if !locks.acquire(role)? {
        return Err(Status::RoleTaken.into());
    }
    let entered = if control.header.magic.load(Ordering::Acquire) == MAGIC {
        enter()
    } else {
        // A new ring has the name: nobody will ever come to this one.
        Err(Status::NotReady.into())
    };
    if entered.is_err() {
        locks.release(role);
        return entered;
    }
    let word = role.word(control);
    word.pid.store(crate::sys::process_id(), Ordering::Relaxed);
    word.generation.fetch_add(1, Ordering::Relaxed);
    // role-state: pairs with the Acquire loads in `is_closed` and `has_died`.
    word.state.store(ATTACHED, Ordering::Release);
    entered
}

/// Gives the role up. The caller wakes the other side afterwards.
pub(crate) fn detach(control: &Control, locks: &Locks, role: Role) {
    // role-state: whoever sees CLOSED sees every counter that was stored before. The state comes
    // before the lock, so that a closed handle is never taken for a dead one.
    role.word(control).state.store(CLOSED, Ordering::Release);
    // A Release store may be overtaken by what follows. The lock must not be seen free before CLOSED.
    fence(Ordering::SeqCst);
    locks.release(role);
}

/// Whether the last holder of `role` closed its handle, and nobody has taken the role since.
pub(crate) fn is_closed(control: &Control, role: Role) -> bool {
    role.word(control).state.load(Ordering::Acquire) == CLOSED
}

/// Whether the last holder of `role` died without closing, and nobody has taken the role since. Makes
/// a system call.
pub(crate) fn has_died(control: &Control, locks: &Locks, role: Role) -> bool {
    let word = role.word(control);
    let look = || (word.state.load(Ordering::Acquire), word.generation.load(Ordering::Relaxed));
    let before = look();
    // Look twice: in between, the holder may close, or a new one may come. If the kernel does not say
    // who has the lock, that proves nothing.
    let is_free = before.0 == ATTACHED && matches!(locks.is_held(role), Ok(false));
    // Pairs with the fence in `detach`: whoever sees the lock free sees the CLOSED before it.
    fence(Ordering::SeqCst);
    is_free && look() == before
}

#[cfg(not(loom))]
pub(crate) use file_locks::{Locks, claim_stale};
#[cfg(loom)]
pub(crate) use model_locks::Locks;

#[cfg(not(loom))]
mod file_locks {
    use super::Role;
    use crate::registry::Registry;
    use crate::status::{Error, Result};
    use crate::sys::{file, lock};
    use std::ops::Range;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
    use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

    /// The byte that the creator's handle holds, besides those of the roles: a ring that was just
    /// made is in use, though nobody has a role yet.
    const CREATOR: i64 = 2;

    /// The locks of one handle, on a description of its own.
    ///
    /// This is not the descriptor that is handed to other processes. In any copy of that one a lock
    /// would outlive its process. A forked child does share the description, and replaces it in the fork
    /// handler, or at the first use if no handler ran (`_Fork`, `clone`).
    #[derive(Debug)]
    pub(crate) struct Locks {
        /// Locks are held here.
        file: OwnedFd,
        /// The descriptor that is handed out. A child opens the object again through it.
        public: RawFd,
        registry: &'static Registry,
        /// The generation of the process whose locks these are.
        generation: AtomicU64,
        /// Which roles this handle holds. The kernel does not report a description's own locks to it.
        held: [AtomicBool; 2],
        /// Why a forked child could not get a description of its own, or 0. Without one, every copy of
        /// the public descriptor would share the child's locks.
        renewal_error: AtomicI32,
    }

    impl Locks {
        /// Locks for the file of `public`, none of them held.
        ///
        /// # Safety
        /// The descriptor stays open for as long as the locks are used.
        pub(crate) unsafe fn new(
            public: BorrowedFd<'_>,
            registry: &'static Registry,
        ) -> Result<Self> {
            Ok(Self {
                file: file::reopen(public)?,
                public: public.as_raw_fd(),
                registry,
                generation: AtomicU64::new(registry.generation()),
                held: [AtomicBool::new(false), AtomicBool::new(false)],
                renewal_error: AtomicI32::new(0),
            })
        }

        /// Which process this is: another number in each forked child.
        pub(crate) fn generation(&self) -> u64 {
            self.registry.generation()
        }

        /// Marks the ring as in use for as long as this handle lives.
        pub(crate) fn hold_as_creator(&self) -> Result<()> {
            lock::acquire(self.file.as_fd(), CREATOR..CREATOR + 1)?;
            Ok(())
        }

        /// Takes the lock of `role`. False if another handle holds it.
        pub(crate) fn acquire(&self, role: Role) -> Result<bool> {
            self.make_own()?;
            let taken = lock::acquire(self.file.as_fd(), bytes(role))?;
            if taken {
                self.held[role as usize].store(true, Ordering::Release);
            }
            Ok(taken)
        }

        /// Lets go of the lock of `role`, which this process took.
        pub(crate) fn release(&self, role: Role) {
            self.held[role as usize].store(false, Ordering::Release);
            lock::release(self.file.as_fd(), bytes(role));
        }

        /// Whether any handle, this one included, holds the lock of `role`.
        pub(crate) fn is_held(&self, role: Role) -> Result<bool> {
            self.make_own()?;
            Ok(self.held[role as usize].load(Ordering::Acquire)
                || lock::held_by_another(self.file.as_fd(), bytes(role))?)
        }

        /// Whether any handle, this one included, has a role or made the ring.
        pub(crate) fn in_use(&self) -> Result<bool> {
            // SAFETY: it stays open for as long as the locks are used (`new`).
            let public = unsafe { BorrowedFd::borrow_raw(self.public) };
            // No lock is held there, so this sees all, also this handle's own.
            lock::held_by_another(public, 0..CREATOR + 1)
        }

        /// Lets go of all locks, also in every copy of the descriptor, unless they are the parent's.
        pub(crate) fn release_all(&self) {
            let ours = self.generation.load(Ordering::Acquire) == self.generation();
            if ours && self.renewal_error.load(Ordering::Relaxed) == 0 {
                lock::release(self.file.as_fd(), 0..CREATOR + 1);
            }
        }

        /// In a forked child where no handler ran: does what it would have done.
        fn make_own(&self) -> Result<()> {
            if self.generation.load(Ordering::Acquire) != self.generation() {
                let _locked = self.registry.lock();
                if self.generation.load(Ordering::Acquire) != self.generation() {
                    self.renew();
                }
            }
            match self.renewal_error.load(Ordering::Relaxed) {
                0 => Ok(()),
                number => Err(Error::from_os(number)),
            }
        }

        /// In a forked child: puts a new description in the place of the parent's.
        /// Async-signal-safe.
        pub(crate) fn renew(&self) {
            for held in &self.held {
                held.store(false, Ordering::Relaxed);
            }
            // SAFETY: it stays open for as long as the locks are used (`new`).
            let public = unsafe { BorrowedFd::borrow_raw(self.public) };
            let number = match file::reopen_at(public, self.file.as_fd()) {
                Ok(()) => 0,
                Err(error) => error.os_error().unwrap_or_default(),
            };
            self.renewal_error.store(number, Ordering::Relaxed);
            self.generation.store(self.generation(), Ordering::Release);
        }
    }

    fn bytes(role: Role) -> Range<i64> {
        role as i64..role as i64 + 1
    }

    /// Takes every lock of the object `file`, whose description is the caller's own. While they are
    /// held, nobody uses the ring, and nobody can begin to. `None` if somebody uses it.
    pub(crate) fn claim_stale(file: OwnedFd) -> Result<Option<lock::Held>> {
        lock::Held::acquire(file, 0..CREATOR + 1)
    }
}

#[cfg(loom)]
mod model_locks {
    use super::Role;
    use crate::status::Result;

    /// Locks that are always free: in the models, roles are handed over in order.
    #[derive(Debug)]
    pub(crate) struct Locks;

    impl Locks {
        pub(crate) fn generation(&self) -> u64 {
            1
        }

        pub(crate) fn acquire(&self, _role: Role) -> Result<bool> {
            Ok(true)
        }

        pub(crate) fn release(&self, _role: Role) {}

        pub(crate) fn is_held(&self, _role: Role) -> Result<bool> {
            Ok(true)
        }
    }
}
