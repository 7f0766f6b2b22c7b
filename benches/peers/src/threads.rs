//! rtrb, whose queue lies in the memory of one process.

use harness::channel::{Receiver, Sender};
use harness::versus::{Test, Way};
use rtrb::{Consumer, Producer, RingBuffer};
use std::collections::HashMap;
use std::hint::spin_loop;
use std::sync::Mutex;

/// The ends that were not taken yet, by the names of their queues.
#[derive(Default)]
pub struct Rtrb {
    tx: Mutex<HashMap<String, Producer<u8>>>,
    rx: Mutex<HashMap<String, Consumer<u8>>>,
}

impl Way for Rtrb {
    type Made = ();
    type Tx = Tx;
    type Rx = Rx;

    fn takes(&self, test: Test) -> bool {
        !test.is_batches()
    }

    fn make(&self, name: &str, test: Test) {
        let (tx, rx) = RingBuffer::new(test.ring());
        self.tx.lock().expect("nobody panics").insert(name.to_owned(), tx);
        self.rx.lock().expect("nobody panics").insert(name.to_owned(), rx);
    }

    fn sender(&self, name: &str, _test: Test) -> Tx {
        Tx(self.tx.lock().expect("nobody panics").remove(name).expect("the end is taken once"))
    }

    fn receiver(&self, name: &str, _test: Test) -> Rx {
        Rx(self.rx.lock().expect("nobody panics").remove(name).expect("the end is taken once"))
    }
}

pub struct Tx(Producer<u8>);

impl Sender for Tx {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        while self.0.push_entire_slice(message).is_err() {
            spin_loop();
        }
    }
}

pub struct Rx(Consumer<u8>);

impl Receiver for Rx {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        while self.0.pop_entire_slice(message).is_err() {
            spin_loop();
        }
    }
}
