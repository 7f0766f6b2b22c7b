//! A connection beside two rings, and beside a Unix socket, in turns of a few milliseconds.

use crate::args::Connections;
use harness::process::{self, Cpus, Far};
use harness::stats::at_quantile;
use spsc_shm::{ConnOptions, Connection, Consumer, Listener, Producer, Ring, Status};
use std::error::Error;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const MESSAGE: usize = 64;
/// Round trips of one turn.
const HOT: usize = 500;
/// Pairs of rings, and connections, that take hot turns. Where the memory of one happens to lie makes a
/// difference of a tenth, so that it takes several to compare.
const PAIRS: usize = 16;
const COLD: usize = 200;
/// Connections of one turn.
const DIALS: usize = 100;

/// One of the ways to send a message there and back.
trait Trip {
    /// Sends a message, and waits for one.
    fn ask(&mut self);
    /// Waits for a message, and sends one.
    fn answer(&mut self);
}

fn send(to: &mut Producer) {
    let mut grant = to.claim(MESSAGE, None).expect("the peer is there");
    grant.copy_from_slice(&[7; MESSAGE]);
    grant.publish_all();
}

fn receive(from: &mut Consumer) {
    let mut message = [0; MESSAGE];
    let mut grant = from.peek(MESSAGE, None).expect("the peer is there");
    grant.read_exact(&mut message).expect("so much was asked for");
    grant.release_all();
}

/// Two rings, or those of a connection, with waits that spin.
struct Rings<'a>(&'a mut Producer, &'a mut Consumer);

impl Trip for Rings<'_> {
    fn ask(&mut self) {
        send(self.0);
        receive(self.1);
    }

    fn answer(&mut self) {
        receive(self.1);
        send(self.0);
    }
}

/// A connection whose descriptor is waited for.
struct Polled<'a>(&'a mut Connection, &'a Epoll);

impl Polled<'_> {
    fn wait(&mut self) {
        loop {
            match self.0.receiver().wait_for_data(MESSAGE, Some(Duration::ZERO)) {
                Ok(()) => return receive(self.0.receiver()),
                Err(error) => assert_eq!(error.status(), Status::Timeout),
            }
            if !self.0.arm(MESSAGE, 0).expect("the peer is there").any() {
                self.1.wait();
            }
        }
    }
}

impl Trip for Polled<'_> {
    fn ask(&mut self) {
        send(self.0.sender());
        self.wait();
    }

    fn answer(&mut self) {
        self.wait();
        send(self.0.sender());
    }
}

/// A Unix socket that is waited for in the same way.
struct Socket<'a>(&'a mut UnixStream, &'a Epoll);

impl Socket<'_> {
    fn wait(&mut self) {
        let mut message = [0; MESSAGE];
        self.1.wait();
        self.0.read_exact(&mut message).expect("the peer is there");
    }

    fn send(&mut self) {
        self.0.write_all(&[7; MESSAGE]).expect("the peer is there");
    }
}

impl Trip for Socket<'_> {
    fn ask(&mut self) {
        self.send();
        self.wait();
    }

    fn answer(&mut self) {
        self.wait();
        self.send();
    }
}

struct Epoll(OwnedFd);

impl Epoll {
    fn of(fd: impl AsFd) -> Self {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        // SAFETY: `event` is valid for the call, and the new descriptor is nobody else's.
        unsafe {
            let epoll = OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC));
            let fd = fd.as_fd().as_raw_fd();
            assert_eq!(
                libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event),
                0
            );
            Self(epoll)
        }
    }

    fn wait(&self) {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: a place for one event.
        unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, -1) };
    }
}

/// What one process has of everything that is compared.
struct End {
    rings: Vec<(Producer, Consumer)>,
    connections: Vec<Connection>,
    connection_epoll: Epoll,
    /// The same with waits in calls that sleep at once.
    sleepy: Connection,
    socket: UnixStream,
    socket_epoll: Epoll,
}

impl End {
    fn new(
        rings: Vec<(Producer, Consumer)>,
        connections: Vec<Connection>,
        sleepy: Connection,
        socket: UnixStream,
    ) -> Self {
        let (connection_epoll, socket_epoll) = (Epoll::of(&connections[0]), Epoll::of(&socket));
        Self { rings, connections, connection_epoll, sleepy, socket, socket_epoll }
    }

    /// Does the same with each in turn. Says which of a row's times the turn belongs to.
    fn each(&mut self, mut turn: impl FnMut(usize, usize, &mut dyn Trip)) {
        for ((out, back), connection) in self.rings.iter_mut().zip(&mut self.connections) {
            turn(0, HOT, &mut Rings(out, back));
            let (sender, receiver) = connection.split();
            turn(1, HOT, &mut Rings(sender, receiver));
        }
        turn(2, COLD, &mut Socket(&mut self.socket, &self.socket_epoll));
        turn(3, COLD, &mut Polled(&mut self.connections[0], &self.connection_epoll));
        let (sender, receiver) = self.sleepy.split();
        turn(4, COLD, &mut Rings(sender, receiver));
    }
}

