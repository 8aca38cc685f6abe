#!/bin/bash
# graphattn attend, mask and variants: what goes in and out, what is refused, and that nothing is left then.
# shellcheck source=/dev/null disable=SC2154,SC2016
. "$(dirname "$0")/lib.sh"

# npy SHAPE <NUMBERS: f4 numbers, one a line, as a NumPy file on standard output
npy()
{
    printf '\223NUMPY\1\0\166\0%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': ($1), }"
    awk '# the bytes of a float, by its definition
        function byte(value) { printf "\\%03o", value }
        {
            sign = $1 < 0; x = sign ? -$1 : $1; e = 0; bits = 0
            if (x > 0) {
                while (x >= 2) { x /= 2; e++ }
                while (x < 1) { x *= 2; e-- }
                bits = int((x - 1) * 8388608 + 0.5)
                exponent = e + 127
            } else {
                exponent = 0
            }
            byte(bits % 256); byte(int(bits / 256) % 256)
            byte(int(bits / 65536) + exponent % 2 * 128); byte(sign * 128 + int(exponent / 2))
        }' | { read -r -d '' bytes || :; printf '%b' "$(printf '%s' "$bytes" | sed 's/\\/\\0/g')"; }
}
# numbers N SEED: some numbers between -1 and 1 that f4 holds exactly
numbers()
{
    awk -v n="$1" -v s="$2" 'BEGIN { for (i = 0; i < n; i++) { s = (s * 75 + 74) % 65537; print s / 32768 - 1 } }'
}
# values FILE: its f4 numbers, one a line
values()
{
    tail -c +129 "$1" | od -An -v -w4 -t f4 | tr -d ' '
}
inputs()
{
    numbers 48 1 | npy '1, 2, 6, 4' >q.npy
    numbers 24 2 | npy '1, 1, 6, 4' >k.npy
    numbers 24 3 | npy '1, 1, 6, 4' >v.npy
}
attend()
{
    expect "$1" "$GRAPHATTN" attend "${@:2}" -Q q.npy -K k.npy -V v.npy
}

section numbers
echo 1.5 | npy '1,' >one.npy
[ "$(values one.npy)" = 1.5 ] || fail "the test's own numbers: $(values one.npy)"
inputs
attend 0 full -o o.npy --return lse=lse.npy --return map=map.npy --return stats=stats.npy --return argmax=argmax.npy
only q.npy k.npy v.npy one.npy o.npy lse.npy map.npy stats.npy argmax.npy
# o and the statistics by their definitions, from what came out and in
values map.npy >map
values v.npy >v
values o.npy >o
values stats.npy >stats
values lse.npy >lse
awk -v OFS='\t' '
    FILENAME == "map" { map[FNR - 1] = $1 } FILENAME == "v" { v[FNR - 1] = $1 } FILENAME == "o" { o[FNR - 1] = $1 }
    FILENAME == "stats" { stats[FNR - 1] = $1 } FILENAME == "lse" { lse[FNR - 1] = $1 }
    function far(a, b) { return a - b > 1e-5 || b - a > 1e-5 }
    END {
        for (row = 0; row < 12; row++) {
            sum = entropy = most = 0
            for (j = 0; j < 6; j++) {
                w = map[6 * row + j]; sum += w; entropy -= w * log(w); if (w > most) most = w
            }
            if (far(sum, 1) || far(stats[3 * row], lse[row]) || far(stats[3 * row + 1], entropy) ||
                far(stats[3 * row + 2], most)) { print "row " row ": " sum, entropy, most; exit 1 }
            for (c = 0; c < 4; c++) {
                got = 0
                for (j = 0; j < 6; j++) got += map[6 * row + j] * v[4 * j + c]
                if (far(got, o[4 * row + c])) { print "o " row " " c ": " got; exit 1 }
            }
        }
    }' map v o stats lse || fail "o and statistics"
head -c 128 argmax.npy | grep -q "'<i4'" || fail "argmax is not i4"
head -c 128 o.npy | grep -q "(1, 2, 6, 4)" || fail "shape of o"

section precisions
inputs
attend 0 full -o a.npy
"$GRAPHATTN" attend full -Q q.npy -K k.npy -V v.npy >b.npy
same a.npy b.npy "standard output"
attend 0 full -o wide.npy --precision f64
head -c 128 wide.npy | grep -q "'<f8'" || fail "f64 output"
attend 0 full -o rounded.npy --precision bf16
paste <(values a.npy) <(values rounded.npy) |
    awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > most) most = d } END { exit !(most > 0 && most < 0.02) }' ||
    fail "bf16"
for threads in 1 2 3; do
    attend 0 full -o t.npy -@ $threads
    same a.npy t.npy "threads"
done

