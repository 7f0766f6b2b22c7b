//! The ring through the C functions of the shared library.

use super::{Choice, drain, fill};
use crate::channel::{Channel, Receiver, Sender};
use libloading::os::unix::{self, RTLD_LOCAL, RTLD_NOW};
use spsc_shm::ffi::{
    SPSC_WAIT_FOREVER, spsc_cursor, spsc_message, spsc_options, spsc_ring, spsc_status,
};
use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

fn new_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("spsc-shm-measure-{}-{number}", std::process::id())
}

/// The functions of a shared library, found as a program in another language would find them.
pub struct Library {
    create: unsafe extern "C" fn(*const c_char, usize, *mut *mut spsc_ring) -> spsc_status,
    create_with: CreateWith,
    connect: unsafe extern "C" fn(*const c_char, *mut *mut spsc_ring) -> spsc_status,
    unlink: unsafe extern "C" fn(*const c_char) -> spsc_status,
    close: unsafe extern "C" fn(*mut spsc_ring),
    hot: Hot,
    inline: Option<Inline>,
    messages: Option<MessageCalls>,
}

/// The functions for messages; older versions lack them.
#[derive(Clone, Copy)]
pub(crate) struct MessageCalls {
    pub send: unsafe extern "C" fn(*mut spsc_ring, u32, *const c_void, usize, u64) -> spsc_status,
    pub send_some: unsafe extern "C" fn(
        *mut spsc_ring,
        *const spsc_message,
        usize,
        u64,
        *mut usize,
    ) -> spsc_status,
    pub receive: unsafe extern "C" fn(*mut spsc_ring, u64, *mut spsc_message) -> spsc_status,
    pub receive_some: unsafe extern "C" fn(
        *mut spsc_ring,
        u64,
        *mut spsc_message,
        usize,
        *mut usize,
    ) -> spsc_status,
    pub done: unsafe extern "C" fn(*mut spsc_ring) -> spsc_status,
}

impl MessageCalls {
    /// # Safety
    /// It is a build of the library.
    unsafe fn find(library: &unix::Library) -> Option<Self> {
        // SAFETY: the types are those of the functions' definitions.
        unsafe {
            Some(Self {
                send: *library.get(b"spsc_send").ok()?,
                send_some: *library.get(b"spsc_send_some").ok()?,
                receive: *library.get(b"spsc_receive").ok()?,
                receive_some: *library.get(b"spsc_receive_some").ok()?,
                done: *library.get(b"spsc_receive_done").ok()?,
            })
        }
    }
}

/// What callers that need no call for a message need beside that; older versions lack it.
#[derive(Clone, Copy)]
struct Inline {
    cursor_of: unsafe extern "C" fn(*mut spsc_ring, u32) -> *mut spsc_cursor,
    wake: unsafe extern "C" fn(*mut spsc_ring, u32) -> spsc_status,
}

type CreateWith = unsafe extern "C" fn(
    *const c_char,
    usize,
    *const spsc_options,
    *mut *mut spsc_ring,
) -> spsc_status;

/// The functions that are called for each message.
#[derive(Clone, Copy)]
struct Hot {
    claim: unsafe extern "C" fn(*mut spsc_ring, usize, u64, *mut *mut c_void) -> spsc_status,
    claim_some: unsafe extern "C" fn(
        *mut spsc_ring,
        usize,
        u64,
        *mut *mut c_void,
        *mut usize,
    ) -> spsc_status,
    publish: unsafe extern "C" fn(*mut spsc_ring, usize) -> spsc_status,
    peek: unsafe extern "C" fn(*mut spsc_ring, usize, u64, *mut *const c_void) -> spsc_status,
    peek_some: unsafe extern "C" fn(
        *mut spsc_ring,
        usize,
        u64,
        *mut *const c_void,
        *mut usize,
    ) -> spsc_status,
    release: unsafe extern "C" fn(*mut spsc_ring, usize) -> spsc_status,
}

/// Cargo leaves the shared library in `deps`, in the directory of a tool and where benchmarks lie.
fn library_path() -> PathBuf {
    let program = std::env::current_exe().expect("a program knows where it lies");
    let directory = program.parent().unwrap_or(Path::new("."));
    let places = [directory.to_owned(), directory.join("deps")];
    places
        .iter()
        .map(|place| place.join("libspsc_shm.so"))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("no libspsc_shm.so near {}", directory.display()))
}

