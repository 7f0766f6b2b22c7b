//! The stress with event loops: each side waits in `epoll`, without a timeout, for a connection's
//! descriptor. Nothing here looks at a clock, so that a lost doorbell is a standstill.

use crate::{Jitter, Outcome, SIZES, Standstill, Worker, refuse};
use spsc_shm::{ConnOptions, Connection, Consumer, Producer, Spin, Status};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that this process has moved.
static MOVED: AtomicU64 = AtomicU64::new(0);

/// Ends the process if nothing moves for a while.
fn watch() {
    let mut standstill = Standstill::new();
    while !standstill.is_one(MOVED.load(Ordering::Relaxed)) {}
    eprintln!("a standstill after {} bytes", MOVED.load(Ordering::Relaxed));
    std::process::exit(1);
}

/// What is left to move in one direction, in pieces of random sizes.
struct Pieces {
    left: u64,
    size: usize,
    jitter: Jitter,
}

impl Pieces {
    fn new(total: u64, seed: u64) -> Self {
        let mut pieces = Self { left: total, size: 0, jitter: Jitter(seed) };
        pieces.next(0);
        pieces
    }

    fn next(&mut self, moved: u64) {
        MOVED.fetch_add(moved, Ordering::Relaxed);
        self.left -= moved;
        let size = SIZES.start() + self.jitter.next(SIZES.end() - SIZES.start() + 1);
        self.size = size.min(self.left) as usize;
    }

    /// Moves one piece if it can be done now, or else says no.
    fn step(&mut self, one: impl FnOnce(usize) -> spsc_shm::Result<()>) -> Outcome<bool> {
        if self.size == 0 {
            return Ok(false);
        }
        match one(self.size) {
            Ok(()) => {
                self.next(self.size as u64);
                if self.jitter.next(8) == 0 {
                    self.jitter.pause();
                }
                Ok(true)
            }
            Err(error) if error.status() == Status::Timeout => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn take(receiver: &mut Consumer, n: usize, limit: Option<Duration>) -> spsc_shm::Result<()> {
    receiver.peek(n, limit)?.release_all();
    Ok(())
}

fn give(sender: &mut Producer, n: usize, limit: Option<Duration>) -> spsc_shm::Result<()> {
    sender.claim(n, limit)?.publish_all();
    Ok(())
}

/// An event loop that moves so many bytes each way. Gives how often it slept.
fn in_a_loop(connection: &mut Connection, bytes: u64, seed: u64) -> Outcome<u64> {
    const NOW: Option<Duration> = Some(Duration::ZERO);
    let epoll = Epoll::of(connection)?;
    let (mut incoming, mut outgoing) = (Pieces::new(bytes, seed), Pieces::new(bytes, !seed));
    let mut sleeps = 0;
    while incoming.left + outgoing.left > 0 {
        let came = incoming.step(|n| take(connection.receiver(), n, NOW))?;
        let went = outgoing.step(|n| give(connection.sender(), n, NOW))?;
        if !came && !went && !connection.arm(incoming.size, outgoing.size)?.any() {
            sleeps += 1;
            epoll.wait();
        }
    }
    Ok(sleeps)
}

/// The same by calls that wait, in a thread for each direction.
fn by_calls(connection: Connection, bytes: u64, seed: u64) -> Outcome<u64> {
    let (mut sender, mut receiver) = connection.into_split();
    let parks = thread::scope(|scope| {
        let sending = scope.spawn(move || {
            let mut pieces = Pieces::new(bytes, seed);
            while pieces.step(|n| give(&mut sender, n, None)).map_err(|e| e.to_string())? {}
            Ok::<_, String>(sender.ring().stats().producer.parks)
        });
        let mut pieces = Pieces::new(bytes, !seed);
        while pieces.step(|n| take(&mut receiver, n, None))? {}
        let sent = sending.join().map_err(|_| "the sender panicked")??;
        Ok::<_, Box<dyn std::error::Error>>(sent + receiver.ring().stats().consumer.parks)
    })?;
    Ok(parks)
}

struct Epoll(OwnedFd);

impl Epoll {
    fn of(connection: &Connection) -> Outcome<Self> {
        // SAFETY: no pointer is passed.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        // SAFETY: it is new.
        let epoll = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        // SAFETY: `event` is valid for the call.
        let added = unsafe {
            libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, connection.as_raw_fd(), &raw mut event)
        };
        if added == 0 { Ok(epoll) } else { Err(std::io::Error::last_os_error().into()) }
    }

    /// Waits for ever.
    fn wait(&self) {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: a place for one event.
        unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, -1) };
    }
}

