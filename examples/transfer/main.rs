//! Streams a file from this process, in Rust, to another one, in C, through shared memory.
//!
//!     cargo run --release --example transfer [FILE]
//!
//! The C program is `receiver.c` beside this file. It is compiled now, with the system's compiler
//! (`$CC`, or `cc`), against `include/spsc_shm.h` and the library that was just built. Each side
//! makes a checksum of what it sent or received, and a difference is a failure. Without FILE this sends
//! the static library itself, a file of some megabytes.

mod checksum;

use checksum::{Checksum, Report};
use spsc_shm::{Producer, Ring};
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;
use std::{env, fs, process};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const CAPACITY: usize = 1 << 20;
/// How much is read from the file at a time: while one half of the ring is filled, the other is
/// drained.
const CHUNK: usize = CAPACITY / 4;

fn main() -> ExitCode {
    let file = env::args_os().nth(1).map_or_else(static_library, |file| Ok(file.into()));
    match file.and_then(|file| transfer(&file)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("transfer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn transfer(path: &Path) -> Result<()> {
    let mut file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let size = file.metadata()?.len();

    let name = Name(format!("/spsc-transfer-{}", process::id()));
    let ring = Ring::create(&name.0, CAPACITY)?;
    let mut producer = ring.into_producer();
    // Take the role before there is anything to send: even the end of an empty file is an end.
    producer.wait_for_space(1, None)?;

    let program = compile_receiver()?;
    let mut receiver = Receiver::start(&program, &name.0)?;

    println!("{} ({size} bytes), Rust to C, {} KiB ring", path.display(), CAPACITY >> 10);
    let start = Instant::now();
    let sent = send(&mut file, &mut producer)?;
    drop(producer); // the end of the stream
    let received = receiver.finish()?;
    let seconds = start.elapsed().as_secs_f64();

    println!("sent by Rust   {sent}");
    println!("received by C  {received}");
    if sent != received {
        return Err("the checksums differ".into());
    }
    println!(
        "the same, {:.0} MB/s with checksums on both sides",
        sent.bytes as f64 / seconds / 1e6
    );
    Ok(())
}

/// Reads the file straight into the ring: no copy but the kernel's own.
fn send(file: &mut File, producer: &mut Producer) -> Result<Report> {
    let mut sum = Checksum::default();
    loop {
        let mut grant = producer.claim(CHUNK, None)?;
        // SAFETY: the receiver is our own program. It keeps to the protocol, and leaves alone what was
        // not published.
        let bytes = unsafe { grant.as_mut_slice() };
        let n = file.read(bytes)?;
        if n == 0 {
            return Ok(sum.report());
        }
        sum.add(&bytes[..n]);
        grant.publish(n)?;
    }
}

/// A ring's name, removed when it is no longer needed, however this ends.
struct Name(String);

impl Drop for Name {
    fn drop(&mut self) {
        let _ = Ring::unlink(&self.0);
    }
}

/// The library that was built for this example: `target/…/deps/libspsc_shm.a`, this executable
/// being `target/…/examples/transfer`.
fn static_library() -> Result<PathBuf> {
    let here = env::current_exe()?;
    let built = here.parent().and_then(Path::parent).ok_or("no target directory")?;
    Ok(built.join("deps/libspsc_shm.a"))
}

/// Compiles the C side beside this executable.
fn compile_receiver() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program =
        env::current_exe()?.with_file_name(format!("transfer-receiver-{}", process::id()));
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(&compiler)
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-o"])
        .arg(&program)
        .arg(root.join("examples/transfer/receiver.c"))
        .arg("-I")
        .arg(root.join("include"))
        .arg(static_library()?)
        .args(["-lpthread", "-ldl", "-lm"])
        .status()
        .map_err(|error| format!("{}: {error}", compiler.display()))?;
    if !status.success() {
        return Err("the C program does not compile".into());
    }
    Ok(program)
}

/// The other process.
struct Receiver {
    child: Child,
}

impl Receiver {
    fn start(program: &Path, ring: &str) -> Result<Self> {
        let child = Command::new(program).arg(ring).stdout(Stdio::piped()).spawn();
        // It runs already, or never will. Either way its file is no longer needed.
        fs::remove_file(program)?;
        Ok(Self { child: child? })
    }

    /// Waits for its end, and reads the checksum that it printed.
    fn finish(&mut self) -> Result<Report> {
        let mut report = String::new();
        self.child.stdout.take().ok_or("no output")?.read_to_string(&mut report)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("the receiver failed: {status}").into());
        }
        report.parse().map_err(Into::into)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // After `finish` it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
