//! Builds of the library against each other.

use crate::args::Ab;
use harness::inline::InlineEnd;
use harness::ring::{CEnd, CRing, Choice, Library};
use harness::versus::{self, Between, Contestant, Test, Way};
use spsc_shm::{Consumer, Producer, Ring};
use std::error::Error;
use std::ffi::CString;

pub fn run(args: &Ab) -> Result<(), Box<dyn Error>> {
    let mut contestants = Vec::new();
    for (index, build) in args.builds.iter().enumerate() {
        let say = |error: &dyn Error| format!("{}: {error}", build.path.display());
        let path = build.path.canonicalize().map_err(|error| say(&error))?;
        // It stays loaded until the end.
        let library: &Library =
            Box::leak(Box::new(Library::open(&path).map_err(|error| say(&error))?));
        // Those that were given no name are called A, B, C…
        let letter = || char::from(b'A' + (index % 26) as u8).to_string();
        let name = build.name.clone().unwrap_or_else(letter);
        let about = path.display().to_string();
        contestants.push(Contestant::new(&name, &about, Functions(library)));
        if args.inline && library.has_cursors() {
            let about = format!("{about}, without calls");
            contestants.push(Contestant::new(format!("{name} inline"), about, Inline(library)));
        }
    }
    if args.rust {
        let about = "the Rust interface of the build that this tool is linked with";
        contestants.push(Contestant::new("Rust", about, Rust));
    }
    versus::run(&contestants, Between::Processes, &args.options)
}

/// The functions of a build.
struct Functions(&'static Library);

impl Way for Functions {
    type Made = CRing<'static>;
    type Tx = CEnd<'static>;
    type Rx = CEnd<'static>;

    fn make(&self, name: &str, test: Test) -> CRing<'static> {
        make(self.0, name, test)
    }

    fn sender(&self, name: &str, _test: Test) -> CEnd<'static> {
        end(self.0, name)
    }

    fn receiver(&self, name: &str, _test: Test) -> CEnd<'static> {
        end(self.0, name)
    }
}

/// The same without calls, on the cursors of a build.
struct Inline(&'static Library);

impl Way for Inline {
    type Made = CRing<'static>;
    type Tx = InlineEnd<'static>;
    type Rx = InlineEnd<'static>;

    fn takes(&self, test: Test) -> bool {
        !test.is_batches()
    }

    fn make(&self, name: &str, test: Test) -> CRing<'static> {
        make(self.0, name, test)
    }

    fn sender(&self, name: &str, _test: Test) -> InlineEnd<'static> {
        InlineEnd::sender(end(self.0, name))
    }

    fn receiver(&self, name: &str, _test: Test) -> InlineEnd<'static> {
        InlineEnd::receiver(end(self.0, name))
    }
}

/// The Rust interface.
struct Rust;

/// Removes the name when both sides have opened it.
struct Named(String, #[expect(dead_code, reason = "keeps the memory until then")] Ring);

impl Drop for Named {
    fn drop(&mut self) {
        let _ = Ring::unlink(&self.0);
    }
}

impl Way for Rust {
    type Made = Named;
    type Tx = Producer;
    type Rx = Consumer;

    fn make(&self, name: &str, test: Test) -> Named {
        Named(name.into(), Ring::create(name, test.ring()).expect("a ring is to be had"))
    }

    fn sender(&self, name: &str, _test: Test) -> Producer {
        Ring::connect(name).expect("the name is there").into_producer()
    }

    fn receiver(&self, name: &str, _test: Test) -> Consumer {
        Ring::connect(name).expect("the name is there").into_consumer()
    }
}

/// A ring of a build, for a test.
pub fn make(library: &'static Library, name: &str, test: Test) -> CRing<'static> {
    CRing::named(library, c_string(name), Choice { capacity: test.ring(), never_spin: false })
}

/// A handle of a build on the ring of this name.
pub fn end(library: &'static Library, name: &str) -> CEnd<'static> {
    CEnd::connect(library, &c_string(name))
}

fn c_string(name: &str) -> CString {
    CString::new(name).expect("no NUL in it")
}
