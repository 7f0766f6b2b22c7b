//! A build of the library, and what both processes do with it.

use super::test::{Block, Test};
use crate::args::Build;
use harness::channel::{answer, ask, drain, pour};
use harness::process::Part;
use harness::ring::{CEnd, CRing, Choice, Library};
use std::error::Error;
use std::ffi::CString;
use std::path::PathBuf;

pub struct Variant {
    pub name: String,
    pub path: PathBuf,
    library: Library,
}

/// The two ways of a round trip. A stream goes there.
const WAYS: [&str; 2] = ["there", "back"];

impl Variant {
    /// Loads the build. Those that were given no name are called A, B, C…
    pub fn load(build: &Build, index: usize) -> Result<Self, Box<dyn Error>> {
        let say = |error: &dyn Error| format!("{}: {error}", build.path.display());
        let path = build.path.canonicalize().map_err(|error| say(&error))?;
        let library = Library::open(&path).map_err(|error| say(&error))?;
        let letter = || char::from(b'A' + (index % 26) as u8).to_string();
        let name = build.name.clone().unwrap_or_else(letter);
        Ok(Self { name, path, library })
    }

    /// Makes the rings of a block, so that both sides find them.
    pub fn rings(&self, block: Block) -> Vec<CRing<'_>> {
        let choice = Choice { capacity: block.test.ring(), never_spin: false };
        let ways = if let Test::Trip { .. } = block.test { &WAYS[..] } else { &WAYS[..1] };
        ways.iter().map(|way| CRing::named(&self.library, ring_name(block, way), choice)).collect()
    }

    fn connect(&self, block: Block, way: usize) -> CEnd<'_> {
        CEnd::connect(&self.library, &ring_name(block, WAYS[way]))
    }

    /// The far side of a block.
    pub fn far(&self, part: &mut Part<'_>, block: Block) {
        let mut there = self.connect(block, 0);
        if let Test::Trip { .. } = block.test {
            let mut back = self.connect(block, 1);
            part.meet();
            answer(part, &mut there, &mut back, block.trips());
        } else {
            part.meet();
            drain(part, &mut there, block.stream());
        }
    }

    /// The near side: the nanoseconds that a round trip or a message took.
    pub fn near(&self, part: &mut Part<'_>, block: Block, rings: Vec<CRing<'_>>) -> f64 {
        let mut there = self.connect(block, 0);
        // When both have met, both are connected: the names are needed no more.
        if let Test::Trip { .. } = block.test {
            let mut back = self.connect(block, 1);
            part.meet();
            drop(rings);
            ask(part, &mut there, &mut back, block.trips()).median_ns
        } else {
            part.meet();
            drop(rings);
            pour(part, &mut there, block.stream())
        }
    }
}

fn ring_name(block: Block, way: &str) -> CString {
    let name = format!("spsc-shm-ab-{}-{way}", block.serial);
    CString::new(name).expect("no NUL in it")
}
