//! The binary interface is the one that docs/abi describes, unless the version says otherwise. A higher
//! minor version may have more. Only another major version, which gives the library another SONAME, may
//! change something or leave it out.
//!
//! To refresh the description, as far as the version allows: `SPSC_UPDATE_ABI=1 cargo test --test abi`
//!
//! A version that was never released need not be kept to: delete its description before the refresh.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// What a caller relies on: a version, and one line for each fact.
#[derive(Clone, Debug, PartialEq)]
struct Abi {
    version: String,
    facts: BTreeSet<String>,
}

impl Abi {
    fn parse(description: &str) -> Self {
        let mut lines = description.lines().map(str::to_owned);
        let version = lines.next().and_then(|line| Some(line.strip_prefix("version ")?.to_owned()));
        Self { version: version.expect("the first line names the version"), facts: lines.collect() }
    }

    fn describe(&self) -> String {
        let facts: String = self.facts.iter().map(|fact| format!("{fact}\n")).collect();
        format!("version {}\n{facts}", self.version)
    }

    /// Major and minor.
    fn release(&self) -> [u32; 2] {
        let mut numbers = self.version.split('.').map(|number| number.parse().expect("a number"));
        [(); 2].map(|()| numbers.next().expect("three numbers"))
    }

    /// Whether a lost fact of `older` was the size of a struct that may grow, and has: every new
    /// member is behind the old ones.
    fn has_grown(&self, lost: &str, older: &Self) -> bool {
        let Some((name, size, alignment)) = struct_of(lost) else { return false };
        let grown = self.facts.iter().filter_map(|fact| struct_of(fact)).any(|now| {
            (now.0, now.2) == (name, alignment) && now.1 > size && GROWING.contains(&name)
        });
        let prefix = format!("field {name}.");
        let mut new = self.facts.difference(&older.facts).filter(|fact| fact.starts_with(&prefix));
        grown && new.all(|field| offset_of(field) >= size)
    }

    /// Whether this version allows for what has changed since the `older` one of the same major version.
    fn may_follow(&self, older: &Self) -> Result<(), String> {
        let lost = older.facts.difference(&self.facts).filter(|fact| !self.has_grown(fact, older));
        let list = |facts: BTreeSet<&String>, sign: &str| -> String {
            facts.iter().map(|fact| format!("\n  {sign} {fact}")).collect()
        };
        let lost = list(lost.collect(), "-");
        let new = list(self.facts.difference(&older.facts).collect(), "+");
        if !lost.is_empty() {
            Err(format!("this breaks the ABI; raise the major version or undo it:{lost}{new}"))
        } else if !new.is_empty() && self.release() <= older.release() {
            Err(format!("this adds to the ABI; raise the minor version or undo it:{new}"))
        } else {
            Ok(())
        }
    }
}

/// The structs whose size each call is told: they may get members at their end.
const GROWING: [&str; 4] = ["spsc_options", "spsc_stats_t", "spsc_conn_options", "spsc_peer"];

/// The name, the size and the alignment of the struct that a fact is about.
fn struct_of(fact: &str) -> Option<(&str, u64, &str)> {
    let (name, numbers) = fact.strip_prefix("struct ")?.split_once(": size ")?;
    let (size, alignment) = numbers.split_once(", ")?;
    Some((name, size.parse().ok()?, alignment))
}

/// Where the field that a fact is about begins.
fn offset_of(fact: &str) -> u64 {
    let offset = fact.split_once(", offset ").and_then(|(_, rest)| rest.split(',').next());
    offset.and_then(|number| number.parse().ok()).expect("a field has an offset")
}

fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).expect("the names are ASCII")
}

fn compiler() -> Command {
    let mut command = Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
    command.arg("-std=c11").arg("-I").arg(root().join("include"));
    command
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The header's own declarations, without comments and macros, one each.
fn declarations(probe: &Path) -> Vec<String> {
    let text = output_of(compiler().args(["-E", "-P"]).arg(probe));
    let mut depth = 0;
    let outermost = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ';' && depth == 0
    };
    text.split(outermost)
        .map(|declaration| declaration.replace("__attribute__((warn_unused_result))", ""))
        .map(|declaration| declaration.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|declaration| declaration.to_lowercase().contains("spsc_"))
        .collect()
}

/// The names of the header's macros that are numbers, without those of the version.
fn macros(probe: &Path) -> Vec<String> {
    let text = output_of(compiler().args(["-E", "-dM"]).arg(probe));
    text.lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split_once(' '))
        .filter(|(name, value)| name.starts_with("SPSC_") && !value.is_empty())
        .filter(|(_, value)| !value.starts_with(['{', '_']))
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.starts_with("SPSC_VERSION_"))
        .collect()
}

