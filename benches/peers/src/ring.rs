//! This library, through its Rust interface.

use harness::versus::{Test, Way};
use spsc_shm::{Consumer, Producer};

pub struct Ring;

/// Keeps the memory and the name until both sides have opened it.
pub struct Made {
    _ring: spsc_shm::Ring,
    name: String,
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = spsc_shm::Ring::unlink(&self.name);
    }
}

impl Way for Ring {
    type Made = Made;
    type Tx = Producer;
    type Rx = Consumer;

    fn make(&self, name: &str, test: Test) -> Made {
        let ring = spsc_shm::Ring::create(name, test.ring()).expect("a ring is to be had");
        Made { _ring: ring, name: name.to_owned() }
    }

    fn sender(&self, name: &str, _test: Test) -> Producer {
        spsc_shm::Ring::connect(name).expect("the name is there").into_producer()
    }

    fn receiver(&self, name: &str, _test: Test) -> Consumer {
        spsc_shm::Ring::connect(name).expect("the name is there").into_consumer()
    }
}
