//! Answers questions: it sends each message of each client back in capitals, with the same tag.
//!
//!     cargo run --release --example server /tmp/answers
//!
//! and in another terminal a client in C++ or Rust:
//!
//!     cargo run --release --example client /tmp/answers

use spsc_shm::{Connection, Listener, Result, Status};
use std::error::Error;

/// Serves one client until it goes.
fn serve(mut client: Connection) -> Result<()> {
    let (sender, receiver) = client.split();
    loop {
        let question = receiver.receive(None)?;
        let tag = question.tag();
        let answer = question.into_vec().to_ascii_uppercase();
        sender.send(tag, &answer, None)?;
    }
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: server PATH")?;
    let listener = Listener::bind(path)?;
    loop {
        let client = listener.accept(None)?;
        std::thread::spawn(|| match serve(client) {
            Err(error) if error.status() != Status::Closed => eprintln!("a client: {error}"),
            _ => {}
        });
    }
}
