//! A hook that runs around `fork`.

use crate::status::{Error, Result};
use std::sync::OnceLock;

/// Has `prepare` and `parent` run in the forking thread before and after a fork, and `child` in
/// the child's one thread. Once a process; later calls return what the first one did.
pub(crate) fn install(
    prepare: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> Result<()> {
    static INSTALLED: OnceLock<i32> = OnceLock::new();
    let number = *INSTALLED.get_or_init(|| {
        // SAFETY: the three functions are 'static and take nothing.
        unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) }
    });
    if number == 0 { Ok(()) } else { Err(Error::from_os(number)) }
}
