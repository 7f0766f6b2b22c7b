//! The ring, through the Rust interface and through the C functions of the shared library.

use crate::channel::{Channel, Receiver, Sender, really};
use spsc_shm::ffi::{SPSC_WAIT_FOREVER, spsc_options, spsc_ring, spsc_status};
use spsc_shm::{Consumer, Options, Producer, Ring, Spin};
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a ring is made with.
#[derive(Clone, Copy)]
pub struct Choice {
    /// In bytes, at least.
    pub capacity: usize,
    /// Whether every wait sleeps at once.
    pub never_spin: bool,
}

fn new_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("spsc-shm-measure-{}-{number}", std::process::id())
}

/// A ring for the Rust interface.
pub struct RustRing {
    /// Keeps the memory while the ends connect by name.
    _creator: Ring,
    name: String,
}

impl RustRing {
    /// Makes the ring, under a name of its own.
    pub fn new(choice: Choice) -> Self {
        let name = new_name();
        let spin = if choice.never_spin { Spin::Never } else { Spin::Adaptive };
        let creator = Options::new().spin(spin).create(&name, choice.capacity);
        Self { _creator: creator.expect("a ring is to be had"), name }
    }
}

impl Drop for RustRing {
    fn drop(&mut self) {
        let _ = Ring::unlink(&self.name);
    }
}

impl Channel for RustRing {
    type Tx<'a> = Producer;
    type Rx<'a> = Consumer;

    fn sender(&self) -> Producer {
        Ring::connect(&self.name).expect("the name is there").into_producer()
    }

    fn receiver(&self) -> Consumer {
        Ring::connect(&self.name).expect("the name is there").into_consumer()
    }
}

impl Sender for Producer {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let mut grant = self.claim(message.len(), None).expect("there will be room");
        grant.copy_from_slice(message);
        grant.publish_all();
    }

    #[inline(always)]
    fn send_batch(&mut self, message: &[u8], most: usize) -> usize {
        let mut grant = self.claim_some(message.len(), None).expect("there will be room");
        // SAFETY: the other process is this program too, and keeps to the protocol.
        let count = fill(unsafe { grant.as_mut_slice() }, message, most);
        grant.publish(count * message.len()).expect("it was granted");
        count
    }
}

impl Receiver for Consumer {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        let grant = self.peek(message.len(), None).expect("there will be a message");
        grant.copy_to_slice(message);
        grant.release_all();
    }

    #[inline(always)]
    fn receive_batch(&mut self, message: &mut [u8], most: usize) -> usize {
        let grant = self.peek_some(message.len(), None).expect("there will be a message");
        // SAFETY: as in `send_batch`.
        let count = drain(unsafe { grant.as_slice() }, message, most);
        grant.release(count * message.len()).expect("it was granted");
        count
    }
}

/// Copies the message into the granted bytes as often as it fits, at most `most` times.
#[inline(always)]
fn fill(grant: &mut [u8], message: &[u8], most: usize) -> usize {
    let mut count = 0;
    for place in grant.chunks_exact_mut(message.len()).take(most) {
        place.copy_from_slice(message);
        really();
        count += 1;
    }
    count
}

/// Copies each of the granted messages out, at most `most`.
#[inline(always)]
fn drain(grant: &[u8], message: &mut [u8], most: usize) -> usize {
    let mut count = 0;
    for place in grant.chunks_exact(message.len()).take(most) {
        message.copy_from_slice(place);
        really();
        count += 1;
    }
    count
}

/// The functions of the shared library, found as a program in another language would find them.
struct Library {
    options_init: unsafe extern "C" fn(*mut spsc_options) -> spsc_status,
    create_with: unsafe extern "C" fn(
        *const c_char,
        usize,
        *const spsc_options,
        *mut *mut spsc_ring,
    ) -> spsc_status,
    connect: unsafe extern "C" fn(*const c_char, *mut *mut spsc_ring) -> spsc_status,
    unlink: unsafe extern "C" fn(*const c_char) -> spsc_status,
    close: unsafe extern "C" fn(*mut spsc_ring),
    hot: Hot,
}

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

