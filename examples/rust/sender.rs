//! Sends each line of its standard input to another process as a message, with its number as the
//! tag.
//!
//!     cargo run --release --example sender my-ring < FILE
//!
//! and in another terminal, before or after, a receiver in C or Rust:
//!
//!     cargo run --release --example receiver my-ring

use spsc_shm::Ring;
use std::error::Error;
use std::io::{self, BufRead};

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("usage: sender RING-NAME < FILE")?;
    let mut producer = Ring::create(&name, 64 * 1024)?.into_producer();
    // Be the producer before there is anything to send: an empty file has an end, too.
    producer.wait_for_space(1, None)?;
    for (number, line) in (1..).zip(io::stdin().lock().split(b'\n')) {
        // A line may be longer than the ring: it goes in fragments then, while the other side
        // receives them.
        producer.send(number, &line?, None)?;
    }
    Ok(())
    // The ring closes here. The receiver gets what is left in it, and then the end of the stream.
}
