//! Asks a server: it sends each line of its standard input as a message, and prints the answer.
//!
//!     cargo run --release --example client /tmp/answers
//!
//! Before it, start a server in C++ or Rust in another terminal:
//!
//!     cargo run --release --example server /tmp/answers

use spsc_shm::Connection;
use std::error::Error;
use std::io::{self, BufRead, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: client PATH")?;
    let mut connection = Connection::dial(path, None)?;
    let (sender, receiver) = connection.split();
    for (number, line) in (1..).zip(io::stdin().lock().split(b'\n')) {
        sender.send(number, &line?, None)?;
        let answer = receiver.receive(None)?;
        let mut output = io::stdout().lock();
        write!(output, "{}: ", answer.tag())?;
        output.write_all(&answer.into_vec())?;
        writeln!(output)?;
    }
    Ok(())
}
