//! Receives from several processes, each through a ring of its own, in one thread: many producers
//! into one consumer.
//!
//!     cargo run --release --example fan_in

use spsc_shm::{Consumer, End, Ring, Status, WaitSet, Waitable};
use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::{env, io};

const PRODUCERS: u64 = 4;
/// Messages of each producer.
const COUNT: u64 = 250_000;
/// The bytes of a message: here all are of one size.
const SIZE: usize = 16;
/// Messages that are taken from one ring before it is another's turn.
const TURN: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What is kept of each producer: the set owns it.
struct Source {
    process: Child,
    consumer: Consumer,
    producer: u64,
    next: u64,
}

impl Waitable for Source {
    fn end(&mut self) -> End<'_> {
        End::Consumer(&mut self.consumer)
    }
}

fn main() -> Result<()> {
    match env::args().nth(1) {
        Some(producer) => produce(producer.parse()?),
        None => consume(),
    }
}

fn consume() -> Result<()> {
    let mut set = WaitSet::new();
    for producer in 0..PRODUCERS {
        set.insert(Source::start(producer)?, SIZE)?;
    }
    let mut received = 0;
    while !set.is_empty() {
        // All that are ready have a turn before the next wait.
        for key in set.wait(None)? {
            if set[key].serve()? {
                continue;
            }
            // Everything has been read, and the producer has closed its ring.
            let mut source = set.remove(key).expect("it was ready");
            received += source.next;
            if !source.process.wait()?.success() {
                return Err(format!("producer {} failed", source.producer).into());
            }
        }
    }
    println!("{received} messages of {PRODUCERS} producers received");
    Ok(())
}

impl Source {
    fn start(producer: u64) -> Result<Self> {
        let ring = Ring::anonymous(64 * 1024)?;
        // The child finds the ring where its standard input would be.
        let memory = ring.sealed_fd().ok_or("a ring without a name is sealed")?;
        let process = Command::new(env::current_exe()?)
            .arg(producer.to_string())
            .stdin(Stdio::from(memory.try_clone_to_owned()?))
            .spawn()?;
        Ok(Self { process, consumer: ring.into_consumer(), producer, next: 0 })
    }

    /// Takes what is there, but no more than a turn's worth: no ring is starved by a busier one.
    /// False at the end of the stream.
    fn serve(&mut self) -> Result<bool> {
        for _ in 0..TURN {
            // It is known to be ready, and so this never waits.
            let grant = match self.consumer.peek(SIZE, Some(std::time::Duration::ZERO)) {
                Err(error) if error.status() == Status::Timeout => break,
                Err(error) if error.status() == Status::Closed => return Ok(false),
                grant => grant?,
            };
            let mut received = [0; SIZE];
            grant.copy_to_slice(&mut received);
            grant.release_all();
            if received != message(self.producer, self.next) {
                return Err(format!("a message of {} is not what was sent", self.producer).into());
            }
            self.next += 1;
        }
        Ok(true)
    }
}

fn produce(producer: u64) -> Result<()> {
    let mut ring = Ring::connect_fd(io::stdin())?.into_producer();
    for number in 0..COUNT {
        let mut grant = ring.claim(SIZE, None)?;
        grant.copy_from_slice(&message(producer, number));
        grant.publish_all();
    }
    Ok(()) // The ring closes here: the end of the stream.
}

fn message(producer: u64, number: u64) -> [u8; SIZE] {
    let [a, b] = [producer, number].map(u64::to_le_bytes);
    [a, b].concat().try_into().expect("two numbers of 8 bytes")
}
