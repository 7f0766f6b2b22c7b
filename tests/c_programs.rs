//! The C interface, used by C and C++ programs: the tests under `c_tests/`, streams between
//! processes in either direction, and the examples.

use spsc_shm::{Ring, Status};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use support::{
    Language, Linkage, Name, Party, Rng, compile, compiler, library_directory, run,
    scratch_directory, source, watch,
};

/// The programs of `c_tests/`: every `test_*.c`, and the two that talk to each other.
fn programs() -> Vec<String> {
    let directory = std::fs::read_dir(source("c_tests")).expect("c_tests is there");
    let names = directory.map(|entry| entry.expect("c_tests can be read").file_name());
    let mut tests: Vec<String> = names
        .filter_map(|name| name.to_str()?.strip_suffix(".c").map(str::to_owned))
        .filter(|name| name.starts_with("test_"))
        .collect();
    tests.sort();
    assert!(tests.len() >= 7, "only {tests:?}");
    tests.extend(["producer".to_owned(), "consumer".to_owned()]);
    tests
}

/// The directory of all programs, in one of the four ways to build them. They are built once in each run.
fn built(language: Language, linkage: Linkage) -> &'static Path {
    static BUILT: [OnceLock<PathBuf>; 4] = [const { OnceLock::new() }; 4];
    BUILT[2 * language as usize + linkage as usize].get_or_init(|| {
        let directory = scratch_directory("c_programs").join(format!("{language:?}-{linkage:?}"));
        std::fs::create_dir_all(&directory).expect("target/tmp can be written");
        for program in programs() {
            let mut sources = vec![source(&format!("c_tests/{program}.c"))];
            if program == "test_header" {
                sources.push(source("c_tests/header_again.c"));
            }
            compile(language, linkage, &sources, &directory.join(program));
        }
        directory
    })
}

fn run_tests(language: Language, linkage: Linkage) {
    let directory = built(language, linkage);
    for program in programs().iter().filter(|name| name.starts_with("test_")) {
        run(&mut Command::new(directory.join(program)));
    }
}

#[test]
fn c11_programs_pass_with_the_static_library() {
    run_tests(Language::C11, Linkage::Static);
}

#[test]
fn c11_programs_pass_with_the_shared_library() {
    run_tests(Language::C11, Linkage::Shared);
}

#[test]
fn cpp17_programs_pass_with_the_static_library() {
    run_tests(Language::Cpp17, Linkage::Static);
}

#[test]
fn cpp17_programs_pass_with_the_shared_library() {
    run_tests(Language::Cpp17, Linkage::Shared);
}

/// What one copy of the library made, another closes.
#[test]
#[cfg(not(target_env = "musl"))]
fn a_plugin_with_a_copy_of_the_library_shares_rings_with_its_program() {
    let directory = scratch_directory("two_copies");
    let [plugin, program] = ["plugin.so", "program"].map(|file| directory.join(file));
    let mut command = compiler(Language::C11);
    command.args(["-shared", "-fPIC", "-Wl,-Bsymbolic", "-Wl,--exclude-libs,ALL"]);
    command.arg("-I").arg(source("c_tests")).arg(source("c_tests/two_copies/plugin.c"));
    command.arg(library_directory().join("libspsc_shm.a")).arg("-o").arg(&plugin);
    run(&mut command);
    let mut command = compiler(Language::C11);
    command.arg("-I").arg(source("c_tests")).arg(source("c_tests/two_copies/program.c"));
    command.arg(library_directory().join("libspsc_shm.a"));
    run(command.args(["-lpthread", "-ldl", "-lm"]).arg("-o").arg(&program));
    run(Command::new(program).arg(plugin));
}

/// The messages of one stream, of 1 to `max_size` random bytes.
#[derive(Clone, Copy)]
struct Messages {
    min_capacity: usize,
    seed: u64,
    count: u64,
    /// 0: the whole capacity.
    max_size: usize,
}

