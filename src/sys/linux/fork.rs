//! A hook that runs around `fork`.

use crate::status::{Error, Result};

/// Has `prepare` and `parent` run in the forking thread before and after every fork from now on,
/// and `child` in the child's one thread.
pub(crate) fn install(
    prepare: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> Result<()> {
    // SAFETY: the three functions are 'static and take nothing.
    let number = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    if number == 0 { Ok(()) } else { Err(Error::from_os(number)) }
}
