//! `spsc doctor`: what this machine has for rings, what that means, and what to do.

use crate::cli;
use crate::exit::Result;
use crate::text::bytes;
use serde::Serialize;
use std::ffi::CStr;
use std::fs;
use std::io::{self, Write, stdout};
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Good,
    /// It works, and might be better.
    Fair,
    /// Rings do not work, or not well.
    Bad,
}

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    found: String,
    verdict: Verdict,
    meaning: &'static str,
    /// Empty where there is nothing to do.
    advice: &'static str,
}

pub fn run(options: &cli::Doctor) -> Result {
    let findings = [
        kernel(),
        membarrier(),
        futex_waitv(),
        seccomp(),
        shared_memory(),
        mode(),
        processors(),
        descriptors(),
    ];
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&findings).expect("plain values"))?;
    } else {
        for finding in &findings {
            let mark = match finding.verdict {
                Verdict::Good => "ok  ",
                Verdict::Fair => "note",
                Verdict::Bad => "BAD ",
            };
            writeln!(out, "{mark}  {}: {}", finding.what, finding.found)?;
            writeln!(out, "      {}", finding.meaning)?;
            if !finding.advice.is_empty() {
                writeln!(out, "      -> {}", finding.advice)?;
            }
        }
    }
    let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn kernel() -> Finding {
    // SAFETY: all zeros is a value of it, and `uname` fills it with strings that end.
    let release = unsafe {
        let mut names: libc::utsname = std::mem::zeroed();
        libc::uname(&raw mut names);
        CStr::from_ptr(names.release.as_ptr()).to_string_lossy().into_owned()
    };
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let version = (numbers.next(), numbers.next());
    let new = matches!(version, (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (5, 16));
    Finding {
        what: "kernel",
        found: release,
        verdict: if new { Verdict::Good } else { Verdict::Fair },
        meaning: "Linux 5.16 and later have all that the library makes use of.",
        advice: if new { "" } else { "An older kernel works where the checks below say so." },
    }
}

fn membarrier() -> Finding {
    const QUERY: libc::c_int = 0;
    const GLOBAL_EXPEDITED: libc::c_long = 1 << 1;
    // SAFETY: a system call without pointers.
    let commands = unsafe { libc::syscall(libc::SYS_membarrier, QUERY, 0, 0) };
    let there = commands > 0 && commands & GLOBAL_EXPEDITED != 0;
    system_call(
        "membarrier",
        there,
        "With it, a side that publishes needs no fence to see whether the other sleeps.",
        "Rings work without it, by a fence in each publish. Allow the call in the seccomp filter.",
    )
}

/// One that rings can do without.
fn system_call(
    what: &'static str,
    there: bool,
    meaning: &'static str,
    without: &'static str,
) -> Finding {
    let (found, verdict, advice) =
        if there { ("there", Verdict::Good, "") } else { ("missing", Verdict::Fair, without) };
    Finding { what, found: found.to_owned(), verdict, meaning, advice }
}

fn futex_waitv() -> Finding {
    // No waiters at all: refused as such by a kernel that has the call.
    // SAFETY: it reads no memory for none of them.
    let result = unsafe { libc::syscall(libc::SYS_futex_waitv, 0, 0, 0, 0, 0) };
    let there = result == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL);
    system_call(
        "futex_waitv",
        there,
        "It lets one thread sleep for many rings at once: spsc_wait_any.",
        "Waits for one ring and connections do not need it. Linux 5.16 has it, unless seccomp forbids it.",
    )
}

fn seccomp() -> Finding {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map(str::trim);
    let (found, verdict) = match mode {
        Some("0") => ("off", Verdict::Good),
        Some("2") => ("a filter", Verdict::Good),
        Some("1") => ("strict", Verdict::Bad),
        _ => ("unknown", Verdict::Fair),
    };
    Finding {
        what: "seccomp",
        found: found.to_owned(),
        verdict,
        meaning: "A container's filter may forbid calls that the kernel has.",
        advice: if found == "a filter" {
            "If one of the calls above is missing on a new kernel, this is why."
        } else {
            ""
        },
    }
}

fn shared_memory() -> Finding {
    // SAFETY: all zeros is a value of it.
    let mut stats: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a string that ends, and a place for the answer.
    let result = unsafe { libc::statvfs(c"/dev/shm".as_ptr(), &raw mut stats) };
    let (size, free) = (stats.f_blocks * stats.f_frsize, stats.f_bavail * stats.f_frsize);
    let there = result == 0 && size > 0;
    let enough = free >= 64 << 20;
    Finding {
        what: "/dev/shm",
        found: if there {
            format!("{} of {} free", bytes(free), bytes(size))
        } else {
            "missing".to_owned()
        },
        verdict: match (there, enough) {
            (false, _) => Verdict::Bad,
            (true, false) => Verdict::Fair,
            (true, true) => Verdict::Good,
        },
        meaning: "Rings with a name lie there; a ring that does not fit is refused when it is made.",
        advice: match (there, enough) {
            (false, _) => {
                "Mount a tmpfs there. Connections and rings without a name do not need it."
            }
            (true, false) => {
                "Make it larger: docker run --shm-size=1g, or mount -o remount,size=1g /dev/shm"
            }
            (true, true) => "",
        },
    }
}

fn mode() -> Finding {
    let mode = fs::metadata("/dev/shm").map(|metadata| metadata.permissions().mode() & 0o7777);
    let usual = matches!(mode, Ok(0o1777));
    Finding {
        what: "/dev/shm's mode",
        found: mode.map_or_else(|error| error.to_string(), |mode| format!("{mode:o}")),
        verdict: if usual { Verdict::Good } else { Verdict::Fair },
        meaning: "1777 lets every user make rings, and nobody remove those of another.",
        advice: if usual { "" } else { "chmod 1777 /dev/shm" },
    }
}

fn processors() -> Finding {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    let siblings = fs::read_to_string("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list");
    let shared = siblings.is_ok_and(|list| list.trim().contains([',', '-']));
    let threads = if shared { ", two threads to a core" } else { "" };
    Finding {
        what: "processors",
        found: format!("{allowed} for this program{threads}"),
        verdict: if allowed > 1 { Verdict::Good } else { Verdict::Fair },
        meaning: "Two sides that are busy answer fastest on two cores that share a cache.",
        advice: if allowed > 1 {
            ""
        } else {
            "With one processor no wait spins, and each hand-over is a switch between processes."
        },
    }
}

fn descriptors() -> Finding {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a place for the answer.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let few = limit.rlim_cur < 1024;
    Finding {
        what: "descriptors",
        found: format!("{} at most, up to {} on request", limit.rlim_cur, limit.rlim_max),
        verdict: if few { Verdict::Fair } else { Verdict::Good },
        meaning: "A ring takes two, and a connection six.",
        advice: if few { "ulimit -n 4096" } else { "" },
    }
}
