//! Connections whose ends die at any instant, or whose system calls fail: the others are served on, and
//! nothing is left of them.

use crate::Options;
use crate::hygiene::Holdings;
use crate::process::{Child, Shared, nap};
#[cfg(target_arch = "x86_64")]
use crate::trace::{Stop, Tracee, checkpoint};
use spsc_shm::{Connection, Error, Listener, Status};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use support::{Rng, dial, until};

/// Tags of messages: one that is sent back, and one that is answered by what the server holds.
const ECHO: u32 = 1;
const COUNT: u32 = 2;

/// A directory for a socket's path, which is empty in the end.
pub struct Place {
    directory: PathBuf,
}

impl Place {
    pub fn new(name: &str) -> Self {
        let directory = format!("spsc-crashes-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        std::fs::create_dir(&directory).expect("a new directory");
        Self { directory }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.join("socket")
    }

    /// Lets other users in.
    pub fn open_to_all(&self) {
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&self.directory, all).expect("it is ours");
    }

    /// Takes what a killed listener has left away, as the next listener does.
    pub fn clean(self) {
        drop(Listener::bind(self.path()).expect("nobody listens any more"));
        std::fs::remove_dir(&self.directory).expect("nothing is left");
    }
}

/// Whether the other process is gone, which is no failure here.
fn is_gone(error: Error) -> bool {
    matches!(error.status(), Status::Closed | Status::PeerDead)
}

/// Answers what is there, or, with a timeout of `None`, whatever comes until the client goes.
fn answer(client: &mut Connection, timeout: Option<Duration>) -> Result<(), Error> {
    let (sender, receiver) = client.split();
    loop {
        let message = receiver.receive(timeout)?;
        let tag = message.tag();
        let answer = if tag == COUNT { holdings() } else { message.into_vec() };
        sender.send(tag, &answer, None)?;
    }
}

fn holdings() -> Vec<u8> {
    format!("{:?}", Holdings::now()).into_bytes()
}

/// Answers what is there, and arms the client. False once it is gone.
fn serve(client: &mut Connection) -> bool {
    loop {
        let error = answer(client, Some(Duration::ZERO)).unwrap_err();
        if error.status() != Status::Timeout {
            assert!(is_gone(error), "{error}");
            return false;
        }
        if !client.arm(1, 0).unwrap().any() {
            return true;
        }
    }
}

/// A process that serves any number of clients, in one thread, until it is killed.
fn server(path: &Path) -> Child {
    let server = Child::fork(|| {
        let listener = Listener::bind(path).unwrap();
        let mut clients: Vec<Connection> = Vec::new();
        loop {
            let all =
                std::iter::once(listener.as_raw_fd()).chain(clients.iter().map(AsRawFd::as_raw_fd));
            let readable = poll(all);
            // First the ends: who comes after one that has gone does not find it here any more.
            let mut of_clients = readable[1..].iter();
            clients.retain_mut(|client| of_clients.next() == Some(&false) || serve(client));
            if readable[0] {
                match listener.accept(Some(Duration::ZERO)) {
                    Ok(mut client) => {
                        if serve(&mut client) {
                            clients.push(client);
                        }
                    }
                    Err(error) => assert_eq!(error.status(), Status::Timeout),
                }
            }
        }
    });
    until("the server listens", || Connection::dial(path, None).is_ok());
    server
}

/// Waits until one of the descriptors is readable, and says which are.
fn poll(fds: impl Iterator<Item = i32>) -> Vec<bool> {
    let mut polled: Vec<_> =
        fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    // SAFETY: valid pollfds.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) };
    assert!(ready > 0, "poll: {}", std::io::Error::last_os_error());
    polled.iter().map(|polled| polled.revents != 0).collect()
}

/// Sends one message and receives its answer.
fn exchange(connection: &mut Connection, tag: u32, text: &[u8]) -> Result<Vec<u8>, Error> {
    let (sender, receiver) = connection.split();
    sender.send(tag, text, None)?;
    Ok(receiver.receive(None)?.into_vec())
}

/// Sends a text, which must come back.
pub fn echo(connection: &mut Connection, text: &[u8]) {
    assert_eq!(exchange(connection, ECHO, text).unwrap(), text);
}

