# AArch64: the tests that need no compiler, the C programs, and the crash and parking campaigns, on
# an emulated machine with Debian's kernel; and the instructions of the fast path.
#
#   SPSC_UPDATE_FIGURES=1 .ci/run 44     writes the instructions down instead
#   SPSC_ONLY=waiting .ci/run 44         runs what has this in its command line, and nothing else
#
# docs/TESTING.md, "AArch64".
source .ci/need.sh
if [[ $(uname -m) == aarch64 ]]; then
    echo "the other steps do this here"
    exit
fi
target=aarch64-unknown-linux-gnu
build=$PWD/target/aarch64

echo "--- tools"
need_package jq jq
need_package cmake cmake
need_package cpio cpio
need_package aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
need_package qemu-system-aarch64 qemu-system-arm
if [[ ! -d $(rustc --print sysroot)/lib/rustlib/$target ]]; then
    # Debian has a current Rust for its own browsers, with the standard library for other
    # architectures.
    need_architecture arm64
    need_file /usr/bin/rustc rustc-web
    need_file "/usr/lib/rustlib/$target/lib" libstd-rust-web-dev:arm64
    export RUSTC=/usr/bin/rustc
fi
machine=$build/machine
if [[ ! -e $machine/bin/busybox ]]; then
    need_architecture arm64
    update_packages
    kernel=$(apt-cache depends linux-image-arm64:arm64 | sed -n 's/.*Depends: \(linux-image-\)/\1/p')
    rm -rf "$machine"
    mkdir -p "$machine"
    (
        cd "$machine"
        # Unpacked only: nothing of it is to be installed on this machine.
        apt-get download -qq -o APT::Sandbox::User=root "$kernel" busybox-static:arm64
        for package in *.deb; do dpkg -x "$package" .; done
        rm -- *.deb
    )
fi

echo "--- programs"
# Optimised a little, because emulation is slow, and with all assertions.
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0
cargo() { command cargo "$@" --target $target --target-dir "$build"; }
cargo test --no-run --message-format=json >"$build/tests.json"
cargo build -p parking
cargo build -p spsc-shm --example transfer
# The library as it is shipped, installed as docs/INSTALL.md says.
toolchain=-DCMAKE_TOOLCHAIN_FILE=$PWD/cmake/aarch64-linux-gnu.cmake
installed=$build/installed
cmake -S . -B "$build/cmake" "$toolchain" -DCMAKE_INSTALL_PREFIX="$installed" \
    -DSPSC_SHM_RUSTC="$(command -v "${RUSTC:-rustc}")" >/dev/null
cmake --build "$build/cmake" --target install >/dev/null

echo "--- the fast path's instructions"
tests/aarch64/fast_path.sh "$installed/lib/libspsc_shm.so"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
# Puts files where they lie here, so that paths mean the same there.
place() {
    local file
    for file in "$@"; do
        install -D "$file" "$root$file"
        # What only a debugger reads is most of it, and unpacked slowly.
        [[ $file == *.sh ]] || aarch64-linux-gnu-strip --strip-debug "$root$file"
    done
}
run() { echo "$*" >>"$root/list"; }

mkdir -p "$root/proc" "$root/dev" "$root/bin" "$root/lib"
ln -s lib "$root/lib64"
cp "$machine/bin/busybox" "$root/bin"
cp -L /usr/aarch64-linux-gnu/lib/{ld-linux-aarch64.so.1,libc.so.6,libm.so.6,libgcc_s.so.1,libstdc++.so.6} \
    "$root/lib"
cp tests/aarch64/{init,cc} "$root"
cross() { aarch64-linux-gnu-gcc -std=gnu11 -O2 -Wall -Wextra -Werror -Iinclude "$@"; }
cross -static tests/aarch64/end.c -o "$root/end"

