//! A terminal: a pseudo-terminal with a program on it, and what its screen shows.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Enough for every ring that other tests may have at the time.
const ROWS: u16 = 200;
const COLUMNS: u16 = 140;

/// Less than the watchdog's, which could not show the screen.
const PATIENCE: Duration = Duration::from_secs(100);

pub struct Terminal {
    master: File,
    child: Child,
    screen: vt100::Parser,
    /// All that was written.
    written: Vec<u8>,
    before: libc::termios,
}

impl Terminal {
    /// Starts a program there, as the leader of a session of which this is the terminal.
    pub fn start(command: &mut Command) -> Self {
        let (master, slave) = pair();
        set_size(&master, COLUMNS);
        let end = || slave.try_clone().expect("a descriptor");
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: system calls that may be made between fork and exec.
        unsafe {
            command.pre_exec(|| {
                // A shell that runs these tests in the background has them ignore it.
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                if libc::setsid() == -1 || libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            })
        };
        let before = settings(&master);
        let child = command.spawn().expect("the program");
        // The command keeps descriptors, too: reading ends once nobody has one.
        command.stdin(null_stdio()).stdout(null_stdio()).stderr(null_stdio());
        Self {
            master,
            child,
            screen: vt100::Parser::new(ROWS, COLUMNS, 0),
            written: Vec::new(),
            before,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("room");
    }

    /// Makes the window so wide; the kernel tells the program.
    pub fn resize(&mut self, columns: u16) {
        set_size(&self.master, columns);
        self.screen.set_size(ROWS, columns);
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: the child was not waited for yet: the number is its own.
        assert_eq!(unsafe { libc::kill(self.id() as i32, signal) }, 0);
    }

    /// Reads what the program writes until the screen is as wanted.
    #[track_caller]
    pub fn until(&mut self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) {
        let start = Instant::now();
        while !is_so(self.screen.screen()) {
            let goes_on = start.elapsed() < PATIENCE && self.read();
            assert!(goes_on, "not so: {what}\n{}", self.screen.screen().contents());
        }
    }

    /// Whether there is something to read, or will be in time.
    fn is_ready(&self, patience: Duration) -> bool {
        let mut ready =
            libc::pollfd { fd: self.master.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: a place for the answer of one descriptor.
        unsafe { libc::poll(&raw mut ready, 1, patience.as_millis() as libc::c_int) > 0 }
    }

    /// Reads what there is. Not so if the program has ended, or is silent for too long.
    fn read(&mut self) -> bool {
        if !self.is_ready(PATIENCE) {
            return false;
        }
        let mut bytes = [0; 4096];
        match self.master.read(&mut bytes) {
            Ok(n) => {
                self.screen.process(&bytes[..n]);
                self.written.extend(&bytes[..n]);
            }
            // Nobody has the other end any more.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => return false,
            Err(error) => panic!("the terminal: {error}"),
        }
        true
    }

    /// Reads what there is now.
    #[allow(dead_code, reason = "an example needs it")]
    pub fn drain(&mut self) {
        while self.is_ready(Duration::ZERO) && self.read() {}
    }

    /// All that the program has written, to its end.
    #[track_caller]
    pub fn all(&mut self) -> String {
        let start = Instant::now();
        while self.read() {
            let screen = self.screen.screen();
            assert!(start.elapsed() < PATIENCE, "it does not end:\n{}", screen.contents());
        }
        String::from_utf8_lossy(&self.written).into_owned()
    }

    /// Waits for the program's end, after which the terminal must be as it was.
    #[track_caller]
    pub fn end(mut self) -> ExitStatus {
        let _ = self.all();
        let status = self.child.wait().expect("a child");
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "it left the other screen on");
        assert!(!screen.hide_cursor(), "it left the cursor hidden");
        let after = settings(&self.master);
        let flags = |of: &libc::termios| (of.c_iflag, of.c_oflag, of.c_cflag, of.c_lflag);
        assert_eq!(flags(&after), flags(&self.before), "the terminal's modes");
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both ends, which no child of another thread gets: it would keep the terminal open.
fn pair() -> (File, OwnedFd) {
    let mut options = OpenOptions::new();
    let master = options.read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/ptmx");
    let master = master.expect("a pseudo-terminal");
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: calls without pointers, on an open descriptor.
    let slave = unsafe {
        assert_eq!(libc::unlockpt(master.as_raw_fd()), 0, "{}", io::Error::last_os_error());
        libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags)
    };
    assert_ne!(slave, -1, "its other end: {}", io::Error::last_os_error());
    // SAFETY: it has just been opened for us.
    (master, unsafe { OwnedFd::from_raw_fd(slave) })
}

fn set_size(master: &File, columns: u16) {
    let size = libc::winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: a size, which the call reads.
    let done = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    assert_eq!(done, 0, "the window: {}", io::Error::last_os_error());
}

fn null_stdio() -> std::process::Stdio {
    std::process::Stdio::null()
}

/// Those of the program's side; Linux gives them to either.
fn settings(master: &File) -> libc::termios {
    // SAFETY: all zeros is a value of it, and the call fills it.
    unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(master.as_raw_fd(), &raw mut settings), 0);
        settings
    }
}
