//! What the README shows works as printed: each language's producer with each language's consumer.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{
    Language, Linkage, Name, Party, compile, library_directory, output_of, run, scratch_directory,
    source, watch,
};

/// A language of the README: how its code blocks are marked, and how a program is built.
struct Tongue {
    mark: &'static str,
    build: fn(source: &str, program: &Path),
}

const C: Tongue = Tongue {
    mark: "c",
    build: |text, program| {
        let file = written(program, "c", text);
        compile(Language::C11, Linkage::Static, &[file], program);
    },
};

const CPP: Tongue = Tongue {
    mark: "cpp",
    build: |text, program| {
        let file = written(program, "cpp", text);
        compile(Language::Cpp17, Linkage::Static, &[file], program);
    },
};

const RUST: Tongue = Tongue {
    mark: "rust",
    build: |text, program| {
        let file = written(program, "rs", text);
        let libraries = library_directory();
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "-D", "warnings", "--extern"]);
        rustc.arg(format!("spsc_shm={}", libraries.join("libspsc_shm.rlib").display()));
        rustc.arg("-L").arg(format!("dependency={}", libraries.display()));
        run(rustc.arg(file).arg("-o").arg(program));
    },
};

const GO: Tongue = Tongue {
    mark: "go",
    build: |text, program| {
        let module = program.with_extension("module");
        std::fs::create_dir_all(&module).expect("target/tmp can be written");
        std::fs::write(module.join("main.go"), text).expect("as above");
        let library = source("bindings/go").canonicalize().expect("the Go package is there");
        let go_version = "go 1.22\n\n";
        let workspace = format!("{go_version}use (\n\t.\n\t{}\n)\n", library.display());
        std::fs::write(module.join("go.mod"), format!("module greetings\n\n{go_version}"))
            .expect("as above");
        std::fs::write(module.join("go.work"), workspace).expect("as above");
        // Go does not see that the library has changed, and would not link again.
        let _ = std::fs::remove_file(program);
        let mut go = Command::new("go");
        output_of(go.args(["build", "-o"]).arg(program).current_dir(module));
    },
};

const JAVA: Tongue = Tongue {
    mark: "java",
    build: |text, program| {
        // A class and its file have one name, so each program has a directory of its own.
        let directory = program.with_extension("java");
        std::fs::create_dir_all(&directory).expect("target/tmp can be written");
        let class = if text.contains("class Producer") { "Producer" } else { "Consumer" };
        let file = directory.join(format!("{class}.java"));
        std::fs::write(&file, text).expect("as above");
        let sources = source("bindings/java/src/main/java/io/github/spscshm");
        let mut javac = Command::new("javac");
        javac.args(["--release", "22", "-d"]).arg(&directory).arg(&file);
        for entry in std::fs::read_dir(sources).expect("the Java package is there") {
            javac.arg(entry.expect("it can be listed").path());
        }
        output_of(&mut javac);
        let script = format!(
            "#!/bin/sh\nexec java --enable-native-access=ALL-UNNAMED '-Dspsc.shm.library={}' -cp '{}' {class}\n",
            source("target/release/libspsc_shm.so").display(),
            directory.display(),
        );
        std::fs::write(program, script).expect("as above");
        run(Command::new("chmod").arg("+x").arg(program));
    },
};

const PYTHON: Tongue = Tongue {
    mark: "python",
    build: |text, program| {
        let file = written(program, "py", text);
        let environment = program.with_file_name("venv");
        let python = environment.join("bin/python");
        if !python.exists() {
            output_of(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        }
        let package = source("bindings/python");
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).arg(&package);
        output_of(pip.env("CARGO_TARGET_DIR", package.join("target")));
        let script = format!("#!/bin/sh\nexec '{}' '{}'\n", python.display(), file.display());
        std::fs::write(program, script).expect("target/tmp can be written");
        run(Command::new("chmod").arg("+x").arg(program));
    },
};

const JAVASCRIPT: Tongue = Tongue {
    mark: "js",
    build: |text, program| {
        let file = written(program, "mjs", text);
        let project = program.parent().expect("a program lies in a directory");
        if !project.join("node_modules/spsc-shm").exists() {
            let package = source("bindings/node").canonicalize().expect("the package is there");
            let mut node = Command::new("node");
            output_of(node.arg("build.js").env("CARGO_TARGET_DIR", "target").current_dir(&package));
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--no-fund", "--no-audit", "--install-links"]);
            output_of(npm.arg("--prefix").arg(project).arg(package));
        }
        let script = format!("#!/bin/sh\nexec node '{}'\n", file.display());
        std::fs::write(program, script).expect("target/tmp can be written");
        run(Command::new("chmod").arg("+x").arg(program));
    },
};

fn written(program: &Path, extension: &str, text: &str) -> PathBuf {
    let file = program.with_extension(extension);
    std::fs::write(&file, text).expect("target/tmp can be written");
    file
}

/// The programs in the README that are marked so, the producer first, with another ring's name.
fn programs(mark: &str, ring: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(source("README.md")).expect("the README is there");
    readme
        .split(&format!("```{mark}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().replace("/greetings", ring))
        .collect()
}

/// Builds every producer and every consumer, and lets each speak with each.
fn all_speak_with_all(directory: &str, tongues: &[Tongue]) {
    let ring = Name::new();
    let directory = scratch_directory(directory);
    let mut pairs = Vec::new();
    for Tongue { mark, build } in tongues {
        let sources = programs(mark, &ring);
        assert_eq!(sources.len(), 2, "{mark}");
        let pair = ["producer", "consumer"].map(|role| directory.join(format!("{mark}-{role}")));
        for (text, program) in sources.iter().zip(&pair) {
            build(text, program);
        }
        pairs.push(pair);
    }
    let expected: String = (0..1000).map(|i| format!("greeting {i}\n")).collect();
    for [producer, _] in &pairs {
        for [_, consumer] in &pairs {
            let path = directory.join("output");
            let output = std::fs::File::create(&path).expect("target/tmp can be written");
            let mut reader = Command::new(consumer);
            reader.stdout(Stdio::from(output));
            let mut writer = Command::new(producer);
            watch(vec![Party::process(&mut reader), Party::process(&mut writer)], || 0);
            let output = std::fs::read_to_string(&path).expect("it was written");
            assert_eq!(output, expected, "from {producer:?} to {consumer:?}");
        }
    }
}

#[test]
fn the_programs_of_the_readme_compile_and_speak_with_each_other() {
    all_speak_with_all("readme", &[C, CPP, RUST]);
}

/// It needs Go, a JDK, Node.js and Python: `cargo test --test readme -- --ignored`
#[test]
#[ignore = "needs Go, a JDK, Node.js and Python"]
fn those_in_other_languages_too() {
    // The Go package links the release build, and Java loads it.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--lib", "-p", "spsc-shm", "--target-dir"]);
    output_of(cargo.arg(source("target")).current_dir(source("")));
    all_speak_with_all("readme-all", &[C, CPP, RUST, GO, JAVA, PYTHON, JAVASCRIPT]);
}
