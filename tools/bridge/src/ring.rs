//! The ring at this end of the way.

use crate::options::Options;
use crate::progress::Progress;
use crate::trouble::{Outcome, Trouble};
use spsc_shm::{Ring, Status};

/// Opens the ring, or makes it where that is wished. Waits for the name to appear.
pub fn open(options: &Options, progress: &Progress) -> Outcome<Ring> {
    match Ring::connect(&options.ring) {
        Ok(ring) => return Ok(ring),
        Err(error) if error.status() == Status::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    if let Some(size) = options.create {
        let size = usize::try_from(size.0).unwrap_or(usize::MAX);
        match Ring::create(&options.ring, size) {
            Ok(ring) => return Ok(ring),
            // Somebody else was faster.
            Err(error) if error.status() == Status::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    } else {
        progress.set_state("waits for the ring to be made");
    }
    Ok(Ring::connect_timeout(&options.ring, None)?)
}

/// How this ring is known.
pub fn identity(ring: &Ring) -> Outcome<String> {
    crate::identity::of(ring)
        .map_err(|error| Trouble::Final(format!("the ring's identity: {error}")))
}
