# The tool: format, lints, and each verb in a test with real processes.
cd tools/spsc
cargo fmt --check
cargo clippy --quiet --locked --all-targets -- -D warnings
cargo test --quiet --locked
