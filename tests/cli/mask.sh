#!/bin/bash
# graphattn mask: a graph, two pictures and a report of every variant that has a pattern; the figures of the spec's section
# on s2 and radial; token by token where the pattern is causal.
# shellcheck source=/dev/null disable=SC2086,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN
python=$(numpy_python)
if [ -z "$python" ]; then
    echo "no numpy"
    exit 77
fi

section s2
s2()
{
    expect 0 "$ga" mask s2 --causal "$@" --report -
}
s2 --set local_blocks=2 --set stride=8 --queries 1024 --heads 8
has reachable_pairs 524800
has tiles_visited 51
has coverage 1
has returning_keys 0
pairs=(176640 123392 127488 135680 143872 152064 160256 168448)
for head in "${!pairs[@]}"; do
    has "head_${head}_pairs" "${pairs[head]}"
done
# four heads have every second phase: half of the columns beyond the local blocks is missing
s2 --set local_blocks=2 --set stride=8 --queries 1024 --heads 4 --head 3
has head 3
awk -F '\t' '$1 == "coverage" && $2 > 0.61 && $2 < 0.62 { ok = 1 } END { exit !ok }' out || fail "coverage: $(grep coverage out)"
s2 --set local_blocks=2 --set stride=8 --queries 1024 --heads 8 --set homogeneous=1
grep -q '^head_0_pairs' out && fail "heads of one pattern told apart"
has imbalance 0
blocks=(2768 2670 2684 2698 2712 2726 2740 2754)
for head in 0 3 7 9; do
    s2 --set block=2 --set local_blocks=16 --set stride=8 --queries 256 --heads 32 --head $head --tile 2
    has tiles_visited "${blocks[head % 8]}"
done
s2 --set block=64 --set local_blocks=2 --set stride=4 --set dense_heads=1 --queries 1024 --heads 8 --head 7
has pairs 524800
has longest_row 1024

section radial
# radial WANTED SPARSITY ARGUMENTS...: blocks that are on, and their sparsity
radial()
{
    local on=$1 sparsity=$2
    shift 2
    expect 0 "$ga" mask radial --set form=block "$@" --tile 128 --report -
    has tiles_visited "$on"
    awk -F '\t' -v want="$sparsity" '$1 == "tile_sparsity" && ($2 - want) ^ 2 < 1e-10 { ok = 1 } END { exit !ok }' out ||
        fail "$(grep tile_sparsity out), expected $sparsity"
}
if [ "$slow" = 0 ]; then
    radial 83728 0.712867 --set frames=18 --set tokens_per_frame=3840 --set decay=0.2 --queries 69120
    has tiles 291600
    radial 76798 0.736632 --set frames=18 --set tokens_per_frame=3840 --set decay=0.2 --set near=0.5 --queries 69120
    radial 222452 0.725368 --set frames=30 --set tokens_per_frame=3840 --set decay=0.95 --set sink=0 --queries 115200
fi
radial 56226 0.713497 --set frames=21 --set tokens_per_frame=2700 --set decay=0.2 --queries 56700
has tiles 196249
radial 51976 0.735153 --set frames=21 --set tokens_per_frame=2700 --set decay=0.2 --set near=0.5 --queries 56700
while read -r frames tokens pairs; do
    expect 0 "$ga" mask radial --set frames=$frames --set tokens_per_frame=$tokens --set sink=0 \
        --queries $((frames * tokens)) --report -
    has video_pairs "$pairs"
    has pairs "$pairs"
    awk -F '\t' '$1 == "video_bound_share" && $2 > 0.5 && $2 < 0.62 { ok = 1 } END { exit !ok }' out ||
        fail "$frames x $tokens: $(grep bound_share out)"
    [ "$tokens" != 16 ] || for distance in "1 256" "2 184" "3 184" "4 100" "7 100" "8 46" "15 46"; do
        has "frame_distance_${distance% *}" "${distance#* }"
    done
done <<'END'
16 16 33424
16 64 564160
33 100 3896960
1024 16 5485456
END
# text behind the video is no part of it; the same by --pattern
expect 0 "$ga" mask full --pattern radial:frames=4,tokens_per_frame=8 --queries 40 --report -
has video_pairs 944
has pairs $((944 + 8 * 40 + 32 * 8))
has frames 4

section report
expect 0 "$ga" mask window --set window=2 --queries 3 --causal --report r.tsv
[ ! -s out ] || fail "the pattern is written too"
expect 0 "$ga" mask window --set window=2 --queries 3 --causal --report r.tsv -o g.txt --tile 2
cp r.tsv out
for row in "pairs 5" "shortest_row 1" "longest_row 2" "empty_rows 0" "reachable_pairs 6" "tiles 4" "tiles_visited 3" "tiles_full 1" \
    "covered_pairs 5" "tile_bound 1.3333333333333333"; do
    has "${row% *}" "${row#* }"
