//! Each language's producer with each language's consumer, in separate processes.
//!
//! It needs every language's compiler: `cargo test --test interop -- --ignored`
//!
//! To refresh docs/INTEROP.md: `SPSC_UPDATE_INTEROP=1 cargo test --test interop -- --ignored`

use spsc_shm::Ring;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use support::Name;

struct Language {
    name: &'static str,
    /// Whether it speaks messages, and so has four programs.
    messages: bool,
    /// Shell commands, run in the root of the source tree, that leave the programs README.md
    /// describes as $OUT/producer and $OUT/consumer, $OUT/sender and $OUT/receiver. $LIB holds the
    /// shared library.
    build: &'static str,
}

const LANGUAGES: &[Language] = &[
    Language {
        name: "C",
        messages: true,
        build: r#"
            for role in producer consumer sender receiver; do
                cc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Iinclude \
                    -o "$OUT/$role" tests/interop/c/$role.c -L"$LIB" -lspsc_shm
            done"#,
    },
    Language {
        name: "C++",
        messages: true,
        build: r#"
            for role in producer consumer sender receiver; do
                c++ -std=c++17 -O2 -Wall -Wextra -Werror -Iinclude \
                    -o "$OUT/$role" tests/interop/cpp/$role.cpp -L"$LIB" -lspsc_shm
            done"#,
    },
    Language {
        name: "Go",
        messages: true,
        build: r#"
            "$CARGO" build --quiet --release --lib --target-dir target
            cd bindings/go
            for role in producer consumer sender receiver; do
                go build -o "$OUT/$role" ./cmd/spsc-$role
            done"#,
    },
    Language {
        name: "Java",
        messages: true,
        build: r#"
            javac --release 22 -d "$OUT/classes" tests/interop/java/*.java \
                $(find bindings/java/src/main/java -name '*.java' ! -name module-info.java)
            for role in Producer Consumer Sender Receiver; do
                program=$OUT/$(echo $role | tr A-Z a-z)
                printf '#!/bin/sh\nexec "%s" %s "-Dspsc.shm.library=%s" -cp "%s" %s "$@"\n' \
                    "$(command -v java)" '-XX:TieredStopAtLevel=1 --enable-native-access=ALL-UNNAMED' \
                    "$LIB/libspsc_shm.so" "$OUT/classes" $role >"$program"
                chmod +x "$program"
            done"#,
    },
    Language {
        name: "JavaScript",
        messages: true,
        build: r#"
            python3 tools/dist --architecture "$(uname -m)" npm >/dev/null
            npm install --silent --no-fund --no-audit --prefix "$OUT" target/dist/"$VERSION"/*.tgz
            for role in producer consumer sender receiver; do
                cp tests/interop/node/$role.js tests/interop/node/stream.js "$OUT"
                printf '#!/bin/sh\nexec node "%s" "$@"\n' "$OUT/$role.js" >"$OUT/$role"
                chmod +x "$OUT/$role"
            done"#,
    },
    Language {
        name: "Python",
        messages: true,
        build: r#"
            python3 -m venv --clear "$OUT/venv"
            python3 tools/dist --architecture "$(uname -m)" wheel >/dev/null
            "$OUT/venv/bin/pip" install --quiet --disable-pip-version-check \
                --no-index --find-links target/dist/"$VERSION" spsc_shm
            for role in producer consumer sender receiver; do
                printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$OUT/venv/bin/python" \
                    "$PWD/tests/interop/python/$role.py" >"$OUT/$role"
                chmod +x "$OUT/$role"
            done"#,
    },
    Language {
        name: "Rust",
        messages: true,
        build: r#"
            for role in producer consumer sender receiver; do
                "$CARGO" build --quiet --profile "$PROFILE" --example interop-$role
                cp "$LIB/../examples/interop-$role" "$OUT/$role"
            done"#,
    },
];

const MESSAGES: u32 = 4_000;

/// A few messages fill it, so that each side has to wait for the other again and again.
const CAPACITY: usize = 4096;

/// Against a hang.
const WATCHDOG: Duration = Duration::from_secs(240);

/// Where this test and the library lie.
fn library_dir() -> PathBuf {
    let executable = std::env::current_exe().expect("/proc is there");
    executable.parent().expect("an executable lies in a directory").to_owned()
}

/// The library as the loader looks for it: under its SONAME, in `dir`.
fn link_soname(dir: &Path) {
    let soname = format!("libspsc_shm.so.{}", env!("CARGO_PKG_VERSION_MAJOR"));
    let link = dir.join(soname);
    let _ = std::fs::remove_file(&link);
    symlink(library_dir().join("libspsc_shm.so"), link).expect("dir can be written");
}

/// The programs of a language.
struct Programs {
    name: &'static str,
    messages: bool,
    directory: PathBuf,
}

/// Two programs that belong together.
#[derive(Clone, Copy)]
struct Pair {
    from: &'static str,
    to: &'static str,
}

const BYTES: Pair = Pair { from: "producer", to: "consumer" };
const WHOLE: Pair = Pair { from: "sender", to: "receiver" };

fn build(language: &Language, out: &Path) -> Programs {
    std::fs::create_dir_all(out).expect("the target directory can be written");
    link_soname(out);
    let library = library_dir();
    let profile_dir = library.parent().expect("deps lies in a profile's directory");
    let target_dir = profile_dir.parent().expect("a profile's directory lies in another");
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let status = Command::new("sh")
        .args(["-euc", language.build])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env("OUT", out)
        .env("LIB", &library)
        .env("CARGO", env!("CARGO"))
        .env("CARGO_TARGET_DIR", target_dir)
        .env("PROFILE", profile)
        .env("VERSION", env!("CARGO_PKG_VERSION"))
        .status()
        .expect("a shell is there");
    assert!(status.success(), "the {} programs can't be built", language.name);
    Programs { name: language.name, messages: language.messages, directory: out.to_owned() }
}

/// A ring under a name of its own, which is unlinked in the end.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Kill,
}

const ENDS: [End; 2] = [End::Close, End::Kill];

fn start(program: &Path, name: &Name, seed: usize, end: End) -> Child {
    Command::new(program)
        .args([&format!("/{}", &**name), &MESSAGES.to_string(), &seed.to_string()])
        .arg(match end {
            End::Close => "close",
            End::Kill => "kill",
        })
        .env("LD_LIBRARY_PATH", program.parent().expect("a program lies in a directory"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// What came of a process, which is killed if it hangs.
fn finish(child: Child) -> Output {
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(WATCHDOG).or_else(|_| {
        // SAFETY: no memory is involved; the process is a child that has not been waited for.
        unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) };
        receiver.recv()
    });
    output.expect("the thread sends once").expect("a child can be waited for")
}

/// Lets the two programs speak with each other, and says what went wrong.
fn converse(
    pair: Pair,
    from: &Programs,
    to: &Programs,
    number: usize,
    end: End,
) -> Result<(), String> {
    let name = Name::new();
    let _ring = Ring::create(&name, CAPACITY).expect("the name is free");
    let producer = start(&from.directory.join(pair.from), &name, number, end);
    let consumer = start(&to.directory.join(pair.to), &name, number, end);
    let [consumer, producer] = [consumer, producer].map(finish);

    let sent = match end {
        End::Close => producer.status.success(),
        End::Kill => producer.status.signal() == Some(libc::SIGKILL) && producer.stderr.is_empty(),
    };
    let received =
        consumer.status.success() && consumer.stdout == format!("ok {MESSAGES}\n").as_bytes();
    if sent && received {
        return Ok(());
    }
    let [producer, consumer] = [producer, consumer].map(|output| {
        format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
    });
    Err(format!("producer {producer}; consumer {consumer}"))
}

/// docs/INTEROP.md
fn document(matrix: &str, messages: &str) -> String {
    format!(
        "# Every language with every other\n\n\
         Each row's producer sends {MESSAGES} messages to each column's consumer, another process. \
         The first mark\nstands for a producer that closes the ring after them, the second for one \
         that is killed.\n\n{matrix}\n\
         The same with the library's own messages, of 0 bytes to four times the ring, each with a \
         tag.\n\n{messages}\n\
         Made by `SPSC_UPDATE_INTEROP=1 cargo test --test interop -- --ignored`; the programs are \
         described in\n[tests/interop](../tests/interop/README.md).\n"
    )
}

fn check_document(matrix: &str, messages: &str) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join("docs/INTEROP.md");
    let document = document(matrix, messages);
    if std::env::var_os("SPSC_UPDATE_INTEROP").is_some() {
        std::fs::write(&path, &document).expect("docs/ can be written");
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == document,
        "docs/INTEROP.md is out of date; refresh it with\n  \
         SPSC_UPDATE_INTEROP=1 cargo test --test interop -- --ignored"
    );
    let readme = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join("README.md");
    assert!(
        std::fs::read_to_string(readme).unwrap_or_default().contains(matrix.trim()),
        "the README shows another matrix than docs/INTEROP.md"
    );
}

#[test]
#[ignore = "needs the compilers of all languages"]
fn every_language_speaks_with_every_other() {
    let out = library_dir().join("interop");
    let programs: Vec<Programs> =
        LANGUAGES.iter().map(|language| build(language, &out.join(language.name))).collect();

    let mut failures = Vec::new();
    let mut number = 0;
    let mut matrix_of = |pair, languages: &[&Programs]| {
        let names: Vec<&str> = languages.iter().map(|language| language.name).collect();
        let mut matrix = format!("| from \\ to | {} |\n", names.join(" | "));
        matrix += &format!("|---|{}\n", ":-:|".repeat(names.len()));
        for from in languages {
            matrix += &format!("| **{}** |", from.name);
            for to in languages {
                for end in ENDS {
                    number += 1;
                    let outcome = converse(pair, from, to, number, end);
                    matrix += if outcome.is_ok() { " ✓" } else { " ✗" };
                    let who = format!("{} to {}, {} {end:?}", from.name, to.name, pair.from);
                    failures.extend(outcome.err().map(|what| format!("{who}: {what}")));
                }
                matrix += " |";
            }
            matrix += "\n";
        }
        println!("{matrix}");
        matrix
    };
    let all: Vec<&Programs> = programs.iter().collect();
    let with_messages: Vec<&Programs> = programs.iter().filter(|of| of.messages).collect();
    let (matrix, messages) = (matrix_of(BYTES, &all), matrix_of(WHOLE, &with_messages));
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    check_document(&matrix, &messages);
}
