//! How the doorbell of a connection is armed, for both directions at once. Why no doorbell is lost is
//! argued in `wait/mod.rs`, under *doorbell*.

use crate::cursor::{Rx, Side, Tx};
use crate::endpoint::Endpoint;
use crate::layout::Control;
use crate::status::Result;
use crate::sys::barrier;
use crate::wait::any::Glance;
use crate::wait::{Arming, park};

/// What can be done on a connection without waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// The data that was asked for is there, or can't come: the next peek says which.
    pub readable: bool,
    /// The space that was asked for is free, or can't become so: the next claim says which.
    pub writable: bool,
}

impl Readiness {
    /// Whether anything can be done.
    #[must_use]
    pub fn any(self) -> bool {
        self.readable || self.writable
    }
}

/// One direction, of which something may be asked.
pub(crate) struct Asked<'a, S> {
    /// The ring's.
    pub control: &'a Control,
    /// `None`: nothing is asked, and what was asked is taken back.
    pub side: Option<(&'a mut Endpoint<S>, u64)>,
}

impl<S: Side> Asked<'_, S> {
    fn glance(&mut self) -> bool {
        let Some((endpoint, need)) = &mut self.side else { return false };
        endpoint.glance(*need) == Glance::Ready
    }

    fn arm(&mut self) -> Result<Arming> {
        if let Some((endpoint, need)) = &mut self.side {
            return endpoint.arm(*need);
        }
        self.disarm();
        Ok(Arming::Stands)
    }

    fn confirm(&mut self, arming: Arming) -> Result<bool> {
        match (arming, &mut self.side) {
            (Arming::Decided, _) => Ok(true),
            (Arming::Announced, Some((endpoint, need))) => endpoint.confirm(*need),
            _ => Ok(false),
        }
    }

    fn disarm(&self) {
        park::disarm(S::park(self.control));
    }
}

/// Asks for a doorbell once what is asked of either direction is so. What is so already is returned,
/// and only if nothing is, the doorbell is armed.
///
/// `drain` reads the doorbells that have come, and notes the end of the connection.
pub(crate) fn arm(
    mut data: Asked<'_, Rx>,
    mut space: Asked<'_, Tx>,
    drain: impl FnOnce() -> Result<()>,
) -> Result<Readiness> {
    let mut ready = Readiness { readable: data.glance(), writable: space.glance() };
    if !ready.any() {
        // Before the announcement: a doorbell that is rung for it must stay.
        drain()?;
        let armed = (data.arm()?, space.arm()?);
        if armed.0 == Arming::Announced || armed.1 == Arming::Announced {
            // park: pairs with the light barrier in `needs_wakeup`. If the kernel refuses, the other
            // side fences.
            let _ = barrier::heavy();
        }
        ready.readable = data.confirm(armed.0)?;
        ready.writable = space.confirm(armed.1)?;
    }
    if ready.any() {
        data.disarm();
        space.disarm();
    }
    Ok(ready)
}
