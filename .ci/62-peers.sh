# The comparison with other queues compiles. It is not run: docs/PERFORMANCE.md has its figures.
source .ci/need.sh
need_package clang++-19 clang-19
need_file /usr/lib/llvm-19/lib/libclang-19.so.19 libclang1-19
CXX=clang++-19 LIBCLANG_PATH=/usr/lib/llvm-19/lib cargo clippy -p peers --all-targets -- -D warnings
