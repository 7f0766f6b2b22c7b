//! The program under test, names of rings, and a watchdog.

#![allow(dead_code, reason = "each test uses part of it")]

use spsc_shm::Ring;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Ends the tests' process if one of them stands still.
pub fn watchdog() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_secs(240));
            // Past the test harness, which would keep the words of a test that does not end.
            let _ = writeln!(std::io::stderr(), "the watchdog: a test stands still");
            std::process::abort();
        });
    });
}

/// A name that nobody else has; removed in the end.
pub struct Name(pub String);

impl Name {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(format!("tool-test-{}-{number}", std::process::id()))
    }

    /// For a listener.
    pub fn path(&self) -> String {
        format!("/tmp/{}", self.0)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = Ring::unlink(&self.0);
        let _ = std::fs::remove_file(self.path());
    }
}

pub fn spsc(words: &[&str]) -> Command {
    watchdog();
    let mut command = Command::new(env!("CARGO_BIN_EXE_spsc"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn run(words: &[&str]) -> Output {
    spsc(words).output().expect("the program")
}

/// What it prints, if it succeeds.
pub fn said(words: &[&str]) -> String {
    let output = run(words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

pub fn json(words: &[&str]) -> serde_json::Value {
    serde_json::from_str(&said(words)).expect("JSON")
}

/// The entry of a ring in a list.
pub fn entry<'a>(list: &'a serde_json::Value, name: &Name) -> Option<&'a serde_json::Value> {
    list.as_array().expect("a list").iter().find(|one| one["name"] == *name.0)
}

/// With a pipe to its standard input.
pub fn start(words: &[&str]) -> Child {
    spsc(words).stdin(Stdio::piped()).spawn().expect("the program")
}

/// How it ends, once its standard input does.
pub fn code(mut child: Child) -> Option<i32> {
    drop(child.stdin.take());
    child.wait().expect("a child").code()
}

/// Waits for another process; the watchdog is the limit.
pub fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}