section composed
inputs
attend 0 window --set window=3 --causal -o a.npy
attend 0 full --pattern window:window=3 --causal -o b.npy
same a.npy b.npy "pattern of its own"
attend 0 full -o a.npy
attend 0 full --normaliser softmax -o b.npy
same a.npy b.npy "normaliser of its own"
attend 0 sigmoid -o a.npy
attend 0 full --normaliser sigmoid -o b.npy
same a.npy b.npy "sigmoid"
# a pattern by name is the same pattern as a graph
for p in window:window=3,sinks=1 neighborhood:shape=2x3,window=1x3 full; do
    expect 0 "$GRAPHATTN" mask full --pattern "$p" --queries 6 -o g.txt
    for n in softmax sigmoid:bias_mode=log_row softplus softplus-reweight relu-l1; do
        attend 0 full --pattern "$p" --normaliser "$n" -o a.npy
        attend 0 full --pattern graph:g.txt --normaliser "$n" -o b.npy
        paste <(values a.npy) <(values b.npy) |
            awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-5) exit 1 }' || fail "$p $n as a graph"
    done
done

section edges
inputs
printf '# key query\n0 0\r\n3\t1 0.5\n\n%% more\n2 1\n3 1\n' | gzip -c >g.gz
attend 0 graph --graph g.gz -o a.npy
printf '2 1\n3 1\n0 0\n' >g.txt
attend 0 graph --graph g.txt -o b.npy
same a.npy b.npy "duplicates and order"
attend 0 graph --graph - -o c.npy <g.txt
"$GRAPHATTN" attend graph -Q q.npy -K k.npy -V v.npy --graph - -o c.npy <g.txt
same a.npy c.npy "edges from standard input"
"$GRAPHATTN" convert g.txt --dense-ids --loops keep -o g.gab -q
attend 0 graph --graph g.gab -o d.npy
same a.npy d.npy "gab"
numbers 3 9 | npy '3,' >bias.npy
numbers 3 9 | awk '{ a[NR] = $1 } END { print a[3]; print a[1]; print a[2] }' | npy '3,' >moved.npy
printf '0 0\n2 1\n3 1\n' >h.txt
attend 0 graph --graph g.txt --tensor edge_bias=bias.npy -o a.npy
attend 0 graph --graph h.txt --tensor edge_bias=moved.npy -o b.npy
same a.npy b.npy "edge_bias in the order of the file"
printf '2 1\n3 1\n2 1\n' >twice.txt
attend 2 graph --graph twice.txt --tensor edge_bias=bias.npy -o no.npy
printf '0 0\n\n1 7\n' >far.txt
attend 2 full --pattern graph:far.txt -o no.npy
says "pattern graph: far.txt:3: query 7 of 6"
attend 2 graph --graph far.txt -o no.npy
says "graph: far.txt:3: query 7 of 6"
printf '0 0\n9 1\n' >far.txt
attend 2 graph --graph far.txt -o no.npy
says "far.txt:2: key 9 of 6"
printf '0 0\n0\n' >bad.txt
attend 1 graph --graph bad.txt -o no.npy
says "bad.txt:2: found "
printf '0 0 1 1\n' >bad.txt
attend 1 graph --graph bad.txt -o no.npy
printf '0 -1\n' >bad.txt
attend 1 graph --graph bad.txt -o no.npy
attend 1 graph --graph none.txt -o no.npy
[ ! -e no.npy ] || fail "no.npy was left"

