//! Receives a stream of messages: see ../README.md.

mod stream;

use spsc_shm::Status;
use std::error::Error;
use stream::Stream;

const HEADER_SIZE: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut stream, ring) = Stream::open()?;
    let mut consumer = ring.into_consumer();
    for i in 0..stream.count {
        let message = stream.next_message();
        // The header first, as a reader must who does not know what comes.
        if consumer.peek(HEADER_SIZE, None)?.to_vec() != message[..HEADER_SIZE] {
            return Err(format!("message {i}: another header").into());
        }
        let grant = consumer.peek(message.len(), None)?;
        if grant.to_vec() != *message {
            return Err(format!("message {i}: another payload").into());
        }
        grant.release_all();
    }
    let expected = if stream.killed { Status::PeerDead } else { Status::Closed };
    match consumer.peek(1, None) {
        Err(error) if error.status() == expected => {}
        other => return Err(format!("the stream's end: {other:?}").into()),
    }
    println!("ok {}", stream.count);
    Ok(())
}
