//! A test's own program once more, and forks of it.

use crate::watchdog;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::thread;

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
    // In either process: the clock of the other may be false.
    let _watchdog = watchdog();
    if std::env::var(TASK).is_ok_and(|task| task == test) {
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
