//! Each verb, as a process of its own.

mod bench;
mod program;
mod top;

use program::{bytes, code, entry, json, run, said, socket_path, spsc, start};
use spsc_shm::{ConnOptions, Ring};
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use support::{Name, until, watchdog};

#[test]
fn ls_and_stat_see_who_is_there_and_change_nothing() {
    let _watchdog = watchdog();
    let name = Name::new();
    let ring = Ring::create(&name, 4096).expect("a ring");
    let list = json(&["ls", "--json"]);
    let seen = entry(&list, &name).expect("it is listed");
    assert_eq!(seen["capacity"], 4096);
    assert_eq!(seen["in_use"], true);
    assert_eq!(seen["producer"]["state"], "never");

    let (mut producer, mut consumer) = ring.split();
    producer.write_all(&bytes(1024)).expect("room");
    for _ in 0..3 {
        let seen = json(&["stat", &name, "--json"]);
        assert_eq!(seen["available"], 1024);
        assert_eq!(seen["published"], 1024);
        assert_eq!(seen["producer"]["state"], "attached");
        assert_eq!(seen["producer"]["pid"], std::process::id());
        assert_eq!(seen["producer"]["generation"], 1);
        assert_eq!(seen["consumer"]["state"], "never");
    }
    let text = said(&["stat", &name]);
    assert!(text.contains("1 KiB (25 %)") && text.contains("in use"), "{text}");
    assert!(said(&["ls"]).lines().any(|line| line.starts_with(&*name)), "in the table");

    // Looking took no role, and no byte.
    drop(producer);
    let mut all = Vec::new();
    consumer.read_to_end(&mut all).expect("the stream");
    assert_eq!(all, bytes(1024));
    assert_eq!(json(&["stat", &name, "--json"])["producer"]["state"], "closed");
    drop(consumer);
    assert_eq!(json(&["stat", &name, "--json"])["in_use"], false);
    assert_eq!(run(&["stat", "no-such-ring"]).status.code(), Some(1));
}

#[test]
fn a_stream_arrives_whole_and_its_name_goes() {
    let _watchdog = watchdog();
    let name = Name::new();
    let data = bytes(3_000_000);
    let receiver = start(&["recv", &name]);
    let mut sender = start(&["send", &name, "--capacity", "64KiB"]);
    let mut stdin = sender.stdin.take().expect("a pipe");
    let copy = data.clone();
    let feeder = std::thread::spawn(move || stdin.write_all(&copy));
    let received = receiver.wait_with_output().expect("the receiver");
    feeder.join().expect("a thread").expect("the sender reads");
    assert_eq!(code(sender), Some(0));
    assert!(received.status.success());
    assert_eq!(received.stdout, data);
    assert!(Ring::connect(&name).is_err(), "the name is gone");
}

#[test]
fn a_stream_waits_for_a_receiver_who_comes_later() {
    let _watchdog = watchdog();
    let name = Name::new();
    let mut sender = start(&["send", &name]);
    sender.stdin.take().expect("a pipe").write_all(b"early").expect("room");
    assert_eq!(code(sender), Some(0));
    assert_eq!(said(&["recv", &name, "--keep"]), "early");
    assert!(Ring::connect(&name).is_ok(), "the name was kept");
    // An empty stream has an end, too; and the old ring, which nobody uses, is replaced.
    assert_eq!(code(start(&["send", &name])), Some(0));
    assert_eq!(said(&["recv", &name]), "");
}

#[test]
fn send_uses_a_ring_that_is_there_if_told() {
    let _watchdog = watchdog();
    let name = Name::new();
    let mut consumer = Ring::create(&name, 4096).expect("a ring").into_consumer();
    assert_eq!(run(&["send", &name]).status.code(), Some(1), "the name is taken");
    let mut sender = start(&["send", &name, "--existing"]);
    sender.stdin.take().expect("a pipe").write_all(b"hello").expect("room");
    let mut text = String::new();
    consumer.read_to_string(&mut text).expect("the stream");
    assert_eq!(text, "hello");
    assert_eq!(code(sender), Some(0));
}

