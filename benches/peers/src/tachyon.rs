//! tachyon-ipc: messages with a header of 64 bytes in a ring. The side that receives makes it, and
//! waits for the other on a Unix socket.

use harness::channel::{Receiver, Sender};
use harness::versus::{Test, Way};
use std::hint::spin_loop;
use std::path::PathBuf;
use tachyon_ipc::{Bus, TachyonError};

/// How a consumer waits.
pub struct Tachyon {
    /// How often it looks before it sleeps.
    spins: u32,
    /// Whether the producer takes it that the consumer never sleeps.
    polling: bool,
}

/// As often as in its own documentation.
pub const SLEEPING: Tachyon = Tachyon { spins: 10_000, polling: false };
pub const SPINNING: Tachyon = Tachyon { spins: u32::MAX, polling: true };

fn socket(name: &str) -> String {
    let path: PathBuf = std::env::temp_dir().join(name);
    path.into_os_string().into_string().expect("a path of UTF-8")
}

/// Bytes that a message takes in the ring.
fn footprint(size: usize) -> usize {
    64 + size.next_multiple_of(64)
}

impl Tachyon {
    fn ready(&self, bus: Bus) -> Bus {
        bus.set_polling_mode(self.polling.into());
        bus
    }
}

impl Way for Tachyon {
    type Made = ();
    type Tx = Tx;
    type Rx = Rx;

    fn takes(&self, test: Test) -> bool {
        // The consumer gives space back after 32 messages, not before: a ring that holds fewer is
        // stuck for ever.
        !test.is_batches() && 33 * footprint(test.size()) <= test.ring()
    }

    fn lap(&self, test: Test) -> usize {
        test.ring() / footprint(test.size())
    }

    fn make(&self, _name: &str, _test: Test) {}

    fn sender(&self, name: &str, _test: Test) -> Tx {
        loop {
            if let Ok(bus) = Bus::connect(&socket(name)) {
                return Tx(self.ready(bus));
            }
            std::thread::yield_now();
        }
    }

    fn receiver(&self, name: &str, test: Test) -> Rx {
        let path = socket(name);
        let bus = Bus::listen(&path, test.ring()).expect("a ring is to be had");
        let _ = std::fs::remove_file(path);
        Rx { bus: self.ready(bus), spins: self.spins }
    }
}

pub struct Tx(Bus);

impl Sender for Tx {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        loop {
            match self.0.send(message, 0) {
                Ok(()) => return,
                Err(TachyonError::BufferFull) => spin_loop(),
                Err(error) => panic!("can't send: {error}"),
            }
        }
    }
}

pub struct Rx {
    bus: Bus,
    spins: u32,
}

impl Receiver for Rx {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        let guard = self.bus.acquire_rx(self.spins).expect("there will be a message");
        message.copy_from_slice(guard.data());
        guard.commit().expect("it was acquired");
    }
}
