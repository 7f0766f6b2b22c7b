//! `spsc send` and `spsc recv`: whole streams, without a copy of their own.
//!
//! `read` puts the bytes into the ring, and `write` takes them out of it. A stream that is cut short, by
//! Ctrl-C for one, must not look like one that ended: so a signal just ends the process, and the other
//! side learns of its death.

use crate::cli::{Copy, Recv, Send};
use crate::exit::{About, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use spsc_shm::{Consumer, Options, Ring, Spin, Status};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::process::ExitCode;
use std::time::Duration;

/// A standard stream without a buffer of Rust's between.
pub fn unbuffered(stream: &impl AsRawFd) -> ManuallyDrop<File> {
    // SAFETY: it is open as long as the program runs, and nothing closes it here.
    ManuallyDrop::new(unsafe { File::from_raw_fd(stream.as_raw_fd()) })
}

/// How much is handed over at once: so the other side works meanwhile.
fn piece(capacity: usize) -> usize {
    (capacity / 4).clamp(1, 256 << 10)
}

pub fn send(options: &Send) -> Result {
    let name = &options.name;
    let ring = if options.existing {
        Ring::connect_timeout(name, options.common.timeout).about(name)?
    } else {
        // Pieces are large, so that a wake-up costs little beside one; and whoever spins takes the time of
        // those who make the stream, and of those who read it.
        let make = Options::new().replace_stale(true).mode(options.mode).spin(Spin::Never);
        make.create(name, options.capacity as usize).about(name)?
    };
    let piece = piece(ring.capacity());
    let mut producer = ring.into_producer();
    // Takes the role: an empty stream has an end, too.
    producer.wait_for_space(1, options.common.timeout).about(name)?;
    let mut input = unbuffered(&io::stdin());
    let bar = progress(&options.common, Some(&input));
    loop {
        let mut grant = producer.claim_some(1, options.common.timeout).about(name)?;
        // SAFETY: as many bytes as are claimed, and `read` writes only.
        let space =
            unsafe { std::slice::from_raw_parts_mut(grant.as_mut_ptr(), grant.len().min(piece)) };
        match input.read(space) {
            Ok(0) => break,
            Ok(n) => {
                grant.publish(n).about(name)?;
                bar.inc(n as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).about("standard input"),
        }
    }
    bar.finish();
    Ok(ExitCode::SUCCESS)
}

pub fn recv(options: &Recv) -> Result {
    let name = &options.name;
    let ring = Ring::connect_timeout(name, options.common.timeout).about(name)?;
    if !options.keep {
        // Both have it open. Somebody may have removed it before.
        match Ring::unlink(name) {
            Err(error) if error.status() == Status::NotFound => {}
            removed => removed.about(name)?,
        }
    }
    let bar = progress(&options.common, None);
    drain(&mut ring.into_consumer(), options.common.timeout, |n| bar.inc(n as u64)).about(name)?;
    bar.finish();
    Ok(ExitCode::SUCCESS)
}

/// Writes a stream to standard output, up to its end, and tells of each piece.
pub fn drain(
    consumer: &mut Consumer,
    timeout: Option<Duration>,
    mut wrote: impl FnMut(usize),
) -> Result<()> {
    let piece = piece(consumer.ring().capacity());
    let mut output = unbuffered(&io::stdout());
    loop {
        let grant = match consumer.peek_some(1, timeout) {
            Err(error) if error.status() == Status::Closed => return Ok(()),
            granted => granted?,
        };
        // SAFETY: as many bytes as are peeked. The kernel reads them, whatever the producer does.
        let data = unsafe { std::slice::from_raw_parts(grant.as_ptr(), grant.len().min(piece)) };
        match output.write(data) {
            Ok(n) => {
                grant.release(n)?;
                wrote(n);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).about("standard output"),
        }
    }
}

/// A bar on a terminal: with what is left, if the input is a file.
fn progress(options: &Copy, input: Option<&File>) -> ProgressBar {
    // Where both are the terminal, it would get into the stream's way.
    if options.quiet || !io::stderr().is_terminal() || same_terminal(input) {
        return ProgressBar::hidden();
    }
    let len = input.and_then(|file| file.metadata().ok()).filter(std::fs::Metadata::is_file);
    let bar = ProgressBar::with_draw_target(
        len.as_ref().map(std::fs::Metadata::len),
        ProgressDrawTarget::stderr(),
    );
    let template = if len.is_some() {
        "{bytes} of {total_bytes} {wide_bar} {bytes_per_sec}, {eta} left"
    } else {
        "{bytes} in {elapsed}, {bytes_per_sec}"
    };
    bar.set_style(ProgressStyle::with_template(template).expect("it is correct"));
    bar
}

fn same_terminal(input: Option<&File>) -> bool {
    match input {
        Some(input) => input.as_fd().is_terminal(),
        None => io::stdout().is_terminal(),
    }
}
