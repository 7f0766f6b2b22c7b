# What users of the crate and packagers meet: the oldest compiler and the oldest dependencies, the
# package itself, the dependencies' licences, and the Rust interface beside the one written down.
#
#   SPSC_UPDATE_API=1 .ci/run 12     writes the interface down instead

version() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml | head -1; }

# It is there afterwards, or this step fails.
need_toolchain() {
    rustup run "$1" rustc --version 2>/dev/null ||
        rustup toolchain install --profile minimal --no-self-update "$1" >/dev/null
}

oldest=$(version rust-version)
echo "--- Rust $oldest"
need_toolchain "$oldest"
for features in --all-features --no-default-features; do
    cargo "+$oldest" check --locked -p spsc-shm --lib $features \
        --target-dir target/oldest
done

echo "--- the package, and its oldest dependencies"
# In a directory of its own: cargo would take what it builds from the unpacked package for builds of
# this tree, and not build them again when a file changes here.
cargo package -p spsc-shm --allow-dirty --target-dir target/oldest
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xf "target/oldest/package/spsc-shm-$(version version).crate" -C "$work" --strip-components 1
(
    cd "$work"
    # Minimal versions are an unstable option, which asks for a nightly cargo or for one that is told
    # to be.
    # Without the feature, whose dependencies ask for later versions of the library's own.
    sed -i '/^\[\(dev-\)\?dependencies.tokio\]/,/^$/d; /^tokio = /d' Cargo.toml
    RUSTC_BOOTSTRAP=1 cargo update -Zdirect-minimal-versions
    cargo check --lib
)

echo "--- the dependencies' licences and sources"
if ! command -v cargo-deny >/dev/null; then
    # Unoptimised: that takes a minute, and it has little to do.
    cargo install --quiet --locked --debug --root "$work/tools" cargo-deny@0.20.2
    export PATH=$work/tools/bin:$PATH
fi
cargo deny --locked check bans licenses sources
cargo deny --locked --workspace check licenses sources

echo "--- the Rust interface"
# The form of rustdoc's JSON changes with the compiler: this is the one that tools/api reads.
json_compiler=1.95.0
need_toolchain $json_compiler
RUSTC_BOOTSTRAP=1 cargo +$json_compiler rustdoc --quiet -p spsc-shm --lib --features tokio \
    --target-dir target/api -- -Zunstable-options --output-format json
cargo test --quiet -p api
cargo run --quiet -p api target/api/doc/spsc_shm.json docs/abi/spsc_shm-rust.txt
