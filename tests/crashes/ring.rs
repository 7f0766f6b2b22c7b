//! The C functions, behind a type that closes what it opened. What is tested here is what a C
//! program calls.

use crate::inline::*;
use spsc_shm::ffi::*;
use std::cell::Cell;
use std::ffi::{CString, c_void};
#[cfg(target_arch = "x86_64")]
use std::os::unix::fs::MetadataExt;
use std::ptr;

pub use spsc_shm::ffi::spsc_status;
pub use spsc_status::*;

/// A name that no other test uses, for C too; unlinked on drop.
pub struct Name(support::Name, CString);

impl Name {
    pub fn unique() -> Self {
        let name = support::Name::new();
        let for_c = CString::new(&*name).unwrap();
        Self(name, for_c)
    }

    pub fn exists(&self) -> bool {
        std::path::Path::new(&self.0.path()).exists()
    }

    /// The object that it stands for.
    #[cfg(target_arch = "x86_64")]
    pub fn inode(&self) -> Option<u64> {
        Some(std::fs::metadata(self.0.path()).ok()?.ino())
    }

    /// Files that these processes made to replace a ring of this name, and did not have before.
    #[cfg(target_arch = "x86_64")]
    pub fn left_beside(&self, processes: &[libc::pid_t], before: &[String]) -> Vec<String> {
        let lock = format!(".spsc-shm.lock.{}", &*self.0);
        let prefixes: Vec<_> = processes.iter().map(|pid| format!(".spsc-shm.{pid}.")).collect();
        let ours =
            |name: &String| *name == lock || prefixes.iter().any(|prefix| name.starts_with(prefix));
        names().filter(|name| ours(name) && !before.contains(name)).collect()
    }

    pub fn unlink(&self) -> spsc_status {
        // SAFETY: a valid string.
        unsafe { spsc_unlink(self.1.as_ptr()) }
    }
}

/// What stands in the directory of the names.
#[cfg(target_arch = "x86_64")]
pub fn names() -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir("/dev/shm").expect("the directory is there");
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

/// A handle, or none: every call on none gives `SPSC_ERR_INVALID_ARGUMENT`. It goes through the
/// functions, unless told otherwise.
pub struct Ring(*mut spsc_ring, Cell<Manner>);

/// How a handle's calls are made.
#[derive(Clone, Copy)]
struct Manner {
    way: Way,
    /// Tosses to come, where both ways are mixed.
    tosses: u64,
}

impl Manner {
    const FUNCTIONS: Self = Self { way: Way::Functions, tosses: 0 };
}

pub type Opened = Result<Ring, spsc_status>;

fn opened(open: impl FnOnce(*mut *mut spsc_ring) -> spsc_status) -> Opened {
    let mut ring = ptr::null_mut();
    match open(&raw mut ring) {
        SPSC_OK => Ok(Ring(ring, Cell::new(Manner::FUNCTIONS))),
        status => {
            assert!(ring.is_null(), "an output was written in spite of {status:?}");
            Err(status)
        }
    }
}

/// What a ring that never spins is made with: every wait sleeps.
pub fn sleepy() -> spsc_options {
    options(|options| options.spin_ns = 0)
}

pub fn options(change: impl FnOnce(&mut spsc_options)) -> spsc_options {
    let mut options = std::mem::MaybeUninit::uninit();
    // SAFETY: a valid place, which the function fills.
    let mut options = unsafe {
        spsc_options_init(options.as_mut_ptr(), size_of::<spsc_options>());
        options.assume_init()
    };
    change(&mut options);
    options
}

impl Ring {
    #[cfg(target_arch = "x86_64")]
    pub fn none() -> Self {
        Self(ptr::null_mut(), Cell::new(Manner::FUNCTIONS))
    }

    pub fn create(name: &Name, capacity: usize, options: &spsc_options) -> Opened {
        // SAFETY: valid pointers; likewise below.
        opened(|out| unsafe { spsc_create_with(name.1.as_ptr(), capacity, options, out) })
    }

    pub fn connect(name: &Name) -> Opened {
        // SAFETY: as in `create`.
        opened(|out| unsafe { spsc_connect(name.1.as_ptr(), out) })
    }

    #[cfg(target_arch = "x86_64")]
    pub fn connect_timeout(name: &Name, timeout_ns: u64) -> Opened {
        // SAFETY: as in `create`.
        opened(|out| unsafe { spsc_connect_timeout(name.1.as_ptr(), timeout_ns, out) })
    }

    pub fn anonymous(capacity: usize) -> Opened {
        // SAFETY: as in `create`.
        opened(|out| unsafe { spsc_create_anonymous(capacity, out) })
    }

    pub fn connect_fd(fd: i32) -> Opened {
        // SAFETY: as in `create`.
        opened(|out| unsafe { spsc_connect_fd(fd, out) })
    }

    /// Goes this way from now on. `tosses` are for one that mixes.
    pub fn go(&self, way: Way, tosses: u64) {
        self.1.set(Manner { way, tosses });
    }

    fn is_inline(&self) -> bool {
        let Manner { way, tosses } = self.1.get();
        self.go(way, tosses.rotate_right(1));
        way.is_inline(tosses & 1 != 0)
    }

    pub fn claim(&self, want: usize, timeout_ns: u64, data: &mut *mut u8) -> spsc_status {
        let call = if self.is_inline() { inline_claim } else { spsc_claim };
        // SAFETY: the handle is open or NULL, and this program has one thread; likewise below.
        unsafe { call(self.0, want, timeout_ns, ptr::from_mut(data).cast::<*mut c_void>()) }
    }

