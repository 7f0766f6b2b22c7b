//! Prints the messages that a sender sends through a ring in shared memory, each with its tag.
//!
//!     cargo run --release --example receiver my-ring
//!
//! and in another terminal, before or after, a sender in C or Rust:
//!
//!     cargo run --release --example sender my-ring < FILE

use spsc_shm::Ring;
use std::error::Error;
use std::io::{self, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("usage: receiver RING-NAME")?;
    // Whichever program starts first waits for the other.
    let mut consumer = Ring::connect_timeout(&name, None)?.into_consumer();
    Ring::unlink(&name)?;
    let mut out = io::stdout().lock();
    // Ends when the sender has closed its handle. A sender that died is an error.
    for message in consumer.messages(None) {
        let (tag, bytes) = message?;
        write!(out, "{tag}: ")?;
        out.write_all(&bytes)?;
        writeln!(out)?;
    }
    Ok(())
}
