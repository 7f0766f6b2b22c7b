#!/usr/bin/env bash
# Checks the compiled fast path of AArch64: the library's functions, and those of
# spsc_shm_inline.h as the C compiler inlines them.
#
#   fast_path.sh LIBRARY     compares with fast_path.txt
#   SPSC_UPDATE_FIGURES=1 fast_path.sh LIBRARY     writes that down instead
#
# The own counter is stored with `stlr`, the other side's is loaded with `ldar` or `ldapr`, and
# nothing else orders memory: no barrier, no read-modify-write. The other side's parked word is
# loaded after the store. The number of instructions, on all ways through the function, may exceed
# the one that is written down by a tenth.
set -euo pipefail
cd "$(dirname "$0")/../.."
library=$1 figures=tests/aarch64/fast_path.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C

cat >"$work/inline.c" <<'C'
#include "spsc_shm_inline.h"

spsc_status inline_claim(spsc_ring *ring, spsc_cursor *cursor, size_t want, void **out_data)
{
    return spsc_inline_claim(ring, cursor, want, SPSC_WAIT_FOREVER, out_data);
}

spsc_status inline_publish(spsc_ring *ring, spsc_cursor *cursor, size_t n)
{
    return spsc_inline_publish(ring, cursor, n);
}

spsc_status inline_peek(spsc_ring *ring, spsc_cursor *cursor, size_t want, const void **out_data)
{
    return spsc_inline_peek(ring, cursor, want, SPSC_WAIT_FOREVER, out_data);
}

spsc_status inline_release(spsc_ring *ring, spsc_cursor *cursor, size_t n)
{
    return spsc_inline_release(ring, cursor, n);
}
C
aarch64-linux-gnu-gcc -std=c11 -O2 -Wall -Wextra -Werror -Iinclude -c "$work/inline.c" -o "$work/inline.o"

# FUNCTION, how many instructions, and those that order memory or compare and swap.
describe() {
    aarch64-linux-gnu-objdump --disassemble --no-show-raw-insn "$1" |
        awk -F'\t' -v prefix="$2" '
            /^[0-9a-f]+ <.*>:$/ { name = $0; gsub(/.*<|>:/, "", name); next }
            name !~ "^" prefix "(claim|publish|peek|release)$" || NF < 2 || $2 == "nop" { next }
            { count[name] += 1 }
            $2 ~ /^(stl|lda|dmb|dsb|isb|ldx|stx|cas|swp|ldadd|ldclr|ldset|ldeor)/ {
                sub(/^ldap?u?r$/, "ldar", $2)
                order[name] = order[name] " " $2
            }
            $2 == "stlr" { stored[name] = 1 }
            # The offsets of the parked words: docs/PROTOCOL.md. Inline, an address of its own.
            stored[name] && !parked[name] && $2 == "ldr" && (prefix ~ /inline/ || $3 ~ /#(384|512)\]/) {
                order[name] = order[name] " parked"
                parked[name] = 1
            }
            END { for (name in count) print name, count[name] order[name] }' |
        sort
}
{ describe "$library" spsc_; describe "$work/inline.o" inline_; } >"$work/now"
[[ -z ${SPSC_UPDATE_FIGURES:-} ]] || cp "$work/now" "$figures"

# Whatever is written down, this is what has to be there.
wrong=0
[[ $(wc -l <"$work/now") == 8 ]] || wrong=1
while read -r name instructions order; do
    case $name in
    *claim | *peek) expected="ldar" ;;
    *) expected="stlr parked" ;;
    esac
    before=$(awk -v name="$name" '$1 == name { print $2 }' "$figures")
    echo "$name: $instructions instructions, of which $order; committed: $before"
    [[ $order == "$expected" ]] || { echo "$name must have: $expected" >&2; wrong=1; }
    ((instructions * 10 <= before * 11)) || { echo "$name has grown by more than a tenth" >&2; wrong=1; }
done <"$work/now"
exit $wrong
