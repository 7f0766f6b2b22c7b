//! FNV-1a over the stream in 64-bit little-endian words, the last one padded with zeros, however
//! the stream is cut into pieces. `receiver.c` has the same.

use std::fmt;
use std::str::FromStr;

pub struct Checksum {
    hash: u64,
    /// Bytes so far.
    bytes: u64,
    /// How many of them came after the last whole word.
    word: u64,
}

impl Default for Checksum {
    fn default() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, bytes: 0, word: 0 }
    }
}

impl Checksum {
    pub fn add(&mut self, data: &[u8]) {
        let to_whole_word = (self.bytes.wrapping_neg() % 8) as usize;
        let (lead, rest) = data.split_at(to_whole_word.min(data.len()));
        let mut words = rest.chunks_exact(8);
        lead.iter().for_each(|byte| self.add_byte(*byte));
        for word in &mut words {
            self.word = u64::from_le_bytes(word.try_into().expect("8 bytes"));
            self.bytes += 8;
            self.fold();
        }
        words.remainder().iter().for_each(|byte| self.add_byte(*byte));
    }

    fn add_byte(&mut self, byte: u8) {
        self.word |= u64::from(byte) << (self.bytes % 8 * 8);
        self.bytes += 1;
        if self.bytes.is_multiple_of(8) {
            self.fold();
        }
    }

    fn fold(&mut self) {
        self.hash = (self.hash ^ self.word).wrapping_mul(0x0100_0000_01b3);
        self.word = 0;
    }

    pub fn report(mut self) -> Report {
        if !self.bytes.is_multiple_of(8) {
            self.fold();
        }
        Report { bytes: self.bytes, hash: self.hash }
    }
}

/// What one side has seen of the stream. As text, it is what the receiver prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Report {
    pub bytes: u64,
    hash: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:016x}", self.bytes, self.hash)
    }
}

impl FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (bytes, hash) = text.trim().split_once(' ')?;
            Some(Self { bytes: bytes.parse().ok()?, hash: u64::from_str_radix(hash, 16).ok()? })
        };
        parse().ok_or_else(|| format!("the receiver printed {text:?}"))
    }
}
