//! The other process: forked, pinned to a CPU of its own, and in step with this one.

use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// The two CPUs that a measurement runs on.
#[derive(Clone, Copy, Debug)]
pub struct Cpus {
    /// Where this process runs: the one that sends first, and holds the clock.
    pub near: usize,
    /// Where the forked one runs.
    pub far: usize,
}

impl Cpus {
    /// The first two CPUs that this process may use, of different cores where there are such.
    pub fn choose() -> Option<Self> {
        let allowed = allowed_cpus();
        let (&near, others) = allowed.split_first()?;
        let core = core_of(near);
        let far = others.iter().find(|&&cpu| core_of(cpu) != core).or(others.first());
        far.map(|&far| Self { near, far })
    }

    /// Whether this process may use both.
    #[must_use]
    pub fn are_allowed(self) -> bool {
        let allowed = allowed_cpus();
        allowed.contains(&self.near) && allowed.contains(&self.far)
    }
}

fn allowed_cpus() -> Vec<usize> {
    // SAFETY: a CPU set is plain bits, and the call is given its size.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of_val(&set), &mut set);
        set
    };
    // SAFETY: the numbers are those that fit the set.
    (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

/// The CPUs that share a core with this one, itself included, as the kernel lists them.
fn core_of(cpu: usize) -> String {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    std::fs::read_to_string(path).unwrap_or_else(|_| cpu.to_string())
}

/// Keeps the calling thread on one CPU.
pub fn pin(cpu: usize) {
    // SAFETY: a CPU set is plain bits, and the call is given its size. CPU_SET checks the number.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    assert!(result == 0, "can't run on CPU {cpu}: {}", io::Error::last_os_error());
}

/// What may lie in memory that is shared between processes.
///
/// # Safety
/// All bytes zero are a valid value, and whatever is changed is an atomic or in a cell.
pub unsafe trait Shareable {}

/// A zeroed value that this process and those it forks share.
pub struct Shared<T: Shareable>(NonNull<T>);

// SAFETY: what is in it is made to be shared with other processes, which is no less than threads.
unsafe impl<T: Shareable> Sync for Shared<T> {}

impl<T: Shareable> Default for Shared<T> {
    /// Maps the memory.
    fn default() -> Self {
        const { assert!(size_of::<T>() > 0 && align_of::<T>() <= 4096) };
        // SAFETY: a new mapping, at an address of the kernel's choice.
        let place = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<T>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
                -1,
                0,
            )
        };
        assert!(place != libc::MAP_FAILED, "can't share memory: {}", io::Error::last_os_error());
        Self(NonNull::new(place.cast()).expect("a mapping is not at 0"))
    }
}

impl<T: Shareable> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: mapped, aligned to a page and zeroed, which `Shareable` says is enough.
        unsafe { self.0.as_ref() }
    }
}

impl<T: Shareable> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference to it outlives us.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<T>()) };
    }
}

/// A value with cache lines of its own: two, as neighbours are prefetched in pairs.
#[repr(C, align(128))]
pub struct Line<T>(pub T);

/// Where the two sides of a measurement meet.
#[repr(C)]
pub struct Stage {
    near: Line<AtomicU64>,
    far: Line<AtomicU64>,
    preemptions: Line<AtomicU64>,
}

// SAFETY: atomics, for which 0 is valid.
unsafe impl Shareable for Stage {}

impl Stage {
    /// The near side's part, and the far side's.
    pub fn parts(&self) -> (Part<'_>, Part<'_>) {
        let Self { near: Line(near), far: Line(far), preemptions: Line(preemptions) } = self;
        let part = |mine, other| Part { mine, other, preemptions, preempted_before: 0 };
        (part(near, far), part(far, near))
    }

    /// How often another task ran on one of the CPUs between start and finish, since the last call.
    pub fn take_preemptions(&self) -> u64 {
        self.preemptions.0.swap(0, Ordering::Relaxed)
    }
}

/// One side's part in a measurement.
pub struct Part<'a> {
    mine: &'a AtomicU64,
    other: &'a AtomicU64,
    preemptions: &'a AtomicU64,
    preempted_before: u64,
}

