# Format and lints, warnings denied. What takes long to build, or needs more than Rust, is not looked
# at here: benches/peers and fuzz.
for test in tests/*.rs; do
    grep -qF "path = \"$(basename "$test")\"" tests/Cargo.toml ||
        { echo "tests/Cargo.toml lacks $test, which would never run" >&2; exit 1; }
done
cargo fmt --all --check
cargo clippy --workspace --exclude peers --exclude spsc-shm-fuzz --all-targets -- -D warnings
cargo clippy -p spsc-shm --no-default-features -- -D warnings
cargo clippy -p spsc-shm --features tokio --target-dir target/aio -- -D warnings
RUSTFLAGS="--cfg loom" cargo clippy --lib --target-dir target/loom -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --features tokio
