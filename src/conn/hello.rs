//! What the two ends of a connection say to each other before there is a ring: one message of fixed
//! size three times, on a socket of any kind that keeps the order of bytes.
//!
//! ```text
//!     client                                   server
//!     HELLO    what it would like        ─▶
//!                                        ◀─    WELCOME  what it gets, and both rings' descriptors
//!                                        ◀─    or REFUSED, with a status
//!     READY    it has its roles          ─▶
//! ```
//!
//! Numbers are little-endian. After READY the socket carries doorbells only: single bytes that mean
//! nothing but "look".

use crate::status::{Result, Status};

/// "spscconn", read as little-endian bytes.
const MAGIC: u64 = u64::from_le_bytes(*b"spscconn");
/// Of this exchange. Another minor number is compatible, and another major number is not.
const VERSION_MAJOR: u32 = 1;
const VERSION_MINOR: u32 = 0;
/// The size of a message, in bytes.
pub(super) const SIZE: usize = 48;

/// Feature: this process can issue the heavy barrier, so that the other need not fence.
pub(super) const HEAVY_BARRIER: u64 = 1;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    Hello = 1,
    Welcome = 2,
    Ready = 3,
    Refused = 4,
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub kind: Kind,
    /// What the sender can do; unknown bits mean nothing.
    pub features: u64,
    /// Bytes of the ring from the client to the server. In a HELLO a wish, or 0 for none.
    pub to_server: u64,
    /// Bytes of the ring from the server to the client.
    pub to_client: u64,
    /// Why a REFUSED is one: the number of a [`Status`].
    pub status: i32,
}

impl Hello {
    pub(super) fn new(kind: Kind, features: u64) -> Self {
        Self { kind, features, to_server: 0, to_client: 0, status: 0 }
    }

    pub(super) fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC.to_le_bytes());
        put(8, &(VERSION_MAJOR << 16 | VERSION_MINOR).to_le_bytes());
        put(12, &(self.kind as u32).to_le_bytes());
        put(16, &self.features.to_le_bytes());
        put(24, &self.to_server.to_le_bytes());
        put(32, &self.to_client.to_le_bytes());
        put(40, &self.status.to_le_bytes());
        bytes
    }

    /// `NotARing` for another magic or an unknown kind, `Version` for another major version.
    pub(super) fn from_bytes(bytes: &[u8; SIZE]) -> Result<Self> {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let half = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        if word(0) != MAGIC {
            return Err(Status::NotARing.into());
        }
        if half(8) >> 16 != VERSION_MAJOR {
            return Err(Status::Version.into());
        }
        let kinds = [Kind::Hello, Kind::Welcome, Kind::Ready, Kind::Refused];
        let kind = kinds.into_iter().find(|kind| *kind as u32 == half(12));
        Ok(Self {
            kind: kind.ok_or(Status::NotARing)?,
            features: word(16),
            to_server: word(24),
            to_client: word(32),
            status: half(40).cast_signed(),
        })
    }

    /// This message, if it is of `kind`.
    pub(super) fn expect(self, kind: Kind) -> Result<Self> {
        if self.kind == kind { Ok(self) } else { Err(Status::NotARing.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Hello = Hello {
        kind: Kind::Welcome,
        features: 0x0102_0304_0506_0708,
        to_server: 0x1112_1314_1516_1718,
        to_client: 0x2122_2324_2526_2728,
        status: -10,
    };

    #[test]
    fn a_message_is_these_bytes() {
        let mut expected = Vec::from(*b"spscconn");
        expected.extend([0, 0, 1, 0, 2, 0, 0, 0]);
        expected.extend([8, 7, 6, 5, 4, 3, 2, 1]);
        expected.extend([0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11]);
        expected.extend([0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21]);
        expected.extend([0xf6, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        assert_eq!(HELLO.to_bytes()[..], expected);
        assert_eq!(Hello::from_bytes(&HELLO.to_bytes()), Ok(HELLO));
    }

    #[test]
    fn what_is_no_message_of_ours_has_a_status() {
        let changed = |at: usize, to: u8| {
            let mut bytes = HELLO.to_bytes();
            bytes[at] = to;
            Hello::from_bytes(&bytes).map_err(|error| error.status())
        };
        assert_eq!(changed(0, b'x'), Err(Status::NotARing));
        assert_eq!(changed(10, 2), Err(Status::Version));
        assert_eq!(changed(8, 9), Ok(HELLO), "a later minor version");
        assert_eq!(changed(12, 0), Err(Status::NotARing));
        assert_eq!(changed(12, 5), Err(Status::NotARing));
    }
}
