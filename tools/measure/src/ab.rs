//! Builds of the library against each other.

use crate::args::{Ab, Build};
use harness::ring::{CEnd, CRing, Choice, Library};
use harness::versus::{self, Between, Contestant, Test, Way};
use std::error::Error;
use std::ffi::CString;

pub fn run(args: &Ab) -> Result<(), Box<dyn Error>> {
    let load = |(index, build)| load(index, build);
    let contestants: Result<Vec<Contestant>, _> =
        args.builds.iter().enumerate().map(load).collect();
    versus::run(&contestants?, Between::Processes, &args.options)
}

/// Those that were given no name are called A, B, C…
fn load(index: usize, build: &Build) -> Result<Contestant, Box<dyn Error>> {
    let say = |error: &dyn Error| format!("{}: {error}", build.path.display());
    let path = build.path.canonicalize().map_err(|error| say(&error))?;
    // It stays loaded until the end.
    let library = Box::leak(Box::new(Library::open(&path).map_err(|error| say(&error))?));
    let letter = || char::from(b'A' + (index % 26) as u8).to_string();
    let name = build.name.clone().unwrap_or_else(letter);
    Ok(Contestant::new(name, path.display().to_string(), Functions(library)))
}

/// The functions of a build.
struct Functions(&'static Library);

impl Way for Functions {
    type Made = CRing<'static>;
    type Tx = CEnd<'static>;
    type Rx = CEnd<'static>;

    fn make(&self, name: &str, test: Test) -> CRing<'static> {
        let choice = Choice { capacity: test.ring(), never_spin: false };
        CRing::named(self.0, c_string(name), choice)
    }

    fn sender(&self, name: &str, _test: Test) -> CEnd<'static> {
        CEnd::connect(self.0, &c_string(name))
    }

    fn receiver(&self, name: &str, _test: Test) -> CEnd<'static> {
        CEnd::connect(self.0, &c_string(name))
    }
}

fn c_string(name: &str) -> CString {
    CString::new(name).expect("no NUL in it")
}