/// Millions, in a ring of one page.
const SMALL: Messages = Messages { min_capacity: 1, seed: 1, count: 2_000_000, max_size: 32 };
/// Up to the whole capacity, which is one page.
const ANY_SIZE: Messages = Messages { min_capacity: 1, seed: 2, count: 30_000, max_size: 0 };
/// Up to the whole capacity, of more pages than the processor's caches near the core hold.
const LARGE: Messages = Messages { min_capacity: 1 << 20, seed: 3, count: 200, max_size: 0 };

impl Messages {
    fn max_size(&self, ring: &Ring) -> usize {
        if self.max_size == 0 { ring.capacity() } else { self.max_size }
    }

    /// The command line of a C peer.
    fn c_peer(&self, program: &Path, name: &Name) -> Party {
        let Self { min_capacity, seed, count, max_size } = self;
        Party::process(
            Command::new(program)
                .arg(name)
                .args([min_capacity.to_string(), seed.to_string()])
                .args([count.to_string(), max_size.to_string()]),
        )
    }
}

fn rust_producer(name: &Name, messages: Messages) -> Party {
    let ring = Ring::connect(name).expect("the test has made the ring");
    Party::thread(move || {
        let max_size = messages.max_size(&ring);
        let mut producer = ring.into_producer();
        let mut payload = Rng::new(messages.seed);
        for _ in 0..messages.count {
            let size = payload.size(max_size);
            let mut grant = producer.claim(size, None).expect("the consumer is alive");
            // SAFETY: the consumer keeps to the protocol.
            payload.fill(unsafe { grant.as_mut_slice() });
            grant.publish_all();
        }
    })
}

fn rust_consumer(name: &Name, messages: Messages) -> Party {
    let ring = Ring::connect(name).expect("the test has made the ring");
    Party::thread(move || {
        let max_size = messages.max_size(&ring);
        let mut consumer = ring.into_consumer();
        let mut payload = Rng::new(messages.seed);
        for i in 0..messages.count {
            let size = payload.size(max_size);
            let grant = consumer.peek(size, None).expect("the producer is alive");
            assert!(
                payload.matches(&grant.to_vec()),
                "message {i} of {size} bytes is not what was sent"
            );
            grant.release_all();
        }
        let end = consumer.peek(1, None).expect_err("there is nothing more");
        assert_eq!(end.status(), Status::Closed);
    })
}

/// One stream between two parties, which each get the ring's name.
fn stream(
    messages: Messages,
    producer: impl FnOnce(&Name) -> Party,
    consumer: impl FnOnce(&Name) -> Party,
) {
    let name = Name::new();
    let ring = Ring::create(&name, messages.min_capacity).expect("a ring");
    let parties = vec![producer(&name), consumer(&name)];
    watch(parties, || ring.stats().published.wrapping_add(ring.stats().released));
    let stats = ring.stats();
    assert!(stats.published >= messages.count && stats.available == 0, "{stats:?}");
}

#[test]
fn rust_streams_to_c() {
    let c = built(Language::C11, Linkage::Static).join("consumer");
    for messages in [SMALL, ANY_SIZE, LARGE] {
        stream(messages, |name| rust_producer(name, messages), |name| messages.c_peer(&c, name));
    }
}

#[test]
fn c_streams_to_rust() {
    let c = built(Language::Cpp17, Linkage::Shared).join("producer");
    for messages in [SMALL, ANY_SIZE, LARGE] {
        stream(messages, |name| messages.c_peer(&c, name), |name| rust_consumer(name, messages));
    }
}

#[test]
fn c_streams_to_c() {
    let producer = built(Language::C11, Linkage::Shared).join("producer");
    let consumer = built(Language::Cpp17, Linkage::Static).join("consumer");
    for messages in [SMALL, ANY_SIZE, LARGE] {
        stream(
            messages,
            |name| messages.c_peer(&producer, name),
            |name| messages.c_peer(&consumer, name),
        );
    }
}

/// The one-line command in the first comment of an example.
fn command_of(example: &str) -> String {
    let text = std::fs::read_to_string(source(example)).expect("the example is there");
    let (comment, _code) = text.split_once("*/").expect("it begins with a comment");
    let mut commands = comment.lines().filter_map(|line| {
        let line = line.trim_start_matches([' ', '*']);
        (line.starts_with("cc ") || line.starts_with("c++ ")).then(|| line.to_owned())
    });
    let command = commands.next().expect("the comment says how to compile it");
    assert_eq!(commands.next(), None, "one line in {example}");
    command
}