/// Answers a client until it goes, and says how.
pub fn serve_once(client: &mut Connection) -> Status {
    answer(client, None).unwrap_err().status()
}

/// What the server holds while it serves one client.
fn ask(path: &Path) -> Result<Vec<u8>, Error> {
    exchange(&mut dial(path), COUNT, b"")
}

/// Waits until the server holds no more than `expected`. So it serves on, too.
fn assert_holds(path: &Path, expected: &[u8], what: &str) {
    let mut last = Vec::new();
    let mut asked = 0;
    until("the server has let go of the dead", || {
        last = ask(path).expect("the server serves on");
        asked += 1;
        if asked % 1000 == 0 {
            println!("{what}: {} still", String::from_utf8_lossy(&last));
        }
        last == expected
    });
}

/// A client's life: random messages that must come back, for a while.
fn converse(path: &Path, rng: &mut Rng, progress: &AtomicU64) -> Result<(), Error> {
    let mut connection = Connection::dial(path, None)?;
    let mut text = vec![0; 200_000];
    for _ in 0..rng.below(200) {
        // Now and then one of more than the ring, which goes in fragments.
        let most = if rng.one_in(50) { 200_000 } else { 500 };
        let len = rng.size(most);
        rng.fill(&mut text[..len]);
        let back = exchange(&mut connection, ECHO, &text[..len])?;
        assert!(back == text[..len], "a message is not what was sent");
        progress.fetch_add(1, SeqCst);
    }
    Ok(())
}

/// A process that is one client after the other, whatever becomes of the server.
fn client(path: &Path, seed: u64, progress: &Shared<AtomicU64>) -> Child {
    Child::fork(|| {
        let mut rng = Rng::new(seed);
        let before = Holdings::now();
        loop {
            match converse(path, &mut rng, progress) {
                Ok(()) => {}
                Err(error) if is_gone(error) || error.status() == Status::NotFound => {}
                Err(error) => panic!("{error}"),
            }
            assert_eq!(Holdings::now(), before, "the client leaks");
        }
    })
}

/// Clients and servers are killed at random instants.
pub fn kills(options: &Options) {
    let kills = options.get("kills", 100);
    let place = Place::new("kills");
    let path = place.path();
    let progress = Shared::<AtomicU64>::new();
    let mut rng = Rng::new(options.get("seed", 1));
    let mut serving = server(&path);
    let expected = ask(&path).unwrap();
    let mut clients: Vec<_> = (0..3).map(|_| client(&path, rng.next(), &progress)).collect();
    let mut of_servers = 0;
    for _ in 0..kills {
        nap(Duration::from_micros(rng.below(2_000)));
        if rng.one_in(4) {
            serving.kill();
            serving = server(&path);
            of_servers += 1;
        } else {
            let victim = rng.below(clients.len() as u64) as usize;
            let another = client(&path, rng.next(), &progress);
            std::mem::replace(&mut clients[victim], another).kill();
        }
        let before = progress.load(SeqCst);
        until("somebody gets on", || progress.load(SeqCst) > before);
        clients.iter_mut().for_each(|client| client.assert_alive("client"));
        serving.assert_alive("server");
    }
    clients.into_iter().for_each(Child::kill);
    assert_holds(&path, &expected, "kills");
    serving.kill();
    place.clean();
    println!(
        "connections: {kills} kills, {of_servers} of them of servers, {} messages",
        progress.load(SeqCst)
    );
}

/// Many clients at once, and many one after the other.
pub fn crowd(options: &Options) {
    let (cycles, at_once) = (options.get("cycles", 2_000), options.get("clients", 1_000));
    let place = Place::new("crowd");
    let path = place.path();
    allow_descriptors(8 * at_once + 100);
    let serving = server(&path);
    let expected = ask(&path).unwrap();
    for cycle in 0..cycles {
        let mut connection = dial(&path);
        if cycle % 16 == 0 {
            echo(&mut connection, b"hello");
        }
    }
    assert_holds(&path, &expected, "one after the other");

    let mut all: Vec<_> = (0..at_once).map(|_| dial(&path)).collect();
    for (number, connection) in all.iter_mut().enumerate() {
        echo(connection, &number.to_le_bytes());
    }
    let one = all.len() / 2;
    // One of them is not disturbed by the rest.
    assert!(!all[one].arm(1, 0).unwrap().any());
    all[one].sender().send(ECHO, b"one of many", None).unwrap();
    assert_eq!(poll(std::iter::once(all[one].as_raw_fd())), [true]);
    drop(all);
    assert_holds(&path, &expected, "at once");
    serving.kill();
    place.clean();
    println!("crowd: {cycles} connections one after the other, {at_once} at once");
}