impl Library {
    /// Loads a build of the library, of this version or an older one, beside any others: no symbol
    /// of one is visible to another. It stays loaded.
    ///
    /// # Errors
    /// It can't be loaded, or lacks a function.
    pub fn open(path: &Path) -> Result<Self, libloading::Error> {
        // SAFETY: a build of our own library, whose initialisers harm nobody.
        let library = unsafe { unix::Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }?;
        let library = ManuallyDrop::new(library);
        // SAFETY: the types are those of the functions' definitions, which no version has changed.
        unsafe {
            Ok(Self {
                create: *library.get(b"spsc_create")?,
                create_with: *library.get(b"spsc_create_with")?,
                connect: *library.get(b"spsc_connect")?,
                unlink: *library.get(b"spsc_unlink")?,
                close: *library.get(b"spsc_close")?,
                hot: Hot {
                    claim: *library.get(b"spsc_claim")?,
                    claim_some: *library.get(b"spsc_claim_some")?,
                    publish: *library.get(b"spsc_publish")?,
                    peek: *library.get(b"spsc_peek")?,
                    peek_some: *library.get(b"spsc_peek_some")?,
                    release: *library.get(b"spsc_release")?,
                },
                inline: match (library.get(b"spsc_cursor_of"), library.get(b"spsc_wake")) {
                    (Ok(cursor_of), Ok(wake)) => {
                        Some(Inline { cursor_of: *cursor_of, wake: *wake })
                    }
                    _ => None,
                },
                messages: MessageCalls::find(&library),
            })
        }
    }

    /// Whether it gives its cursors to callers that want to do without calls.
    #[must_use]
    pub fn has_cursors(&self) -> bool {
        self.inline.is_some()
    }

    /// That of this very build.
    pub fn own() -> &'static Self {
        static LIBRARY: OnceLock<Library> = OnceLock::new();
        LIBRARY.get_or_init(|| Self::open(&library_path()).expect("our own library"))
    }
}

/// Ends the program unless all is well.
#[inline(always)]
pub(crate) fn check(status: spsc_status) {
    assert!(status == spsc_status::SPSC_OK, "the library says {status:?}");
}

/// A ring for the C functions.
pub struct CRing<'l> {
    library: &'l Library,
    /// Keeps the memory while the ends connect by name.
    creator: *mut spsc_ring,
    name: CString,
}

impl<'l> CRing<'l> {
    /// Makes the ring, under a name of its own.
    pub fn new(library: &'l Library, choice: Choice) -> Self {
        Self::named(library, CString::new(new_name()).expect("no NUL in it"), choice)
    }

    /// Makes the ring under this name, which nobody else uses.
    pub fn named(library: &'l Library, name: CString, choice: Choice) -> Self {
        let mut creator = null_mut();
        let struct_size = size_of::<spsc_options>();
        let asleep = spsc_options { struct_size, mode: 0o600, flags: 0, spin_ns: 0 };
        // SAFETY: pointers to locals and a C string.
        check(unsafe {
            match choice.never_spin {
                true => {
                    (library.create_with)(name.as_ptr(), choice.capacity, &asleep, &mut creator)
                }
                false => (library.create)(name.as_ptr(), choice.capacity, &mut creator),
            }
        });
        Self { library, creator, name }
    }

    fn end(&self) -> CEnd<'l> {
        CEnd::connect(self.library, &self.name)
    }
}

impl Drop for CRing<'_> {
    fn drop(&mut self) {
        // SAFETY: an open handle, closed once; a C string.
        unsafe {
            (self.library.close)(self.creator);
            (self.library.unlink)(self.name.as_ptr());
        }
    }
}

impl<'l> Channel for CRing<'l> {
    type Tx<'a>
        = CEnd<'l>
    where
        Self: 'a;
    type Rx<'a>
        = CEnd<'l>
    where
        Self: 'a;

    fn sender(&self) -> CEnd<'l> {
        self.end()
    }

    fn receiver(&self) -> CEnd<'l> {
        self.end()
    }
}

/// A handle that is used on one side.
pub struct CEnd<'l> {
    library: &'l Library,
    ring: *mut spsc_ring,
    hot: Hot,
}

impl<'l> CEnd<'l> {
    /// Opens the ring of this name.
    pub fn connect(library: &'l Library, name: &CStr) -> Self {
        let mut ring = null_mut();
        // SAFETY: a C string and a pointer to a local.
        check(unsafe { (library.connect)(name.as_ptr(), &mut ring) });
        Self { library, ring, hot: library.hot }
    }

    fn inline(&self) -> Inline {
        self.library.inline.expect("a library that has cursors")
    }

    /// The cursor of this side.
    pub(crate) fn cursor(&self, side: u32) -> *mut spsc_cursor {
        // SAFETY: an open handle.
        unsafe { (self.inline().cursor_of)(self.ring, side) }
    }

