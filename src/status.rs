//! How a call ended: the one list of outcomes and errors.

use std::fmt;

/// Every way in which a call can end without success. The C interface returns the same numbers
/// (`spsc_status`). They are append-only.
///
/// Positive values are outcomes of a wait, in which nothing is wrong; negative values are errors.
///
/// ```
/// use spsc_shm::{Ring, Status};
/// use std::time::Duration;
///
/// let (producer, mut consumer) = Ring::anonymous(4096)?.split();
/// let moment = Some(Duration::from_millis(1));
/// match consumer.peek(1, moment).map_err(|error| error.status()) {
///     Ok(grant) => grant.release_all(),
///     Err(Status::Timeout) => println!("nothing yet"),
///     Err(Status::Closed) => println!("the end of the stream"),
///     Err(Status::PeerDead) => println!("the rest will never come"),
///     Err(status) if status as i32 > 0 => println!("another outcome of a wait"),
///     Err(status) => panic!("{status}"),
/// }
/// # let _ = producer;
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Status {
    /// The time ran out first.
    Timeout = 1,
    /// `wakeup_all` or `interrupt` was called.
    Interrupted = 2,
    /// The other side closed its handle, and what is asked for can't come until a new peer
    /// attaches.
    Closed = 3,
    /// The other side's process died without closing. Reported within 250 ms of the moment in which
    /// the kernel closes the process's descriptors. That comes after it has freed the process's
    /// memory and written a core file, if any, which takes seconds for gigabytes.
    PeerDead = 4,
    /// A bad descriptor or option, or a capacity that can't be represented.
    InvalidArgument = -1,
    /// A name that is empty, too long, `.` or `..`, or has a slash other than one leading.
    InvalidName = -2,
    /// The name is taken.
    AlreadyExists = -3,
    /// There is no such name.
    NotFound = -4,
    /// The operating system refused access.
    Permission = -5,
    /// The shared-memory file system can't hold the ring.
    NoSpace = -6,
    /// Out of memory, address space or file descriptors.
    NoMemory = -7,
    /// The creator has not finished. When a role is taken: the ring was replaced under its name
    /// since this handle connected.
    NotReady = -8,
    /// Wrong magic, or sizes that don't fit the object, or a descriptor whose object is not sealed.
    NotARing = -9,
    /// The ring has another layout version, or its creator has pages of another size.
    Version = -10,
    /// Another live handle is already the producer (or the consumer).
    RoleTaken = -11,
    /// More than the capacity: could never be satisfied.
    TooLarge = -12,
    /// Publish of more than is claimed, or release of more than is peeked; nothing changed.
    Misuse = -13,
    /// The shared counters contradict each other; nothing was touched.
    Corrupt = -14,
    /// Any other operating-system error.
    System = -15,
}

impl Status {
    const ALL: [Self; 19] = [
        Self::Timeout,
        Self::Interrupted,
        Self::Closed,
        Self::PeerDead,
        Self::InvalidArgument,
        Self::InvalidName,
        Self::AlreadyExists,
        Self::NotFound,
        Self::Permission,
        Self::NoSpace,
        Self::NoMemory,
        Self::NotReady,
        Self::NotARing,
        Self::Version,
        Self::RoleTaken,
        Self::TooLarge,
        Self::Misuse,
        Self::Corrupt,
        Self::System,
    ];

    /// The status with this number, if there is one. 0 is success and thus no `Status`.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as i32 == number)
    }

    /// A few words for a person, as a C string.
    pub(crate) const fn text(self) -> &'static std::ffi::CStr {
        match self {
            Self::Timeout => c"the time ran out first",
            Self::Interrupted => c"the wait was interrupted",
            Self::Closed => c"the other side closed its handle",
            Self::PeerDead => c"the other side's process died without closing",
            Self::InvalidArgument => {
                c"invalid argument: NULL, a bad descriptor or option, or too large a capacity"
            }
            Self::InvalidName => {
                c"invalid name: empty, too long, a dot name, or a slash other than one leading"
            }
            Self::AlreadyExists => {
                c"a ring of this name, or a listener at this path, already exists"
            }
            Self::NotFound => c"no ring of this name, or no listener at this path",
            Self::Permission => c"the operating system refused access",
            Self::NoSpace => c"the shared-memory file system can't hold the ring",
            Self::NoMemory => c"out of memory, address space or file descriptors",
            Self::NotReady => c"the ring's creator has not finished",
            Self::NotARing => c"not a ring: wrong magic, sizes that don't fit, or missing seals",
            Self::Version => {
                c"the ring has another layout version, or its creator another page size"
            }
            Self::RoleTaken => c"another live handle already has this role",
            Self::TooLarge => c"more than the ring's capacity",
            Self::Misuse => c"publish of more than is claimed, or release of more than is peeked",
            Self::Corrupt => c"the shared counters contradict each other",
            Self::System => c"operating-system error",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().to_str().unwrap_or_default())
    }
}

