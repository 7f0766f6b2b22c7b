# Each language's producer with each language's consumer.
source .ci/need.sh
need_package g++ g++
need_go
cargo test --test interop -- --ignored
