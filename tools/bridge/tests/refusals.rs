//! What can't go on without a loss says so, and carries nothing more.

mod support;

use spsc_shm::Ring;
use std::time::Duration;
use support::{Gauge, Name, Server, Watchdog, consume, produce, receive, refusal, send};

/// A ring that holds the first bytes of the test's stream, whose producer stays.
fn near(bytes: usize) -> (Name, spsc_shm::Producer) {
    let name = Name::new("near");
    let mut producer = Ring::create(&name.0, 1 << 16).expect("a ring").into_producer();
    produce(&mut producer, bytes as u64, &Gauge::default());
    (name, producer)
}

/// Waits until the ring's bridge has taken all.
fn drained(producer: &spsc_shm::Producer) {
    while producer.ring().available() != 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn sent(server: &Server, subject: &str, bytes: usize) -> (Name, spsc_shm::Producer) {
    let (name, producer) = near(bytes);
    let mut sender = send(&name, &server.url(subject), &[], None);
    drained(&producer);
    sender.kill();
    (name, producer)
}

fn refused_send(ring: &Name, url: &str) -> String {
    refusal(&["send", "--ring", &ring.0, "--to", url])
}

fn refused_receive(ring: &Name, url: &str) -> String {
    refusal(&["receive", "--ring", &ring.0, "--from", url])
}

#[test]
fn a_near_ring_made_anew_is_refused() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let (first, _producer) = sent(&server, "NEAR.bytes", 1000);
    let (other, _other) = near(5000);
    let words = refused_send(&other, &server.url("NEAR.bytes"));
    assert!(words.contains("carries another ring"), "{words}");
    // The right one still may.
    let mut sender = send(&first, &server.url("NEAR.bytes"), &[], None);
    std::thread::sleep(Duration::from_millis(300));
    assert!(sender.0.try_wait().expect("a child").is_none(), "it goes on");
}

#[test]
fn a_far_ring_made_anew_is_refused() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let url = server.url("FAR.bytes");
    let (_near, _producer) = sent(&server, "FAR.bytes", 1000);
    let far = Name::new("far");
    let ring = Ring::create(&far.0, 1 << 16).expect("a ring");
    let mut receiver = receive(&far, &url, &[], None);
    while ring.available() != 1000 {
        std::thread::sleep(Duration::from_millis(2));
    }
    receiver.kill();
    drop(ring);
    Ring::unlink(&far.0).expect("its name");
    let ring = Ring::create(&far.0, 1 << 16).expect("another ring of that name");
    let words = refused_receive(&far, &url);
    assert!(words.contains("goes to another ring"), "{words}");
    assert_eq!(ring.stats().published, 0, "nothing was written");
}

#[test]
fn a_stream_that_lost_messages_is_refused() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let url = server.url("CUT.bytes");
    let (near, _producer) = sent(&server, "CUT.bytes", 1000);
    // The receiver sees the first part only, the second is lost.
    server.ask("STREAM.PURGE.CUT", "");
    let words = refused_send(&near, &url);
    assert!(words.contains("was cut short"), "{words}");

    let (near, mut other) = sent(&server, "CUT2.bytes", 1000);
    let mut sender = send(&near, &server.url("CUT2.bytes"), &[], None);
    produce(&mut other, 3000, &Gauge::default());
    drained(&other);
    sender.kill();
    server.ask("STREAM.PURGE.CUT2", r#"{"seq":2}"#);
    let far = Name::new("far");
    let ring = Ring::create(&far.0, 1 << 16).expect("a ring");
    let words = refused_receive(&far, &server.url("CUT2.bytes"));
    assert!(words.contains("was cut short"), "{words}");
    assert_eq!(ring.stats().published, 0, "nothing was written");
}

#[test]
fn a_second_sender_is_told_apart() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let url = server.url("TWO.bytes");
    let (first, mut producer) = near(1000);
    let log = support::Directory::new("two");
    let words = log.path().join("words");
    let sender = send(&first, &url, &[], Some(&words));
    drained(&producer);
    // Another bridge of the same ring has no role in it.
    let refused = refused_send(&first, &url);
    assert!(refused.contains("is a bridge running already?"), "{refused}");
    // And somebody with other bytes gets between.
    server.publish("TWO.bytes", "Spsc-Offset: 1000\r\nSpsc-Ring: somebody-else/0\r\n", "intruder");
    produce(&mut producer, 2000, &Gauge::default());
    assert!(!sender.succeeded(), "it fails");
    let said = std::fs::read_to_string(&words).expect("words");
    assert!(said.contains("a second sender"), "{said}");
    assert_eq!(producer.ring().available(), 1000, "what was not stored is still there");
}

#[test]
fn a_stream_that_may_drop_is_refused() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let (near, _producer) = near(100);
    for (more, expected) in [
        (r#""discard":"old""#, "discards old"),
        (r#""discard":"new","max_age":1000000000"#, "by age"),
        (r#""discard":"new","retention":"workqueue""#, "retention"),
        (r#""discard":"new","max_msgs_per_subject":5"#, "number of messages"),
    ] {
        let config =
            format!(r#"{{"name":"DROPS","subjects":["DROPS.bytes"],"storage":"memory",{more}}}"#);
        server.ask("STREAM.CREATE.DROPS", &config);
        let words = refused_send(&near, &server.url("DROPS.bytes"));
        assert!(words.contains(expected), "{words}");
        server.ask("STREAM.DELETE.DROPS", "");
    }
}

#[test]
fn a_slow_consumer_holds_up_the_producer() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let url = server.url("SLOW.bytes");
    let (near, far) = (Name::new("near"), Name::new("far"));
    let len = 8_u64 << 20;
    let mut producer = Ring::create(&near.0, 64 << 10).expect("a ring").into_producer();
    let mut consumer = Ring::create(&far.0, 64 << 10).expect("a ring").into_consumer();
    let limit = ["--limit", "1MiB", "--chunk", "16KiB", "--window", "128KiB"];
    let sender = send(&near, &url, &limit, None);
    let receiver = receive(&far, &url, &["--window", "128KiB"], None);
    let gauge = Gauge::default();
    let produced = gauge.clone();
    let thread = std::thread::spawn(move || produce(&mut producer, len, &produced));
    // Nobody reads: it fills up from the far end, and stays so.
    gauge.reaches(1 << 20, || {});
    std::thread::sleep(Duration::from_millis(700));
    // The two rings, the server's limit, and the receiver's window.
    let held = 2 * (64 << 10) + (1 << 20) + (128 << 10);
    assert!(gauge.get() <= held, "{} bytes are under way", gauge.get());
    assert_eq!(consume(&mut consumer, &Gauge::default()), len);
    thread.join().expect("the producer");
    assert!(sender.succeeded() && receiver.succeeded());
}
