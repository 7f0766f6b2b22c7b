//! The figures of docs/TOOL.md. Build the tool in release first.
//!
//!     cargo build --release
//!     cargo run --release --example figures -- pipeline [ROWS [MIB]]
//!     cargo run --release --example figures -- top [ROWS]
//!
//! `pipeline`: a file that is in the page cache goes through `spsc send` and `spsc recv`, and through
//! `cat | cat`, in turns. `top`: a stream in one pair of processes, with `spsc top` watching and with
//! it stopped, in turns of some 100 ms.

#[allow(dead_code, reason = "the tests need more of it")]
#[path = "../tests/program/terminal.rs"]
mod terminal;

use harness::channel::{Stream, drain, pour};
use harness::process::{Cpus, Far, Shared, Stage, pin};
use harness::stats::at_quantile;
use spsc_shm::Ring;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;
use terminal::Terminal;

type Done<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Done {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default| words.get(index).map_or(Ok(default), |word| word.parse());
    match words.first().map(String::as_str) {
        Some("pipeline") => pipeline(number(1, 15)?, number(2, 1024)?),
        Some("top") => top(number(1, 200)?),
        _ => Err("pipeline or top".into()),
    }
}

/// Beside this example's directory.
fn spsc() -> Done<PathBuf> {
    let program = std::env::current_exe()?.parent().ok_or("nowhere")?.join("../spsc");
    program.canonicalize().map_err(|error| format!("{}: {error}", program.display()).into())
}

fn say(what: &str, ratios: &[f64]) {
    let [low, median, high] =
        [0.25, 0.5, 0.75].map(|quantile| at_quantile(ratios.iter().copied(), quantile));
    println!("{what}: {median:.3} (quartiles {low:.3}-{high:.3}, {} rows)", ratios.len());
}

fn pipeline(rows: usize, mib: usize) -> Done {
    let directory = std::env::temp_dir().join(format!("spsc-figures-{}", std::process::id()));
    fs::create_dir(&directory)?;
    let path = directory.join("file");
    let done = write_file(&path, mib).and_then(|()| pipelines(&path, rows));
    fs::remove_dir_all(&directory)?;
    done
}

fn write_file(path: &PathBuf, mib: usize) -> Done {
    let mut file = File::create(path)?;
    let piece: Vec<u8> =
        (0..1u32 << 18).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for _ in 0..mib {
        file.write_all(&piece)?;
    }
    Ok(())
}

fn pipelines(path: &PathBuf, rows: usize) -> Done {
    let spsc = spsc()?;
    let name = format!("spsc-figures-{}", std::process::id());
    let through_pipe = || -> Done<f64> {
        let start = Instant::now();
        let mut from = Command::new("cat").arg(path).stdout(Stdio::piped()).spawn()?;
        let pipe = from.stdout.take().ok_or("no pipe")?;
        let to = Command::new("cat").stdin(pipe).stdout(Stdio::null()).status()?;
        let ended = from.wait()?.success() && to.success();
        ended.then(|| start.elapsed().as_secs_f64()).ok_or("cat failed".into())
    };
    let through_ring = || -> Done<f64> {
        let start = Instant::now();
        let mut from =
            Command::new(&spsc).args(["send", &name]).stdin(File::open(path)?).spawn()?;
        let to = Command::new(&spsc).args(["recv", &name]).stdout(Stdio::null()).status()?;
        let ended = from.wait()?.success() && to.success();
        ended.then(|| start.elapsed().as_secs_f64()).ok_or("spsc failed".into())
    };
    let read_only = || -> Done<f64> {
        let start = Instant::now();
        let read = Command::new("cat").arg(path).stdout(Stdio::null()).status()?;
        read.success().then(|| start.elapsed().as_secs_f64()).ok_or("cat failed".into())
    };
    // Into the page cache.
    read_only()?;
    let (mut to_pipe, mut to_floor) = (Vec::new(), Vec::new());
    for row in 0..rows {
        // Neither profits from its place.
        let (pipe, ring) = if row % 2 == 0 {
            (through_pipe()?, through_ring()?)
        } else {
            let ring = through_ring()?;
            (through_pipe()?, ring)
        };
        let floor = read_only()?;
        let ms = [pipe, ring, floor].map(|seconds| seconds * 1e3);
        println!("cat | cat {:.0} ms, spsc {:.0} ms, cat alone {:.0} ms", ms[0], ms[1], ms[2]);
        to_pipe.push(ring / pipe);
        to_floor.push(ring / floor);
    }
    say("time of spsc send and recv to that of cat | cat", &to_pipe);
    say("time of spsc send and recv to that of cat alone", &to_floor);
    Ok(())
}

fn top(rows: usize) -> Done {
    let cpus = Cpus::choose().ok_or("needs two CPUs")?;
    let name = format!("spsc-figures-{}", std::process::id());
    let spsc = spsc()?;
    for (size, count) in [(64, 5_000_000), (4096, 250_000)] {
        for interval in ["0.1", "1"] {
            let command = [&*name, interval];
            let ratios = watched(
                &spsc,
                command,
                cpus,
                Stream { size, warm_up: 0, count, batch: None },
                rows,
            )?;
            let what = format!("{size} B, a look each {interval} s: time with top to without");
            say(&what, &ratios[0]);
            say("  without once more to without", &ratios[1]);
        }
    }
    Ok(())
}

/// The ratios of each row: with `spsc top`, and without it once more.
fn watched(
    spsc: &PathBuf,
    [name, interval]: [&str; 2],
    cpus: Cpus,
    stream: Stream,
    rows: usize,
) -> Done<[Vec<f64>; 2]> {
    let ring = Ring::create(name, 1 << 16)?;
    let words = ["top", "--interval", interval];
    let mut top = Terminal::start(Command::new(spsc).args(words));
    top.until("it shows the ring", |screen| screen.contents().contains(name));
    let stage = Shared::<Stage>::default();
    let (mut here, mut there) = stage.parts();
    let far = Far::start(cpus.far, || {
        let mut consumer = Ring::connect(name).expect("the name is there").into_consumer();
        there.meet();
        // One more, to get warm.
        for _ in 0..=3 * rows {
            drain(&mut there, &mut consumer, stream);
        }
    });
    pin(cpus.near);
    let mut producer = ring.into_producer();
    here.meet();
    let mut run = |watch: bool| {
        top.signal(if watch { libc::SIGCONT } else { libc::SIGSTOP });
        // What it shows is read in between: it never waits for that.
        top.drain();
        pour(&mut here, &mut producer, stream)
    };
    run(true);
    let mut ratios = [Vec::new(), Vec::new()];
    for row in 0..rows {
        let mut ns = [0.0; 3];
        // With, without, and without; none profits from its place.
        for turn in 0..3 {
            let which = (turn + row) % 3;
            ns[which] = run(which == 0);
        }
        ratios[0].push(ns[0] / ns[1]);
        ratios[1].push(ns[2] / ns[1]);
    }
    far.join();
    Ring::unlink(name)?;
    top.signal(libc::SIGCONT);
    top.press("q");
    top.end();
    Ok(ratios)
}
