//! `spsc top` on a terminal.

use crate::program::terminal::Terminal;
use crate::program::{bytes, code, run, spsc, start};
use spsc_shm::Ring;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;
use support::{Name, object, watchdog};

fn top(words: &[&str]) -> Terminal {
    let words = [&["top", "--interval", "0.1"], words].concat();
    let mut top = Terminal::start(&mut spsc(&words));
    top.until("it shows a table", |screen| {
        screen.alternate_screen() && screen.contents().contains("PRODUCER")
    });
    top
}

/// The line of a ring, and which one that is.
fn line(screen: &vt100::Screen, name: &str) -> Option<(usize, String)> {
    let contents = screen.contents();
    let mut lines = contents.lines().enumerate();
    let (number, line) = lines.find(|(_, line)| line.split_whitespace().next() == Some(name))?;
    Some((number, line.to_owned()))
}

/// Whether both are there, in this order.
fn in_order(screen: &vt100::Screen, above: &str, below: &str) -> bool {
    match (line(screen, above), line(screen, below)) {
        (Some((above, _)), Some((below, _))) => above < below,
        _ => false,
    }
}

#[test]
fn top_shows_each_ring_and_sorts_and_filters_by_keys() {
    let _watchdog = watchdog();
    // By name, the busy one is the first.
    let (busy, full) = (Name::new(), Name::new());
    // A sender that sleeps in a full ring.
    let mut sleeper = start(&["send", &full, "--capacity", "4KiB"]);
    sleeper.stdin.as_mut().expect("a pipe").write_all(&bytes(4097)).expect("room");
    // A stream that flows.
    let mut sender = start(&["send", &busy]);
    let mut receiver =
        spsc(&["recv", &busy, "--keep"]).stdout(Stdio::null()).spawn().expect("the program");
    let mut stdin = sender.stdin.take().expect("a pipe");
    let pump = std::thread::spawn(move || {
        while stdin.write_all(&bytes(1000)).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });

    let mut top = top(&[]);
    let sleeps = format!("z {} spsc", sleeper.id());
    top.until("the full ring is full, and its sender sleeps", |screen| {
        line(screen, &full).is_some_and(|(_, line)| {
            line.contains("██████████ 100 %") && line.contains(&sleeps) && line.ends_with(" -")
        })
    });
    let (from, to) = (format!("{} spsc", sender.id()), format!("{} spsc", receiver.id()));
    top.until("the busy one is on top, and both sides are there", |screen| {
        screen.contents().contains(", by bytes a second")
            && in_order(screen, &busy, &full)
            && line(screen, &busy).is_some_and(|(_, line)| {
                line.contains(" KiB ") && line.contains(&from) && line.contains(&to)
            })
    });
    top.press("s");
    top.until("the full one is on top", |screen| {
        screen.contents().contains(", by fill") && in_order(screen, &full, &busy)
    });
    top.press("r");
    top.until("it is the other way round", |screen| in_order(screen, &busy, &full));
    top.press("rs");
    top.until("they are sorted by name", |screen| {
        screen.contents().contains(", by name") && in_order(screen, &busy, &full)
    });
    top.press(&format!("/x\u{7f}{}", &*busy));
    top.until("it filters while one types", |screen| {
        screen.contents().contains(&format!("filter: {}_", &*busy))
            && line(screen, &full).is_none()
            && line(screen, &busy).is_some()
    });
    top.press("\r/\r");
    top.until("the filter is gone", |screen| in_order(screen, &busy, &full));
    top.press("q");
    assert_eq!(top.end().code(), Some(0));

    for child in [&mut sleeper, &mut sender, &mut receiver] {
        child.kill().expect("it runs");
        child.wait().expect("a child");
    }
    pump.join().expect("a thread");
}

#[test]
fn top_fits_into_80_columns() {
    let _watchdog = watchdog();
    let full = Name::new();
    let mut sleeper = start(&["send", &full, "--capacity", "4KiB"]);
    sleeper.stdin.as_mut().expect("a pipe").write_all(&bytes(4097)).expect("room");
    let mut top = top(&[]);
    top.resize(80);
    let sleeps = format!("z {}", sleeper.id());
    top.until("all of it is there in 80 columns", |screen| {
        screen.contents().lines().any(|line| {
            line.contains(" ████ 100 %") && line.contains(&sleeps) && line.chars().count() <= 80
        })
    });
    // Not by a key: crossterm may keep one for the next if it comes together with a resize.
    top.signal(libc::SIGTERM);
    assert_eq!(top.end().signal(), Some(libc::SIGTERM));
    sleeper.kill().expect("it runs");
    sleeper.wait().expect("a child");
}

#[test]
fn however_top_ends_the_terminal_is_as_it_was() {
    let _watchdog = watchdog();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let top = top(&[]);
        top.signal(signal);
        assert_eq!(top.end().signal(), Some(signal));
    }
    let mut top = self::top(&[]);
    top.press("\u{3}");
    assert_eq!(top.end().code(), Some(0), "Ctrl-C is a key there");
    assert_eq!(self::top(&["--count", "2"]).end().code(), Some(0), "after so many looks");
}

#[test]
fn a_ring_that_cannot_be_read_is_counted_and_leaves_the_picture_alone() {
    let _watchdog = watchdog();
    let name = Name::new();
    let ring = Ring::create(&name, 4096).expect("a ring");
    // Of a later version.
    object(&ring).write_all_at(&(2u32 << 16).to_ne_bytes(), 8).expect("it is ours");
    let mut top = top(&[]);
    top.until("it says so", |screen| screen.contents().contains(" unreadable: see spsc ls"));
    top.press("q");
    assert!(!top.all().contains("another layout"), "on the screen");
    assert_eq!(top.end().code(), Some(0));
    let ls = run(&["ls"]);
    let words = String::from_utf8_lossy(&ls.stderr);
    assert!(words.contains(&*name) && words.contains("another layout"), "{words}");
}

#[test]
fn top_says_that_it_needs_a_terminal() {
    let _watchdog = watchdog();
    let output = run(&["top"]);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("no terminal") && words.contains("--json"), "{words}");
    assert_eq!(code(start(&["top", "--sort", "size"])), Some(2));
}