    /// Wakes the other side, if it sleeps.
    #[cold]
    pub(crate) fn wake(&self, side: u32) {
        // SAFETY: an open handle.
        check(unsafe { (self.inline().wake)(self.ring, side) });
    }

    /// The functions for messages.
    pub(crate) fn messages(&self) -> MessageCalls {
        self.library.messages.expect("a library that has messages")
    }

    /// The handle.
    pub(crate) fn handle(&self) -> *mut spsc_ring {
        self.ring
    }

    /// Claims, waiting if need be.
    #[inline(always)]
    pub(crate) fn claim(&mut self, len: usize) -> *mut u8 {
        let mut place = null_mut();
        // SAFETY: an open handle and a pointer to a local.
        check(unsafe { (self.hot.claim)(self.ring, len, SPSC_WAIT_FOREVER, &mut place) });
        place.cast()
    }

    /// Peeks, waiting if need be.
    #[inline(always)]
    pub(crate) fn peek(&mut self, len: usize) -> *const u8 {
        let mut place = null();
        // SAFETY: an open handle and a pointer to a local.
        check(unsafe { (self.hot.peek)(self.ring, len, SPSC_WAIT_FOREVER, &mut place) });
        place.cast()
    }
}

impl CEnd<'_> {
    /// Claims all there is, waiting for `min` bytes if need be.
    #[inline(always)]
    pub(crate) fn claim_some(&mut self, min: usize) -> (*mut u8, usize) {
        let (mut place, mut len) = (null_mut(), 0);
        // SAFETY: an open handle and pointers to locals.
        check(unsafe {
            (self.hot.claim_some)(self.ring, min, SPSC_WAIT_FOREVER, &mut place, &mut len)
        });
        (place.cast(), len)
    }

    /// Publishes what was claimed.
    #[inline(always)]
    pub(crate) fn publish(&mut self, n: usize) {
        // SAFETY: an open handle.
        check(unsafe { (self.hot.publish)(self.ring, n) });
    }

    /// Peeks at all there is, waiting for `min` bytes if need be.
    #[inline(always)]
    pub(crate) fn peek_some(&mut self, min: usize) -> (*const u8, usize) {
        let (mut place, mut len) = (null(), 0);
        // SAFETY: an open handle and pointers to locals.
        check(unsafe {
            (self.hot.peek_some)(self.ring, min, SPSC_WAIT_FOREVER, &mut place, &mut len)
        });
        (place.cast(), len)
    }

    /// Releases what was peeked.
    #[inline(always)]
    pub(crate) fn release(&mut self, n: usize) {
        // SAFETY: an open handle.
        check(unsafe { (self.hot.release)(self.ring, n) });
    }
}

impl Drop for CEnd<'_> {
    fn drop(&mut self) {
        // SAFETY: an open handle, closed once.
        unsafe { (self.library.close)(self.ring) };
    }
}

impl Sender for CEnd<'_> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let place = self.claim(message.len());
        // SAFETY: an open handle; the claim is as long as the message.
        unsafe {
            place.copy_from_nonoverlapping(message.as_ptr(), message.len());
            check((self.hot.publish)(self.ring, message.len()));
        }
    }

    #[inline(always)]
    fn send_batch(&mut self, message: &[u8], most: usize) -> usize {
        let (min, mut place, mut len) = (message.len(), null_mut(), 0);
        // SAFETY: an open handle and pointers to locals; the claim is as long as it says.
        unsafe {
            let status =
                (self.hot.claim_some)(self.ring, min, SPSC_WAIT_FOREVER, &mut place, &mut len);
            check(status);
            let count =
                fill(std::slice::from_raw_parts_mut(place.cast::<u8>(), len), message, most);
            check((self.hot.publish)(self.ring, count * message.len()));
            count
        }
    }
}

impl Receiver for CEnd<'_> {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        let place = self.peek(message.len());
        // SAFETY: an open handle; what is peeked is as long as the message.
        unsafe {
            place.copy_to_nonoverlapping(message.as_mut_ptr(), message.len());
            check((self.hot.release)(self.ring, message.len()));
        }
    }

    #[inline(always)]
    fn receive_batch(&mut self, message: &mut [u8], most: usize) -> usize {
        let (min, mut place, mut len) = (message.len(), null(), 0);
        // SAFETY: an open handle and pointers to locals; what is peeked is as long as it says.
        unsafe {
            let status =
                (self.hot.peek_some)(self.ring, min, SPSC_WAIT_FOREVER, &mut place, &mut len);
            check(status);
            let count = drain(std::slice::from_raw_parts(place.cast::<u8>(), len), message, most);
            check((self.hot.release)(self.ring, count * message.len()));
            count
        }
    }
}
