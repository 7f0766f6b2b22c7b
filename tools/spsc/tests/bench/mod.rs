//! `spsc bench`, for a short time: no figure is asserted but what holds on any machine.

use crate::program::terminal::Terminal;
use crate::program::{json, run, said, spsc};
use std::os::unix::process::ExitStatusExt;
use support::watchdog;

/// Whatever of a process's has a name in /dev/shm.
fn named(pid: u32) -> Vec<String> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    let links = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
    let links = links.map(|link| link.to_string_lossy().into_owned());
    maps.lines().map(str::to_owned).chain(links).filter(|line| line.contains("/dev/shm/")).collect()
}

/// The process that another one has forked.
fn child_of(pid: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    children.expect("it runs").trim().parse().expect("it has one child")
}

const WAYS: [&str; 4] = ["floor", "ring", "pipe", "socket"];

#[test]
fn bench_measures_each_way_at_each_test() {
    let _watchdog = watchdog();
    let outcome = json(&["bench", "--seconds", "0.5", "--json"]);
    assert!(outcome["rows"].as_u64() >= Some(5), "{outcome}");
    let states = outcome["states"].as_array().expect("a list");
    assert!(!states.is_empty());
    for state in states {
        let tests = state["tests"].as_array().expect("a list");
        let what: Vec<_> = tests
            .iter()
            .map(|test| (test["what"].as_str().expect("text"), test["bytes"].as_u64()))
            .collect();
        let [trip, streams @ ..] = &what[..] else { panic!("{what:?}") };
        assert_eq!(*trip, ("round_trip", Some(64)));
        let sizes = [8, 64, 4096, 65536];
        assert_eq!(streams, sizes.map(|size| ("stream", Some(size))));
    }
    // The first has a figure for everything.
    for test in states[0]["tests"].as_array().expect("a list") {
        let ways = test["ways"].as_array().expect("a list");
        let names: Vec<_> = ways.iter().map(|way| way["way"].as_str().expect("text")).collect();
        assert_eq!(names, WAYS);
        for way in ways {
            let ns = way["ns"].as_f64().expect("a figure");
            assert!(ns > 0.0, "{way}");
            let rate = way["bytes_per_s"].as_f64();
            assert_eq!(rate.is_some(), test["what"] == "stream", "{way}");
            if let Some(rate) = rate {
                let bytes = test["bytes"].as_f64().expect("a number");
                assert!((rate * ns / (bytes * 1e9) - 1.0).abs() < 1e-6, "{way}");
            }
            let [low, high] = [0, 1].map(|i| way["times_ring_quartiles"][i].as_f64());
            let median = way["times_ring"].as_f64();
            assert!(low <= median && median <= high && low > Some(0.0), "{way}");
            if way["way"] == "ring" {
                assert_eq!(median, Some(1.0));
            }
        }
        // On any machine a pipe takes longer than shared memory, if nothing disturbs either.
        let small = test["bytes"] == 8 && states[0]["cache_line_ns"].is_number();
        assert!(!small || ways[2]["times_ring"].as_f64() > Some(1.0), "{test}");
    }
}

#[test]
fn bench_draws_bars_in_plain_text_of_80_columns() {
    let _watchdog = watchdog();
    let text = said(&["bench", "--seconds", "0.1"]);
    let bars =
        |way: &str| text.lines().filter(|line| line.starts_with(&format!("  {way} "))).count();
    for way in WAYS {
        assert_eq!(bars(way), 5, "{way} in\n{text}");
    }
    assert!(text.contains("############################"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text}");
    let quiet = run(&["bench", "--seconds", "0.1", "--json"]);
    assert!(quiet.stderr.is_empty(), "{quiet:?}");
    assert_eq!(run(&["bench", "--cpus", "0,0"]).status.code(), Some(2));
    let refused = run(&["bench", "--cpus", "0,99999"]);
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(words, "spsc: this program may not use CPUs 0 and 99999\n");
}

#[test]
fn bench_leaves_nothing_behind_when_it_is_interrupted() {
    let _watchdog = watchdog();
    let mut bench = Terminal::start(&mut spsc(&["bench", "--seconds", "600"]));
    bench.until("it measures, and says how long", |screen| screen.contents().contains(" s left"));
    let pids = [bench.id(), child_of(bench.id())];
    // What has no name can't stay.
    for pid in pids {
        assert_eq!(named(pid), Vec::<String>::new());
    }
    // To both processes, as a terminal does it; and the terminal is given up by both.
    bench.press("\u{3}");
    assert_eq!(bench.end().signal(), Some(libc::SIGINT));
    for entry in std::fs::read_dir("/dev/shm").expect("a directory") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let is_of =
            |pid: &u32| name.contains(&format!("-{pid}-")) || name.contains(&format!("-{pid:x}00"));
        assert!(!pids.iter().any(is_of), "{name}");
    }
}
