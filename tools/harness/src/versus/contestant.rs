//! What is compared: a way to send messages, and both sides of its turn.

use super::test::{Block, Test};
use crate::channel::{Channel, Receiver, Sender, Stream, answer, ask, drain, pour};
use crate::floors::{BLOCK_SIZE, Blocks, TwoLines};
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

    /// A channel that both processes inherit, for each of these tests. `lap` messages use all the
    /// memory there is.
    pub fn inherited<C: Channel + Sync + 'static>(
        name: impl Into<String>,
        about: impl Into<String>,
        tests: &[Test],
        lap: fn(Test) -> usize,
        make: impl Fn(Test) -> C,
    ) -> Self {
        let turns = Box::new(Inherited::new(tests, lap, make));
        Self { name: name.into(), about: about.into(), turns }
    }

    /// What the hardware allows: for round trips a ping-pong of two cache lines, for streams a plain
    /// copy in blocks of 64 KiB, of which a message has its share.
    pub fn floor(name: impl Into<String>) -> Self {
        let about = "two cache lines there and back; a plain copy".into();
        Self { name: name.into(), about, turns: Box::new(Floor::default()) }
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

/// The far side, which opens what it sends back on only for round trips. `lap` messages use all the
/// memory there is.
fn far<T: Sender>(
    part: &mut Part<'_>,
    block: Block,
    lap: usize,
    mut there: impl Receiver,
    back: impl FnOnce() -> T,
) {
    if let Test::Trip { .. } = block.test {
        let mut back = back();
        part.meet();
        answer(part, &mut there, &mut back, block.trips(lap));
    } else {
        part.meet();
        drain(part, &mut there, block.stream(lap));
    }
}

/// The near side, as [`far`]. When both sides meet, both have opened the channels.
fn near<R: Receiver>(
    part: &mut Part<'_>,
    block: Block,
    lap: usize,
    mut there: impl Sender,
    back: impl FnOnce() -> R,
    opened: impl FnOnce(),
) -> f64 {
    if let Test::Trip { .. } = block.test {
        let mut back = back();
        part.meet();
        opened();
        ask(part, &mut there, &mut back, block.trips(lap)).median_ns
    } else {
        part.meet();
        opened();
        pour(part, &mut there, block.stream(lap))
    }
}

impl<W: Way> Turns for W {
    fn takes(&self, test: Test) -> bool {
        Way::takes(self, test)
    }

    fn far(&self, part: &mut Part<'_>, block: Block) {
        let test = block.test;
        let there = self.receiver(&channel_name(block, "there"), test);
        let back = || self.sender(&channel_name(block, "back"), test);
        far(part, block, self.lap(test), there, back);
    }

    fn near(&self, part: &mut Part<'_>, block: Block, post: &dyn Fn(&Part<'_>)) -> f64 {
        let test = block.test;
        let [there, back] = ["there", "back"].map(|way| channel_name(block, way));
        let made = self.make(&there, test);
        let made_too = matches!(test, Test::Trip { .. }).then(|| self.make(&back, test));
        post(part);
        let opened = || drop((made, made_too));
        let tx = self.sender(&there, test);
        near(part, block, self.lap(test), tx, || self.receiver(&back, test), opened)
    }
}

/// How many channels take turns, so that no luck of a place in memory lasts.
const POOL: u64 = 4;

/// Channels that are made before the processes part, and so need no names.
pub(super) struct Inherited<C> {
    /// For each test, channels in pairs: there and back.
    channels: Vec<(Test, Vec<[C; 2]>)>,
    lap: fn(Test) -> usize,
}

impl<C> Inherited<C> {
    pub fn new(tests: &[Test], lap: fn(Test) -> usize, make: impl Fn(Test) -> C) -> Self {
        let pool = |test| (0..POOL).map(|_| [make(test), make(test)]).collect();
        Self { channels: tests.iter().map(|&test| (test, pool(test))).collect(), lap }
    }

    fn channels(&self, block: Block) -> &[C; 2] {
        let (_, pool) = self.channels.iter().find(|(test, _)| *test == block.test).expect("made");
        &pool[(block.serial % POOL) as usize]
    }
}

impl<C: Channel + Sync> Turns for Inherited<C> {
    fn takes(&self, test: Test) -> bool {
        self.channels.iter().any(|(made, _)| *made == test)
    }

    fn far(&self, part: &mut Part<'_>, block: Block) {
        let [there, back] = self.channels(block);
        far(part, block, (self.lap)(block.test), there.receiver(), || back.sender());
    }

    fn near(&self, part: &mut Part<'_>, block: Block, post: &dyn Fn(&Part<'_>)) -> f64 {
        let [there, back] = self.channels(block);
        post(part);
        let lap = (self.lap)(block.test);
        near(part, block, lap, there.sender(), || back.receiver(), || ())
    }
}

/// What the hardware allows: a ping-pong of two cache lines, and a plain copy in large blocks.
#[derive(Default)]
pub(super) struct Floor {
    lines: [TwoLines<1>; 2],
    blocks: Blocks,
}

impl Floor {
    /// As many bytes as the block has, in large pieces; and how many pieces.
    fn pieces(block: Block) -> Stream {
        let bytes = block.count * block.test.size();
        Stream {
            size: BLOCK_SIZE,
            warm_up: 16,
            count: bytes.div_ceil(BLOCK_SIZE).max(16),
            batch: None,
        }
    }
}

impl Turns for Floor {
    fn takes(&self, _test: Test) -> bool {
        true
    }

    fn far(&self, part: &mut Part<'_>, block: Block) {
        let [there, back] = &self.lines;
        if let Test::Trip { .. } = block.test {
            far(part, block, 64, there.resume(), || back.resume());
        } else {
            let mut there = self.blocks.resume();
            part.meet();
            drain(part, &mut there, Self::pieces(block));
        }
    }

    fn near(&self, part: &mut Part<'_>, block: Block, post: &dyn Fn(&Part<'_>)) -> f64 {
        let [there, back] = &self.lines;
        post(part);
        if let Test::Trip { .. } = block.test {
            near(part, block, 64, there.resume(), || back.resume(), || ())
        } else {
            let mut there = self.blocks.resume();
            part.meet();
            let piece_ns = pour(part, &mut there, Self::pieces(block));
            piece_ns * block.test.size() as f64 / BLOCK_SIZE as f64
        }
    }
}