#[test]
fn the_exit_code_tells_a_death_from_an_end() {
    let _watchdog = watchdog();
    // The receiver has the ring open once its name is gone.
    let connected =
        |name: &Name| until("the other process has got there", || Ring::connect(name).is_err());

    // The sender is killed.
    let name = Name::new();
    let mut sender = start(&["send", &name]);
    let mut stdin = sender.stdin.take().expect("a pipe");
    stdin.write_all(b"part of it").expect("room");
    until("the other process has got there", || {
        Ring::connect(&name).is_ok_and(|ring| ring.available() > 0)
    });
    let receiver = start(&["recv", &name]);
    connected(&name);
    sender.kill().expect("it runs");
    sender.wait().expect("a child");
    let received = receiver.wait_with_output().expect("the receiver");
    assert_eq!(received.status.code(), Some(3), "{received:?}");
    assert_eq!(received.stdout, b"part of it");

    // The receiver is killed.
    let mut sender = start(&["send", &name, "--capacity", "4KiB"]);
    let mut stdin = sender.stdin.take().expect("a pipe");
    stdin.write_all(b"something").expect("room");
    until("the other process has got there", || {
        Ring::connect(&name).is_ok_and(|ring| ring.available() > 0)
    });
    let mut receiver = spsc(&["recv", &name]).spawn().expect("the program");
    connected(&name);
    until("the other process has got there", || {
        receiver.stdout.as_mut().expect("a pipe").read(&mut [0; 9]).is_ok_and(|n| n > 0)
    });
    receiver.kill().expect("it runs");
    receiver.wait().expect("a child");
    while stdin.write_all(&bytes(4096)).is_ok() {}
    assert_eq!(code(sender), Some(3));

    // The receiver closes: its output's reader went away.
    let mut sender = start(&["send", &name, "--capacity", "4KiB"]);
    until("the other process has got there", || Ring::connect(&name).is_ok());
    let mut receiver = spsc(&["recv", &name]).spawn().expect("the program");
    drop(receiver.stdout.take());
    let mut stdin = sender.stdin.take().expect("a pipe");
    while stdin.write_all(&bytes(4096)).is_ok() {}
    assert_eq!(code(receiver), Some(128 + 13), "as a shell says SIGPIPE");
    assert_eq!(code(sender), Some(4));

    assert_eq!(run(&["recv", "nobody-sends", "--timeout", "0.05"]).status.code(), Some(5));
    assert_eq!(run(&["recv"]).status.code(), Some(2));
}

#[test]
fn rm_removes_what_it_is_told_and_stale_rings_only_if_they_are() {
    let _watchdog = watchdog();
    let (stale, used) = (Name::new(), Name::new());
    drop(Ring::create(&stale, 4096).expect("a ring"));
    let ring = Ring::create(&used, 4096).expect("a ring");
    let would = said(&["rm", "--stale", "--dry-run", &stale]);
    assert_eq!(would, format!("would remove {}\n", &*stale));
    assert!(Ring::connect(&stale).is_ok(), "it was not");
    let refused = run(&["rm", "--stale", &used]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("somebody uses it"));
    let removed = json(&["rm", "--stale", &stale, &used, "--json"]);
    assert_eq!(entry(&removed, &stale).expect("named")["removed"], true);
    assert_eq!(entry(&removed, &used).expect("named")["removed"], false);
    assert!(Ring::connect(&stale).is_err());
    assert!(Ring::connect(&used).is_ok());
    said(&["rm", &used]);
    assert!(Ring::connect(&used).is_err());
    drop(ring);
}

#[test]
fn a_listener_and_a_dialler_talk_both_ways() {
    let _watchdog = watchdog();
    let name = Name::new();
    let mut listener = start(&["listen", &socket_path(&name)]);
    until("the other process has got there", || Path::new(&socket_path(&name)).exists());
    let mut dialler = start(&["dial", &socket_path(&name)]);
    listener.stdin.take().expect("a pipe").write_all(b"from the listener").expect("room");
    let mut stdin = dialler.stdin.take().expect("a pipe");
    let feeder = std::thread::spawn(move || stdin.write_all(&bytes(1_000_000)));
    let reader = std::thread::spawn(move || listener.wait_with_output());
    let dialled = dialler.wait_with_output().expect("the dialler");
    feeder.join().expect("a thread").expect("the dialler reads");
    let listened = reader.join().expect("a thread").expect("the listener");
    assert!(dialled.status.success() && listened.status.success(), "{dialled:?}");
    assert_eq!(dialled.stdout, b"from the listener");
    assert_eq!(listened.stdout, bytes(1_000_000));
}

#[test]
fn a_dialler_learns_of_a_death() {
    let _watchdog = watchdog();
    let name = Name::new();
    let mut listener = start(&["listen", &socket_path(&name)]);
    until("the other process has got there", || Path::new(&socket_path(&name)).exists());
    let mut dialler = start(&["dial", &socket_path(&name)]);
    let _open = dialler.stdin.take();
    let mut hello = [0; 5];
    listener.stdin.as_mut().expect("a pipe").write_all(b"hello").expect("room");
    dialler.stdout.as_mut().expect("a pipe").read_exact(&mut hello).expect("it comes");
    listener.kill().expect("it runs");
    listener.wait().expect("a child");
    assert_eq!(dialler.wait().expect("a child").code(), Some(3));
}

/// The command of the test below: turns what it hears around.
#[test]
#[ignore = "a child process of another test"]
fn echo_child() {
    let Ok(number) = std::env::var("SPSC_CONN_FD") else { return };
    // SAFETY: `spsc exec` has left it open for this process.
    let socket = unsafe { OwnedFd::from_raw_fd(number.parse().expect("a number")) };
    let mut connection = ConnOptions::new().adopt_as_client(socket, None).expect("a connection");
    let (sender, receiver) = connection.split();
    std::io::copy(receiver, sender).expect("a stream");
}

