//! How long to look for what is about to come before going to sleep, and how often.

/// A `spin_ns` that leaves the time to the library.
pub(crate) const SPIN_ADAPTIVE: u64 = u64::MAX;

/// The longest spin where the library chooses: about what a sleep and a wake-up cost.
const ADAPTIVE_LIMIT_NS: u64 = 50_000;
/// The shortest: it costs little, and without it nothing would ever be learned.
const FLOOR_NS: u64 = 2_000;
/// The longest that a number in the control block can ask for: a side that spins does not look whether
/// the other side is alive.
const LIMIT_NS: u64 = 100_000_000;
/// Looks, some 25 ns apart, before the first look at the clock.
pub(crate) const BRIEF: u32 = 128;
/// A wait of this many looks, some 300 ns, means that the other CPU is far, or that its answer takes
/// time. Then the next wait looks half as often: each look takes the data's cache line from its writer,
/// and costs more the further the line has to go.
pub(crate) const FAR: u32 = 12;
/// What they and the pauses before them may take at most. They take some microseconds, and more only if
/// every look is a cache miss.
pub(crate) const BRIEF_NS: u64 = 100_000;
/// Looks between two looks at the clock.
pub(crate) const LOOKS: u32 = 16;

/// One side's spinning: learned from how long its last waits took.
#[derive(Debug)]
pub(crate) struct Spinner {
    /// The longest spin, in nanoseconds.
    limit_ns: u64,
    /// The next spin.
    budget_ns: u64,
    /// Whether to learn, or to spin for `limit_ns` every time.
    adaptive: bool,
}

impl Spinner {
    pub(crate) fn new(spin_ns: u64) -> Self {
        let adaptive = spin_ns == SPIN_ADAPTIVE;
        let limit_ns = if adaptive { ADAPTIVE_LIMIT_NS } else { spin_ns.min(LIMIT_NS) };
        Self { limit_ns, budget_ns: limit_ns, adaptive }
    }

    /// Whether to spin at all.
    pub(crate) fn is_wanted(&self) -> bool {
        self.limit_ns != 0
    }

    /// When a spin that begins at `start` ends.
    pub(crate) fn until(&self, start: u64) -> u64 {
        start.saturating_add(self.budget_ns)
    }

    /// Learns from a wait that took `ns`. That includes the sleep and the wake-up, which take about the
    /// limit by themselves.
    pub(crate) fn slept(&mut self, ns: u64) {
        if self.adaptive {
            self.budget_ns = if ns <= 2 * self.limit_ns {
                (self.budget_ns * 2).min(self.limit_ns)
            } else {
                (self.budget_ns / 2).max(FLOOR_NS)
            };
        }
    }
}
