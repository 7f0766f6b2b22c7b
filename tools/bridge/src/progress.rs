//! What a bridge says of itself: counters, a line on a terminal, and lines of JSON.

use serde_json::json;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one ring's bridge has done so far. Any thread may look.
#[derive(Debug)]
pub struct Progress {
    ring: String,
    direction: &'static str,
    /// Bytes of the stream up to which it is done: acknowledged, or in the far ring.
    pub offset: AtomicU64,
    /// Bytes that this process carried.
    pub bytes: AtomicU64,
    /// Chunks that this process carried.
    pub chunks: AtomicU64,
    /// Times that it went back to what the server had last.
    recoveries: AtomicU64,
    reconnections: AtomicU64,
    connected: AtomicBool,
    state: Mutex<String>,
}

impl Progress {
    pub fn new(ring: &str, direction: &'static str) -> Self {
        Self {
            ring: ring.to_owned(),
            direction,
            offset: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            chunks: AtomicU64::new(0),
            recoveries: AtomicU64::new(0),
            reconnections: AtomicU64::new(0),
            connected: AtomicBool::new(false),
            state: Mutex::new("connecting".to_owned()),
        }
    }

    /// A line for people, on standard error.
    pub fn say(&self, words: &str) {
        let clear = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
        eprintln!("{clear}spsc-bridge: {} {}: {words}", self.direction, self.ring);
    }

    /// What it does now. A change is said.
    pub fn set_state(&self, state: &str) {
        let mut now = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *now != state {
            state.clone_into(&mut now);
            drop(now);
            self.say(state);
        }
    }

    /// True if it was connected before, and lost that.
    pub fn connected(&self) -> bool {
        if !self.connected.swap(true, Ordering::Relaxed) {
            self.set_state("connected");
        }
        self.reconnections.load(Ordering::Relaxed) != 0
    }

    pub fn disconnected(&self) {
        if self.connected.swap(false, Ordering::Relaxed) {
            self.reconnections.fetch_add(1, Ordering::Relaxed);
            self.set_state("the server is out of reach");
        }
    }

    /// It asks the server anew what it has.
    pub fn recovers(&self, why: &str) {
        self.recoveries.fetch_add(1, Ordering::Relaxed);
        self.set_state(&format!("looks again at what the server has: {why}"));
    }

    /// A chunk of `len` bytes is done, and with it all before `offset`.
    pub fn carried(&self, offset: u64, len: u64) {
        self.offset.store(offset, Ordering::Relaxed);
        self.bytes.fetch_add(len, Ordering::Relaxed);
        self.chunks.fetch_add(1, Ordering::Relaxed);
    }

    fn state(&self) -> String {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn json(&self) -> serde_json::Value {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "ring": self.ring,
            "direction": self.direction,
            "state": self.state(),
            "connected": self.connected.load(Ordering::Relaxed),
            "offset": get(&self.offset),
            "bytes": get(&self.bytes),
            "chunks": get(&self.chunks),
            "recoveries": get(&self.recoveries),
            "reconnections": get(&self.reconnections),
        })
    }
}

/// Tells of all bridges every second, until it is dropped.
#[derive(Debug)]
pub struct Teller {
    stop: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Teller {
    /// Starts, if anybody wants to hear it.
    pub fn start(all: Vec<std::sync::Arc<Progress>>, json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        if !json && !terminal {
            return Self { stop: None, thread: None };
        }
        let (stop, stopped) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let (mut before, mut since) = (0, Instant::now());
            loop {
                let over = stopped.recv_timeout(Duration::from_secs(1))
                    != Err(std::sync::mpsc::RecvTimeoutError::Timeout);
                if json {
                    let mut out = std::io::stdout().lock();
                    for progress in &all {
                        // Nobody reads any more: that is no reason to stop carrying.
                        let _ = writeln!(out, "{}", progress.json());
                    }
                    let _ = out.flush();
                }
                if terminal && !over {
                    let bytes: u64 = all.iter().map(|one| one.bytes.load(Ordering::Relaxed)).sum();
                    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
                    let rate = mib(bytes - before) / since.elapsed().as_secs_f64();
                    let state = all.first().map(|one| one.state()).unwrap_or_default();
                    eprint!("\r\x1b[K{:.1} MiB, {rate:.1} MiB/s, {state}", mib(bytes));
                    (before, since) = (bytes, Instant::now());
                }
                if over {
                    if terminal {
                        eprint!("\r\x1b[K");
                    }
                    return;
                }
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
