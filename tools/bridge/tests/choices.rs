//! What can be chosen: messages with tags, many rings in one process, status as JSON, users and TLS.

mod support;

use spsc_shm::{Ring, Status};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Directory, Ends, Name, Process, Server, Watchdog, fill, receive, send};

/// The payload of message `i`: from nothing to far more than half the ring.
fn payload(i: u32) -> Vec<u8> {
    let len = if i % 50 == 49 { 100_000 } else { (i * i) as usize % 3001 };
    let mut bytes = vec![0; len];
    fill(&mut bytes, u64::from(i) << 20);
    bytes
}

#[test]
fn messages_stay_whole_and_keep_their_tags() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let url = server.url("WHOLE.messages");
    let (near, far) = (Name::new("near"), Name::new("far"));
    let mut producer = Ring::create(&near.0, 64 << 10).expect("a ring").into_producer();
    let mut consumer = Ring::create(&far.0, 64 << 10).expect("a ring").into_consumer();
    let sends = || send(&near, &url, &["--messages", "--limit", "1MiB"], None);
    let receives = || receive(&far, &url, &[], None);
    let (mut sender, mut receiver) = (sends(), receives());
    let count = 2000;
    let thread = std::thread::spawn(move || {
        for i in 0..count {
            let message = payload(i);
            // A sender of fragments that saw its consumer die goes on with the next fragment.
            loop {
                match producer.send(!i, &message, None) {
                    Ok(()) => break,
                    Err(error) if error.status() == Status::PeerDead => {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    let mut next = 0;
    loop {
        match consumer.receive(None) {
            Ok(message) => {
                assert_eq!(message.tag(), !next, "the tag");
                assert!(message.to_vec() == payload(next), "message {next}");
                message.done();
                next += 1;
                if next % 200 == 100 {
                    sender.kill();
                    receiver.kill();
                    (sender, receiver) = (sends(), receives());
                }
            }
            Err(error) if error.status() == Status::PeerDead => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) if error.status() == Status::Closed => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(next, count);
    thread.join().expect("the producer");
    assert!(sender.succeeded() && receiver.succeeded());
}

#[test]
fn a_tag_is_a_header_for_other_programs() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let near = Name::new("near");
    let mut producer = Ring::create(&near.0, 4096).expect("a ring").into_producer();
    producer.send(77, b"hello", None).expect("a message");
    drop(producer);
    assert!(send(&near, &server.url("TAGS.one"), &["--messages"], None).succeeded());
    let answer = server.ask("STREAM.MSG.GET.TAGS", r#"{"seq":1}"#);
    // The payload in base64, as the server gives it.
    assert!(answer.contains(r#""data":"aGVsbG8=""#), "{answer}");
    let headers = base64_of("Spsc-Tag: 77\r\n");
    assert!(headers.iter().any(|text| answer.contains(text)), "{answer}");
}

/// What `text` may look like within base64, by where it begins.
fn base64_of(text: &str) -> Vec<String> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..3)
        .map(|skip| {
            let whole = &text.as_bytes()[skip..];
            whole
                .chunks_exact(3)
                .flat_map(|three| {
                    let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
                    [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift) as usize & 63] as char)
                })
                .collect()
        })
        .collect()
}

#[test]
fn one_file_carries_many_rings() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let directory = Directory::new("many");
    let all: Vec<_> = (0..8).map(|_| Ends::start(2 << 20, 64 << 10, 64 << 10)).collect();
    let mut text = String::new();
    for (i, ends) in all.iter().enumerate() {
        let url = server.url(&format!("MANY{i}.bytes"));
        let (near, far) = (&ends.near.0, &ends.far.0);
        text += &format!("[[send]]\nring = {near:?}\nto = {url:?}\nlimit = \"1MiB\"\n");
        text += &format!("[[receive]]\nring = {far:?}\nfrom = {url:?}\nwindow = 65536\n");
    }
    let file = directory.path().join("rings.toml");
    std::fs::write(&file, text).expect("a file");
    let mut child = Command::new(support::program())
        .args(["run", "--json"])
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the bridge");
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    // All along: it says something each second, and a pipe holds only so much.
    let lines = std::thread::spawn(|| -> Vec<serde_json::Value> {
        out.lines()
            .map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"))
            .collect()
    });
    let process = Process(child);
    for ends in all {
        ends.finish();
    }
    assert!(process.succeeded());
    let lines = lines.join().expect("lines");
    let last = &lines[lines.len() - 16..];
    assert!(last.iter().all(|line| line["state"] == "done"), "{last:?}");
    assert!(last.iter().all(|line| line["offset"] == 2 << 20), "{last:?}");
}

#[test]
fn a_file_that_makes_no_sense_is_refused() {
    let directory = Directory::new("wrong");
    let file = directory.path().join("rings.toml");
    for (text, expected) in [
        ("", "lists no ring"),
        ("[[send]]\nring = \"/a\"\n", "to"),
        ("[[send]]\nring = \"/a\"\nto = \"nats://host/nothing\"\n", "STREAM.SUBJECT"),
        ("[[send]]\nring = \"/a\"\nto = \"nats://host/A.b\"\nwindwo = 3\n", "windwo"),
    ] {
        std::fs::write(&file, text).expect("a file");
        let words = support::refusal(&["run", file.to_str().expect("a path")]);
        assert!(words.contains(expected), "{text:?}: {words}");
    }
}

#[test]
fn a_user_and_tls() {
    let _watchdog = Watchdog::new();
    let keys = Directory::new("keys");
    let at = |name: &str| keys.path().join(name).display().to_string();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().expect("openssl");
        assert!(output.status.success(), "{output:?}");
    };
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let (ca, ca_key) = (at("ca.pem"), at("ca.key"));
    let ca_is = ["-keyout", &ca_key, "-out", &ca, "-subj", "/CN=test", "-days", "2"];
    openssl(&[&new[..], &ca_is].concat());
    for name in ["server", "client"] {
        let (cert, key) = (at(&format!("{name}.pem")), at(&format!("{name}.key")));
        let is = ["-keyout", &key, "-out", &cert, "-subj", "/CN=localhost", "-days", "2"];
        let signed =
            ["-CA", &ca, "-CAkey", &ca_key, "-addext", "basicConstraints=critical,CA:FALSE"];
        let name = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
        openssl(&[&new[..], &is, &signed, &name].concat());
    }
    let server = Server::with(&format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {ca:?}, verify: true }}\n\
         authorization {{ user: someone, password: secret }}",
        at("server.pem"),
        at("server.key"),
    ));
    let url = format!("tls://someone:secret@localhost:{}/SAFE.bytes", server.port);
    let (client, client_key) = (at("client.pem"), at("client.key"));
    let tls = ["--tls-ca", &ca, "--tls-certificate", &client, "--tls-key", &client_key];
    let ends = Ends::start(1 << 20, 64 << 10, 64 << 10);
    let sender = send(&ends.near, &url, &tls, None);
    let receiver = receive(&ends.far, &url, &tls, None);
    ends.finish();
    assert!(sender.succeeded() && receiver.succeeded());

    // The wrong password is no passing trouble.
    let near = Name::new("near");
    let url = url.replace("secret", "guess");
    let ring = Ring::create(&near.0, 4096).expect("a ring");
    let words = support::refusal(&[&["send", "--ring", &near.0, "--to", &url], &tls[..]].concat());
    assert!(words.contains("authorization"), "{words}");
    assert!(!words.contains("guess"), "no password is shown: {words}");
    drop(ring);
}
