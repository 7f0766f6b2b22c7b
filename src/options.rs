//! What can be chosen when a ring is made.

use crate::wait::FOREVER;
use crate::wait::spin::SPIN_ADAPTIVE;
use std::time::Duration;

/// How long a wait spins before it sleeps.
///
/// ```
/// use spsc_shm::{Options, Spin};
/// use std::time::Duration;
/// // Where a reply within a microsecond matters more than a busy CPU.
/// let patient = Options::new().spin(Spin::For(Duration::from_millis(1)));
/// # let _ = patient;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spin {
    /// As recent waits suggest, up to 50 µs. The default.
    #[default]
    Adaptive,
    /// Not at all: every wait sleeps.
    Never,
    /// For this long, whatever recent waits took; at most 100 ms.
    For(Duration),
}

/// What can be chosen when a ring is made.
///
/// ```
/// use spsc_shm::{Options, Spin};
/// let ring = Options::new().spin(Spin::Never).anonymous(4096)?;
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options make no ring by themselves"]
pub struct Options {
    /// Permission bits of a named object. Nobody may get reading without writing.
    pub(crate) mode: u32,
    /// Whether a ring that nobody uses may be replaced under its name.
    pub(crate) replace_stale: bool,
    /// Whether to enter all pages into the page tables at once.
    pub(crate) prefault: bool,
    /// How long a wait may spin, on either side.
    pub(crate) spin_ns: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// Mode 0600, no replacing, no prefaulting, adaptive spinning.
    ///
    /// ```
    /// let ring = spsc_shm::Options::new().anonymous(4096)?; // as Ring::anonymous
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    pub const fn new() -> Self {
        Self { mode: 0o600, replace_stale: false, prefault: false, spin_ns: SPIN_ADAPTIVE }
    }

    /// Permission bits of a named ring's object, less the process's umask. The owner must be left
    /// with reading and writing, or creating fails with
    /// [`Status::Permission`](crate::Status::Permission).
    ///
    /// Group and others may get both reading and writing, or neither. Whoever may read may hold a
    /// lock on the object, and with it could keep everybody from a role or hide a death. So a mode
    /// that lets somebody read who may not write, or one beyond 0777, is refused with
    /// [`Status::InvalidArgument`](crate::Status::InvalidArgument), and where the umask takes
    /// writing away, reading goes too.
    ///
    /// ```
    /// use spsc_shm::{Options, Status};
    /// let refused = Options::new().mode(0o644).create("/mode-example", 4096).unwrap_err();
    /// assert_eq!(refused.status(), Status::InvalidArgument);
    /// ```
    pub const fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Whether to replace a ring of the same name that has no live producer, no live consumer and
    /// no live creator. A ring in use is never replaced, nor an object that is no ring.
    ///
    /// ```
    /// # let name = &format!("doc-stale-{}", std::process::id());
    /// use spsc_shm::{Options, Ring, Status};
    /// let first = Ring::create(name, 4096)?;
    /// let again = Options::new().replace_stale(true);
    /// let refused = again.create(name, 4096).unwrap_err();
    /// assert_eq!(refused.status(), Status::AlreadyExists);
    /// drop(first); // nobody uses it any more, but its name is still there
    /// let ring = again.create(name, 4096)?;
    /// # Ring::unlink(name)?;
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    pub const fn replace_stale(mut self, yes: bool) -> Self {
        self.replace_stale = yes;
        self
    }

    /// Whether to enter all pages into this process's page tables at once, so that the first lap
    /// takes no page faults.
    ///
    /// ```
    /// let ring = spsc_shm::Options::new().prefault(true).anonymous(1 << 20)?;
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    pub const fn prefault(mut self, yes: bool) -> Self {
        self.prefault = yes;
        self
    }

    /// How long a wait spins before it sleeps, on both sides of the ring.
    ///
    /// ```
    /// use spsc_shm::{Options, Spin};
    /// let ring = Options::new().spin(Spin::Never).anonymous(4096)?; // where CPUs are scarce
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    pub fn spin(mut self, spin: Spin) -> Self {
        self.spin_ns = spin_ns(spin);
        self
    }
}

/// The longest spin, as in the control block.
pub(crate) fn spin_ns(spin: Spin) -> u64 {
    match spin {
        Spin::Adaptive => SPIN_ADAPTIVE,
        Spin::Never => 0,
        Spin::For(time) => nanoseconds(time),
    }
}

/// A time in nanoseconds, less than [`FOREVER`].
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(FOREVER).min(FOREVER - 1)
}
