# The C++ headers: their tests under g++ and, if there is one, the newest clang++; then the echo tests
# at full length.
source .ci/need.sh
need_package cmake cmake
need_package g++ g++
need_file /usr/include/gtest/gtest.h libgtest-dev

cargo build --release --lib
mapfile -t clangs < <(compgen -c clang++ | sort -Vu)
for compiler in g++ "${clangs[@]: -1}"; do
    build=build/cpp-$compiler
    cmake -S tests/cpp -B "$build" -DCMAKE_CXX_COMPILER="$compiler" \
        -DSPSC_SHM_LIBRARY="$PWD/target/release/libspsc_shm.a"
    cmake --build "$build" --parallel "$(nproc)"
    SPSC_ECHO_MESSAGES=5000 ctest --test-dir "$build" --output-on-failure
done
SPSC_ECHO_MESSAGES=500000 build/cpp-g++/echo_20 --gtest_filter='Echo.with_*'
SPSC_ECHO_MESSAGES=100000 build/cpp-g++/echo_20 --gtest_filter='Echo.in_lock_step'
