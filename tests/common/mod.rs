//! What several test programs share.
#![allow(dead_code, reason = "each test program uses a part of this")]

#[path = "../support/name.rs"]
mod name;

#[allow(unused_imports, reason = "not every test names its ring")]
pub use name::RingName as Name;
use spsc_shm::{Consumer, Producer, Result, Ring, Status};
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes, however busy the machine is, and be it emulated.
const TOO_LONG: Duration = Duration::from_secs(240);

/// Ends the program, unless dropped in time: a test that hangs fails.
pub struct Watchdog(#[expect(dead_code, reason = "dropped to tell the thread")] Sender<()>);

/// Removes what this process's [`Name`]s stand for.
fn remove_names() {
    let ours = format!("spsc-test-{}-", std::process::id());
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&ours) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

pub fn watchdog() -> Watchdog {
    let (alive, dropped) = channel::<()>();
    let test = thread::current().name().unwrap_or("a test").to_owned();
    thread::spawn(move || {
        if dropped.recv_timeout(TOO_LONG) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{test} hangs");
            remove_names();
            std::process::abort();
        }
    });
    Watchdog(alive)
}

/// Waits for something that another thread or process is about to bring about.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < TOO_LONG / 2, "not so after {:?}: {what}", TOO_LONG / 2);
        thread::sleep(Duration::from_micros(200));
    }
}

/// A call's failure, as its status.
#[track_caller]
pub fn status<T>(result: Result<T>) -> Status {
    match result {
        Ok(_) => panic!("the call succeeded"),
        Err(error) => error.status(),
    }
}

/// The ring's object, to read and write what only a broken or hostile process would.
pub fn object(ring: &Ring) -> File {
    // SAFETY: the descriptor is open for as long as the ring is.
    let fd = unsafe { BorrowedFd::borrow_raw(ring.as_raw_fd()) };
    File::from(fd.try_clone_to_owned().expect("a descriptor"))
}

/// The size of a page: where the data begins, and the least capacity.
pub fn page_size() -> usize {
    // SAFETY: sysconf touches no memory of ours.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("every system has pages")
}

/// Offsets in the control block.
pub const HEAD: u64 = 128;
pub const TAIL: u64 = 256;

/// Sets both counters, as if so many bytes had gone through the ring.
pub fn set_counters(ring: &Ring, head: u64, tail: u64) {
    let object = object(ring);
    object.write_all_at(&head.to_ne_bytes(), HEAD).expect("the object is ours");
    object.write_all_at(&tail.to_ne_bytes(), TAIL).expect("the object is ours");
}

/// A process that is killed when this is dropped.
pub struct Process(Child);

const TASK: &str = "SPSC_TEST_TASK";

impl Process {
    /// Starts this test program once more, to run the task of this name in its `child_process`
    /// (see [`task`]).
    pub fn start(task: &str, argument: &str) -> Self {
        Self(command("child_process", &format!("{task} {argument}")).spawn().expect("a process"))
    }

    pub fn kill(&mut self) {
        self.0.kill().expect("the process is ours");
        self.0.wait().expect("the process is ours");
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn runs(&mut self) -> bool {
        self.0.try_wait().expect("the process is ours").is_none()
    }

    /// Waits for its end, which must be a success.
    #[track_caller]
    pub fn succeed(mut self) {
        let ended = self.0.wait().expect("the process is ours");
        assert!(ended.success(), "a child process failed: {ended}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// This program once more, for one test, with a word on what it is to do there.
fn command(test: &str, what: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("/proc"));
    command.args([test, "--exact", "--include-ignored", "--nocapture", "--quiet"]);
    command.env(TASK, what).stdout(std::process::Stdio::null());
    // SAFETY: prctl is async-signal-safe and takes no pointers here.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command
}

/// In `child_process`: the task that this process was started for, and its argument.
pub fn task() -> Option<(String, String)> {
    let task = std::env::var(TASK).ok()?;
    let (task, argument) = task.rsplit_once(' ')?;
    Some((task.to_owned(), argument.to_owned()))
}

/// Runs a test's body in a process of its own, in which nothing else runs.
#[track_caller]
pub fn alone(body: impl FnOnce()) {
    let current = thread::current();
    let test = current.name().expect("a test's thread has its name");
    if std::env::var(TASK).is_ok_and(|task| task == test) {
        let _watchdog = watchdog();
        body();
    } else {
        Process(command(test, test).spawn().expect("a process")).succeed();
    }
}

/// Forks, without `exec`; the child runs `body` and ends, with success unless `body` panics.
/// Gives the child's process number.
pub fn fork(body: impl FnOnce()) -> libc::pid_t {
    // SAFETY: for use in `alone`, where no other thread holds anything that `body` needs.
    let pid = unsafe { libc::fork() };
    assert_ne!(pid, -1, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        // SAFETY: ends the process at once, without the parent's exit handlers.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    pid
}

/// Waits for a forked child to end; gives what `waitpid` says.
pub fn reap(pid: libc::pid_t) -> libc::c_int {
    let mut ended = 0;
    // SAFETY: `ended` is a valid place for the answer.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut ended, 0) }, pid);
    ended
}

/// Kills a forked child.
pub fn slay(pid: libc::pid_t) {
    // SAFETY: the child was not waited for yet: the number is its own.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    reap(pid);
}

/// Publishes bytes, for which there must be room soon.
pub fn publish(producer: &mut Producer, bytes: &[u8]) {
    let mut grant = producer.claim(bytes.len(), None).unwrap();
    grant.copy_from_slice(bytes);
    grant.publish_all();
}

/// Reads `n` bytes, once they are there.
pub fn read(consumer: &mut Consumer, n: usize) -> Vec<u8> {
    let grant = consumer.peek(n, None).unwrap();
    let bytes = grant.to_vec();
    grant.release_all();
    bytes
}
