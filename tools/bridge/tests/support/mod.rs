//! A server, bridges, and the two programs at the ends, for tests.

#![allow(dead_code, reason = "each test uses part of it")]

use spsc_shm::{Consumer, Producer, Ring, Status};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The children that run, to be killed where the test can't end by itself.
static CHILDREN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Ends the test process at once, whatever its threads wait for.
pub fn fail(words: &str) -> ! {
    // Past the test harness, which would keep the words of a test that does not end.
    let _ = writeln!(std::io::stderr(), "{words}");
    for child in CHILDREN.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let _ = Command::new("kill").args(["-KILL", &child.to_string()]).status();
    }
    std::process::abort();
}

/// Ends the test process if it hangs.
pub struct Watchdog {
    _alive: mpsc::Sender<()>,
}

/// Longer than a test takes, however busy the machine is.
const TOO_LONG: Duration = Duration::from_secs(240);

impl Watchdog {
    pub fn new() -> Self {
        Self::of(TOO_LONG)
    }

    /// For a test that is asked to take so much longer.
    pub fn after(more: Duration) -> Self {
        Self::of(TOO_LONG + more)
    }

    fn of(limit: Duration) -> Self {
        let (alive, over) = mpsc::channel::<()>();
        thread::spawn(move || {
            if over.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                fail(&format!("the watchdog: not done after {limit:?}"));
            }
        });
        Self { _alive: alive }
    }
}

/// A directory that goes with the test.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new(what: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("spsc-{what}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A name for a ring that nobody else has; removed in the end.
pub struct Name(pub String);

impl Name {
    pub fn new(what: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(format!("/bridge-{what}-{}-{number}", std::process::id()))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = Ring::unlink(&self.0);
    }
}

/// A port that nobody listens at. The kernel gives it to no connection: it would otherwise take the
/// port of a server that is down for a moment, even for a connection to that very port.
pub fn free_port() -> u16 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
    let given = std::fs::read_to_string(RANGE).expect("the range of given ports");
    let first: u64 =
        given.split_whitespace().next().and_then(|n| n.parse().ok()).expect("two ports");
    let lowest = 1024.min(first / 2);
    loop {
        // Another run of tests begins elsewhere.
        let turn = 97 * u64::from(std::process::id()) + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (lowest + turn % (first - lowest)) as u16;
        if TcpStream::connect(("127.0.0.1", port)).is_err() {
            return port;
        }
    }
}

/// A child process that does not outlive the test.
pub struct Process(pub Child);

impl Process {
    fn spawn(command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        CHILDREN.lock().expect("the children").push(child.id());
        Self(child)
    }

    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Waits for its end, and says whether it went well.
    pub fn succeeded(mut self) -> bool {
        self.0.wait().expect("a child").success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let id = self.0.id();
        CHILDREN.lock().unwrap_or_else(PoisonError::into_inner).retain(|&child| child != id);
    }
}

/// A real server with JetStream.
pub struct Server {
    pub port: u16,
    /// What it listens at.
    pub host: &'static str,
    directory: Directory,
    command: Vec<String>,
    process: Process,
}

impl Server {
    pub fn start() -> Self {
        Self::with("")
    }

    /// With more in its configuration.
    pub fn with(configuration: &str) -> Self {
        let mut server = Self::begin(&[], "127.0.0.1", free_port(), configuration);
        server.wait();
        server
    }

