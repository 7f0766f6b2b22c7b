# The C tests under ctest, against the release build of either library.
source .ci/need.sh
need_package cmake cmake
need_package ctest cmake
cargo build --release --lib
for library in so a; do
    cmake -S c_tests -B target/ctest-$library -DSPSC_SHM_LIBRARY="$PWD/target/release/libspsc_shm.$library"
    cmake --build target/ctest-$library --parallel "$(nproc)"
    ctest --test-dir target/ctest-$library --output-on-failure --no-tests=error --parallel "$(nproc)"
done
