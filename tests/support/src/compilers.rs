//! The libraries under test, and programs that are built against them.

use crate::run;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A path in the source tree.
pub fn source(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

/// Where cargo leaves `libspsc_shm.so` and `libspsc_shm.a` of the profile under test.
pub fn library_directory() -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows its executable");
    executable.parent().expect("an executable is in a directory").to_owned()
}

/// A directory for what a test makes, kept from run to run. One for each profile.
pub fn scratch_directory(name: &str) -> PathBuf {
    let path = library_directory().join("scratch").join(name);
    std::fs::create_dir_all(&path).expect("the target directory can be written");
    path
}

/// How C source is compiled: the same source must do as either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    C11,
    Cpp17,
}

/// Which of the two libraries a program is linked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    Static,
    Shared,
}

/// The compiler that `cc` finds, by the environment's `CC`, `CXX`, `CFLAGS` and `CXXFLAGS`:
/// optimising, and taking every warning for an error.
pub fn compiler(language: Language) -> Command {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    let target = format!("{}-unknown-linux-{libc}", std::env::consts::ARCH);
    let mut command = cc::Build::new()
        .target(&target)
        .host(&target)
        .opt_level(2)
        .cargo_metadata(false)
        .out_dir(scratch_directory("cc"))
        .cpp(language == Language::Cpp17)
        .std(match language {
            Language::C11 => "c11",
            Language::Cpp17 => "c++17",
        })
        .get_compiler()
        .to_command();
    command.args(["-Wall", "-Wextra", "-Werror", "-pedantic"]).arg("-I").arg(source("include"));
    command
}

/// Compiles and links a program.
pub fn compile(language: Language, linkage: Linkage, sources: &[PathBuf], program: &Path) {
    let libraries = library_directory();
    let mut command = compiler(language);
    command.args(["-x", if language == Language::Cpp17 { "c++" } else { "c" }]);
    command.args(sources).args(["-x", "none"]).arg("-o").arg(program);
    match linkage {
        Linkage::Static => command.arg(libraries.join("libspsc_shm.a")),
        Linkage::Shared => {
            provide_soname(&libraries);
            command
                .arg(libraries.join("libspsc_shm.so"))
                .arg(format!("-Wl,-rpath,{}", libraries.display()))
        }
    };
    run(command.args(SYSTEM_LIBRARIES));
}

/// What the static library needs on C libraries that still keep these apart.
const SYSTEM_LIBRARIES: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

/// A program asks for the shared library by its SONAME, which carries the major version.
pub fn provide_soname(libraries: &Path) {
    let name = format!("libspsc_shm.so.{}", env!("CARGO_PKG_VERSION_MAJOR"));
    match symlink("libspsc_shm.so", libraries.join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            panic!("no symlink to the shared library: {error}")
        }
        _ => {}
    }
}
