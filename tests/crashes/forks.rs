//! In a process, one thread forks without end, while another opens rings and takes roles. No child,
//! whenever it was forked, keeps a role of its parent's alive.

use crate::Options;
use crate::process::{Child, Shared, nap};
use crate::ring::*;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use support::until;

const DEAD: i32 = 3;

#[derive(Default)]
struct Scene {
    /// The process has all its roles.
    ready: AtomicU32,
    /// Children that have begun and not ended.
    children: AtomicU32,
}

pub fn run(options: &Options) {
    let roles = options.get("roles", 200);
    for _ in 0..options.get("processes", 5) {
        let scene = Shared::<Scene>::new();
        let names: Vec<_> = (0..roles).map(|_| Name::unique()).collect();
        // The children sleep until its other end is closed. If they polled, hundreds of them would
        // leave the victim no processor.
        let (stopped, stop) = std::io::pipe().expect("a pipe");
        let victim = Child::fork(|| {
            // SAFETY: this process has its own copy, and uses it nowhere else.
            unsafe { libc::close(stop.as_raw_fd()) };
            std::thread::scope(|threads| {
                let scene: &Scene = &scene;
                let stopped = stopped.as_raw_fd();
                threads.spawn(move || fork_until_ready(scene, stopped));
                take_roles(&names, scene);
            });
        });
        until("all roles are taken", || scene.ready.load(SeqCst) != 0);
        let children = scene.children.load(SeqCst);
        victim.kill();
        // A child that was forked at the last moment needs another to let go.
        let observers: Vec<_> = names.iter().map(|name| Ring::connect(name).unwrap()).collect();
        until("no child keeps a role alive", || {
            observers.iter().all(|ring| ring.stats().producer.state == DEAD)
        });
        drop(stop);
        until("the children end", || scene.children.load(SeqCst) == 0);
        println!("forks: {} roles taken amid {children} forks", names.len());
    }
}

fn take_roles(names: &[Name], scene: &Scene) {
    let mut data = std::ptr::null_mut();
    let _rings: Vec<_> = names
        .iter()
        .map(|name| {
            let ring = Ring::create(name, 1, &options(|_| ())).unwrap();
            assert_eq!(ring.claim(1, 0, &mut data), SPSC_OK);
            ring
        })
        .collect();
    scene.ready.store(1, SeqCst);
    loop {
        nap(Duration::from_secs(1));
    }
}

fn fork_until_ready(scene: &Scene, stopped: RawFd) {
    while scene.ready.load(SeqCst) == 0 {
        // SAFETY: the child of a process with threads: it makes system calls and ends.
        unsafe {
            match libc::fork() {
                0 => {
                    scene.children.fetch_add(1, SeqCst);
                    // Longer than anybody waits.
                    libc::alarm(120);
                    libc::read(stopped, [0_u8].as_mut_ptr().cast(), 1);
                    scene.children.fetch_sub(1, SeqCst);
                    libc::_exit(0);
                }
                pid => assert!(pid > 0, "fork: {}", std::io::Error::last_os_error()),
            }
        }
        nap(Duration::from_micros(300));
    }
}