fn allow_descriptors(count: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid place, and then a valid value.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max.min(count.max(limit.rlim_cur));
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
    assert!(limit.rlim_cur >= count, "{count} descriptors are needed (ulimit -n)");
}

/// Listeners race for a path whose listener is gone: one gets it, the others learn that it is in use,
/// and no client finds it free meanwhile.
pub fn rivals(options: &Options) {
    let rounds = options.get("rounds", 300);
    let place = Place::new("rivals");
    let path = place.path();
    for round in 0..rounds {
        // Killed while it listens.
        server(&path).kill();
        let [ready, tried, winners] = std::array::from_fn(|_| Shared::<AtomicU64>::new());
        let rivals: Vec<_> = (0..3)
            .map(|_| {
                Child::fork(|| {
                    ready.fetch_add(1, SeqCst);
                    while ready.load(SeqCst) < 3 {}
                    let bound = Listener::bind(&path);
                    tried.fetch_add(1, SeqCst);
                    match bound {
                        Ok(listener) => {
                            // It must be there until the last of them has tried.
                            while tried.load(SeqCst) < 3 {}
                            winners.fetch_add(1, SeqCst);
                            let mut client = listener.accept(None).unwrap();
                            assert_eq!(serve_once(&mut client), Status::Closed);
                            // Leaves the path behind, as if killed.
                            std::mem::forget(listener);
                        }
                        Err(error) => assert_eq!(error.status(), Status::AlreadyExists),
                    }
                })
            })
            .collect();
        let mut connection = None;
        until("somebody listens", || {
            connection = Connection::dial(&path, None).ok();
            connection.is_some()
        });
        echo(&mut connection.expect("just set"), b"whoever you are");
        rivals.into_iter().for_each(|rival| rival.finish("rival"));
        assert_eq!(winners.load(SeqCst), 1, "in round {round}");
    }
    place.clean();
    println!("rivals: {rounds} rounds of 3 listeners for one stale path");
}

/// A client dies, and its forked child lives on with all its descriptors: the server learns of the
/// death at once, by the descriptor and by its waits.
pub fn orphans(_: &Options) {
    let place = Place::new("orphans");
    let path = place.path();
    let listener = Listener::bind(&path).unwrap();
    let child = Shared::<AtomicU64>::new();
    let client = Child::fork(|| {
        let mut connection = dial(&path);
        // SAFETY: this process has one thread.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            nap(Duration::from_secs(3600));
        }
        echo(&mut connection, b"hello");
        // Only now: the server stops answering when it sees the number.
        child.store(pid as u64, SeqCst);
        nap(Duration::from_secs(3600));
    });
    let mut served = listener.accept(None).unwrap();
    let error = loop {
        match answer(&mut served, Some(Duration::from_millis(1))) {
            Err(error) if error.status() == Status::Timeout && child.load(SeqCst) == 0 => {}
            Err(error) => break error,
            Ok(()) => unreachable!(),
        }
    };
    assert_eq!(error.status(), Status::Timeout);
    until("it is armed", || !served.arm(1, 0).unwrap().any());
    client.kill();
    assert_eq!(poll(std::iter::once(served.as_raw_fd())), [true]);
    assert!(served.arm(1, 0).unwrap().readable);
    assert_eq!(serve_once(&mut served), Status::PeerDead);
    // SAFETY: the orphan is this process's grandchild, which nobody else waits for.
    unsafe { libc::kill(child.load(SeqCst) as i32, libc::SIGKILL) };
    drop((served, listener));
    std::fs::remove_dir(&place.directory).expect("nothing is left");
}

