# The library's own memory: under AddressSanitizer while a hostile peer writes what it likes, and
# under valgrind's memcheck through the C programs and failing system calls.
source .ci/need.sh
need_package valgrind valgrind

# The sanitizers ask for a nightly compiler, or for one that is told to be.
target=$(rustc -vV | sed -n 's/^host: //p')
RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address ASAN_OPTIONS=detect_leaks=0 \
    cargo test --target "$target" --target-dir target/asan --test crashes -- \
    hostile --corruptions 100000

memcheck() {
    valgrind --quiet --vgdb=no --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite "$@"
}

cargo build
mkdir -p target/memcheck
cc -std=c11 -Wall -Wextra -Werror -g -Iinclude tests/memcheck.c target/debug/libspsc_shm.a \
    -lpthread -ldl -lm -o target/memcheck/memcheck
memcheck target/memcheck/memcheck

need_package cmake cmake
need_package jq jq
cmake -S c_tests -B target/memcheck/c_tests -DCMAKE_BUILD_TYPE=Debug \
    -DSPSC_SHM_LIBRARY="$PWD/target/debug/libspsc_shm.a"
cmake --build target/memcheck/c_tests --parallel 2
# Without test_open: valgrind keeps descriptors of its own, and refuses the limit that it sets.
ctest --test-dir target/memcheck/c_tests --exclude-regex '^test_open' --show-only=json-v1 |
    jq -r '.tests[].command | @sh' |
    while read -r command; do
        echo "memcheck: $command"
        # A script's own shell leaks; what it starts is checked for all else.
        leaks=definite
        [[ $command != *.sh* ]] || leaks=none
        eval "memcheck --trace-children=yes --errors-for-leak-kinds=$leaks $command" </dev/null
    done
