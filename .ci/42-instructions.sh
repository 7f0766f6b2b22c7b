# Instructions of the fast path through the C interface, compared with the committed figures.
#
#   SPSC_UPDATE_FIGURES=1 .ci/run 42     writes the figures instead
source .ci/need.sh
need_package gcc gcc
need_package valgrind valgrind
cargo build --release --lib

figures=benches/callgrind/figures.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp target/release/libspsc_shm.so "$work/libspsc_shm.so.0"
gcc -O2 -Wall -Wextra -Werror -Iinclude -o "$work/hot_path" benches/callgrind/hot_path.c \
    "$work/libspsc_shm.so.0" -Wl,-rpath,"$work"

# Instructions of each function alone and of all, in a run of this many rounds: by calls, inline, or messages.
count() {
    valgrind --quiet --tool=callgrind --callgrind-out-file="$work/out" "$work/hot_path" "$@"
    callgrind_annotate --threshold=100 "$work/out" |
        sed -n -E 's/,//g; s/^ *([0-9]+) .*(PROGRAM TOTALS).*/\1 total/p
            s/^ *([0-9]+) .*:(spsc_(claim|publish|peek|release|send|receive|receive_done))( .*)?$/\1 \2/p
            s/^ *([0-9]+) .*_spinning.*/\1 spinning/p' |
        awk -v how="$1" '{ sum[$2] += $1 } END { for (name in sum) print how "/" name, sum[name] }'
}

few=10000 many=110000
for how in calls inline messages; do
    count $how $few >>"$work/few"
    count $how $many >>"$work/many"
done
join <(sort "$work/few") <(sort "$work/many") |
    awk -v rounds=$((many - few)) '$3 != $2 { printf "%s %.1f\n", $1, ($3 - $2) / rounds }' >"$work/now"

if [[ -n ${SPSC_UPDATE_FIGURES:-} ]]; then
    cp "$work/now" "$figures"
fi
echo "instructions a round: committed, now"
join "$figures" "$work/now" | tee "$work/both"
# The totals, with the caller's own loop, may grow by a tenth.
awk '$1 ~ "total" { found += 1; if ($3 > $2 * 1.1) exit 1 } END { if (found != 3) exit 1 }' "$work/both" || {
    echo "the fast path has grown by more than a tenth" >&2
    exit 1
}

# What it takes to tell one consumer of many rings about a message: by this library, and by a bell that
# the rings have in common.
gcc -O2 -Wall -Wextra -Werror -Iinclude -o "$work/many" benches/callgrind/many.c \
    "$work/libspsc_shm.so.0" -Wl,-rpath,"$work"
count_work() {
    valgrind --quiet --tool=callgrind --toggle-collect=work --callgrind-out-file="$work/out" \
        "$work/many" "$@" >"$work/many-printed"
    sed -n 's/^summary: //p' "$work/out"
}
echo "instructions a message, and ns: producer with a bell or none, consumer of many rings"
for what in "none 1" "none 8" "counter 8" "eventfd 8" "any 1" "any 8" "any 64" "any 127"; do
    few=$(count_work $what 3200) many=$(count_work $what 35200)
    ns=$("$work/many" $what 320000)
    awk -v what="$what" -v n=$((many - few)) -v ns="$ns" 'BEGIN { printf "%-10s %7.1f %7.1f\n", what, n / 32000, ns }'
done | tee "$work/bells"
# The producer's way is the same, however many rings its consumer waits for.
awk '$1 == "none" { ways[$3] } END { exit length(ways) != 1 }' "$work/bells" || {
    echo "a producer pays for its consumer's other rings" >&2
    exit 1
}
