//! The committed C header is what cbindgen makes of the source.
//!
//! To refresh it: `SPSC_UPDATE_HEADER=1 cargo test --test header`

use std::path::Path;

/// Macros, which cbindgen can't make. The version is written in Cargo.toml and nowhere else.
fn macros() -> String {
    let [major, minor, patch] = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ];
    format!(
        "\n#define SPSC_VERSION_MAJOR {major}\n#define SPSC_VERSION_MINOR {minor}\n\
         #define SPSC_VERSION_PATCH {patch}\n/** To be compared with spsc_version(). */\n\
         #define SPSC_VERSION_NUMBER \\\n  \
         ((SPSC_VERSION_MAJOR << 16) | (SPSC_VERSION_MINOR << 8) | SPSC_VERSION_PATCH)\n\n\
         /** On functions whose result says whether their output was written. */\n\
         #if defined(__GNUC__)\n\
         #define SPSC_MUST_USE __attribute__((warn_unused_result))\n\
         #else\n\
         #define SPSC_MUST_USE\n\
         #endif\n\n\
         /** The defaults: spsc_options options = SPSC_OPTIONS_INIT; */\n\
         #define SPSC_OPTIONS_INIT {{ sizeof(spsc_options), 0600, 0, SPSC_SPIN_ADAPTIVE }}\n\n\
         /** The defaults: spsc_conn_options options = SPSC_CONN_OPTIONS_INIT; */\n\
         #define SPSC_CONN_OPTIONS_INIT \\\n  \
         {{ sizeof(spsc_conn_options), 0, 0, SPSC_SPIN_ADAPTIVE, 0600, 0, 128, 0 }}"
    )
}

fn generate() -> String {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut config =
        cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    config.after_includes = Some(macros());
    let mut header = Vec::new();
    let mut builder = cbindgen::Builder::new().with_config(config);
    let files = [
        "types",
        "lifecycle",
        "producer",
        "consumer",
        "message",
        "any",
        "wait_any",
        "conn",
        "cursor",
    ];
    for file in files {
        builder = builder.with_src(root.join(format!("src/ffi/{file}.rs")));
    }
    builder = builder.with_src(root.join("src/cursor.rs"));
    builder.generate().expect("the C interface can be expressed in C").write(&mut header);
    String::from_utf8(header).expect("the documentation is UTF-8")
}

#[test]
fn the_committed_header_is_what_the_source_says() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join("include/spsc_shm.h");
    let generated = generate();
    if std::env::var_os("SPSC_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("include/ can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/spsc_shm.h is out of date; refresh it with\n  \
         SPSC_UPDATE_HEADER=1 cargo test --test header"
    );
}