    /// At an address, behind a command that starts it, and not waited for.
    pub fn begin(before: &[&str], host: &'static str, port: u16, configuration: &str) -> Self {
        let directory = Directory::new("nats");
        let file = directory.path().join("server.conf");
        let store = directory.path().join("store");
        let text = format!(
            "listen: {host}:{port}\njetstream {{ store_dir: {store:?} }}\n{configuration}\n"
        );
        std::fs::write(&file, text).expect("a file");
        let program = std::env::var("NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
        let mut command: Vec<_> = before.iter().copied().map(str::to_owned).collect();
        command.extend([program, "-c".to_owned(), file.display().to_string()]);
        let process = Self::spawn(&command, &directory);
        Self { port, host, directory, command, process }
    }

    fn spawn(words: &[String], directory: &Directory) -> Process {
        let log = directory.path().join("log");
        let log = File::options().create(true).append(true).open(log).expect("a log");
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Process::spawn(&mut command)
    }

    /// Waits until it answers.
    pub fn wait(&mut self) {
        while TcpStream::connect((self.host, self.port)).is_err() {
            if let Some(ended) = self.process.0.try_wait().expect("a child") {
                let log = std::fs::read_to_string(self.directory.path().join("log"));
                panic!("the server: {ended}\n{}", log.unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    pub fn restart(&mut self) {
        self.process = Self::spawn(&self.command, &self.directory);
    }

    /// Says something in the server's own protocol, and gives the answer.
    fn talk(&self, words: &str) -> String {
        let mut line = TcpStream::connect((self.host, self.port)).expect("the server");
        let hello = "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB answer 1\r\n";
        line.write_all(format!("{hello}{words}").as_bytes()).expect("a line");
        let (mut heard, mut bytes) = (String::new(), [0; 4096]);
        loop {
            if let Some(answer) = answer_in(&heard) {
                return answer.to_owned();
            }
            let len = line.read(&mut bytes).expect("an answer");
            assert!(len > 0, "the server hung up: {heard}");
            heard.push_str(&String::from_utf8_lossy(&bytes[..len]));
        }
    }

    /// Asks JetStream, whatever it answers.
    pub fn try_ask(&self, what: &str, payload: &str) -> String {
        let len = payload.len();
        self.talk(&format!("PUB $JS.API.{what} answer {len}\r\n{payload}\r\n"))
    }

    /// Asks JetStream.
    pub fn ask(&self, what: &str, payload: &str) -> String {
        let answer = self.try_ask(what, payload);
        assert!(!answer.contains("\"error\""), "{what}: {answer}");
        answer
    }

    /// Publishes as a stranger would.
    pub fn publish(&self, subject: &str, headers: &str, payload: &str) {
        let head = format!("NATS/1.0\r\n{headers}\r\n");
        let all = head.len() + payload.len();
        let head_len = head.len();
        let answer =
            self.talk(&format!("HPUB {subject} answer {head_len} {all}\r\n{head}{payload}\r\n"));
        assert!(!answer.contains("\"error\""), "{subject}: {answer}");
    }

    pub fn url(&self, subject: &str) -> String {
        format!("nats://{}:{}/{subject}", self.host, self.port)
    }
}

/// The message to `answer`, once all of it is there. The server's own lines may stand before and behind
/// it.
fn answer_in(heard: &str) -> Option<&str> {
    let (_, message) = heard.split_once("MSG answer ")?;
    let (head, payload) = message.split_once("\r\n")?;
    let len = head.rsplit(' ').next()?.parse().expect("the length of the payload");
    payload.get(..len)
}

/// The bridge, as Cargo has built it beside this.
pub fn program() -> String {
    let here = std::env::current_exe().expect("this program");
    let built = here.ancestors().nth(2).expect("target/PROFILE").join("spsc-bridge");
    built.display().to_string()
}

/// A running `spsc-bridge`, behind a command that starts it. Its words go where `log` says, or to the
/// test's.
pub fn bridge(before: &[&str], arguments: &[&str], log: Option<&Path>) -> Process {
    let program = program();
    let words = [before, &[program.as_str()], arguments].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    if let Some(log) = log {
        let log = File::options().create(true).append(true).open(log).expect("a log");
        command.stderr(log);
    }
    Process::spawn(&mut command)
}

pub fn send(ring: &Name, to: &str, more: &[&str], log: Option<&Path>) -> Process {
    bridge(&[], &[&["send", "--ring", &ring.0, "--to", to], more].concat(), log)
}

pub fn receive(ring: &Name, from: &str, more: &[&str], log: Option<&Path>) -> Process {
    bridge(&[], &[&["receive", "--ring", &ring.0, "--from", from], more].concat(), log)
}

/// What a bridge says when it fails.
pub fn refusal(arguments: &[&str]) -> String {
    let output =
        Command::new(program()).args(arguments).stdin(Stdio::null()).output().expect("the bridge");
    assert!(!output.status.success(), "it was to refuse: {output:?}");
    String::from_utf8(output.stderr).expect("text")
}

/// The byte of the test's stream at `offset`, for eight of them.
fn word(index: u64) -> [u8; 8] {
    let mut z = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 32)).to_le_bytes()
}

/// Fills `bytes` with the test's stream from `offset` on.
pub fn fill(bytes: &mut [u8], offset: u64) {
    for (i, byte) in bytes.iter_mut().enumerate() {
        let at = offset + i as u64;
        *byte = word(at / 8)[(at % 8) as usize];
    }
}

/// A number from the environment.
pub fn variable<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}: {text:?}")),
        Err(_) => default,
    }
}

/// Chance that can be repeated.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        u64::from_le_bytes(word(self.0)) % limit
    }
}

