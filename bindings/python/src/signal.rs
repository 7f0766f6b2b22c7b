//! Signals end the waits of the main thread, which runs Python's handlers.
//!
//! Python notes a signal, and its handler runs once the main thread is back in the interpreter. A thread
//! that sleeps in the library would not come back. So this module puts a handler of its own before
//! Python's: it calls Python's, and then interrupts the wait. An interrupt stays until it is answered, so none is lost
//! between the last look for signals and the sleep.

use crate::end;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst};

/// The signals that programs handle. Profilers' timers are not among them: they come all the time.
const SIGNALS: [c_int; 9] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGALRM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGCHLD,
    libc::SIGWINCH,
];

/// What the main thread waits for.
static WAITING: AtomicPtr<Waits<'static>> = AtomicPtr::new(std::ptr::null_mut());
/// How many handlers may be looking at it: one can run on any thread.
static LOOKING: AtomicUsize = AtomicUsize::new(0);
/// Whether one has interrupted it.
static CAME: AtomicBool = AtomicBool::new(false);
/// What was called before, by number: an address, and whether it takes three arguments.
static PREVIOUS: [(AtomicUsize, AtomicBool); 32] =
    [const { (AtomicUsize::new(libc::SIG_DFL), AtomicBool::new(false)) }; 32];

struct Waits<'a> {
    all: &'a [end::Waiting<'a>],
}

extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let (handler, takes_three) = &PREVIOUS[signal as usize];
    let handler = handler.load(SeqCst);
    if handler != libc::SIG_DFL && handler != libc::SIG_IGN {
        if takes_three.load(SeqCst) {
            // SAFETY: it was installed as a handler of this kind.
            let call: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) =
                unsafe { std::mem::transmute(handler) };
            call(signal, info, context);
        } else {
            // SAFETY: as above.
            let call: extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
            call(signal);
        }
    }
    LOOKING.fetch_add(1, SeqCst);
    // SAFETY: it is there until it is taken away and nobody looks (`Watch::drop`).
    if let Some(waits) = unsafe { WAITING.load(SeqCst).as_ref() } {
        CAME.store(true, SeqCst);
        waits.all.iter().for_each(end::Waiting::interrupt);
    }
    LOOKING.fetch_sub(1, SeqCst);
}

/// Has this module's handler called wherever somebody else's is. Python puts its own back whenever
/// `signal.signal` is called.
fn listen() {
    for signal in SIGNALS {
        let mut now = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: asks only; the place is valid.
        if unsafe { libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) } != 0 {
            continue;
        }
        // SAFETY: it was written.
        let mut action = unsafe { now.assume_init() };
        let handler = action.sa_sigaction;
        if handler == libc::SIG_DFL
            || handler == libc::SIG_IGN
            || handler == on_signal as *const () as usize
            || action.sa_flags & libc::SA_RESETHAND != 0
        {
            continue;
        }
        let (previous, takes_three) = &PREVIOUS[signal as usize];
        takes_three.store(action.sa_flags & libc::SA_SIGINFO != 0, SeqCst);
        previous.store(handler, SeqCst);
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags |= libc::SA_SIGINFO;
        // SAFETY: the handler takes three arguments, and does what a handler may.
        unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    }
}

/// Whether this thread is the one that runs Python's handlers.
pub fn is_main_thread() -> bool {
    // SAFETY: both calls only ask.
    unsafe { libc::gettid() == libc::getpid() }
}

/// While this lives, a signal interrupts the waits of these ends. For the main thread.
pub struct Watch<'a> {
    waits: Box<Waits<'a>>,
    /// The wait that goes on afterwards, if a handler that it runs is what waits here.
    outer: *mut Waits<'static>,
}

impl<'a> Watch<'a> {
    pub fn new(all: &'a [end::Waiting<'a>]) -> Self {
        let waits = Box::new(Waits { all });
        CAME.store(false, SeqCst);
        let outer = WAITING.swap((&raw const *waits).cast_mut().cast(), SeqCst);
        listen();
        Self { waits, outer }
    }

    /// Whether a signal has come since the last call, or since the beginning.
    pub fn came(&self) -> bool {
        CAME.swap(false, SeqCst)
    }

    /// Takes back the interrupts that nobody has answered, but for those that somebody asked for.
    /// Whether there was one.
    pub fn settle(&self) -> bool {
        self.waits.all.iter().filter(|end| end.take_back()).count() > 0
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        WAITING.store(self.outer, SeqCst);
        while LOOKING.load(SeqCst) != 0 {
            std::hint::spin_loop();
        }
        if self.came() {
            self.settle();
        }
    }
}
