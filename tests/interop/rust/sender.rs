//! Sends messages by the library's own framing: see ../README.md.

mod stream;

use std::error::Error;
use stream::Stream;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut stream, ring) = Stream::open()?;
    let mut producer = ring.into_producer();
    for _ in 0..stream.count {
        let (tag, payload) = stream.next_payload();
        producer.send(tag, &payload, None)?;
    }
    if stream.killed {
        // SAFETY: raise takes no pointer, and no code of this process runs after it.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    Ok(())
}
