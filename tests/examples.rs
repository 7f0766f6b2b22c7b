//! The examples in Rust, those in C that stand alone, and those of connections do what they say.
//! `c_programs.rs` has the pairs in C and C++.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use support::{
    Language, Linkage, Name, Party, compile, dial, library_directory, run, scratch_directory,
    source, until, watch, watchdog,
};

/// An example of the library's package, built in the profile under test.
fn rust_example(name: &str) -> PathBuf {
    let library = library_directory();
    let directory = library.parent().expect("deps lies in a profile's directory");
    let target = directory.parent().expect("a profile's directory lies in another");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "-p", "spsc-shm", "--example", name]);
    build.args(["--profile", if directory.ends_with("debug") { "dev" } else { "release" }]);
    run(build.env("CARGO_TARGET_DIR", target).current_dir(source("")));
    directory.join("examples").join(name)
}

#[test]
fn the_rust_pair_copies_a_file() {
    let (producer, consumer) = (rust_example("producer"), rust_example("consumer"));
    let scratch = scratch_directory("rust_examples");
    let (empty, copy) = (scratch.join("empty"), scratch.join("copy"));
    std::fs::write(&empty, "").expect("a file");
    for (original, at_once) in [(&producer, true), (&empty, true), (&empty, false)] {
        let name = Name::new();
        let mut produce = Command::new(&producer);
        produce.arg(&name).stdin(File::open(original).expect("the original"));
        let mut consume = Command::new(&consumer);
        consume.arg(&name).stdout(File::create(&copy).expect("the copy"));
        if at_once {
            let parties = vec![Party::process(&mut consume), Party::process(&mut produce)];
            watch(parties, || copy.metadata().map_or(0, |copy| copy.len()));
        } else {
            // The ring keeps what was published for a consumer that comes late.
            run(&mut produce);
            run(&mut consume);
        }
        let same = std::fs::read(original).unwrap() == std::fs::read(&copy).unwrap();
        assert!(same, "{copy:?} is not {original:?}");
    }
}

/// An example in C or C++, as the directory of that name says.
fn compiled_example(scratch: &Path, directory: &str, name: &str) -> PathBuf {
    let language = if directory == "c" { Language::C11 } else { Language::Cpp17 };
    let program = scratch.join(format!("{name}-{directory}"));
    let file = source(&format!("examples/{directory}/{name}.{directory}"));
    compile(language, Linkage::Static, &[file], &program);
    program
}

/// A server that runs until it is dropped.
struct Server(Child);

impl Server {
    /// Starts it, and waits until it listens.
    fn start(program: &Path, path: &Path) -> Self {
        let server = Self(Command::new(program).arg(path).spawn().expect("a server"));
        // The path of one that was killed is there before.
        until("the server listens", || UnixStream::connect(path).is_ok());
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it is our child");
    }
}

#[test]
fn each_server_answers_each_client() {
    let scratch = scratch_directory("connection_examples");
    let in_each = |name| [compiled_example(&scratch, "cpp", name), rust_example(name)];
    let (servers, clients) = (in_each("server"), in_each("client"));
    let (path, input, output) =
        (scratch.join("socket"), scratch.join("questions"), scratch.join("answers"));
    std::fs::write(&input, "one\n\nthree\n").expect("a file");
    for program in &servers {
        let _server = Server::start(program, &path);
        for client in &clients {
            let mut ask = Command::new(client);
            ask.arg(&path).stdin(File::open(&input).expect("the questions"));
            ask.stdout(File::create(&output).expect("a file"));
            watch(vec![Party::process(&mut ask)], || 0);
            let answers = std::fs::read_to_string(&output).unwrap();
            assert_eq!(answers, "1: ONE\n2: \n3: THREE\n", "{program:?} to {client:?}");
        }
    }
}

#[test]
fn the_echo_server_serves_many_clients_at_once() {
    let scratch = scratch_directory("echo_example");
    let path = scratch.join("socket");
    let _server = Server::start(&compiled_example(&scratch, "c", "echo_server"), &path);
    let _watchdog = watchdog();
    thread::scope(|scope| {
        for client in 0..8 {
            let path = &path;
            scope.spawn(move || {
                // More than both rings hold together, so that each side has to wait for the other.
                let bytes: Vec<u8> = (0..1_000_000).map(|i| (i * 7 + client) as u8).collect();
                let (mut sender, mut receiver) = dial(path).into_split();
                let mut back = vec![0; bytes.len()];
                thread::scope(|scope| {
                    scope.spawn(|| sender.write_all(&bytes).unwrap());
                    receiver.read_exact(&mut back).unwrap();
                });
                assert!(back == bytes);
            });
        }
    });
}

#[test]
fn each_sender_sends_lines_to_each_receiver() {
    let scratch = scratch_directory("message_examples");
    let in_each = |name| {
        [
            compiled_example(&scratch, "c", name),
            compiled_example(&scratch, "cpp", name),
            rust_example(name),
        ]
    };
    let (senders, receivers) = (in_each("sender"), in_each("receiver"));
    let (input, output) = (scratch.join("lines"), scratch.join("received"));
    // One is empty, and one larger than the ring.
    let lines = ["first".to_owned(), String::new(), "x".repeat(1_000_000), "last".to_owned()];
    std::fs::write(&input, lines.join("\n")).expect("a file");
    let expected: String =
        (1..).zip(&lines).map(|(number, line)| format!("{number}: {line}\n")).collect();
    for (sender, receiver) in senders.iter().flat_map(|s| receivers.iter().map(move |r| (s, r))) {
        let name = Name::new();
        let mut send = Command::new(sender);
        send.arg(&name).stdin(File::open(&input).expect("the lines"));
        let mut receive = Command::new(receiver);
        receive.arg(&name).stdout(File::create(&output).expect("a file"));
        let parties = vec![Party::process(&mut receive), Party::process(&mut send)];
        watch(parties, || output.metadata().map_or(0, |output| output.len()));
        let same = std::fs::read_to_string(&output).unwrap() == expected;
        assert!(same, "{sender:?} to {receiver:?}: see {output:?}");
    }
}

#[test]
fn a_ring_is_handed_to_a_child() {
    watch(vec![Party::process(&mut Command::new(rust_example("child")))], || 0);
}

#[test]
fn a_ring_is_used_on_both_sides_of_a_fork() {
    let program = scratch_directory("examples").join("fork");
    compile(Language::C11, Linkage::Static, &[source("examples/c/fork.c")], &program);
    watch(vec![Party::process(&mut Command::new(&program))], || 0);
}

#[test]
fn one_consumer_receives_from_many_producers() {
    let program = scratch_directory("examples").join("fan_in");
    compile(Language::C11, Linkage::Static, &[source("examples/c/fan_in.c")], &program);
    for program in [program, rust_example("fan_in")] {
        watch(vec![Party::process(&mut Command::new(program))], || 0);
    }
}
