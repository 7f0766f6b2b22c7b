//! A stream of numbered messages. The position alone says which bytes must be there. So whoever takes
//! a role over can tell from the ring's counter which message comes next.
//!
//! A message is its number, its length, a checksum over both and the body, and a body that is
//! different for each number.

use support::Rng;

const HEADER: usize = 16;

/// The lengths of the messages, which repeat after a while.
pub struct Stream {
    /// Where each message of a period begins, and where the period ends.
    starts: Vec<u64>,
}

impl Stream {
    /// Messages of random lengths up to `longest` bytes.
    pub fn varied(seed: u64, longest: usize) -> Self {
        let mut rng = Rng::new(seed);
        let spread = (longest - HEADER + 1) as u64;
        Self::from_lengths((0..61).map(|_| HEADER as u64 + rng.below(spread)))
    }

    /// Messages of random lengths, every other one up to `shorter` bytes and the rest up to
    /// `longest`.
    pub fn mixed(seed: u64, shorter: usize, longest: usize) -> Self {
        let mut rng = Rng::new(seed);
        Self::from_lengths((0..61).map(|i| {
            let longest = if i % 2 == 0 { shorter } else { longest };
            HEADER as u64 + rng.below((longest - HEADER + 1) as u64)
        }))
    }

    /// Messages of one length.
    pub fn uniform(length: usize) -> Self {
        Self::from_lengths([length as u64])
    }

    fn from_lengths(lengths: impl IntoIterator<Item = u64>) -> Self {
        let mut starts = vec![0];
        for length in lengths {
            starts.push(starts[starts.len() - 1] + length);
        }
        Self { starts }
    }

    fn per_period(&self) -> u64 {
        self.starts.len() as u64 - 1
    }

    /// Where message `number` begins.
    fn start(&self, number: u64) -> u64 {
        let (period, index) = (number / self.per_period(), number % self.per_period());
        period * self.starts[self.starts.len() - 1] + self.starts[index as usize]
    }

    /// The length of message `number`.
    pub fn len(&self, number: u64) -> usize {
        (self.start(number + 1) - self.start(number)) as usize
    }

    /// The length of messages `numbers`, together.
    pub fn len_of(&self, numbers: std::ops::Range<u64>) -> usize {
        (self.start(numbers.end) - self.start(numbers.start)) as usize
    }

    /// The number of the message that begins at `position`.
    pub fn number_at(&self, position: u64) -> u64 {
        let period = self.starts[self.starts.len() - 1];
        let index = self.starts.binary_search(&(position % period));
        let index = index.expect("a counter stands inside a message: half of one was handed over");
        position / period * self.per_period() + index as u64
    }

    /// Writes message `number` to `message`, which has its length.
    pub fn write(&self, number: u64, message: &mut [u8]) {
        let len = message.len();
        assert_eq!(len, self.len(number));
        let (header, body) = message.split_at_mut(HEADER);
        let mut rng = Rng::new(number);
        for chunk in body.chunks_mut(8) {
            chunk.copy_from_slice(&rng.next().to_ne_bytes()[..chunk.len()]);
        }
        header[..8].copy_from_slice(&number.to_ne_bytes());
        header[8..12].copy_from_slice(&(len as u32).to_ne_bytes());
        let sum = checksum(message);
        message[12..HEADER].copy_from_slice(&sum.to_ne_bytes());
    }

    /// Checks that the bytes begin with the whole message `number`. Says how long it is.
    pub fn check(&self, number: u64, bytes: &[u8]) -> usize {
        let found = u64::from_ne_bytes(bytes[..8].try_into().unwrap());
        assert_eq!(found, number, "lost, repeated, or out of order: message");
        let len = u32::from_ne_bytes(bytes[8..12].try_into().unwrap()) as usize;
        assert_eq!(len, self.len(number), "torn: the length of message {number}");
        let sum = u32::from_ne_bytes(bytes[12..HEADER].try_into().unwrap());
        assert_eq!(sum, checksum(&bytes[..len]), "torn: the checksum of message {number}");
        len
    }
}

/// FNV-1a over everything except the checksum itself.
fn checksum(message: &[u8]) -> u32 {
    let bytes = message[..12].iter().chain(&message[HEADER..]);
    bytes.fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
