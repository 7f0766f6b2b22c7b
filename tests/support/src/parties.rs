//! Processes and threads that take part in a test, under a watch.

use std::any::Any;
use std::fmt;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the parties of a test may stand still before they are taken for hung. Compilers have no
/// progress to show, and take long on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// One who takes part in a test, to be [`watch`]ed. A process is killed with this value.
pub enum Party {
    Process(Watched),
    Thread(JoinHandle<()>),
}

/// A child process. What it writes to its standard error stream is shown if it fails.
pub struct Watched {
    child: Child,
    command: String,
}

impl Party {
    pub fn process(command: &mut Command) -> Self {
        let text = format!("{command:?}");
        match command.stderr(Stdio::piped()).spawn() {
            Ok(child) => Self::Process(Watched { child, command: text }),
            Err(error) => panic!("{text}: {error}"),
        }
    }

    /// A thread, so that a test can turn its back on one that hangs.
    pub fn thread(body: impl FnOnce() + Send + 'static) -> Self {
        Self::Thread(std::thread::spawn(body))
    }

    /// Whether it has ended, if it did well or is a thread; else what went wrong.
    fn is_done(&mut self) -> Result<bool, String> {
        match self {
            Self::Process(process) => match process.child.try_wait() {
                Ok(None) => Ok(false),
                Ok(Some(status)) if status.success() => Ok(true),
                Ok(Some(status)) => Err(process.failure(&status)),
                Err(error) => Err(process.failure(&error)),
            },
            Self::Thread(thread) => Ok(thread.is_finished()),
        }
    }

    /// Gives up on it; says which one it is, and what it had to say.
    fn end(&mut self) -> String {
        match self {
            Self::Process(process) => {
                let _ = process.child.kill();
                process.failure(&"hung")
            }
            Self::Thread(_) => "a thread\nhung\n".to_owned(),
        }
    }

    fn join(self) -> Result<(), Box<dyn Any + Send>> {
        match self {
            Self::Process(_) => Ok(()),
            Self::Thread(thread) => thread.join(),
        }
    }
}

impl Watched {
    fn failure(&mut self, what: &dyn fmt::Display) -> String {
        let mut errors = String::new();
        if let Some(mut stream) = self.child.stderr.take() {
            let _ = stream.read_to_string(&mut errors);
        }
        format!("{}\n{what}\n{errors}", self.command)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        remove_rings_of(self.child.id());
    }
}

/// Removes the names that a program of `c_tests/` left behind, which it does only if it was killed.
fn remove_rings_of(process: u32) {
    let prefix = format!("spsc-ctest-{process}-");
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Waits until all have ended well. Panics as soon as one fails, or when nobody has ended and
/// `progress` has not changed for long.
pub fn watch(mut parties: Vec<Party>, mut progress: impl FnMut() -> u64) {
    let mut last = (parties.len(), progress());
    let mut since = Instant::now();
    while !parties.is_empty() {
        let mut i = 0;
        while i < parties.len() {
            match parties[i].is_done() {
                Ok(false) => i += 1,
                Ok(true) => {
                    if let Err(panic) = parties.swap_remove(i).join() {
                        std::panic::resume_unwind(panic);
                    }
                }
                Err(failure) => panic!("{failure}"),
            }
        }
        let now = (parties.len(), progress());
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            let hung: String = parties.iter_mut().map(Party::end).collect();
            panic!("no progress at {last:?} for {PATIENCE:?}:\n{hung}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a program that must end well, and not hang.
pub fn run(command: &mut Command) {
    watch(vec![Party::process(command)], || 0);
}

/// What a tool prints. A tool that is missing fails the test.
pub fn output_of(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("a tool prints text")
}
