# The measuring tool and the benchmarks, only to see that they work: no figure is asserted.
# benches/peers is not built, as what it depends on takes longer than all of this.
cargo bench -p benches --no-run
cargo build --release -p measure
cargo test --release -p spsc-shm-harness -p measure
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
timeout 1200 cargo run --release -p measure -- --quick --rounds 1 --sizes 8,4096 \
    --json "$out/figures.json" --svg "$out" --markdown "$out/tables.md"
for file in figures.json latency.svg throughput.svg tables.md; do
    [[ -s $out/$file ]] || { echo "measure wrote no $file" >&2; exit 1; }
done

# A build against a copy of itself.
cargo build --release -p spsc-shm
cp target/release/libspsc_shm.so "$out/copy.so"
timeout 1200 cargo run --release -p measure -- ab --seconds 5 --json "$out/ab.json" \
    target/release/libspsc_shm.so "$out/copy.so" | tee "$out/ab.md"
grep -q '[1-9][0-9]* rows, of which' "$out/ab.md" || { echo "ab measured no row" >&2; exit 1; }
[[ -s $out/ab.json ]] || { echo "ab wrote no JSON" >&2; exit 1; }

# A connection beside rings and sockets.
timeout 1200 cargo run --release -p measure -- connections --rows 3 | grep -F '| accepted, a connection |'
