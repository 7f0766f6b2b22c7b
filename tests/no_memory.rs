//! If the process's own memory runs out, making a ring fails as it should.

use spsc_shm::{Ring, Status};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Name, status, watchdog};

/// The system's allocator, which can be told to have no room for a handle.
struct Short;

static NO_HANDLES: AtomicBool = AtomicBool::new(false);

// SAFETY: passes every call on to the system's allocator, or reports that there is no memory.
unsafe impl GlobalAlloc for Short {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A handle is aligned to cache lines. Nothing else here is.
        if layout.align() >= 128 && NO_HANDLES.load(Ordering::Relaxed) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise; all that was given came from the same allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Short = Short;

#[test]
fn no_memory_for_a_handle_is_a_status_and_leaves_nothing() {
    let _watchdog = watchdog();
    let name = Name::new();
    let anonymous = Ring::anonymous(1).unwrap();
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    NO_HANDLES.store(true, Ordering::Relaxed);
    assert_eq!(status(Ring::create(&name, 1)), Status::NoMemory);
    assert_eq!(status(Ring::anonymous(1)), Status::NoMemory);
    assert_eq!(status(Ring::connect_fd(anonymous.sealed_fd().unwrap())), Status::NoMemory);
    assert_eq!(status(Ring::connect(&name)), Status::NotFound);
    assert_eq!(descriptors(), before);
    NO_HANDLES.store(false, Ordering::Relaxed);
    Ring::create(&name, 1).unwrap();
    Ring::connect(&name).unwrap();
}
