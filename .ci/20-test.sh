# The README's two commands; then the feature that they leave out, and descriptors in other hands.
source .ci/need.sh
need_package cc gcc
need_package c++ g++
cargo run --release --example transfer
cargo test
cargo test -p aio --target-dir target/aio

# Once more where children keep copies of every descriptor.
cc -shared -fPIC -O1 -Wall -Wextra -Werror -o target/forker.so tests/forker.c -lpthread
LD_PRELOAD=$PWD/target/forker.so cargo test --test connections --test lifecycle --test roles --test wait_any

cargo test --doc --features tokio --target-dir target/aio aio