/// A function of an open library.
///
/// # Safety
/// `F` is the type of the function's pointer.
unsafe fn symbol<F>(library: *mut c_void, name: &CStr) -> F {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: an open library and a C string.
    let place = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!place.is_null(), "the library has no {name:?}");
    // SAFETY: of the same size, and by the caller's promise of this type.
    unsafe { std::mem::transmute_copy(&place) }
}

impl Library {
    fn get() -> &'static Self {
        static LIBRARY: OnceLock<Library> = OnceLock::new();
        LIBRARY.get_or_init(|| {
            let path = CString::new(library_path().into_os_string().into_encoded_bytes())
                .expect("no NUL in a path");
            // SAFETY: our own library, whose initialisers do nothing.
            let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
            assert!(!library.is_null(), "can't load {path:?}");
            // SAFETY: the types are those of the functions' definitions.
            unsafe {
                Self {
                    options_init: symbol(library, c"spsc_options_init"),
                    create_with: symbol(library, c"spsc_create_with"),
                    connect: symbol(library, c"spsc_connect"),
                    unlink: symbol(library, c"spsc_unlink"),
                    close: symbol(library, c"spsc_close"),
                    hot: Hot {
                        claim: symbol(library, c"spsc_claim"),
                        claim_some: symbol(library, c"spsc_claim_some"),
                        publish: symbol(library, c"spsc_publish"),
                        peek: symbol(library, c"spsc_peek"),
                        peek_some: symbol(library, c"spsc_peek_some"),
                        release: symbol(library, c"spsc_release"),
                    },
                }
            }
        })
    }
}

#[inline(always)]
fn check(status: spsc_status) {
    assert!(status == spsc_status::SPSC_OK, "the library says {status:?}");
}

/// A ring for the C functions.
pub struct CRing {
    /// Keeps the memory while the ends connect by name.
    creator: *mut spsc_ring,
    name: CString,
}

impl CRing {
    /// Makes the ring, under a name of its own.
    pub fn new(choice: Choice) -> Self {
        let library = Library::get();
        let name = CString::new(new_name()).expect("no NUL in it");
        let mut creator = null_mut();
        let mut options = spsc_options { struct_size: 0, mode: 0, flags: 0, spin_ns: 0 };
        // SAFETY: pointers to locals and a C string.
        unsafe {
            check((library.options_init)(&mut options));
            if choice.never_spin {
                options.spin_ns = 0;
            }
            check((library.create_with)(name.as_ptr(), choice.capacity, &options, &mut creator));
        }
        Self { creator, name }
    }

    fn end(&self) -> CEnd {
        let library = Library::get();
        let mut ring = null_mut();
        // SAFETY: a C string and a pointer to a local.
        check(unsafe { (library.connect)(self.name.as_ptr(), &mut ring) });
        CEnd { ring, hot: library.hot }
    }
}

impl Drop for CRing {
    fn drop(&mut self) {
        // SAFETY: an open handle, closed once; a C string.
        unsafe {
            (Library::get().close)(self.creator);
            (Library::get().unlink)(self.name.as_ptr());
        }
    }
}

impl Channel for CRing {
    type Tx<'a> = CEnd;
    type Rx<'a> = CEnd;

    fn sender(&self) -> CEnd {
        self.end()
    }

    fn receiver(&self) -> CEnd {
        self.end()
    }
}

/// A handle that is used on one side.
pub struct CEnd {
    ring: *mut spsc_ring,
    hot: Hot,
}

impl Drop for CEnd {
    fn drop(&mut self) {
        // SAFETY: an open handle, closed once.
        unsafe { (Library::get().close)(self.ring) };
    }
}

impl Sender for CEnd {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let mut place = null_mut();
        // SAFETY: an open handle and a pointer to a local; the claim is as long as the message.
        unsafe {
            check((self.hot.claim)(self.ring, message.len(), SPSC_WAIT_FOREVER, &mut place));
            place.cast::<u8>().copy_from_nonoverlapping(message.as_ptr(), message.len());
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

impl Receiver for CEnd {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        let mut place = null();
        // SAFETY: an open handle and a pointer to a local; what is peeked is as long as the message.
        unsafe {
            check((self.hot.peek)(self.ring, message.len(), SPSC_WAIT_FOREVER, &mut place));
            place.cast::<u8>().copy_to_nonoverlapping(message.as_mut_ptr(), message.len());
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
