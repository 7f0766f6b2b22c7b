//! Starts another process and streams messages to it, through a ring that has no name. The memory is
//! sealed: the other process can't shrink it, and can't harm this one by what it writes.
//!
//!     cargo run --release --example child

use spsc_shm::{Ring, Status};
use std::error::Error;
use std::process::{Command, Stdio};
use std::{env, io};

/// The bytes of a message. Here all messages are of one size.
const SIZE: usize = 16;
const COUNT: u64 = 1_000_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    if env::args().nth(1).as_deref() == Some("consume") { consume() } else { produce() }
}

fn produce() -> Result<()> {
    let ring = Ring::anonymous(64 * 1024)?;
    // The child gets the ring as its standard input. Any other descriptor would do, too.
    let memory = ring.sealed_fd().ok_or("a ring without a name is sealed")?;
    let mut child = Command::new(env::current_exe()?)
        .arg("consume")
        .stdin(Stdio::from(memory.try_clone_to_owned()?))
        .spawn()?;

    let mut producer = ring.into_producer();
    for number in 0..COUNT {
        // Waits for free space if there is none, without a time limit.
        let mut grant = producer.claim(SIZE, None)?;
        grant.copy_from_slice(&message(number));
        grant.publish_all();
    }
    drop(producer); // the end of the stream
    if child.wait()?.success() { Ok(()) } else { Err("the child failed".into()) }
}

fn consume() -> Result<()> {
    let mut consumer = Ring::connect_fd(io::stdin())?.into_consumer();
    let mut received = [0; SIZE];
    let mut number = 0;
    loop {
        match consumer.peek(SIZE, None) {
            Ok(grant) => {
                grant.copy_to_slice(&mut received);
                grant.release_all();
            }
            Err(error) if error.status() == Status::Closed => break,
            Err(error) => return Err(error.into()),
        }
        if received != message(number) {
            return Err(format!("message {number} is not what was sent").into());
        }
        number += 1;
    }
    println!("{number} messages received");
    Ok(())
}

fn message(number: u64) -> [u8; SIZE] {
    let [a, b] = [number, number * number].map(u64::to_le_bytes);
    [a, b].concat().try_into().expect("two numbers of 8 bytes")
}
