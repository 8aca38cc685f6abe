#!/bin/bash
# graphattn bench growth: a line for every linear variant that carries a state, as text and as JSON.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
few=(--n 40 --heads 3 --dim 4 --reps 1)
expect 0 "$GRAPHATTN" bench growth "${few[@]}"
grep -q '^# backend .*, H=1 D=4, causal$' out || fail "first line: $(head -n 1 out)"
grep -v '^#' out | cut -f 1 >names
"$GRAPHATTN" variants | sed 1d | cut -f 1 | while read -r name; do
    "$GRAPHATTN" variants "$name" >one
    grep -q $'^carries_state\t1$' one && grep -q $'^family\tlinear$' one && echo "$name"
done >wanted
cmp -s names wanted || fail "variants: $(paste -s -d ' ' names)"
[ "$(wc -l <names)" -ge 15 ] || fail "$(wc -l <names) variants"
# lengths and places; the slope lies between those of no cost and of a cube; the last column is the quotient
grep -v '^#' out | awk -F '\t' 'NF != 11 { exit 1 }
    $2 != 40 || $3 != 10240 || $7 != 10 || $8 != 10240 { exit 1 }
    $4 < -1 || $4 > 3 || $5 <= 0 || $6 <= 0 || $9 <= 0 || $10 <= 0 { exit 1 }
    $11 < 0.99 * $10 / $9 || $11 > 1.01 * $10 / $9 { exit 1 }' || fail "lines: $(head -c 900 out)"
# less memory: shorter calls
expect 0 "$GRAPHATTN" bench growth "${few[@]}" --max-memory=400K --json -o table.json
if command -v python3 >/dev/null; then
    python3 -c 'import json
table = json.load(open("table.json"))
assert table["dim"] == 4
assert [row["variant"] for row in table["rows"]] == open("names").read().split()
for row in table["rows"]:
    assert row["shortest"] == 40 and row["longest"] in (40, 160, 640, 2560) and row["place"] == 10
    assert row["far_place"] == row["longest"]
    assert (row["slope"] is None) == (row["longest"] == 40)' || fail "JSON: $(head -c 900 table.json)"
fi
expect 1 "$GRAPHATTN" bench growth "${few[@]}" --max-memory=1K -o table
expect 1 "$GRAPHATTN" bench growth "${few[@]}" -o absent/table
[ ! -e table ] || fail "a table is left"
finish
