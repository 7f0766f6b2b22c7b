# Format and lints, warnings denied.
cargo fmt --all --check
cargo clippy --all-targets -- -D warnings
RUSTFLAGS="--cfg loom" cargo clippy --lib --target-dir target/loom -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
