#!/bin/bash
# graphattn bench variants: every static pattern has a line, with the densities that its definition gives.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
small=(bench variants --family static --n 512 --reps 1 --heads 1 --dim 8)
expect 0 "$GRAPHATTN" "${small[@]}" -o lines.tsv
sed -n 2p lines.tsv | grep -qx '# pattern'$'\t''parameters'$'\t''density'$'\t''tile_density'$'\t''seconds'$'\t''dense_seconds'$'\t''of_tiles' ||
    fail "header: $(sed -n 2p lines.tsv)"
grep -v '^#' lines.tsv >rows
# line PATTERN PARAMETERS DENSITY TILE_DENSITY
line()
{
    grep -qx "$1"$'\t'"$2"$'\t'"$3"$'\t'"$4"$'\t'".*" rows || fail "no line $*"
}
line full 'causal=0' 1 1
line full 'causal=1' 0.5005 0.5312
line maxvit-block 'shape=64,16 window=8 causal=0' 0.0625 0.0625
line maxvit-grid 'shape=64,16 grid=8 causal=0' 0.0625 1
line graph 'causal=0' 0.03125 1
for name in $("$GRAPHATTN" variants | awk -F '\t' '$2 == "static" { print $1 }'); do
    "$GRAPHATTN" variants "$name" | grep -qx "is_pattern"$'\t'1 || continue
    cut -f 1 rows | grep -qx "$name" || fail "no line of $name"
done
awk -F '\t' '!($5 > 0 && $6 > 0 && $7 > 0) { print; bad = 1 } END { exit bad }' rows || fail "a number that is not positive"
# of_tiles = seconds / (dense_seconds * tile_density), of four digits each
awk -F '\t' '{ want = $5 / ($6 * $4); if (($7 - want) ^ 2 > (0.002 * want) ^ 2) { print; bad = 1 } } END { exit bad }' rows ||
    fail "of_tiles"
expect 0 "$GRAPHATTN" "${small[@]}" --json
python3 -c 'import json; r = json.load(open("out")); assert r["tokens"] == 1024 and len(r["rows"]) > 15' || fail "JSON"
expect 2 "$GRAPHATTN" bench variants --n 500 -o left.tsv
says "--n: found 500, expected a multiple of 512 for variants"
expect 2 "$GRAPHATTN" bench variants --family linear -o left.tsv
says "--family"
[ -e left.tsv ] && fail "something is left of a run that failed"
finish