/// A [`Status`], with the operating system's error number where it came from there.
///
/// ```
/// use spsc_shm::{Ring, Status};
/// let error = Ring::connect("no-such-ring").unwrap_err();
/// assert_eq!(error.status(), Status::NotFound);
/// assert!(error.os_error().is_some());
/// println!("{error}"); // no ring of this name, or no listener at this path: No such file or directory (os error 2)
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error {
    status: Status,
    os: i32,
}

impl Error {
    /// An error number of the operating system, with the status that it has in most calls. A call
    /// in which the number means something else replaces the status (`with_status`).
    pub(crate) const fn from_os(os: i32) -> Self {
        let status = match os {
            libc::EACCES | libc::EPERM | libc::EROFS => Status::Permission,
            libc::ENOSPC | libc::EDQUOT | libc::EFBIG => Status::NoSpace,
            libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ENOLCK => Status::NoMemory,
            libc::ENAMETOOLONG => Status::InvalidName,
            _ => Status::System,
        };
        Self { status, os }
    }

    /// The same error number under another status.
    pub(crate) const fn with_status(self, status: Status) -> Self {
        Self { status, os: self.os }
    }

    /// How the call ended.
    ///
    /// ```
    /// use spsc_shm::{Ring, Status};
    /// let error = Ring::create("a/b", 4096).unwrap_err();
    /// assert_eq!(error.status(), Status::InvalidName);
    /// ```
    #[must_use]
    pub const fn status(self) -> Status {
        self.status
    }

    /// The operating system's error number (`errno`), if the error came from there.
    ///
    /// ```
    /// use spsc_shm::Ring;
    /// assert!(Ring::connect("no-such-ring").unwrap_err().os_error().is_some());
    /// assert_eq!(Ring::connect("a/b").unwrap_err().os_error(), None);
    /// ```
    #[must_use]
    pub const fn os_error(self) -> Option<i32> {
        if self.os == 0 { None } else { Some(self.os) }
    }
}

impl From<Status> for Error {
    #[inline]
    fn from(status: Status) -> Self {
        Self { status, os: 0 }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.status)?;
        match self.os_error() {
            Some(os) => write!(f, " ({})", std::io::Error::from_raw_os_error(os)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match self.os_error() {
            Some(os) => write!(f, ": {}", std::io::Error::from_raw_os_error(os)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// What every call returns that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl From<Error> for std::io::Error {
    /// An interruption does not become [`std::io::ErrorKind::Interrupted`]: `write_all` and
    /// `read_exact` would retry it, and `wakeup_all` would be lost.
    fn from(error: Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.status {
            Status::Timeout => ErrorKind::TimedOut,
            Status::Closed => ErrorKind::BrokenPipe,
            Status::PeerDead => ErrorKind::ConnectionReset,
            Status::InvalidArgument | Status::InvalidName | Status::TooLarge => {
                ErrorKind::InvalidInput
            }
            Status::AlreadyExists => ErrorKind::AlreadyExists,
            Status::NotFound => ErrorKind::NotFound,
            Status::Permission => ErrorKind::PermissionDenied,
            Status::NoSpace => ErrorKind::StorageFull,
            Status::NoMemory => ErrorKind::OutOfMemory,
            Status::NotARing | Status::Version | Status::Corrupt => ErrorKind::InvalidData,
            _ => ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_finds_its_status_and_no_other_number_does() {
        for status in Status::ALL {
            assert_eq!(Status::from_number(status as i32), Some(status));
            assert!(!status.text().is_empty());
        }
        for number in [0, 5, -16, -17, i32::MIN, i32::MAX] {
            assert_eq!(Status::from_number(number), None);
        }
    }

    #[test]
    fn an_interruption_is_not_what_std_io_retries() {
        let error = std::io::Error::from(Error::from(Status::Interrupted));
        assert_ne!(error.kind(), std::io::ErrorKind::Interrupted);
    }
}
