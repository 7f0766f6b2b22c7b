//! A chunk of the stream as a message of the server: what its headers say.

use crate::trouble::{Outcome, Trouble};
use async_nats::HeaderMap;
use bytes::Bytes;
use std::fmt;

/// Where the chunk begins in the stream.
const OFFSET: &str = "Spsc-Offset";
/// The ring that it was taken from.
const RING: &str = "Spsc-Ring";
/// The end of the stream, and how it came about.
const END: &str = "Spsc-End";
/// The tag of a message that is carried whole.
const TAG: &str = "Spsc-Tag";
/// Which fragment of its message it is, for a message that the ring holds in fragments.
const FRAGMENT: &str = "Spsc-Fragment";
/// The server stores a message only if the one before it has this number.
const EXPECTED: &str = "Nats-Expected-Last-Sequence";

/// A ring, and the value of its counter at which the stream begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub ring: String,
    pub base: u64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ring, self.base)
    }
}

impl Origin {
    pub fn parse(text: &str) -> Option<Self> {
        let (ring, base) = text.rsplit_once('/')?;
        Some(Self { ring: ring.to_owned(), base: base.parse().ok()? })
    }
}

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of the stream.
    Bytes,
    /// The payload of one frame.
    Frame(Frame),
    /// The producer closed the ring.
    Closed,
}

/// What a frame's header says beside the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub tag: u32,
    /// Another fragment of the same message follows.
    pub more: bool,
    /// It continues the message of the frame before it.
    pub continues: bool,
}

/// Bytes of a frame before its payload.
pub const FRAME_HEADER: usize = 8;
const LENGTH: u32 = (1 << 30) - 1;
const MORE: u32 = 1 << 30;
const CONTINUES: u32 = 1 << 31;

/// Bytes of a frame with a payload of `len` bytes, with header and padding.
pub fn frame_size(len: usize) -> usize {
    (len + FRAME_HEADER).next_multiple_of(8)
}

impl Frame {
    /// Reads a frame's header: what it says, and the length of the payload.
    pub fn parse(header: [u8; FRAME_HEADER]) -> (Self, usize) {
        let [a, b, c, d, tag @ ..] = header;
        let first = u32::from_le_bytes([a, b, c, d]);
        let frame = Self {
            tag: u32::from_le_bytes(tag),
            more: first & MORE != 0,
            continues: first & CONTINUES != 0,
        };
        (frame, (first & LENGTH) as usize)
    }

    /// The header of this frame with a payload of `len` bytes. `None` for a length that fits in none.
    pub fn header(self, len: usize) -> Option<[u8; FRAME_HEADER]> {
        let mut first = u32::try_from(len).ok().filter(|&len| len <= LENGTH)?;
        if self.more {
            first |= MORE;
        }
        if self.continues {
            first |= CONTINUES;
        }
        let mut header = [0; FRAME_HEADER];
        header[..4].copy_from_slice(&first.to_le_bytes());
        header[4..].copy_from_slice(&self.tag.to_le_bytes());
        Some(header)
    }

    fn fragment(self) -> Option<&'static str> {
        match (self.continues, self.more) {
            (false, false) => None,
            (false, true) => Some("first"),
            (true, true) => Some("middle"),
            (true, false) => Some("last"),
        }
    }
}

/// Part of the stream.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Where it begins.
    pub offset: u64,
    pub kind: Kind,
    pub payload: Bytes,
}

impl Chunk {
    /// Bytes of the stream that it stands for.
    pub fn len(&self) -> usize {
        match self.kind {
            Kind::Bytes => self.payload.len(),
            Kind::Frame(_) => frame_size(self.payload.len()),
            Kind::Closed => 0,
        }
    }

    /// Where the chunk after it begins.
    pub fn end(&self) -> u64 {
        self.offset + self.len() as u64
    }

    /// The headers to send it with. `last` is the number of the server's message before it.
    pub fn headers(&self, origin: &str, last: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(OFFSET, self.offset.to_string().as_str());
        headers.insert(RING, origin);
        headers.insert(EXPECTED, last.to_string().as_str());
        match self.kind {
            Kind::Bytes => {}
            Kind::Frame(frame) => {
                headers.insert(TAG, frame.tag.to_string().as_str());
                if let Some(fragment) = frame.fragment() {
                    headers.insert(FRAGMENT, fragment);
                }
            }
            Kind::Closed => headers.insert(END, "closed"),
        }
        headers
    }

    /// Reads a message of the server. Also says where its stream comes from.
    pub fn parse(headers: Option<&HeaderMap>, payload: Bytes) -> Outcome<(Self, Origin)> {
        let text =
            |name| headers.and_then(|all| all.get(name)).map(async_nats::HeaderValue::as_str);
        let parsed = || {
            let offset = text(OFFSET)?.parse().ok()?;
            let origin = Origin::parse(text(RING)?)?;
            let kind = match (text(END), text(TAG)) {
                (Some(_), _) => Kind::Closed,
                (None, None) => Kind::Bytes,
                (None, Some(tag)) => {
                    let fragment = text(FRAGMENT);
                    Kind::Frame(Frame {
                        tag: tag.parse().ok()?,
                        more: matches!(fragment, Some("first" | "middle")),
                        continues: matches!(fragment, Some("middle" | "last")),
                    })
                }
            };
            Some((offset, kind, origin))
        };
        let Some((offset, kind, origin)) = parsed() else {
            let words =
                "a message in the stream was not sent by a bridge: give it a stream of its own";
            return Err(Trouble::Final(words.to_owned()));
        };
        Ok((Self { offset, kind, payload }, origin))
    }
}
