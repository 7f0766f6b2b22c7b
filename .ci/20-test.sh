# The README's two commands; then the feature that they leave out.
source .ci/need.sh
need_package cc gcc
need_package c++ g++
cargo run --release --example transfer
cargo test
cargo test -p aio --target-dir target/aio
cargo test --doc --features tokio --target-dir target/aio aio