    pub fn claim_some(
        &self,
        min: usize,
        timeout_ns: u64,
        data: &mut *mut u8,
        len: &mut usize,
    ) -> spsc_status {
        let out = ptr::from_mut(data).cast::<*mut c_void>();
        // SAFETY: as in `claim`.
        unsafe { spsc_claim_some(self.0, min, timeout_ns, out, len) }
    }

    pub fn publish(&self, n: usize) -> spsc_status {
        // Not inlined: called as a C program calls it, so that its instructions can be counted.
        let call: unsafe extern "C" fn(_, _) -> _ =
            std::hint::black_box(if self.is_inline() { inline_publish } else { spsc_publish });
        // SAFETY: as in `claim`.
        unsafe { call(self.0, n) }
    }

    pub fn wait_for_space(&self, need: usize, timeout_ns: u64) -> spsc_status {
        // SAFETY: as in `claim`.
        unsafe { spsc_wait_for_space(self.0, need, timeout_ns) }
    }

    pub fn peek(&self, want: usize, timeout_ns: u64, data: &mut *const u8) -> spsc_status {
        let call = if self.is_inline() { inline_peek } else { spsc_peek };
        // SAFETY: as in `claim`.
        unsafe { call(self.0, want, timeout_ns, ptr::from_mut(data).cast::<*const c_void>()) }
    }

    pub fn peek_some(
        &self,
        min: usize,
        timeout_ns: u64,
        data: &mut *const u8,
        len: &mut usize,
    ) -> spsc_status {
        let out = ptr::from_mut(data).cast::<*const c_void>();
        // SAFETY: as in `claim`.
        unsafe { spsc_peek_some(self.0, min, timeout_ns, out, len) }
    }

    pub fn release(&self, n: usize) -> spsc_status {
        // Not inlined: called as a C program calls it, so that its instructions can be counted.
        let call: unsafe extern "C" fn(_, _) -> _ =
            std::hint::black_box(if self.is_inline() { inline_release } else { spsc_release });
        // SAFETY: as in `claim`.
        unsafe { call(self.0, n) }
    }

    pub fn wait_for_data(&self, need: usize, timeout_ns: u64) -> spsc_status {
        // SAFETY: as in `claim`.
        unsafe { spsc_wait_for_data(self.0, need, timeout_ns) }
    }

    /// A wait for one side twice, once for half as much: how the one stands that stands better.
    pub fn wait_any(&self, side: u32, need: usize, timeout_ns: u64) -> spsc_status {
        let status = std::mem::MaybeUninit::new(SPSC_TIMEOUT);
        let mut items =
            [need / 2, need].map(|need| spsc_wait_item { ring: self.0, side, status, need });
        let mut ready = 0;
        // SAFETY: as in `claim`; the items are valid, and their status is set.
        unsafe {
            let ended = spsc_wait_any(items.as_mut_ptr(), items.len(), timeout_ns, &mut ready);
            assert_eq!(ended == SPSC_OK, ready > 0);
            if ended == SPSC_OK { items[0].status.assume_init() } else { ended }
        }
    }

    pub fn send(&self, tag: u32, message: &[u8], timeout_ns: u64) -> spsc_status {
        // Not inlined, so that a tracer finds it.
        let call: unsafe extern "C" fn(_, _, _, _, _) -> _ = std::hint::black_box(spsc_send);
        // SAFETY: as in `claim`.
        unsafe { call(self.0, tag, message.as_ptr().cast(), message.len(), timeout_ns) }
    }

    /// Calls `take` with the tag and the bytes of the next message.
    pub fn receive(&self, timeout_ns: u64, take: impl FnOnce(u32, &[u8])) -> spsc_status {
        let mut message = std::mem::MaybeUninit::uninit();
        // SAFETY: as in `claim`; the message is written, and its bytes are there, where the status
        // says so.
        unsafe {
            let status = spsc_receive(self.0, timeout_ns, message.as_mut_ptr());
            if status == SPSC_OK {
                let spsc_message { data, len, tag, .. } = message.assume_init();
                take(tag, std::slice::from_raw_parts(data.cast(), len));
            }
            status
        }
    }

    pub fn receive_done(&self) -> spsc_status {
        // SAFETY: as in `claim`.
        unsafe { spsc_receive_done(self.0) }
    }

    pub fn wakeup_all(&self) -> spsc_status {
        // SAFETY: as in `claim`.
        unsafe { spsc_wakeup_all(self.0) }
    }

    pub fn available(&self) -> u64 {
        // SAFETY: as in `claim`.
        unsafe { spsc_available(self.0) }
    }

    pub fn capacity(&self) -> u64 {
        // SAFETY: as in `claim`.
        unsafe { spsc_capacity(self.0) }
    }

    pub fn fd(&self) -> i32 {
        // SAFETY: as in `claim`.
        unsafe { spsc_fd(self.0) }
    }

    #[cfg(target_arch = "x86_64")]
    pub fn inode(&self) -> u64 {
        std::fs::metadata(format!("/proc/self/fd/{}", self.fd())).unwrap().ino()
    }

    pub fn try_stats(&self) -> Result<spsc_stats_t, spsc_status> {
        let mut stats = std::mem::MaybeUninit::uninit();
        // SAFETY: as in `claim`; the place is valid, and written where the status says so.
        match unsafe { spsc_stats(self.0, stats.as_mut_ptr(), size_of::<spsc_stats_t>()) } {
            // SAFETY: as above.
            SPSC_OK => Ok(unsafe { stats.assume_init() }),
            status => Err(status),
        }
    }

    pub fn stats(&self) -> spsc_stats_t {
        self.try_stats().unwrap()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: as in `claim`, and nothing uses the handle any more.
        unsafe { spsc_close(self.0) }
    }
}