/// One whole life of a client, short.
#[cfg(target_arch = "x86_64")]
fn live(path: &Path) -> Result<(), Error> {
    let back = exchange(&mut Connection::dial(path, None)?, ECHO, b"hello")?;
    assert_eq!(back, b"hello");
    Ok(())
}

/// One whole life of a server with one client.
#[cfg(target_arch = "x86_64")]
fn serve_one(path: &Path) -> Result<(), Error> {
    let listener = Listener::bind(path)?;
    answer(&mut listener.accept(None)?, None)
}

/// A process that is one client after the other, and may get any error of the server's.
#[cfg(target_arch = "x86_64")]
fn patient_client(path: &Path, served: &Shared<AtomicU64>) -> Child {
    Child::fork(|| {
        let before = Holdings::now();
        loop {
            match live(path) {
                Ok(()) => _ = served.fetch_add(1, SeqCst),
                Err(error) if error.status() == Status::NotFound => {
                    nap(Duration::from_micros(200));
                }
                // Refused, for want of memory or whatever else failed on the other side.
                Err(_) => {}
            }
            assert_eq!(Holdings::now(), before, "the client leaks");
        }
    })
}

/// What is done to a process as it enters or leaves a system call.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
enum Blow {
    Kill,
    Fail(i32),
}

/// Runs `life` in a process up to a system call's entry or return, and strikes. False if the process
/// makes no so many.
#[cfg(target_arch = "x86_64")]
fn strike(step: u64, blow: Blow, life: impl FnOnce() -> Result<(), Error>) -> bool {
    let mut tracee = Tracee::start(|| {
        let before = Holdings::now();
        checkpoint();
        // Whatever it ends with, it ends.
        let _ = life();
        checkpoint();
        let after = Holdings::now();
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(before != after)) };
    });
    // An entry and a return for each call.
    let stops = if matches!(blow, Blow::Kill) { step + 1 } else { 2 * step + 1 };
    for _ in 0..stops {
        if tracee.run_to_syscall() != Stop::Syscall {
            return false;
        }
    }
    let Blow::Fail(error) = blow else {
        tracee.kill();
        return true;
    };
    let number = tracee.fail_syscall(error);
    let what = format!("system call {number} (the {step}th) failing with {error}");
    assert_eq!(tracee.run(), Stop::Checkpoint, "{what}: a crash");
    let end = tracee.run();
    // What the kernel refuses to take back is still there.
    if !matches!(number, libc::SYS_close | libc::SYS_munmap) {
        assert_eq!(end, Stop::End(0), "{what}: a leak");
    }
    true
}

/// A client, and then a server, is killed at each entry to a system call and each return from one;
/// then each of their system calls fails.
#[cfg(target_arch = "x86_64")]
pub fn handshakes(options: &Options) {
    let stride = options.get("stride", if cfg!(debug_assertions) { 5 } else { 1 });
    let blows =
        [Blow::Kill, Blow::Fail(libc::ENOMEM), Blow::Fail(libc::EINTR), Blow::Fail(libc::EMFILE)];
    for blow in blows {
        let place = Place::new("handshakes");
        let path = place.path();

        let serving = server(&path);
        let expected = ask(&path).unwrap();
        let mut clients = 0;
        while strike(clients * stride, blow, || live(&path)) {
            clients += 1;
            assert_holds(&path, &expected, "a client");
        }
        assert!(clients * stride > 20, "a client makes more calls than {clients}");
        serving.kill();

        let served = Shared::<AtomicU64>::new();
        let mut waiting = patient_client(&path, &served);
        let mut servers = 0;
        while strike(servers * stride, blow, || serve_one(&path)) {
            servers += 1;
            let next = server(&path);
            let before = served.load(SeqCst);
            until("the client gets on with the next server", || served.load(SeqCst) > before);
            waiting.assert_alive("client");
            next.kill();
        }
        assert!(servers * stride > 20, "a server makes more calls than {servers}");
        waiting.kill();
        place.clean();
        let what = match blow {
            Blow::Kill => "killed".to_owned(),
            Blow::Fail(error) => std::io::Error::from_raw_os_error(error).to_string(),
        };
        println!(
            "handshakes: {clients} clients and {servers} servers, each at another step: {what}"
        );
    }
}
