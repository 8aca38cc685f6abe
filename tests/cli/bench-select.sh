#!/bin/bash
# graphattn bench select: a line for every variant that selects from a cache, then the growth of the search.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
few=(--keys 2048 --heads 4 --dim 4 --reps 1)
expect 0 "$GRAPHATTN" bench select "${few[@]}"
grep -q '^# backend .*, 2048 keys of f16, H=4 G=1 D=4, budget 64$' out || fail "first line: $(head -n 1 out)"
grep -v '^#' out | grep -v -e '^search' -e '^exponent' >lines
cut -f 1 lines | sort -u >names
printf '%s\n' ada-snapkv block-topk dhsa flexprefill hip landmark quest recycled snapkv vertical-slash >wanted
cmp -s names wanted || fail "variants: $(paste -s -d ' ' names)"
grep -q $'^quest\tblock=16,budget=64,group_reduce=max\t' lines || fail "parameters: $(head -n 1 lines)"
grep -q $'^hip\ttop_k=32,window=32,block_k=64,stride_k=16,reuse=8\t' lines || fail "no line with one choice for 8 steps"
# speedup and share are quotients of the seconds
awk -F '\t' 'function near(a, b) { return a >= 0.99 * b && a <= 1.01 * b + 1e-9 }
    NF != 8 || $3 < 0 || $4 <= 0 || $5 < $4 || $6 <= 0 || !near($7, $6 / $5) || !near($8, $3 / $5) { print; bad = 1 }
    END { exit bad }' lines || fail "numbers"
grep -q $'^search\t2048\t' out || fail "search: $(tail -n 2 out)"
grep -qx $'exponent\t-\t-' out || fail "exponent: $(tail -n 1 out)"
expect 0 "$GRAPHATTN" bench --task select --keys 16384 --heads 1 --dim 4 --reps 1 --json -o table.json
python3 -c 'import json
table = json.load(open("table.json"))
assert table["keys"] == 16384 and table["kv_heads"] == 1 and table["budget"] == 512
assert [row["tokens"] for row in table["search"]] == [8192, 16384]
assert table["exponent"] > table["exponent_without_log"] > 0
for row in table["rows"]:
    assert row["seconds"] > 0 and row["dense"] > 0' || fail "JSON"
expect 0 "$GRAPHATTN" bench select --keys 1 --heads 3 --dim 2 --reps 1
grep -q 'H=3 G=3 D=2, budget 1$' out || fail "first line: $(head -n 1 out)"
grep -q '^snapkv' out && fail "snapkv with a budget below its window"
expect 2 "$GRAPHATTN" bench select --keys 0
expect 1 "$GRAPHATTN" bench select "${few[@]}" -o absent/table
finish
