# Models of the waiting protocol: loom on the real code, and a search with store buffers.
RUSTFLAGS="--cfg loom" CARGO_PROFILE_RELEASE_LTO=off \
    cargo test --release --lib --target-dir target/loom models
cargo test --test membarrier_model -- --nocapture
