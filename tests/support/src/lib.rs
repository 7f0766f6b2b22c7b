//! What the tests share: names of rings, random numbers, processes and threads under a watch,
//! forks, compilers, and what is done to a ring.
#![allow(missing_docs, reason = "for tests, where a name says enough")]

mod compilers;
mod handle;
mod name;
mod parties;
mod processes;
mod random;
mod rings;
mod watchdog;

pub use compilers::*;
pub use handle::OneHandle;
pub use name::Name;
pub use parties::*;
pub use processes::*;
pub use random::Rng;
pub use rings::*;
pub use watchdog::*;
