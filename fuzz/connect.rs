//! Opens objects of arbitrary contents and sizes. `docs/TESTING.md` says how to run it.
#![no_main]

#[path = "../tests/object/mod.rs"]
mod object;

libfuzzer_sys::fuzz_target!(|description: &[u8]| object::open_object(description));
