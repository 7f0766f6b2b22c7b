//! Gives the shared library its SONAME. Nothing is generated here: the C header is committed, and
//! `tests/header.rs` both checks and refreshes it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let major = std::env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets the package version");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libspsc_shm.so.{major}");
}
