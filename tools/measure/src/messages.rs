//! Messages beside what a caller would write by hand, and large ones beside a plain copy.

use crate::ab::{end, make};
use crate::args::Messages;
use crate::survey::repeat;
use harness::channel::{Stream, throughput};
use harness::floors::{BLOCK_SIZE, Blocks};
use harness::messages::{FrameEnd, MessageEnd, MessageRing};
use harness::process::{Cpus, Run};
use harness::ring::{CRing, Choice, Library};
use harness::stats::median;
use harness::table::{Table, bytes};
use harness::versus::{self, Between, Contestant, Test, Way};
use std::error::Error;

/// Bytes of a large message.
const LARGE: usize = 1 << 20;
/// Bytes that each measurement moves.
const MOVED: usize = 128 << 20;

pub fn run(args: &Messages) -> Result<(), Box<dyn Error>> {
    let library = Library::own();
    if args.rounds > 0 {
        large(library, args)?;
    }
    let contestants = [
        Contestant::new(
            "frames",
            "claim, publish, peek and release of 8 bytes more",
            Frames(library),
        ),
        Contestant::new("messages", "spsc_send and spsc_receive, or all that fit", Whole(library)),
    ];
    versus::run(&contestants, Between::Processes, &args.options)
}

/// Messages of many times the ring, against blocks that are copied in and out.
fn large(library: &Library, args: &Messages) -> Result<(), Box<dyn Error>> {
    let cpus = args.options.cpus.or_else(Cpus::choose).ok_or("needs two CPUs")?;
    let mut table = Table::new(["ring", "plain copy, GB/s", "messages, GB/s", "messages / copy"]);
    for &capacity in &args.options.rings {
        let copy = || {
            let count = MOVED / BLOCK_SIZE;
            let stream = Stream { size: BLOCK_SIZE, warm_up: 64, count, batch: None };
            let run = throughput(cpus, &Blocks::default(), stream);
            Run { value: BLOCK_SIZE as f64 / run.value, ..run }
        };
        let messages = || {
            let ring = CRing::new(library, Choice { capacity, never_spin: false });
            let stream = Stream { size: LARGE, warm_up: 8, count: MOVED / LARGE, batch: None };
            let run = throughput(cpus, &MessageRing(ring), stream);
            Run { value: LARGE as f64 / run.value, ..run }
        };
        // Each beside its own floor: the machine changes.
        let pairs: Vec<[f64; 2]> =
            (0..args.rounds).map(|_| [repeat(copy).value, repeat(messages).value]).collect();
        let column = |at: usize| format!("{:.2}", median(pairs.iter().map(|pair| pair[at])));
        let ratio = median(pairs.iter().map(|[copy, messages]| messages / copy));
        table.row(vec![bytes(capacity), column(0), column(1), format!("{ratio:.2}")]);
    }
    let mut text = format!("Messages of {}, {} rounds\n\n", bytes(LARGE), args.rounds);
    table.write(&mut text);
    println!("{text}");
    Ok(())
}

/// Frames by hand.
struct Frames(&'static Library);

impl Way for Frames {
    type Made = CRing<'static>;
    type Tx = FrameEnd<'static>;
    type Rx = FrameEnd<'static>;

    fn make(&self, name: &str, test: Test) -> CRing<'static> {
        make(self.0, name, test)
    }

    fn sender(&self, name: &str, _test: Test) -> FrameEnd<'static> {
        FrameEnd(end(self.0, name))
    }

    fn receiver(&self, name: &str, _test: Test) -> FrameEnd<'static> {
        FrameEnd(end(self.0, name))
    }
}

/// The library's messages.
struct Whole(&'static Library);

impl Way for Whole {
    type Made = CRing<'static>;
    type Tx = MessageEnd<'static>;
    type Rx = MessageEnd<'static>;

    fn make(&self, name: &str, test: Test) -> CRing<'static> {
        make(self.0, name, test)
    }

    fn sender(&self, name: &str, _test: Test) -> MessageEnd<'static> {
        MessageEnd::new(end(self.0, name))
    }

    fn receiver(&self, name: &str, _test: Test) -> MessageEnd<'static> {
        MessageEnd::new(end(self.0, name))
    }
}
