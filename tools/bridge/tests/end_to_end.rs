//! From ring to ring through a real server: each byte once, in order, and then the end.

mod support;

use std::time::Instant;
use support::{Ends, Server, Watchdog, rate, receive, send};

#[test]
fn every_byte_arrives_once() {
    let _watchdog = Watchdog::new();
    let server = Server::start();
    let url = server.url("PLAIN.bytes");
    let len = 64 << 20;
    let since = Instant::now();
    let ends = Ends::start(len, 1 << 20, 256 << 10);
    let sender = send(&ends.near, &url, &[], None);
    let receiver = receive(&ends.far, &url, &[], None);
    ends.finish();
    println!("{:.0} MiB/s", rate(len, since));
    assert!(sender.succeeded(), "the sender");
    assert!(receiver.succeeded(), "the receiver");
}
