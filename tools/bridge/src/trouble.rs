//! What goes wrong: what another try may mend, and what it can't.

use std::fmt;

/// Why a step failed.
#[derive(Debug)]
pub enum Trouble {
    /// The server did not answer, or said that it can't now. It is tried again.
    Passing(String),
    /// Going on would lose bytes or carry them twice, or nobody is there to carry for.
    Final(String),
}

pub type Outcome<T> = Result<T, Trouble>;

/// An error of the server or of the way to it.
pub fn passing(what: &'static str) -> impl Fn(&dyn fmt::Display) -> Trouble {
    move |error| Trouble::Passing(format!("{what}: {error}"))
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Passing(words) | Self::Final(words)) = self;
        f.write_str(words)
    }
}

impl std::error::Error for Trouble {}

impl From<spsc_shm::Error> for Trouble {
    fn from(error: spsc_shm::Error) -> Self {
        let words = match error.status() {
            spsc_shm::Status::RoleTaken => {
                "another process uses this end of the ring: is a bridge running already?".to_owned()
            }
            _ => format!("the ring: {error}"),
        };
        Self::Final(words)
    }
}