section refused
inputs
numbers 20 4 | npy '1, 1, 5, 4' >five.npy
numbers 24 4 | npy '1, 3, 2, 4' >heads.npy
refused()
{
    local words=$1
    shift
    attend 2 "$@" -o no.npy --return map=map.npy
    says "$words"
}
refused "no variant 'nobody'" nobody
refused "did you mean full?" ful
refused "no pattern 'near'; the patterns are full, window" full --pattern near
refused "no normaliser 'inlined'; the normalisers are softmax" full --normaliser inlined
refused "pattern window has no parameter 'wide'" full --pattern window:wide=3
refused "normaliser relu-l1 has no parameter 'eta'" full --normaliser relu-l1:eta=3
refused "full has no parameter 'x'" full --set x=1
refused "pattern neighborhood needs window" full --pattern neighborhood:shape=6
refused "pattern block-sparse needs block_map" full --pattern block-sparse
refused "block-sparse needs block_map" block-sparse
refused "pattern graph needs --graph" full --pattern graph
refused "normaliser norm-attention needs eta_logits" full --normaliser norm-attention
refused "pattern window: window=-1: expected an integer, 0 = use left and right; >= 1" full --pattern window:window=-1
refused "pattern window: window=3.5: expected an integer" full --pattern window:window=3.5
refused "pattern window: found 'window', expected NAME=VALUE" full --pattern window:window
refused "pattern neighborhood: window=3y3: expected integers joined by 'x'" full --pattern neighborhood:window=3y3
refused "normaliser sigmoid: bias_mode=x: expected log_n|log_row|fixed" full --normaliser sigmoid:bias_mode=x
refused "pattern neighborhood: shape has 8 tokens, input has 6" full --pattern neighborhood:shape=4x2,window=1
refused "neighborhood: stride=4: expected" neighborhood --set window=3 --set stride=4
refused "linear carries a state and takes no pattern" linear --pattern full
refused "linear has its own normaliser" linear --normaliser softmax
refused "window has its own pattern" window --pattern full
refused "sigmoid has its own normaliser" sigmoid --normaliser softplus
refused "normaliser sigmoid has no lse" sigmoid --return lse=lse.npy
refused "full has no output 'state'" full --return state=x.npy
refused "grad_q needs the gradient of o" full --return grad_q=x.npy
refused "full has no tensor 'gate'" full --tensor gate=q.npy
printf '0 0\n' >g.txt
refused "full takes no graph" full --graph g.txt
rm g.txt
refused "--set: found \"x\", expected NAME=VALUE" full --set x
refused "--return: found \"=x\", expected NAME=VALUE" full --return =x
expect 2 "$GRAPHATTN" attend full -Q q.npy -K five.npy -V v.npy -o no.npy
says "v: shape"
expect 2 "$GRAPHATTN" attend full -Q q.npy -K heads.npy -V heads.npy -o no.npy
says "q has 2 heads, expected a multiple of the 3 heads of k and v"
expect 2 "$GRAPHATTN" attend full --pattern neighborhood:window=3 -Q q.npy -K five.npy -V five.npy -o no.npy
says "pattern neighborhood needs as many queries as keys"
expect 2 "$GRAPHATTN" attend neighborhood --set window=3 -Q q.npy -K five.npy -V five.npy -o no.npy
says "neighborhood needs as many queries as keys"
expect 2 "$GRAPHATTN" attend full -Q q.npy -K k.npy -o no.npy
says "needs -Q, -K and -V"
expect 1 "$GRAPHATTN" attend full -Q q.npy -K k.npy -V none.npy -o no.npy
says "none.npy"
attend 1 full --device cuda -o no.npy
attend 1 full --backend cuda -o no.npy
says "there is no CUDA in this build"
attend 2 full --backend mmx -o no.npy
GRAPHATTN_BACKEND=mmx attend 2 full -o no.npy
says "GRAPHATTN_BACKEND"
GRAPHATTN_BACKEND=cuda attend 1 full -o no.npy
attend 1 full -o no/o.npy
attend 1 full -o no.npy --return lse=no/lse.npy
attend 2 full -o no.npy --return lse=no.npy
attend 1 full -o q.npy
says "is an input as well as an output"
only q.npy k.npy v.npy five.npy heads.npy
GRAPHATTN_BACKEND=scalar attend 0 full -o a.npy
attend 0 full -o b.npy --backend scalar
same a.npy b.npy "environment"

section mask
expect 0 "$GRAPHATTN" mask window --set window=3 --queries 4 --keys 6 --causal
printf '# Nodes: 6 Edges: 12\n' >want
head -n 1 out | diff - want || fail "size of the mask"
grep -qxF "$(printf '5\t3')" out || fail "the last query sees the last key"
expect 0 "$GRAPHATTN" mask neighborhood --set shape=8,6 --set window=3 -o x.svg
grep -q '<svg' x.svg || fail "no SVG"
expect 0 "$GRAPHATTN" mask neighborhood --set shape=8,6 --set window=3 -o x.png
head -c 4 x.png | grep -q PNG || fail "no PNG"
expect 0 "$GRAPHATTN" mask full --pattern neighborhood:window=3,shape=8x6 -o x.gab
expect 0 "$GRAPHATTN" info x.gab --loops keep
has nodes 48
has edges 432
expect 2 "$GRAPHATTN" mask linear --queries 4
expect 2 "$GRAPHATTN" mask full
says "needs --queries or --keys"
expect 2 "$GRAPHATTN" mask full --queries 4 --head 1
expect 2 "$GRAPHATTN" mask full --queries 4 -o x.pdf
expect 2 "$GRAPHATTN" mask neighborhood --set shape=3 --set window=3 --queries 4
says "neighborhood: shape has 3 tokens, input has 4"
only x.svg x.png x.gab want

section variants
expect 0 "$GRAPHATTN" variants
while read -r name; do
    expect 0 "$GRAPHATTN" variants "$name"
    has name "$name"
done < <(sed 1d out | cut -f 1)
expect 0 "$GRAPHATTN" variants --cab
grep -qxF "$(printf 'neighborhood\t1\t1\t0\t0\trow\t-\t-')" out || fail "--cab"
expect 2 "$GRAPHATTN" variants nobody
says "no variant 'nobody'"
python=$(command -v python3 || :)
if [ "$python" ]; then
    expect 0 "$GRAPHATTN" variants --json
    "$python" -c 'import json, sys
table = json.load(open("out"))
assert len(table) >= 9 and all(v["name"] and "cab" in v for v in table)
window = [v for v in table if v["name"] == "window"][0]
assert [p["default"] for p in window["parameters"]] == ["0", "-1", "-1", "0"], window' || fail "JSON"
    expect 0 "$GRAPHATTN" variants softplus --json -o s.json
    "$python" -c 'import json; assert json.load(open("s.json"))["capabilities"]["takes_pattern"]' || fail "JSON of one"
fi
finish
