//! How soon to look again at a counter that the other side is advancing.
//!
//! Every look takes the counter's cache line away from its writer, which must fetch it back before
//! it can advance again. A side that has caught up with a stream and looks at once finds one more
//! message, or a few, at the price of two line transfers; if it lets some pauses pass first, it
//! finds many at the same price. But with one message under way, as when each waits for the
//! other's answer, all that a pause does is delay.
//!
//! So the pauses are learned, by what they bring. Where looks bring one message each there are
//! none. Where they bring more, twice the pauses are tried for some looks, and kept if each look
//! then brings half as much again; if not, the time was not what the messages were waiting for.
//!
//! What a wait brought is reckoned when the next one begins: then nobody is waiting for it.

/// Looks that are judged together.
const SAMPLE: u32 = 8;
/// The first pauses to try.
const FIRST: u32 = 4;
/// The most pauses: 0.6 to 3 µs, by processor. Half as many cost streams of small messages 5 %.
const MOST: u32 = 64;
/// Samples to let pass after a trial that failed.
const RESPITE: u32 = 16;

/// One side's pauses.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Pauses before the next look.
    pauses: u32,
    /// What the pauses were before the trial that is under way, and what a sample brought then.
    before_trial: Option<(u32, u64)>,
    /// Samples to let pass before the next trial.
    respite: u32,
    /// Looks in this sample, and messages that they brought.
    looks: u32,
    messages: u64,
    /// Where the last wait began, and for how many bytes; 0 before the first.
    position: u64,
    need: u64,
}

impl Pace {
    /// A wait for `need` bytes, at least one, begins at `position`: notes what the last one
    /// brought, and lets messages gather.
    #[inline]
    pub(crate) fn begin(&mut self, position: u64, need: u64) {
        if self.need != 0 {
            // What is asked for is taken for one message.
            let moved = position.wrapping_sub(self.position);
            self.brought(if moved < 2 * self.need { 1 } else { moved / self.need });
        }
        (self.position, self.need) = (position, need);
        for _ in 0..self.pauses {
            std::hint::spin_loop();
        }
    }

    fn brought(&mut self, messages: u64) {
        self.looks += 1;
        self.messages = self.messages.saturating_add(messages);
        if self.looks == SAMPLE {
            let messages = std::mem::take(&mut self.messages);
            self.looks = 0;
            self.judge(messages);
        }
    }

    fn judge(&mut self, messages: u64) {
        self.respite = self.respite.saturating_sub(1);
        if messages < 2 * u64::from(SAMPLE) {
            // Mostly one at a time: there is nothing to gather.
            self.pauses /= 2;
            self.before_trial = None;
        } else if let Some((pauses, then)) = self.before_trial.take() {
            if messages < then + then / 2 {
                self.pauses = pauses;
                self.respite = RESPITE;
            }
        } else if self.pauses < MOST && self.respite == 0 {
            self.before_trial = Some((self.pauses, messages));
            self.pauses = (2 * self.pauses).clamp(FIRST, MOST);
        }
    }
}