/// How the programs at the ends are getting on.
#[derive(Clone)]
pub struct Gauge {
    at: Arc<AtomicU64>,
    bar: Arc<AtomicU64>,
}

impl Default for Gauge {
    fn default() -> Self {
        Self { at: Arc::default(), bar: Arc::new(AtomicU64::new(u64::MAX)) }
    }
}

impl Gauge {
    pub fn get(&self) -> u64 {
        self.at.load(Ordering::Relaxed)
    }

    fn set(&self, offset: u64) {
        self.at.store(offset, Ordering::Relaxed);
    }

    /// It stops there until the bar is put elsewhere: what is to happen in the midst of a stream does,
    /// however late this thread is with it.
    pub fn put_bar(&self, offset: u64) {
        self.bar.store(offset, Ordering::Relaxed);
    }

    fn wait_at_bar(&self, offset: u64) {
        while offset >= self.bar.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until it gets there, and looks meanwhile at what else may go wrong.
    pub fn reaches(&self, offset: u64, mut look: impl FnMut()) {
        while self.get() < offset {
            look();
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A bridge that died is replaced: go on with the next.
fn next_peer(error: &spsc_shm::Error) -> bool {
    let next = matches!(error.status(), Status::PeerDead);
    if next {
        thread::sleep(Duration::from_millis(1));
    }
    next
}

/// Produces the test's stream, from where the ring stands up to `until`.
pub fn produce(producer: &mut Producer, until: u64, gauge: &Gauge) {
    let mut offset = producer.ring().stats().published;
    let mut piece = vec![0; 64 << 10];
    while offset < until {
        // Pieces of odd sizes, so that chunks do not begin where pages do.
        let len = (offset % 50_021 + 1).min(until - offset) as usize;
        let piece = &mut piece[..len];
        fill(piece, offset);
        match producer.claim(len, None) {
            Ok(mut grant) => {
                grant.copy_from_slice(piece);
                grant.publish_all();
                offset += len as u64;
                gauge.set(offset);
            }
            Err(error) if next_peer(&error) => {}
            Err(error) => panic!("the producer: {error} at {offset}"),
        }
    }
}

/// Consumes and checks the test's stream to its end, and says how long it was.
pub fn consume(consumer: &mut Consumer, gauge: &Gauge) -> u64 {
    let mut offset = consumer.ring().stats().released;
    let mut expected = Vec::new();
    loop {
        gauge.wait_at_bar(offset);
        match consumer.peek_some(1, None) {
            Ok(grant) => {
                let found = grant.to_vec();
                expected.resize(found.len(), 0);
                fill(&mut expected, offset);
                if found != expected {
                    let wrong = found.iter().zip(&expected).position(|(a, b)| a != b);
                    panic!("another byte at {}", offset + wrong.expect("they differ") as u64);
                }
                offset += found.len() as u64;
                grant.release_all();
                gauge.set(offset);
            }
            Err(error) if error.status() == Status::Closed => return offset,
            Err(error) if next_peer(&error) => {}
            Err(error) => panic!("the consumer: {error} at {offset}"),
        }
    }
}

/// Two rings, and a thread at each end that carries the test's stream.
pub struct Ends {
    pub near: Name,
    pub far: Name,
    pub produced: Gauge,
    pub consumed: Gauge,
    producer: thread::JoinHandle<()>,
    consumer: thread::JoinHandle<u64>,
    len: u64,
}

impl Ends {
    pub fn start(len: u64, near: usize, far: usize) -> Self {
        let names = (Name::new("near"), Name::new("far"));
        let mut producer = Ring::create(&names.0.0, near).expect("a ring").into_producer();
        let mut consumer = Ring::create(&names.1.0, far).expect("a ring").into_consumer();
        let (produced, consumed) = (Gauge::default(), Gauge::default());
        let gauges = (produced.clone(), consumed.clone());
        Self {
            near: names.0,
            far: names.1,
            produced,
            consumed,
            producer: thread::spawn(move || produce(&mut producer, len, &gauges.0)),
            consumer: thread::spawn(move || consume(&mut consumer, &gauges.1)),
            len,
        }
    }

    /// Waits for the end of the stream at both ends.
    pub fn finish(self) {
        self.producer.join().expect("the producer");
        let arrived = self.consumer.join().expect("the consumer");
        assert_eq!(arrived, self.len, "bytes that arrived");
    }
}

/// MiB/s, for people.
pub fn rate(len: u64, since: Instant) -> f64 {
    len as f64 / f64::from(1 << 20) / since.elapsed().as_secs_f64()
}
