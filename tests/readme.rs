//! What the README shows works as printed.

mod support;

use std::process::{Command, Stdio};
use support::{Language, Linkage, Party, RingName, compile, scratch_directory, source, watch};

/// The C programs of the README, the producer first, with another ring's name.
fn programs(ring: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(source("README.md")).expect("the README is there");
    readme
        .split("```c\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().replace("/greetings", ring))
        .collect()
}

#[test]
fn the_producer_and_the_consumer_of_the_readme_compile_and_speak_with_each_other() {
    let ring = RingName::new();
    let directory = scratch_directory("readme");
    let [producer, consumer] = ["producer", "consumer"].map(|name| directory.join(name));
    let sources = programs(&ring);
    assert_eq!(sources.len(), 2);
    for (text, program) in sources.iter().zip([&producer, &consumer]) {
        let file = program.with_extension("c");
        std::fs::write(&file, text).expect("target/tmp can be written");
        compile(Language::C11, Linkage::Static, &[file], program);
    }
    let output = std::fs::File::create(directory.join("output")).expect("as above");
    let mut reader = Command::new(&consumer);
    reader.stdout(Stdio::from(output));
    let parties = vec![Party::process(&mut reader), Party::process(&mut Command::new(&producer))];
    watch(parties, || 0);
    let output = std::fs::read_to_string(directory.join("output")).expect("it was written");
    let expected: String = (0..1000).map(|i| format!("greeting {i}\n")).collect();
    assert_eq!(output, expected);
}
