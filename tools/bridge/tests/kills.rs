//! Sender, receiver and server are killed at random instants under load, and started again. Each byte
//! arrives once.
//!
//! `SPSC_BRIDGE_KILLS` is how often each is killed, `SPSC_BRIDGE_MIB` the length of the stream, and
//! `SPSC_BRIDGE_SEED` what chance begins with.

mod support;

use std::thread;
use std::time::{Duration, Instant, SystemTime};
use support::{Directory, Ends, Random, Server, Watchdog, fail, receive, send, variable};

/// More than what can be under way from a sender that is done, and a MiB.
const REST: u64 = 8 << 20;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Sender,
    Receiver,
    Server,
}

#[test]
fn every_byte_arrives_once_through_kills() {
    let kills: usize = variable("SPSC_BRIDGE_KILLS", 12);
    let len = variable("SPSC_BRIDGE_MIB", 48_u64) << 20;
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_nanos() as u64;
    let seed = variable("SPSC_BRIDGE_SEED", now);
    println!("seed {seed}");
    let _watchdog = Watchdog::after(Duration::from_secs(4 * kills as u64));
    let mut random = Random(seed);
    let victims = [Victim::Sender, Victim::Receiver, Victim::Server];
    // Each at the moment when so much has arrived, so that all three are at work.
    let mut plan: Vec<_> = victims
        .iter()
        .flat_map(|&victim| vec![victim; kills])
        .map(|victim| (random.below(len - REST), victim))
        .collect();
    plan.sort_by_key(|&(at, _)| at);

    let log = Directory::new("kills-log");
    let words = log.path().join("words");
    let mut server = Server::start();
    let url = server.url("KILLS.bytes");
    let ends = Ends::start(len, 256 << 10, 256 << 10);
    let sends = || send(&ends.near, &url, &["--limit", "2MiB", "--chunk", "32KiB"], Some(&words));
    let receives = || receive(&ends.far, &url, &[], Some(&words));
    let (mut sender, mut receiver) = (sends(), receives());
    let since = Instant::now();
    let mut killed = [0; 3];
    for (at, victim) in plan {
        // So no sender is done before it is killed, however late that is.
        ends.consumed.put_bar(at + (1 << 20));
        ends.consumed.reaches(at, || {
            for process in [&mut sender, &mut receiver] {
                let ended = process.0.try_wait().expect("a child");
                if let Some(status) = ended.filter(|status| !status.success()) {
                    let words = std::fs::read_to_string(&words).unwrap_or_default();
                    let last = words.lines().rev().take(20).collect::<Vec<_>>().join("\n");
                    fail(&format!("a bridge failed: {status}; the last words first:\n{last}"));
                }
            }
        });
        thread::sleep(Duration::from_micros(random.below(3000)));
        match victim {
            Victim::Sender => {
                sender.kill();
                sender = sends();
            }
            Victim::Receiver => {
                receiver.kill();
                receiver = receives();
            }
            Victim::Server => {
                server.kill();
                server.restart();
            }
        }
        killed[victim as usize] += 1;
    }
    ends.consumed.put_bar(u64::MAX);
    ends.finish();
    assert!(sender.succeeded(), "the sender");
    assert!(receiver.succeeded(), "the receiver");
    println!("killed {killed:?} in {:.1} s, {} MiB", since.elapsed().as_secs_f64(), len >> 20);
    assert_eq!(killed, [kills; 3]);
}
