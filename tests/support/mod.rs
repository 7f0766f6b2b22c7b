//! What integration tests share: names, the libraries, the C compiler, watched processes, and
//! random payload.
#![allow(dead_code, reason = "each test file uses a part of it")]

mod name;

pub use name::RingName;
use std::any::Any;
use std::fmt;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A path in the source tree.
pub fn source(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

/// Where cargo leaves `libspsc_shm.so` and `libspsc_shm.a` of the profile under test.
pub fn library_directory() -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows its executable");
    executable.parent().expect("an executable is in a directory").to_owned()
}

/// A directory for what this test file makes, kept from run to run. One for each profile.
pub fn scratch_directory(name: &str) -> PathBuf {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).join(profile);
    std::fs::create_dir_all(&path).expect("target/tmp can be written");
    path
}

/// How C source is compiled: the same source must do as either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    C11,
    Cpp17,
}

/// Which of the two libraries a program is linked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    Static,
    Shared,
}

/// The compiler that `cc` finds, by the environment's `CC`, `CXX`, `CFLAGS` and `CXXFLAGS`:
/// optimising, and taking every warning for an error.
pub fn compiler(language: Language) -> Command {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    let target = format!("{}-unknown-linux-{libc}", std::env::consts::ARCH);
    let mut command = cc::Build::new()
        .target(&target)
        .host(&target)
        .opt_level(2)
        .cargo_metadata(false)
        .out_dir(env!("CARGO_TARGET_TMPDIR"))
        .cpp(language == Language::Cpp17)
        .std(match language {
            Language::C11 => "c11",
            Language::Cpp17 => "c++17",
        })
        .get_compiler()
        .to_command();
    command.args(["-Wall", "-Wextra", "-Werror", "-pedantic"]).arg("-I").arg(source("include"));
    command
}

/// Compiles and links a program.
pub fn compile(language: Language, linkage: Linkage, sources: &[PathBuf], program: &Path) {
    let libraries = library_directory();
    let mut command = compiler(language);
    command.args(["-x", if language == Language::Cpp17 { "c++" } else { "c" }]);
    command.args(sources).args(["-x", "none"]).arg("-o").arg(program);
    match linkage {
        Linkage::Static => command.arg(libraries.join("libspsc_shm.a")),
        Linkage::Shared => {
            provide_soname(&libraries);
            command
                .arg(libraries.join("libspsc_shm.so"))
                .arg(format!("-Wl,-rpath,{}", libraries.display()))
        }
    };
    run(command.args(SYSTEM_LIBRARIES));
}

/// What the static library needs on C libraries that still keep these apart.
const SYSTEM_LIBRARIES: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

/// A program asks for the shared library by its SONAME, which carries the major version.
pub fn provide_soname(libraries: &Path) {
    let name = format!("libspsc_shm.so.{}", env!("CARGO_PKG_VERSION_MAJOR"));
    match symlink("libspsc_shm.so", libraries.join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            panic!("no symlink to the shared library: {error}")
        }
        _ => {}
    }
}

/// How long the parties of a test may stand still before they are taken for hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// One who takes part in a test, to be [`watch`]ed. A process is killed with this value.
pub enum Party {
    Process(Process),
    Thread(JoinHandle<()>),
}

/// A child process. What it writes to its standard error stream is shown if it fails.
pub struct Process {
    child: Child,
    command: String,
}

impl Party {
    pub fn process(command: &mut Command) -> Self {
        let text = format!("{command:?}");
        match command.stderr(Stdio::piped()).spawn() {
            Ok(child) => Self::Process(Process { child, command: text }),
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

impl Process {
    fn failure(&mut self, what: &dyn fmt::Display) -> String {
        let mut errors = String::new();
        if let Some(mut stream) = self.child.stderr.take() {
            let _ = stream.read_to_string(&mut errors);
        }
        format!("{}\n{what}\n{errors}", self.command)
    }
}

impl Drop for Process {
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
/// `progress` has not changed for a minute.
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

/// Runs a program that must end well within a minute.
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

/// Random numbers that both sides of a ring can make for themselves (SplitMix64), so that every
/// byte that arrives can be checked. `c_tests/payload.h` has the same in C.
#[derive(Clone, Debug)]
pub struct Payload {
    state: u64,
}

impl Payload {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub fn next_number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A message's size: 1 to `max` bytes.
    pub fn size(&mut self, max: usize) -> usize {
        1 + (self.next_number() % max as u64) as usize
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_number().to_ne_bytes()[..chunk.len()]);
        }
    }

    /// Whether these are the bytes that [`fill`](Self::fill) makes.
    pub fn matches(&mut self, bytes: &[u8]) -> bool {
        bytes.chunks(8).all(|chunk| *chunk == self.next_number().to_ne_bytes()[..chunk.len()])
    }
}