/// A connection to the listener that is there, or soon will be. A listener drops a client that takes a
/// second to say what it has to: one that did not run for so long dials again.
fn dial(path: &str) -> Outcome<Connection> {
    loop {
        match Connection::dial(path, None) {
            Err(error) if matches!(error.status(), Status::NotFound | Status::Closed) => {
                thread::yield_now();
            }
            dialled => return Ok(dialled?),
        }
    }
}

/// `doorbell-worker SIDE WAY PATH BYTES REFUSED SEED`: prints how often it slept.
pub fn worker(arguments: &[&str]) -> Outcome<()> {
    let &[side, way, path, bytes, refused, seed] = arguments else {
        return Err("doorbell-worker is for doorbell to start".into());
    };
    refuse(refused)?;
    thread::spawn(watch);
    let (bytes, seed) = (bytes.parse()?, seed.parse()?);
    let mut connection = if side == "server" {
        let options = ConnOptions::new().to_server(1).to_client(1).spin(Spin::Never);
        options.listen(path)?.accept(None)?
    } else {
        dial(path)?
    };
    let sleeps = if way == "loop" {
        in_a_loop(&mut connection, bytes, seed)?
    } else {
        by_calls(connection, bytes, seed)?
    };
    println!("{sleeps}");
    Ok(())
}

/// `doorbell SLEEPS [REFUSED SIDE]`
pub fn stress(arguments: &[&str]) -> Outcome<()> {
    let (wanted, refused) = match arguments {
        [sleeps] => (sleeps, ["nothing"; 2]),
        [sleeps, what, "server"] => (sleeps, [*what, "nothing"]),
        [sleeps, what, "client"] => (sleeps, ["nothing", *what]),
        [sleeps, what, "both"] => (sleeps, [*what; 2]),
        _ => return Err("doorbell SLEEPS [registration|barrier|membarrier SIDE]".into()),
    };
    let wanted: u64 = wanted.parse()?;
    let path = std::env::temp_dir().join(format!("spsc-doorbell-{}", std::process::id()));
    let path = path.to_str().ok_or("a temporary directory with a readable name")?;
    let start = Instant::now();
    let (mut sleeps, mut rounds) = (0, 0_u64);
    while sleeps < wanted || rounds < 3 {
        // In rounds of every kind.
        let bytes =
            ((wanted.saturating_sub(sleeps) / 4).clamp(500, 200_000) * SIZES.end()).to_string();
        let worker = |side, way, refused, seed: u64| {
            let seed = (0x9E37_79B9_7F4A_7C15 ^ (2 * rounds + seed)).to_string();
            Worker::start(&["doorbell-worker", side, way, path, &bytes, refused, &seed])
        };
        let ways = [["loop", "loop"], ["loop", "calls"], ["calls", "calls"]];
        let [server, client] = ways[rounds as usize % ways.len()];
        let workers =
            [worker("server", server, refused[0], 0)?, worker("client", client, refused[1], 1)?];
        for worker in workers {
            sleeps += worker.result()?;
        }
        rounds += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{sleeps} sleeps for a doorbell in {rounds} rounds, {seconds:.1} s, {:.0} a second; \
         refused: {} to the server, {} to the client",
        sleeps as f64 / seconds,
        refused[0],
        refused[1]
    );
    Ok(())
}

/// `conn-busy MESSAGES`: as `busy`, over a connection.
pub fn busy(messages: &str) -> Outcome<()> {
    let path = std::env::temp_dir().join(format!("spsc-conn-busy-{}", std::process::id()));
    let path = path.to_str().ok_or("a temporary directory with a readable name")?;
    // As in `busy`: strace makes a system call slow.
    let spin = Spin::For(Duration::from_millis(1));
    let listener = ConnOptions::new().to_client(1 << 20).spin(spin).listen(path)?;
    let consumer = Worker::start(&["conn-consume", path, messages])?;
    let mut connection = listener.accept(None)?;
    for _ in 0..messages.parse()? {
        give(connection.sender(), crate::MESSAGE, None)?;
    }
    let parks = connection.sender().ring().stats().producer.parks;
    println!("{messages} messages over a connection, {} sleeps", consumer.result()? + parks);
    Ok(())
}

/// `conn-consume PATH MESSAGES`: prints how often it slept.
pub fn consume(arguments: &[&str]) -> Outcome<()> {
    let &[path, messages] = arguments else { return Err("for conn-busy to start".into()) };
    let mut connection = dial(path)?;
    for _ in 0..messages.parse()? {
        take(connection.receiver(), crate::MESSAGE, None)?;
    }
    println!("{}", connection.receiver().ring().stats().consumer.parks);
    Ok(())
}
