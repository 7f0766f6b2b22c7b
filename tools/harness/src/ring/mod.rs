//! The ring, through the Rust interface and through the C functions of the shared library.

#[cfg(feature = "c")]
mod c;

use crate::channel::{Channel, Receiver, Sender, really};
#[cfg(feature = "c")]
pub use c::{CEnd, CRing, Library};
#[cfg(feature = "c")]
pub(crate) use c::{MessageCalls, check};
use spsc_shm::{Consumer, Options, Producer, Ring, Spin};
use std::time::Duration;

/// What a ring is made with.
#[derive(Clone, Copy)]
pub struct Choice {
    /// In bytes, at least.
    pub capacity: usize,
    /// Whether every wait sleeps at once.
    pub never_spin: bool,
}

/// A ring for the Rust interface, without a name: nothing is left of it, however a process ends.
pub struct RustRing(Ring);

impl RustRing {
    /// Makes the ring.
    pub fn new(choice: Choice) -> Self {
        let spin = if choice.never_spin { Spin::Never } else { Spin::Adaptive };
        let ring = Options::new().spin(spin).anonymous(choice.capacity);
        Self(ring.expect("a ring is to be had"))
    }

    /// A handle of this process's own.
    fn open(&self) -> Ring {
        let fd = self.0.sealed_fd().expect("it has no name");
        Ring::connect_fd(fd).expect("it is open")
    }
}

/// Each takes its role at once: one that comes second to a ring, after others have closed it, must not
/// find that its peer is gone.
impl Channel for RustRing {
    type Tx<'a> = Producer;
    type Rx<'a> = Consumer;

    fn sender(&self) -> Producer {
        let mut producer = self.open().into_producer();
        producer.wait_for_space(1, Some(Duration::ZERO)).expect("nothing is in it");
        producer
    }

    fn receiver(&self) -> Consumer {
        let mut consumer = self.open().into_consumer();
        // Whatever it says: there is nothing yet.
        let _ = consumer.wait_for_data(1, Some(Duration::ZERO));
        consumer
    }
}

impl Sender for Producer {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let mut grant = self.claim(message.len(), None).expect("there will be room");
        grant.copy_from_slice(message);
        grant.publish_all();
    }

    #[inline(always)]
    fn send_batch(&mut self, message: &[u8], most: usize) -> usize {
        let mut grant = self.claim_some(message.len(), None).expect("there will be room");
        // SAFETY: the other process is this program too, and keeps to the protocol.
        let count = fill(unsafe { grant.as_mut_slice() }, message, most);
        grant.publish(count * message.len()).expect("it was granted");
        count
    }
}

impl Receiver for Consumer {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        let grant = self.peek(message.len(), None).expect("there will be a message");
        grant.copy_to_slice(message);
        grant.release_all();
    }

    #[inline(always)]
    fn receive_batch(&mut self, message: &mut [u8], most: usize) -> usize {
        let grant = self.peek_some(message.len(), None).expect("there will be a message");
        // SAFETY: as in `send_batch`.
        let count = drain(unsafe { grant.as_slice() }, message, most);
        grant.release(count * message.len()).expect("it was granted");
        count
    }
}

/// Copies the message into the granted bytes as often as it fits, at most `most` times.
#[inline(always)]
fn fill(grant: &mut [u8], message: &[u8], most: usize) -> usize {
    let mut count = 0;
    for place in grant.chunks_exact_mut(message.len()).take(most) {
        place.copy_from_slice(message);
        really();
        count += 1;
    }
    count
}

/// Copies each of the granted messages out, at most `most`.
#[inline(always)]
fn drain(grant: &[u8], message: &mut [u8], most: usize) -> usize {
    let mut count = 0;
    for place in grant.chunks_exact(message.len()).take(most) {
        message.copy_from_slice(place);
        really();
        count += 1;
    }
    count
}
