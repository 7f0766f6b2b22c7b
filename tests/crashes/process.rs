//! Forked processes, and memory that they share besides the ring.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use support::until;

/// A forked process, killed when it is dropped.
pub struct Child {
    pub pid: libc::pid_t,
}

impl Child {
    /// Forks a process that runs `body`, and exits with 0 unless that panics.
    pub fn fork(body: impl FnOnce()) -> Self {
        // SAFETY: this program has one thread, so that the child may do anything.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
        if pid == 0 {
            // SAFETY: takes no pointers. No child outlives whoever would reap it.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let failed = catch_unwind(AssertUnwindSafe(body)).is_err();
            // SAFETY: ends the process, without the parent's exit handlers.
            unsafe { libc::_exit(if failed { 101 } else { 0 }) };
        }
        Self { pid }
    }

    /// Kills the process; it is gone on return.
    pub fn kill(mut self) {
        self.kill_and_reap();
    }

    /// Waits for the process to end well.
    pub fn finish(mut self, who: &str) {
        let mut status = None;
        until(&format!("the {who} ends"), || {
            status = self.try_reap();
            status.is_some()
        });
        assert_eq!(status, Some(0), "the {who} failed: wait status");
    }

    /// Fails if the process has ended.
    pub fn assert_alive(&mut self, who: &str) {
        if let Some(status) = self.try_reap() {
            panic!("the {who} ended by itself: wait status {status:#x}");
        }
    }

    /// Whether the process sleeps in the kernel.
    pub fn sleeps(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    }

    /// The next change of the process's state, as `waitpid` tells it.
    pub fn wait(&mut self) -> libc::c_int {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        let pid = unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) };
        assert_eq!(pid, self.pid, "waitpid: {}", std::io::Error::last_os_error());
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            self.pid = 0;
        }
        status
    }

    fn try_reap(&mut self) -> Option<libc::c_int> {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        let pid = unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG) };
        if pid == 0 {
            return None;
        }
        self.pid = 0;
        Some(status)
    }

    fn kill_and_reap(&mut self) {
        // SAFETY: takes no pointers; a pid that is not reaped is nobody else's.
        while self.pid != 0 && unsafe { libc::kill(self.pid, libc::SIGKILL) } == 0 {
            // A traced process stops once more before it ends.
            self.wait();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill_and_reap();
    }
}

/// Does nothing for a while.
pub fn nap(time: Duration) {
    std::thread::sleep(time);
}

/// A value of atomics that forked processes share.
pub struct Shared<T>(*mut T);

impl<T: Default> Shared<T> {
    pub fn new() -> Self {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at an address of the kernel's choice, aligned to a page.
        let place = unsafe {
            libc::mmap(std::ptr::null_mut(), size_of::<T>(), protection, flags, -1, 0).cast::<T>()
        };
        assert_ne!(place.cast(), libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        // SAFETY: the mapping is big enough and nobody else knows it yet.
        unsafe { place.write(T::default()) };
        Self(place)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the mapping lives as long as `self`, and holds a T since `new`.
        unsafe { &*self.0 }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, to which no reference is left.
        unsafe { libc::munmap(self.0.cast(), size_of::<T>()) };
    }
}
