#!/bin/bash
# graphattn bench crossover: a line for every linear variant that carries a state, as text and as JSON.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
few=(--n 100 --heads 2 --dim 4 --reps 1)
expect 0 "$GRAPHATTN" bench crossover "${few[@]}"
grep -q '^# backend .*, N up to 100, H=2 D=4, causal$' out || fail "first line: $(head -n 1 out)"
grep -v '^#' out | cut -f 1 >names
"$GRAPHATTN" variants | sed 1d | cut -f 1 | while read -r name; do
    "$GRAPHATTN" variants "$name" >one
    grep -q $'^carries_state\t1$' one && grep -q $'^family\tlinear$' one && echo "$name"
done >wanted
cmp -s names wanted || fail "variants: $(paste -s -d ' ' names)"
[ "$(wc -l <names)" -ge 15 ] || fail "$(wc -l <names) variants"
# faster_from is one of the lengths; its crossing is not above it; speedup is the quotient of the seconds
grep -v '^#' out | awk -F '\t' 'NF != 6 { exit 1 }
    $2 != "-" && $2 != 64 && $2 != 100 { exit 1 }
    $3 != "-" && ($2 == "-" || $3 > $2 + 1 || $3 < 63) { exit 1 }
    $4 <= 0 || $5 <= 0 || $6 < 0.99 * $5 / $4 || $6 > 1.01 * $5 / $4 { exit 1 }
    ($2 != "-") != ($6 > 1) && ($6 < 0.999 || $6 > 1.001) { exit 1 }' || fail "lines: $(head -c 600 out)"
expect 0 "$GRAPHATTN" bench --task crossover "${few[@]}" --json -o table.json
if command -v python3 >/dev/null; then
    python3 -c 'import json
table = json.load(open("table.json"))
assert table["n"] == 100 and table["heads"] == 2 and table["dim"] == 4
assert [row["variant"] for row in table["rows"]] == open("names").read().split()
for row in table["rows"]:
    assert row["faster_from"] in (None, 64, 100) and row["seconds"] > 0' || fail "JSON"
fi
expect 2 "$GRAPHATTN" bench nothing
says 'no task "nothing"'
expect 2 "$GRAPHATTN" bench crossover --task scan
says "the task is given twice"
expect 2 "$GRAPHATTN" bench crossover scan
expect 1 "$GRAPHATTN" bench crossover "${few[@]}" -o absent/table
expect 1 "$GRAPHATTN" bench crossover --n 100000 --max-memory=1M -o table
[ ! -e table ] || fail "a table is left"
finish