/// An example, compiled as its comment says, but with this test's compiler, library and output,
/// and with warnings denied.
fn compiled_example(language: Language, name: &str) -> PathBuf {
    let directory = if language == Language::C11 { "c" } else { "cpp" };
    let example = format!("examples/{directory}/{name}.{directory}");
    let program = scratch_directory("examples").join(format!("{name}-{directory}"));
    let command = command_of(&example);
    let words: Vec<&str> = command.split_whitespace().collect();
    let library = library_directory().join("libspsc_shm.a");
    let mut compile = Command::new(compiler(language).get_program());
    compile.args(words[1..].iter().map(|word| match *word {
        "target/release/libspsc_shm.a" => library.as_os_str(),
        word if word == name => program.as_os_str(),
        word => word.as_ref(),
    }));
    assert!(compile.get_args().any(|word| word == library), "{command}");
    assert!(compile.get_args().any(|word| word == program), "{command}");
    compile.args(["-Wall", "-Wextra", "-Werror", "-pedantic"]);
    run(compile.current_dir(source("")));
    program
}

#[test]
fn the_examples_with_messages_compile_as_they_say() {
    // What they do is tested beside those in Rust.
    for name in ["sender", "receiver"] {
        compiled_example(Language::C11, name);
    }
}

#[test]
fn the_examples_compile_as_they_say_and_copy_a_file() {
    let languages = [Language::C11, Language::Cpp17];
    let producers = languages.map(|language| compiled_example(language, "producer"));
    let consumers = languages.map(|language| compiled_example(language, "consumer"));
    let scratch = scratch_directory("examples");
    let (short, empty) = (scratch.join("short"), scratch.join("empty"));
    std::fs::write(&short, "two lines\nand no newline at the end").expect("a file");
    std::fs::write(&empty, "").expect("a file");
    let copy = scratch.join("copy");
    let library = library_directory().join("libspsc_shm.so");
    for (original, at_once) in [(&library, true), (&short, true), (&empty, true), (&short, false)] {
        for (producer, consumer) in
            producers.iter().flat_map(|p| consumers.iter().map(move |c| (p, c)))
        {
            let name = Name::new();
            let input = File::open(original).expect("the original");
            let output = File::create(&copy).expect("the copy");
            let mut produce = Command::new(producer);
            let mut consume = Command::new(consumer);
            produce.arg(&name).stdin(input);
            consume.arg(&name).stdout(output);
            if at_once {
                let parties = vec![Party::process(&mut consume), Party::process(&mut produce)];
                watch(parties, || copy.metadata().map_or(0, |copy| copy.len()));
            } else {
                // The ring keeps what was published for a consumer that comes late.
                run(&mut produce);
                run(&mut consume);
            }
            let same = std::fs::read(original).unwrap() == std::fs::read(&copy).unwrap();
            assert!(same, "{producer:?} to {consumer:?}: {copy:?} is not {original:?}");
        }
    }
}

#[test]
fn the_examples_with_small_records_lose_none() {
    const COUNT: &str = "300000";
    let languages = [Language::C11, Language::Cpp17];
    let producers = languages.map(|language| compiled_example(language, "readings_producer"));
    let consumers = languages.map(|language| compiled_example(language, "readings_consumer"));
    let output = scratch_directory("examples").join("readings");
    for (producer, consumer) in producers.iter().flat_map(|p| consumers.iter().map(move |c| (p, c)))
    {
        let name = Name::new();
        let mut produce = Command::new(producer);
        let mut consume = Command::new(consumer);
        produce.arg(&name).arg(COUNT);
        consume.arg(&name).stdout(File::create(&output).expect("a file"));
        watch(vec![Party::process(&mut consume), Party::process(&mut produce)], || 0);
        let said = std::fs::read_to_string(&output).expect("the output");
        assert_eq!(
            said,
            format!("{COUNT} readings, sum 149850000\n"),
            "{producer:?}, {consumer:?}"
        );
    }
}
