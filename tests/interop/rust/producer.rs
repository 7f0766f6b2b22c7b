//! Sends a stream of messages: see ../README.md.

mod stream;

use std::error::Error;
use stream::Stream;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut stream, ring) = Stream::open()?;
    let mut producer = ring.into_producer();
    for _ in 0..stream.count {
        let message = stream.next_message();
        let mut grant = producer.claim(message.len(), None)?;
        grant.copy_from_slice(&message);
        grant.publish_all();
    }
    if stream.killed {
        // SAFETY: raise takes no pointer, and no code of this process runs after it.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    Ok(())
}
