//! Compiles the inline header's functions for the tests that drive rings through them.

fn main() {
    println!("cargo::rerun-if-changed=inline/shim.c");
    println!("cargo::rerun-if-changed=../include");
    cc::Build::new()
        .file("inline/shim.c")
        .include("../include")
        .std("c11")
        .opt_level(2)
        .warnings_into_errors(true)
        .extra_warnings(true)
        .compile("spsc_inline_shim");
}
