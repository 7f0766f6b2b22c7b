//! The program under test, and what it says.

pub mod terminal;

use std::process::{Child, Command, Output, Stdio};
use support::Name;

/// A path for a listener, as unique as the name.
pub fn socket_path(name: &Name) -> String {
    format!("/tmp/{}", &**name)
}

pub fn spsc(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spsc"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn run(words: &[&str]) -> Output {
    spsc(words).output().expect("the program")
}

/// What it prints, if it succeeds.
pub fn said(words: &[&str]) -> String {
    let output = run(words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

pub fn json(words: &[&str]) -> serde_json::Value {
    serde_json::from_str(&said(words)).expect("JSON")
}

/// The entry of a ring in a list.
pub fn entry<'a>(list: &'a serde_json::Value, name: &Name) -> Option<&'a serde_json::Value> {
    list.as_array().expect("a list").iter().find(|one| one["name"] == **name)
}

/// With a pipe to its standard input.
pub fn start(words: &[&str]) -> Child {
    spsc(words).stdin(Stdio::piped()).spawn().expect("the program")
}

/// How it ends, once its standard input does.
pub fn code(mut child: Child) -> Option<i32> {
    drop(child.stdin.take());
    child.wait().expect("a child").code()
}

pub fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}