/// A prototype without the names of its parameters, on which no caller depends.
fn signature(prototype: &str) -> String {
    let (head, parameters) = prototype.split_once('(').expect("a function has parameters");
    let types: Vec<&str> = parameters
        .trim_end_matches(')')
        .split(',')
        .map(str::trim)
        .map(|parameter| match parameter {
            "void" => parameter,
            _ => parameter.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').trim_end(),
        })
        .collect();
    format!("{head}({})", types.join(", "))
}

/// Statements of a C program that print the facts about a declaration.
fn questions(declaration: &str) -> String {
    let Some((head, rest)) = declaration.split_once('{') else {
        return match declaration.strip_prefix("typedef ") {
            Some(definition) => format!("puts(\"type {definition}\");\n"),
            None => format!("puts(\"function {}\");\n", signature(declaration)),
        };
    };
    let (body, name) = rest.rsplit_once('}').expect("braces come in pairs");
    if head.starts_with("enum") {
        let constants = body.split(',').map(str::trim).filter(|constant| !constant.is_empty());
        constants
            .map(|constant| constant.split(' ').next().expect("a name"))
            .map(|name| format!("printf(\"constant {name} = %lld\\n\", (long long){name});\n"))
            .collect()
    } else {
        let name = name.trim();
        let whole = format!(
            "printf(\"struct {name}: size %zu, alignment %zu\\n\", \
             sizeof({name}), _Alignof({name}));\n"
        );
        let fields =
            body.split(';').map(str::trim).filter(|field| !field.is_empty()).map(|field| {
                let name_at = field.rfind([' ', '*']).expect("a field has a type and a name") + 1;
                let (of, field) = (field[..name_at].trim_end(), &field[name_at..]);
                format!(
                    "printf(\"field {name}.{field}: {of}, offset %zu, size %zu\\n\", \
                 offsetof({name}, {field}), sizeof((({name} *)0)->{field}));\n"
                )
            });
        whole + &fields.collect::<String>()
    }
}

/// What the header says, as a C compiler understands it.
static HEADER_FACTS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let probe = dir.join("abi-probe.h");
    std::fs::write(&probe, "#include <spsc_shm.h>\n").expect("the target directory is writable");
    let mut body: String =
        declarations(&probe).iter().map(|declaration| questions(declaration)).collect();
    for name in macros(&probe) {
        body += &format!("printf(\"macro {name} = %#llx\\n\", (unsigned long long){name});\n");
    }

    let [source, program] = ["abi.c", "abi"].map(|name| dir.join(name));
    let text = format!("#include <spsc_shm.h>\n#include <stdio.h>\nint main(void) {{\n{body}}}\n");
    std::fs::write(&source, text).expect("the target directory is writable");
    output_of(compiler().arg("-o").arg(&program).arg(&source));
    output_of(&mut Command::new(program)).lines().map(str::to_owned).collect()
});

fn shared_library() -> PathBuf {
    let test = std::env::current_exe().expect("/proc is there");
    test.with_file_name("libspsc_shm.so")
}

fn exported_symbols() -> BTreeSet<String> {
    let table = output_of(
        Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(shared_library()),
    );
    table.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect()
}

#[test]
fn the_shared_library_exports_what_the_header_declares_and_nothing_else() {
    let declared: BTreeSet<String> = HEADER_FACTS
        .iter()
        .filter_map(|fact| Some(fact.strip_prefix("function ")?.split_once('(')?.0))
        .map(|head| head.rsplit([' ', '*']).next().expect("a name").to_owned())
        .collect();
    assert_eq!(exported_symbols(), declared);
}

#[test]
fn the_soname_is_that_of_the_major_version() {
    let dynamic = output_of(Command::new("readelf").arg("-dW").arg(shared_library()));
    let soname = format!("[libspsc_shm.so.{}]", env!("CARGO_PKG_VERSION_MAJOR"));
    assert!(
        dynamic.lines().any(|line| line.contains("(SONAME)") && line.ends_with(&soname)),
        "no SONAME {soname}:\n{dynamic}"
    );
}

