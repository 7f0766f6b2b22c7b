//! `spsc listen`, `spsc dial` and `spsc exec`: a connection, with this program's standard streams at
//! its end.

use crate::cli::{Dial, Exec, Listen};
use crate::copy::{drain, unbuffered};
use crate::exit::{About, Result};
use spsc_shm::{ConnOptions, Connection, Producer};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Where the command of `exec` finds its descriptor's number.
const VARIABLE: &str = "SPSC_CONN_FD";

pub fn listen(options: &Listen) -> Result {
    let path = options.path.display();
    let listener = ConnOptions::new().mode(options.mode).listen(&options.path).about(&path)?;
    let connection = listener.accept(None).about(&path)?;
    // The path is free for the next.
    drop(listener);
    talk(connection)?;
    Ok(ExitCode::SUCCESS)
}

pub fn dial(options: &Dial) -> Result {
    let path = options.path.display();
    let connection = Connection::dial(&options.path, options.timeout).about(path)?;
    talk(connection)?;
    Ok(ExitCode::SUCCESS)
}

pub fn exec(options: &Exec) -> Result {
    let (program, arguments) = options.command.split_first().expect("clap asks for one");
    let (ours, theirs) = UnixStream::pair()?;
    let number = theirs.as_raw_fd();
    let mut command = Command::new(program);
    command.args(arguments).env(VARIABLE, number.to_string());
    // SAFETY: the function makes one system call, and that may be made between fork and exec.
    unsafe {
        command.pre_exec(move || match libc::fcntl(number, libc::F_SETFD, 0) {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        })
    };
    let mut child = command.spawn().about(program.display())?;
    drop(theirs);
    match ConnOptions::new().adopt_as_server(ours, None) {
        Ok(connection) => talk(connection)?,
        Err(error) => {
            let status = child.wait()?;
            if status.success() {
                return Err(error).about(format!("{}: its connection", program.display()));
            }
            return Ok(code(status));
        }
    }
    Ok(code(child.wait()?))
}

/// As a shell gives it.
fn code(status: ExitStatus) -> ExitCode {
    let number = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    ExitCode::from(u8::try_from(number).unwrap_or(1))
}

/// Standard input to the other side, and what it says to standard output, until both have ended or the
/// other side is gone.
fn talk(connection: Connection) -> Result<()> {
    // The socket, which tells each side of the other's end, closes after both rings.
    let (producer, mut consumer, doorbell) = connection.into_parts();
    let interrupter = producer.interrupter();
    let producer = Arc::new(Mutex::new(Some(producer)));
    let sender = Arc::clone(&producer);
    let (poured, pouring) = UnixStream::pair()?;
    thread::spawn(move || {
        if let Err(error) = pour(&sender) {
            error.report();
        }
        drop(pouring);
    });
    drain(&mut consumer, None, |_| {})?;
    drop(consumer);
    wait_for_hang_up([poured.as_raw_fd(), doorbell.as_raw_fd()])?;
    // The thread may stand in a read that never ends. It holds the lock only while it writes.
    interrupter.interrupt();
    drop(producer.lock().unwrap_or_else(PoisonError::into_inner).take());
    Ok(())
}

/// Waits until the other end of one of these sockets is closed.
fn wait_for_hang_up(sockets: [RawFd; 2]) -> io::Result<()> {
    let mut polled = sockets.map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    loop {
        // SAFETY: as many as are there. Both are open.
        match unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) } {
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
            _ => return Ok(()),
        }
    }
}

/// To the end of standard input, or until the other side is gone, of which `drain` tells.
fn pour(producer: &Mutex<Option<Producer>>) -> Result<()> {
    let mut input = unbuffered(&io::stdin());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = match input.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.about("standard input")?,
        };
        let mut locked = producer.lock().unwrap_or_else(PoisonError::into_inner);
        if n == 0 {
            // The other side reads what is left, and learns of the end.
            drop(locked.take());
        }
        let Some(producer) = locked.as_mut() else { return Ok(()) };
        if producer.write_all(&buffer[..n]).is_err() {
            return Ok(());
        }
    }
}
