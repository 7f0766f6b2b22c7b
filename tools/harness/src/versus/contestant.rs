//! What is compared: a way to send messages, and both sides of its turn.

use super::test::{Block, Test};
use crate::channel::{Receiver, Sender, answer, ask, drain, pour};
use crate::process::Part;

/// A way for messages. A channel has a name, by which the sender in one process and the receiver in
/// the other find each other.
pub trait Way: Sync {
    /// What must be there before either side opens the channel, until both have.
    type Made;
    /// The end that sends.
    type Tx: Sender;
    /// The end that receives.
    type Rx: Receiver;

    /// Whether it can do this at all.
    fn takes(&self, test: Test) -> bool {
        let _ = test;
        true
    }

    /// How many messages go through a channel until its memory comes round again.
    fn lap(&self, test: Test) -> usize {
        test.ring() / test.size()
    }

    /// Makes a channel that can be opened.
    fn make(&self, name: &str, test: Test) -> Self::Made;
    /// Opens the channel to send. It may wait for the receiver.
    fn sender(&self, name: &str, test: Test) -> Self::Tx;
    /// Opens the channel to receive. It may wait for the sender.
    fn receiver(&self, name: &str, test: Test) -> Self::Rx;
}

/// One that is compared with the others.
pub struct Contestant {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) turns: Box<dyn Turns>,
}

impl Contestant {
    /// `name` heads a column; `about` says more, once.
    pub fn new(name: impl Into<String>, about: impl Into<String>, way: impl Way + 'static) -> Self {
        Self { name: name.into(), about: about.into(), turns: Box::new(way) }
    }

    /// What heads its column.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Both sides of a block.
pub trait Turns: Sync {
    fn takes(&self, test: Test) -> bool;
    fn far(&self, part: &mut Part<'_>, block: Block);
    /// `post` tells the far side to begin. Returns the nanoseconds that a round trip or a message
    /// took.
    fn near(&self, part: &mut Part<'_>, block: Block, post: &dyn Fn(&Part<'_>)) -> f64;
}

fn channel_name(block: Block, way: &str) -> String {
    format!("spsc-shm-versus-{:x}-{way}", block.serial)
}

impl<W: Way> Turns for W {
    fn takes(&self, test: Test) -> bool {
        Way::takes(self, test)
    }

    fn far(&self, part: &mut Part<'_>, block: Block) {
        let test = block.test;
        let mut there = self.receiver(&channel_name(block, "there"), test);
        if let Test::Trip { .. } = test {
            let mut back = self.sender(&channel_name(block, "back"), test);
            part.meet();
            answer(part, &mut there, &mut back, block.trips(self.lap(test)));
        } else {
            part.meet();
            drain(part, &mut there, block.stream(self.lap(test)));
        }
    }

    fn near(&self, part: &mut Part<'_>, block: Block, post: &dyn Fn(&Part<'_>)) -> f64 {
        let test = block.test;
        let [there, back] = ["there", "back"].map(|way| channel_name(block, way));
        let made = self.make(&there, test);
        // When both sides meet for the second time, both have opened the channels.
        if let Test::Trip { .. } = test {
            let made_too = self.make(&back, test);
            post(part);
            let (mut tx, mut rx) = (self.sender(&there, test), self.receiver(&back, test));
            part.meet();
            drop((made, made_too));
            ask(part, &mut tx, &mut rx, block.trips(self.lap(test))).median_ns
        } else {
            post(part);
            let mut tx = self.sender(&there, test);
            part.meet();
            drop(made);
            pour(part, &mut tx, block.stream(self.lap(test)))
        }
    }
}