#[test]
fn the_abi_is_the_described_one() {
    let name = format!("docs/abi/spsc_shm-{}.txt", env!("CARGO_PKG_VERSION_MAJOR"));
    let path = root().join(&name);
    let current =
        Abi { version: env!("CARGO_PKG_VERSION").to_owned(), facts: HEADER_FACTS.clone() };
    let described = std::fs::read_to_string(&path).ok().map(|text| Abi::parse(&text));
    if let Some(described) = &described {
        current.may_follow(described).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    if std::env::var_os("SPSC_UPDATE_ABI").is_some() {
        std::fs::write(&path, current.describe()).expect("docs/abi is writable");
    } else {
        assert!(
            described == Some(current),
            "{name} is out of date; refresh it with\n  SPSC_UPDATE_ABI=1 cargo test --test abi"
        );
    }
}

/// Compiled with the headers of version 0.2, whose structs are the first ones that calls are told
/// the size of, and run with the library of today.
#[test]
fn a_program_of_the_first_version_runs_with_this_library() {
    let library = shared_library();
    let directory = library.parent().expect("a file is in a directory");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("abi-program");
    let mut command = Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
    command.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"]);
    command.arg(root().join("tests/abi/0.2")).arg(root().join("tests/abi/program.c"));
    command.arg(&library).arg(format!("-Wl,-rpath,{}", directory.display()));
    output_of(command.arg("-o").arg(&program));
    support::provide_soname(directory);
    let name = support::Name::new();
    support::run(Command::new(program).arg(&name));
}

mod the_rule {
    use super::Abi;

    fn abi(version: &str, facts: &str) -> Abi {
        Abi::parse(&format!("version {version}\n{facts}"))
    }

    #[test]
    fn a_new_fact_needs_a_higher_minor_version() {
        let old = abi("0.1.0", "a\nb\n");
        assert!(abi("0.1.1", "a\nb\n").may_follow(&old).is_ok());
        assert!(abi("0.1.1", "a\nb\nc\n").may_follow(&old).is_err());
        assert!(abi("0.2.0", "a\nb\nc\n").may_follow(&old).is_ok());
        assert!(abi("0.10.0", "a\nb\nc\n").may_follow(&abi("0.9.0", "a\nb\n")).is_ok());
    }

    #[test]
    fn a_lost_or_changed_fact_is_refused() {
        let old = abi("0.1.0", "a = 1\nb\n");
        assert!(abi("0.2.0", "a = 1\n").may_follow(&old).is_err());
        assert!(abi("0.2.0", "a = 2\nb\n").may_follow(&old).is_err());
    }

    /// A version of the real description, with some facts replaced by others.
    fn changed(version: &str, changes: &[(&str, &str)]) -> Abi {
        let mut facts = super::HEADER_FACTS.clone();
        for (old, new) in changes {
            assert!(old.is_empty() || facts.remove(*old), "no fact {old}");
            facts.extend((!new.is_empty()).then(|| new.to_string()));
        }
        Abi { version: version.to_owned(), facts }
    }

    fn real_struct(name: &str) -> (String, u64) {
        let facts = super::HEADER_FACTS.iter();
        let mut structs = facts.filter_map(|fact| Some((fact, super::struct_of(fact)?)));
        let (fact, (_, size, _)) = structs.find(|(_, found)| found.0 == name).expect(name);
        (fact.clone(), size)
    }

    #[test]
    fn a_struct_that_calls_are_told_the_size_of_may_grow_at_its_end() {
        let old = changed("0.2.0", &[]);
        for name in super::GROWING {
            let (fact, size) = real_struct(name);
            let grown = fact.replace(&format!("size {size}"), &format!("size {}", size + 8));
            let at = |offset| format!("field {name}.later: uint64_t, offset {offset}, size 8");
            let growth = [(&*fact, &*grown), ("", &at(size))];
            assert!(changed("0.3.0", &growth).may_follow(&old).is_ok(), "{name}");
            assert!(changed("0.2.1", &growth).may_follow(&old).is_err(), "the minor version");
            let inside = [(&*fact, &*grown), ("", &at(size - 8))];
            assert!(changed("0.3.0", &inside).may_follow(&old).is_err(), "inside {name}");
            let shrunk = fact.replace(&format!("size {size}"), &format!("size {}", size - 8));
            assert!(changed("0.3.0", &[(&fact, &shrunk)]).may_follow(&old).is_err(), "{name}");
            let aligned = grown.replace("alignment ", "alignment 1");
            let aligned = [(&*fact, &*aligned), ("", &at(size))];
            assert!(changed("0.3.0", &aligned).may_follow(&old).is_err(), "alignment of {name}");
        }
    }

    #[test]
    fn no_other_struct_may_grow() {
        let old = changed("0.2.0", &[]);
        for name in ["spsc_cursor", "spsc_message", "spsc_wait_item", "spsc_role_stats"] {
            let (fact, size) = real_struct(name);
            let grown = fact.replace(&format!("size {size}"), &format!("size {}", size + 8));
            let later = format!("field {name}.later: uint64_t, offset {size}, size 8");
            let growth = [(&*fact, &*grown), ("", &*later)];
            assert!(changed("0.3.0", &growth).may_follow(&old).is_err(), "{name}");
        }
    }

    #[test]
    fn each_single_fact_must_stay_as_it_is() {
        let old = changed("0.2.0", &[]);
        for fact in super::HEADER_FACTS.iter() {
            assert!(changed("0.3.0", &[(fact, "")]).may_follow(&old).is_err(), "without {fact}");
            // Another name, type or number.
            let other = format!("{fact}0");
            let changed = changed("0.3.0", &[(fact, &other)]);
            assert!(changed.may_follow(&old).is_err(), "{other} for {fact}");
        }
    }

    #[test]
    fn a_description_reads_back() {
        let abi = abi("0.1.0", "a\nb\n");
        assert_eq!(Abi::parse(&abi.describe()), abi);
    }
}
