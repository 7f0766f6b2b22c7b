//! Names of rings.

use std::ffi::OsStr;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};

/// A ring's name that nobody else has. What has the name loses it when this is dropped.
#[derive(Debug)]
pub struct Name(String);

impl Name {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("spsc-test-{}-{count}", std::process::id()))
    }

    /// Where the object of this name lives.
    pub fn path(&self) -> String {
        format!("/dev/shm/{}", self.0)
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // It may have gone already, or never have come, or be a directory that a test made.
        let _ = spsc_shm::Ring::unlink(&self.0);
        let _ = std::fs::remove_dir(self.path());
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<OsStr> for Name {
    fn as_ref(&self) -> &OsStr {
        self.0.as_ref()
    }
}