done
grep -q '^# Nodes: 3 Edges: 5' g.txt || fail "no graph beside the report"
expect 0 "$ga" mask window --set window=2 --queries 3 --report r.json --json -o x.svg
"$python" -c 'import json; r = json.load(open("r.json")); assert r["pairs"] == 5 and r["keys"] == 3' || fail "JSON"
# keys that come back: every second query sees the first key
printf '0\t0\n0\t2\n1\t1\n2\t2\n' >e.txt
expect 0 "$ga" mask graph --graph e.txt --queries 3 --report -
has returning_keys 1
expect 0 "$ga" mask full --queries 0 --keys 4 --report -
has density nan
expect 2 "$ga" mask full --queries 4 --tile 0 --report -
expect 1 "$ga" mask full --queries 4 --report /nonexistent/r -o left.txt
expect 2 "$ga" mask full --queries 4 --report same -o same
only r.tsv r.json g.txt x.svg e.txt

# what a variant of the static family needs to have a pattern of 16 queries; others need nothing
section variants
"$python" -c 'import numpy
make = numpy.random.default_rng(1)
for name in "qkv":
    numpy.save(name + ".npy", make.standard_normal((1, 2, 16, 4)).astype("f4"))
numpy.save("spans.npy", numpy.array([[4, 0], [0, 0.5]]))
numpy.save("map.npy", (make.random((1, 4, 4)) > 0.4).astype("u1"))
numpy.save("prior.npy", make.random((16, 2, 2)).astype("f4"))'
"$ga" mask window --set window=5 --queries 16 -o edges.txt
arguments()
{
    case $1 in
    overlap-window) echo "--set shape=4,4 --set window=2 --set overlap=1" ;;
    neighborhood | dina | shifted-window | maxvit-block) echo "--set shape=4,4 --set window=2" ;;
    maxvit-grid) echo "--set shape=4,4 --set grid=2" ;;
    halo) echo "--set shape=4,4 --set block=2 --set halo=1" ;;
    inward-window) echo "--set shape=2,2,4 --set half_window=1,1" ;;
    radial) echo "--set frames=3 --set tokens_per_frame=4" ;;
    moa) echo "--set block=2 --tensor spans=spans.npy --heads 2" ;;
    s2) echo "--set block=2 --set local_blocks=2 --heads 2" ;;
    block-sparse) echo "--set block_q=4 --set block_k=4 --tensor block_map=map.npy" ;;
    graph) echo "--graph edges.txt" ;;
    region) echo "--set shape=4,4 --set region=2 --set stride=2 --set keep=0.7 --tensor prior=prior.npy" ;;
    saliency-local) echo "--set shape=2,8 --set key_shape=4,16" ;;
    window) echo "--set window=5" ;;
    full | object | probe) ;;
    *) return 1 ;;
    esac
}
"$ga" variants | awk -F '\t' 'NR > 1 { print $1, $2 }' >list
[ "$(grep -c ' static$' list)" -ge 19 ] || fail "$(grep -c ' static$' list) static variants"
while read -r name family; do
    if [ "$family" = static ]; then
        words=$(arguments "$name") || fail "$name: unknown to this test"
    elif ! "$ga" mask "$name" --queries 16 -o x.txt 2>err; then
        # without a pattern by itself, in so many words
        grep -qE 'carries a state|chooses its keys|needs ' err || fail "$name: $(cat err)"
        continue
    else
        words=
    fi
    rm -f x.*
    [[ $words == *shape=* ]] || words+=" --queries 16"
    expect 0 "$ga" mask $name $words -o x.txt
    expect 0 "$ga" mask $name $words -o x.png
    expect 0 "$ga" mask $name $words -o x.svg
    expect 0 "$ga" mask $name $words --report r.tsv
    head -c 8 x.png | cmp -s - <(printf '\211PNG\r\n\032\n') || fail "$name: no PNG"
    "$python" -c 'import xml.etree.ElementTree as t; assert t.parse("x.svg").getroot().tag.endswith("svg")' || fail "$name: no SVG"
    edges=$(grep -vc '^#' x.txt)
    awk -F '\t' -v edges="$edges" '$1 == "pairs" && $2 == edges && edges > 0 { ok = 1 } END { exit !ok }' r.tsv ||
        fail "$name: $edges edges, $(grep '^pairs' r.tsv)"
    # the graph is the pattern again
    keys=$(awk -F '\t' '$1 == "keys" { print $2 }' r.tsv)
    expect 0 "$ga" mask full --pattern graph:x.txt --queries 16 --keys $keys -o y.txt
    same x.txt y.txt "$name as a graph"
done <list

# Token by token is the whole causal call, or is refused.
decoded=0
while read -r name family; do
    [ "$family" = static ] || continue
    words=$(arguments "$name" | sed 's/--heads [0-9]*//')
    expect 0 "$ga" variants "$name"
    if grep -q '^causal'$'\t'0 out || ! grep -q '^causal' out; then
        continue
    fi
    expect 0 "$ga" attend $name $words -Q q.npy -K k.npy -V v.npy --causal -o a.npy
    if "$ga" attend $name $words -Q q.npy -K k.npy -V v.npy --causal --decode -o b.npy 2>err; then
        "$python" -c 'import numpy; assert numpy.allclose(numpy.load("a.npy"), numpy.load("b.npy"), rtol=2e-5, atol=5e-6)' ||
            fail "$name token by token"
        decoded=$((decoded + 1))
    else
        says "$name cannot be decoded token by token"
    fi
done <list
[ "$decoded" -ge 4 ] || fail "$decoded variants were decoded"
finish