# Compile programs themselves, look at files of the source tree, or search a model of processors.
at_home=" abi c_programs examples header interop readme membarrier_model "
while read -r name program; do
    case "$at_home" in *" $name "*) continue ;; esac
    place "$program"
    case $name in
    crashes)
        run "$program" --exact kills --kills 40
        run "$program" --exact messages --kills 40
        run "$program" --exact large --mib 16
        run "$program" --exact forks --processes 2 --roles 40
        run "$program" --exact hostile --corruptions 20000
        run "$program" --exact hygiene --cycles 100
        run "$program" --exact connections --kills 20
        run "$program" --exact crowd --cycles 200 --clients 50
        run "$program" --exact rivals orphans --rounds 5
        run "$program" --exact full-memory pid-namespaces connection-namespaces other-user
        ;;
    *) run "$program" ;;
    esac
done < <(jq -r 'select(.profile.test? and .executable) | "\(.target.name) \(.executable)"' "$build/tests.json")
[[ $(wc -l <"$root/list") -gt 12 ]]
# Each part of the crash tests is run, unless it traces processes, which only x86-64 can yet.
sed -n 's/.*Part { name: "\([^"]*\)".*/\1/p' tests/crashes/main.rs | grep -vxE 'steps|failures|replacing|handshakes' |
    while read -r part; do
        grep -q " --exact.* $part\b" "$root/list" || { echo "$part is not run" >&2; exit 1; }
    done

for library in so a; do
    built=$build/ctest-$library
    cmake -S c_tests -B "$built" "$toolchain" \
        -DSPSC_SHM_LIBRARY="$installed/lib/libspsc_shm.$library" \
        -DCMAKE_C_FLAGS=-DROUNDS=500 -DCMAKE_CXX_FLAGS=-DROUNDS=500 >/dev/null
    cmake --build "$built" --parallel "$(nproc)" >/dev/null
    ctest --test-dir "$built" --show-only=json-v1 >"$work/ctest.json"
    [[ $(jq '.tests | length' "$work/ctest.json") -gt 12 ]]
    place "$PWD/c_tests/pair.sh" "$built"/*_{c,cpp}
    [[ $library == a ]] || place "$built"/libspsc_shm.so.*
    # The static library from C alone, as emulation is slow.
    [[ $library == a ]] && left_out=_cpp || left_out=none
    jq -r '.tests[].command | join(" ")' "$work/ctest.json" | grep -v "$left_out" >>"$root/list"
done

parking=$build/$target/debug/parking
place "$parking"
run "$parking" stress 5000
for side in producer consumer both; do
    for refused in registration barrier membarrier; do
        run "$parking" stress 300 $refused $side
    done
done
run "$parking" doorbell 3000
for side in server client both; do
    run "$parking" doorbell 300 barrier $side
done
run "$parking" idle 3

# The README's, with a receiver that is compiled already.
transfer=$build/$target/debug/examples/transfer
sent=$build/$target/debug/deps/libspsc_shm.a
place "$transfer" "$sent"
cross examples/transfer/receiver.c "$sent" -lpthread -ldl -lm -o "$root/receiver"
run CC=/cc "$transfer"

if [[ -n ${SPSC_ONLY:-} ]]; then
    grep -e "$SPSC_ONLY" "$root/list" >"$work/list"
    mv "$work/list" "$root/list"
fi

echo "--- the machine"
(cd "$root" && find . | cpio --create --format newc --quiet --owner 0:0) >"$work/initramfs"
code=0
timeout 1800 qemu-system-aarch64 -M virt -cpu max -smp 2 -accel tcg,thread=multi -m 2G -nic none \
    -display none -serial stdio -no-reboot \
    -semihosting-config enable=on,target=native,userspace=on \
    -kernel "$machine"/boot/vmlinuz-* -initrd "$work/initramfs" \
    -append "console=ttyAMA0 quiet panic=-1" </dev/null || code=$?
# See tests/aarch64/init.
((code == 42)) || { echo "the machine ended with $code" >&2; exit 1; }
