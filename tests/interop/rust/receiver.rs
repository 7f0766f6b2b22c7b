//! Receives messages by the library's own framing: see ../README.md.

mod stream;

use spsc_shm::Status;
use std::error::Error;
use stream::Stream;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut stream, ring) = Stream::open()?;
    let mut consumer = ring.into_consumer();
    for i in 0..stream.count {
        let (tag, payload) = stream.next_payload();
        let message = consumer.receive(None)?;
        if message.tag() != tag || message.to_vec() != payload {
            return Err(format!("message {i}: another tag or payload").into());
        }
        message.done();
    }
    let expected = if stream.killed { Status::PeerDead } else { Status::Closed };
    match consumer.receive(None) {
        Err(error) if error.status() == expected => {}
        other => return Err(format!("the stream's end: {other:?}").into()),
    }
    println!("ok {}", stream.count);
    Ok(())
}
