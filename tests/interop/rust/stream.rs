//! The messages that both sides expect: see ../README.md.

use spsc_shm::Ring;
use std::error::Error;
use std::time::Duration;

/// What the command line asks for.
pub struct Stream {
    pub count: u64,
    pub killed: bool,
    state: u64,
}

impl Stream {
    pub fn open() -> Result<(Self, Ring), Box<dyn Error>> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [name, count, seed, end] = arguments.as_slice() else {
            return Err("usage: NAME COUNT SEED close|kill".into());
        };
        let killed = match end.as_str() {
            "close" => false,
            "kill" => true,
            _ => return Err("END is close or kill".into()),
        };
        let state = seed.parse::<u64>()?.wrapping_mul(2).wrapping_add(1);
        let ring = Ring::connect_timeout(name, Some(Duration::from_secs(10)))?;
        Ok((Self { count: count.parse()?, killed, state }, ring))
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// The next message that the library frames: its tag and payload.
    #[allow(dead_code, reason = "for sender and receiver")]
    pub fn next_payload(&mut self) -> (u32, Vec<u8>) {
        let kind = self.next() % 4;
        let length = (self.next() % if kind == 0 { 16385 } else { 300 }) as usize;
        let tag = self.next() as u32;
        let base = self.next().to_le_bytes();
        (tag, (0..length).map(|j| base[j % 8] ^ (j / 8) as u8).collect())
    }

    /// The next message, with its header.
    #[allow(dead_code, reason = "for producer and consumer")]
    pub fn next_message(&mut self) -> Vec<u8> {
        let length = (self.next() % 1500) as u32;
        let base = self.next().to_le_bytes();
        let payload: Vec<u8> = (0..length as usize).map(|j| base[j % 8] ^ (j / 8) as u8).collect();
        let checksum = payload.iter().fold(0x811C_9DC5_u32, |hash, &byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        [&length.to_le_bytes(), &checksum.to_le_bytes(), payload.as_slice()].concat()
    }
}
