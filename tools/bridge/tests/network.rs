//! Networks that delay, lose and part, and a cluster whose leader dies. Each byte arrives once.
//!
//! `SPSC_BRIDGE_PARTED` is how many seconds the network is parted.

mod support;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use support::{Ends, Server, Watchdog, bridge, free_port, receive, send, variable};

/// Carries bytes one way, each piece so much later.
fn carry_late(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (give, given) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (due, bytes) in given {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut bytes = vec![0; 64 << 10];
    while let Ok(len @ 1..) = from.read(&mut bytes) {
        if give.send((Instant::now() + delay, bytes[..len].to_vec())).is_err() {
            break;
        }
    }
}

/// A way to a port with a delay in each direction, whose connections break now and then.
fn long_way(port: u16, delay: Duration, lives: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let entrance = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let mut open: VecDeque<(Instant, TcpStream)> = VecDeque::new();
        listener.set_nonblocking(true).expect("a listener");
        loop {
            if let Ok((near, _)) = listener.accept() {
                let _ = near.set_nonblocking(false);
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let both =
                    (near.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
                open.push_back((Instant::now(), near.try_clone().expect("a socket")));
                thread::spawn(move || carry_late(near, far, delay));
                thread::spawn(move || carry_late(both.1, both.0, delay));
            }
            while open.front().is_some_and(|(since, _)| since.elapsed() > lives) {
                let (_, oldest) = open.pop_front().expect("there is one");
                let _ = oldest.shutdown(Shutdown::Both);
            }
            thread::sleep(Duration::from_millis(2));
        }
    });
    entrance
}

#[test]
fn a_long_way_that_breaks() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let way = long_way(server.port, Duration::from_millis(20), Duration::from_millis(700));
    let url = format!("nats://127.0.0.1:{way}/LONG.bytes");
    let ends = Ends::start(32 << 20, 4 << 20, 4 << 20);
    let sender = send(&ends.near, &url, &["--limit", "16MiB"], None);
    let receiver = receive(&ends.far, &url, &[], None);
    ends.finish();
    assert!(sender.succeeded() && receiver.succeeded());
}

fn run(words: &str) {
    let mut words = words.split(' ');
    let mut command = Command::new(words.next().expect("a command"));
    let output = command.args(words).output().expect("a command");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Two network namespaces with a line between them.
struct Namespaces {
    broker: String,
    site: String,
}

impl Namespaces {
    fn new() -> Self {
        let id = std::process::id();
        let made = Self { broker: format!("spsc-b-{id}"), site: format!("spsc-s-{id}") };
        let (b, s) = (&made.broker, &made.site);
        run(&format!("ip netns add {b}"));
        run(&format!("ip netns add {s}"));
        run(&format!("ip -n {b} link add line type veth peer name line netns {s}"));
        for (name, address) in [(b, "10.77.0.1/24"), (s, "10.77.0.2/24")] {
            run(&format!("ip -n {name} addr add {address} dev line"));
            run(&format!("ip -n {name} link set lo up"));
            run(&format!("ip -n {name} link set line up"));
        }
        made
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in [&self.broker, &self.site] {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

/// Needs root, `ip` and `nft`.
#[test]
fn a_line_that_loses_and_parts() {
    let parted = Duration::from_secs(variable("SPSC_BRIDGE_PARTED", 8));
    let _watchdog = Watchdog::after(2 * parted);
    let made = Namespaces::new();
    let (b, s) = (&made.broker, &made.site);
    // One packet in fifty is lost, each way.
    for name in [b, s] {
        let nft = ["netns", "exec", name, "nft"];
        let rules = "table inet lossy { chain drops { type filter hook input priority 0; \
                     iifname line numgen random mod 50 == 0 drop; }; }";
        let output = Command::new("ip").args(nft).arg(rules).output().expect("nft");
        assert!(output.status.success(), "nft: {output:?}");
    }
    let server = Server::begin(&["ip", "netns", "exec", b], "10.77.0.1", 4222, "");
    let url = server.url("LOSSY.bytes");
    let ends = Ends::start(48 << 20, 1 << 20, 1 << 20);
    let site = ["ip", "netns", "exec", s];
    let sends = ["send", "--ring", &ends.near.0, "--to", &url, "--limit", "2MiB"];
    let receives = ["receive", "--ring", &ends.far.0, "--from", &url];
    let (sender, receiver) = (bridge(&site, &sends, None), bridge(&site, &receives, None));
    ends.consumed.put_bar(16 << 20);
    ends.consumed.reaches(8 << 20, || {});
    run(&format!("ip -n {s} link set line down"));
    ends.consumed.put_bar(u64::MAX);
    thread::sleep(parted);
    let before = ends.consumed.get();
    assert!(before < 40 << 20, "the line was down in the midst of it");
    run(&format!("ip -n {s} link set line up"));
    let since = Instant::now();
    ends.consumed.reaches(before + 1, || {});
    println!("went on {:.1} s after {parted:?}", since.elapsed().as_secs_f64());
    ends.finish();
    assert!(sender.succeeded() && receiver.succeeded());
}

#[test]
fn a_cluster_whose_leader_is_killed() {
    let _watchdog = Watchdog::new();
    let routes: Vec<_> = (0..3).map(|_| free_port()).collect();
    let all: Vec<_> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
    let mut servers: Vec<_> = routes
        .iter()
        .enumerate()
        .map(|(i, route)| {
            let text = format!(
                "server_name: s{i}\ncluster {{ name: c, listen: \"127.0.0.1:{route}\", routes: {all:?} }}"
            );
            Server::begin(&[], "127.0.0.1", free_port(), &text)
        })
        .collect();
    servers.iter_mut().for_each(Server::wait);
    let hosts: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    let url = format!("nats://{}/TRIO.bytes", hosts.join(","));
    let len = 48 << 20;
    let ends = Ends::start(len, 256 << 10, 256 << 10);
    let sender = send(&ends.near, &url, &["--limit", "4MiB", "--replicas", "3"], None);
    let receiver = receive(&ends.far, &url, &[], None);
    let mut killed = Vec::new();
    for part in 1..=3 {
        ends.consumed.reaches(part * len / 4, || {});
        let leader = leader(&servers[(part % 3) as usize]);
        servers[leader].kill();
        killed.push(leader);
        // While one is away the other two go on.
        ends.consumed.reaches(part * len / 4 + len / 8, || {});
        servers[leader].restart();
        servers[leader].wait();
    }
    println!("killed {killed:?}");
    ends.finish();
    assert!(sender.succeeded() && receiver.succeeded());
}

/// The number of the server that leads the stream.
fn leader(server: &Server) -> usize {
    loop {
        let answer = server.try_ask("STREAM.INFO.TRIO", "");
        if let Some((_, rest)) = answer.split_once(r#""leader":"s"#) {
            return rest[..1].parse().expect("a server");
        }
        thread::sleep(Duration::from_millis(50));
    }
}
