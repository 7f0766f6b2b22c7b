//! Tests that hang fail.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes, however busy the machine is, and be it emulated.
const TOO_LONG: Duration = Duration::from_secs(240);

/// Ends the program, unless dropped in time: a test that hangs fails.
pub struct Watchdog(#[expect(dead_code, reason = "dropped to tell the thread")] Sender<()>);

/// Removes what this process's [`Name`](crate::Name)s stand for.
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
            // Past the test harness, which keeps what its tests print until they end.
            let _ = writeln!(std::io::stderr(), "{test} hangs");
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