#[test]
fn exec_gives_a_command_a_connection_and_its_exit_code() {
    let _watchdog = watchdog();
    let itself = std::env::current_exe().expect("this program");
    let itself = itself.to_str().expect("text");
    let words = ["exec", "--", itself, "--ignored", "--exact", "echo_child", "-q"];
    let mut child = spsc(&words).stdin(Stdio::piped()).spawn().expect("the program");
    child.stdin.take().expect("a pipe").write_all(b"there and back").expect("room");
    let output = child.wait_with_output().expect("the program");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("there and back"), "{text}");
    assert_eq!(run(&["exec", "--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(run(&["exec", "--", "true"]).status.code(), Some(4), "it adopted nothing");
    assert_eq!(run(&["exec", "--", "no-such-command"]).status.code(), Some(1));
}

#[test]
fn top_counts_bytes_as_json_and_for_prometheus() {
    let _watchdog = watchdog();
    let name = Name::new();
    let (mut producer, _consumer) = Ring::create(&name, 4096).expect("a ring").split();
    let mut top = spsc(&["top", "--json", "--interval", "0.05", "--filter", &name])
        .spawn()
        .expect("the program");
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(top.stdout.take().expect("a pipe")));
    let mut next = || -> serde_json::Value {
        let line = lines.next().expect("it goes on").expect("text");
        serde_json::from_str(&line).expect("JSON")
    };
    assert_eq!(entry(&next(), &name).expect("it is shown")["published"], 0);
    producer.write_all(&bytes(2048)).expect("room");
    // The look that sees them also sees how fast they came.
    until("the other process has got there", || {
        let line = next();
        let seen = entry(&line, &name).expect("it is shown");
        let rate = seen["published_per_s"].as_f64().expect("a number");
        assert!(seen["published"] == 2048 || rate == 0.0, "{seen}");
        rate > 0.0
    });
    top.kill().expect("it runs");
    top.wait().expect("a child");

    let text = said(&["top", "--prometheus"]);
    let available = format!("spsc_ring_available_bytes{{ring=\"{}\"}} 2048", &*name);
    assert!(text.lines().any(|line| line == available), "{text}");
    assert!(text.contains("# TYPE spsc_ring_published_bytes_total counter"), "{text}");
    let up = format!("spsc_ring_producer_up{{ring=\"{}\"}} 1", &*name);
    assert!(text.lines().any(|line| line == up), "{text}");
}

#[test]
fn the_doctor_finds_this_machine_fit() {
    let _watchdog = watchdog();
    let findings = json(&["doctor", "--json"]);
    let findings = findings.as_array().expect("a list");
    let what: Vec<_> = findings.iter().map(|one| one["what"].clone()).collect();
    assert!(what.contains(&"membarrier".into()) && what.contains(&"/dev/shm".into()), "{what:?}");
    assert!(said(&["doctor"]).contains("futex_waitv"));
}

#[test]
fn completions_and_man_pages_name_each_verb() {
    let _watchdog = watchdog();
    for shell in ["bash", "zsh", "fish"] {
        assert!(said(&["completions", shell]).contains("recv"), "{shell}");
    }
    let directory = std::env::temp_dir().join(&*Name::new());
    std::fs::create_dir_all(&directory).expect("a directory");
    said(&["man", directory.to_str().expect("text")]);
    let page = std::fs::read_to_string(directory.join("spsc-send.1")).expect("a page");
    assert!(page.contains("spsc\\-send") && page.contains("capacity"), "{page}");
    std::fs::remove_dir_all(directory).expect("it was made");
    assert!(said(&["man"]).contains(".TH spsc 1"));
}

#[test]
fn the_help_of_each_verb_has_its_exit_codes() {
    let _watchdog = watchdog();
    let help = said(&["--help"]);
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = verbs.take_while(|line| !line.is_empty());
    let verbs: Vec<_> = verbs
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() >= 13, "{verbs:?}");
    for verb in verbs {
        let help = said(&[verb, "--help"]);
        let (_, codes) =
            help.split_once("Exit codes:\n").unwrap_or_else(|| panic!("{verb}: {help}"));
        for code in ["  0    ", "  1    ", "  2    the command line is wrong"] {
            assert!(codes.lines().any(|line| line.starts_with(code)), "{verb}: {codes}");
        }
    }
}

#[test]
fn a_source_tree_goes_through_a_ring_byte_by_byte() {
    let _watchdog = watchdog();
    let name = Name::new();
    let script = format!(
        "tar -C .. -cf - spsc/src spsc/tests | '{0}' send {1} & '{0}' recv {1} | tar -df - -C .. && wait",
        env!("CARGO_BIN_EXE_spsc"),
        &*name
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("a shell");
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}
