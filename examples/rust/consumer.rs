//! Writes to its standard output what a producer sends through a ring in shared memory.
//!
//!     cargo run --release --example consumer my-ring > COPY
//!
//! and in another terminal, before or after, a producer in any language:
//!
//!     cargo run --release --example producer my-ring < FILE

use spsc_shm::Ring;
use std::error::Error;
use std::io;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("usage: consumer RING-NAME > FILE")?;
    // Whichever program starts first waits for the other.
    let mut consumer = Ring::connect_timeout(&name, None)?.into_consumer();
    // Both have the ring open now and no longer need its name.
    Ring::unlink(&name)?;
    // Ends when the producer has closed the ring. If the producer died, this is an error.
    io::copy(&mut consumer, &mut io::stdout())?;
    Ok(())
}
