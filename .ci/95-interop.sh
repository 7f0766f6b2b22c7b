# Each language's producer with each language's consumer, and the README's programs likewise.
source .ci/need.sh
need_package g++ g++
need_package git git
need_package readelf binutils
need_go
need_node
need_python
need_java
cargo test --test interop --test readme -- --ignored