/// The times of a row.
const TIMES: usize = 5;

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("spsc-measure-{}-{name}", std::process::id()))
}

/// Ours and theirs of a connection.
fn served(listener: &Listener) -> Connection {
    listener.accept(None).expect("a client dials")
}

pub fn run(args: &Connections) -> Result<(), Box<dyn Error>> {
    let cpus = Cpus::choose().ok_or("needs two CPUs")?;
    process::pin(cpus.near);
    let (ours, theirs) = UnixStream::pair()?;
    let mut rings = Vec::new();
    for _ in 0..PAIRS {
        rings.push((Ring::anonymous(1 << 16)?, Ring::anonymous(1 << 16)?));
    }
    let listening = Listener::bind(path("a"))?;
    let sleepy = ConnOptions::new().spin(spsc_shm::Spin::Never).listen(path("b"))?;
    let plain = UnixListener::bind(path("c"))?;
    let (path_ours, path_plain, path_sleepy) = (path("a"), path("c"), path("b"));
    let rows = args.rows;
    let far = Far::start(cpus.far, || {
        let open = |ring: &Ring| {
            Ring::connect_fd(ring.sealed_fd().expect("it has no name")).expect("a ring")
        };
        let rings = rings
            .iter()
            .map(|(to, from)| (open(from).into_producer(), open(to).into_consumer()))
            .collect();
        let dial = |path: &PathBuf| Connection::dial(path, None).expect("it listens");
        let connections = (0..PAIRS).map(|_| dial(&path_ours)).collect();
        let mut end = End::new(rings, connections, dial(&path_sleepy), theirs);
        for _ in 0..rows {
            end.each(|_, count, trip| (0..count).for_each(|_| trip.answer()));
        }
        // And then the clients.
        let mut ready = [0];
        for _ in 0..rows {
            end.socket.read_exact(&mut ready).expect("the peer is there");
            (0..DIALS).for_each(|_| drop(UnixStream::connect(&path_plain).expect("it listens")));
            end.socket.read_exact(&mut ready).expect("the peer is there");
            (0..DIALS).for_each(|_| drop(Connection::dial(&path_ours, None).expect("it listens")));
        }
    });
    let rings = rings.into_iter().map(|(to, from)| (to.into_producer(), from.into_consumer()));
    let connections = (0..PAIRS).map(|_| served(&listening)).collect();
    let mut end = End::new(rings.collect(), connections, served(&sleepy), ours);
    let mut trips = Vec::new();
    for _ in 0..rows {
        let (mut times, mut counts) = ([0.0; TIMES], [0; TIMES]);
        end.each(|which, count, trip| {
            let start = Instant::now();
            (0..count).for_each(|_| trip.ask());
            times[which] += start.elapsed().as_nanos() as f64;
            counts[which] += count;
        });
        trips.push((0..TIMES).map(|which| times[which] / counts[which] as f64).collect());
    }
    let mut dials = Vec::new();
    for _ in 0..rows {
        let timed = |end: &mut End, accept: &dyn Fn()| {
            end.socket.write_all(&[0]).expect("the peer is there");
            let start = Instant::now();
            (0..DIALS).for_each(|_| accept());
            start.elapsed().as_nanos() as f64 / DIALS as f64
        };
        let unix = timed(&mut end, &|| drop(plain.accept().expect("a client dials")));
        let own = timed(&mut end, &|| drop(served(&listening)));
        dials.push(vec![unix, own]);
    }
    drop(end);
    far.join();
    std::fs::remove_file(path_plain)?;

    println!("Times in ns, with quartiles over {rows} rows; ratios are taken within a row.\n");
    println!("| | time | to | ratio |\n|---|---|---|---|");
    show("hot round trip, two rings", &trips, 0, None);
    show("hot round trip, a connection", &trips, 1, Some((0, "two rings")));
    show("cold round trip, a Unix socket in epoll", &trips, 2, None);
    show("cold round trip, a connection in epoll", &trips, 3, Some((2, "the socket")));
    show("cold round trip, a connection in calls", &trips, 4, Some((2, "the socket")));
    show("accepted, a Unix socket", &dials, 0, None);
    show("accepted, a connection", &dials, 1, Some((0, "the socket")));
    Ok(())
}

fn show(what: &str, rows: &[Vec<f64>], at: usize, beside: Option<(usize, &str)>) {
    let quartiles = |of: &dyn Fn(&Vec<f64>) -> f64| {
        [0.5, 0.25, 0.75].map(|quantile| at_quantile(rows.iter().map(of), quantile))
    };
    let [time, low, high] = quartiles(&|row| row[at]);
    print!("| {what} | {time:.0} ({low:.0} to {high:.0}) |");
    match beside {
        None => println!(" | |"),
        Some((other, name)) => {
            let [ratio, low, high] = quartiles(&|row| row[at] / row[other]);
            println!(" {name} | {ratio:.3} ({low:.3} to {high:.3}) |");
        }
    }
}
