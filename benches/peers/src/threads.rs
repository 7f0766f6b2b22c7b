//! rtrb, whose queue lies in the memory of one process.

use harness::channel::{Channel, Receiver, Sender};
use harness::process::{Cpus, Part, Run, Shared, Stage, pin};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Mutex;

/// A queue of bytes. Either end can be taken once.
pub struct Rtrb {
    tx: Mutex<Option<Producer<u8>>>,
    rx: Mutex<Option<Consumer<u8>>>,
}

impl Rtrb {
    pub fn new(capacity: usize) -> Self {
        let (tx, rx) = RingBuffer::new(capacity);
        Self { tx: Mutex::new(Some(tx)), rx: Mutex::new(Some(rx)) }
    }
}

/// Lets a closure be run by another thread.
struct Sent<F>(F);

// SAFETY: `Rtrb::together` is called with closures over channels of this kind, which are shared
// safely, and plain numbers.
unsafe impl<F> Send for Sent<F> {}

impl<F: FnOnce(&mut Part<'_>)> Sent<F> {
    fn run(self, part: &mut Part<'_>) {
        (self.0)(part);
    }
}

impl Channel for Rtrb {
    type Tx<'a> = Tx;
    type Rx<'a> = Rx;

    fn sender(&self) -> Tx {
        Tx(self.tx.lock().expect("nobody panics").take().expect("the end is taken once"))
    }

    fn receiver(&self) -> Rx {
        Rx(self.rx.lock().expect("nobody panics").take().expect("the end is taken once"))
    }

    fn together<T>(
        cpus: Cpus,
        far: impl FnOnce(&mut Part<'_>),
        near: impl FnOnce(&mut Part<'_>) -> T,
    ) -> Run<T> {
        let stage = Shared::<Stage>::default();
        let (mut here, mut there) = stage.parts();
        let far = Sent(far);
        let value = std::thread::scope(|scope| {
            scope.spawn(move || {
                pin(cpus.far);
                there.meet();
                far.run(&mut there);
            });
            // The thread begins on this CPU: it must have left before anything spins here.
            here.meet();
            near(&mut here)
        });
        Run { value, disturbed: stage.take_preemptions() != 0 }
    }
}

pub struct Tx(Producer<u8>);

impl Sender for Tx {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        while self.0.push_entire_slice(message).is_err() {
            std::hint::spin_loop();
        }
    }
}

pub struct Rx(Consumer<u8>);

impl Receiver for Rx {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        while self.0.pop_entire_slice(message).is_err() {
            std::hint::spin_loop();
        }
    }
}
