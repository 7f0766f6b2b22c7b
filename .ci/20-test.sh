# The README's two commands.
source .ci/need.sh
need_package cc gcc
need_package c++ g++
cargo run --release --example transfer
cargo test
