//! How the program ends: the codes of docs/TOOL.md, and the words on standard error.

use spsc_shm::Status;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Anything that has no code of its own.
const FAILED: u8 = 1;
/// The other side's process died.
const DIED: u8 = 3;
/// The other side closed before the end.
const CLOSED: u8 = 4;
/// The time ran out.
const TIMED_OUT: u8 = 5;
/// As a shell says it of a program whose reader went away.
const BROKEN_PIPE: u8 = 128 + 13;

/// Why the program can't go on.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    words: String,
}

/// How a verb ends.
pub type Result<T = ExitCode> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(words: impl Into<String>) -> Self {
        Self { code: FAILED, words: words.into() }
    }

    /// Says it, and gives the code.
    pub fn report(self) -> ExitCode {
        if self.code != BROKEN_PIPE {
            eprintln!("spsc: {}", self.words);
        }
        ExitCode::from(self.code)
    }

    fn about(mut self, what: impl fmt::Display) -> Self {
        self.words = format!("{what}: {}", self.words);
        self
    }
}

impl From<spsc_shm::Error> for Failure {
    fn from(error: spsc_shm::Error) -> Self {
        let code = match error.status() {
            Status::PeerDead => DIED,
            Status::Closed => CLOSED,
            Status::Timeout => TIMED_OUT,
            _ => FAILED,
        };
        Self { code, words: error.to_string() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let code = if error.kind() == io::ErrorKind::BrokenPipe { BROKEN_PIPE } else { FAILED };
        Self { code, words: error.to_string() }
    }
}

/// Says what an error is about.
pub trait About<T> {
    fn about(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Failure>> About<T> for std::result::Result<T, E> {
    fn about(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().about(what))
    }
}
