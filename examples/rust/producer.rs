//! Sends its standard input to another process, through a ring in shared memory.
//!
//!     cargo run --release --example producer my-ring < FILE
//!
//! and in another terminal, before or after, a consumer in any language:
//!
//!     cargo run --release --example consumer my-ring > COPY

use spsc_shm::Ring;
use std::error::Error;
use std::io;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("usage: producer RING-NAME < FILE")?;
    let mut producer = Ring::create(&name, 64 * 1024)?.into_producer();
    // Take the role before there is anything to send: even an empty file has an end.
    producer.wait_for_space(1, None)?;
    io::copy(&mut io::stdin(), &mut producer)?;
    Ok(())
    // The ring closes here. The consumer gets what is left in it, and then the end of the stream.
    // If none has come yet, the ring waits for it under its name.
}