impl Part<'_> {
    /// Both are warm: what follows is measured.
    pub fn start(&mut self) {
        self.preempted_before = preempted();
        self.meet();
    }

    /// Both are done.
    pub fn finish(&mut self) {
        self.preemptions.fetch_add(preempted() - self.preempted_before, Ordering::Relaxed);
        self.meet();
    }

    /// Waits for the other side to get here.
    pub fn meet(&self) {
        let turn = self.mine.load(Ordering::Relaxed) + 1;
        self.mine.store(turn, Ordering::Release);
        let mut looks = 0;
        while self.other.load(Ordering::Acquire) < turn {
            looks += 1;
            if looks > 10_000 {
                std::thread::yield_now();
            }
        }
    }
}

/// How often another task took the CPU from this thread.
fn preempted() -> u64 {
    // SAFETY: the call fills the plain struct it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage
    };
    usage.ru_nivcsw as u64
}

/// What a measurement found.
pub struct Run<T> {
    /// The figure.
    pub value: T,
    /// Whether another task ran on one of the CPUs meanwhile.
    pub disturbed: bool,
}

/// A forked process that runs on a CPU of its own.
pub struct Far(libc::pid_t);

impl Far {
    /// Forks. The calling process has one thread, and `body` runs in the child, which ends with it.
    pub fn start(cpu: usize, body: impl FnOnce()) -> Self {
        // SAFETY: a process of one thread may go on as it likes in the child.
        match unsafe { libc::fork() } {
            -1 => panic!("can't fork: {}", io::Error::last_os_error()),
            0 => {
                let result = catch_unwind(AssertUnwindSafe(|| {
                    die_with_parent();
                    pin(cpu);
                    body();
                }));
                // SAFETY: plain calls. Nothing of the parent's is dropped or flushed here. A parent
                // whose other half failed would wait for ever.
                unsafe {
                    if result.is_err() {
                        libc::kill(libc::getppid(), libc::SIGTERM);
                    }
                    libc::_exit(result.is_err().into())
                }
            }
            child => Self(child),
        }
    }

    /// Waits for its end.
    pub fn join(self) {
        let mut status = 0;
        // SAFETY: the child is ours, and nobody else waits for it.
        unsafe { libc::waitpid(self.0, &mut status, 0) };
        assert!(status == 0, "the other process failed");
    }
}

/// Runs `far` in a forked process and `near` in this one, which has a single thread. Both call
/// `start` and `finish` once.
pub fn together<T>(
    cpus: Cpus,
    far: impl FnOnce(&mut Part<'_>),
    near: impl FnOnce(&mut Part<'_>) -> T,
) -> Run<T> {
    let stage = Shared::<Stage>::default();
    let (mut here, mut there) = stage.parts();
    let process = Far::start(cpus.far, || {
        there.meet();
        far(&mut there);
    });
    // The child begins on this CPU: it must have left before anything spins here.
    here.meet();
    let value = near(&mut here);
    process.join();
    Run { value, disturbed: stage.take_preemptions() != 0 }
}

/// Lets a closure be run by another thread.
struct Sent<F>(F);

// SAFETY: `with_far_thread` is called with closures over channels, which are shared safely, and plain
// numbers.
unsafe impl<F> Send for Sent<F> {}

impl<F: FnOnce()> Sent<F> {
    fn run(self) {
        (self.0)();
    }
}

/// Runs `far` in a thread on a CPU of its own, and `near` in this one. For channels that may be
/// shared between threads.
pub fn with_far_thread<T>(cpu: usize, far: impl FnOnce(), near: impl FnOnce() -> T) -> T {
    let far = Sent(far);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            pin(cpu);
            // The near side would wait for ever.
            if catch_unwind(AssertUnwindSafe(|| far.run())).is_err() {
                std::process::exit(1);
            }
        });
        near()
    })
}

/// Has the kernel kill this process when the one that forked it ends.
fn die_with_parent() {
    // SAFETY: a plain call.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}
