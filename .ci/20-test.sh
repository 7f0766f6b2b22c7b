# The README's two commands.
cargo run --release --example transfer
cargo test
