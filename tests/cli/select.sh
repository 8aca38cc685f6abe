#!/bin/bash
# graphattn select: choices counted by hand, as a graph in every format and through pipes, lists, the report, threads, and
# what is refused and leaves nothing.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
GA=$GRAPHATTN

# npy SHAPE NUMBERS...: an f4 array of little-endian floats
npy()
{
    printf '\223NUMPY\1\0\166\0%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': ($1), }"
    shift
    local x
    for x in "$@"; do
        case $x in
        0) printf '\0\0\0\0' ;;
        1) printf '\0\0\200\77' ;;
        9) printf '\0\0\20\101' ;;
        esac
    done
}

# Four tokens with zero queries see all alike: ties go to the first.
npy '4, 2' 0 0 0 0 0 0 0 0 >zero.npy
slash=(select vertical-slash -Q zero.npy -K zero.npy --causal --set columns=1,slashes=2,sinks=1,window=2)
printf '%s\t%s\n' 0 0 0 1 0 2 0 3 1 1 1 2 2 2 2 3 3 3 >edges
expect 0 "$GA" "${slash[@]}" && grep -v '^#' out | diff - edges || fail "edges of vertical-slash"
printf '%s\t%s\t%s\n' 1 3 1 2 2 1 2 3 3 4 1 1 4 2 1 4 3 2 >degrees
"$GA" "${slash[@]}" | "$GA" jdm --loops keep -q | grep -v '^#' | diff - degrees || fail "jdm of vertical-slash"
for format in txt mtx sg gab; do
    expect 0 "$GA" "${slash[@]}" -o "g.$format"
    expect 0 "$GA" jdm --loops keep -q "g.$format"
    grep -v '^#' out | diff - degrees || fail "jdm of g.$format"
done
rm -f g.*

# A choice is a pattern again: full attention over it is the variant.
npy '4, 2' 0 1 9 0 1 1 0 9 >q.npy
npy '4, 2' 1 0 0 9 1 9 0 1 >k.npy
own=(vertical-slash -Q q.npy -K k.npy --causal --set columns=1,slashes=1,sinks=0,window=1,probe=2)
expect 0 "$GA" select "${own[@]}" -o g.txt
expect 0 "$GA" attend "${own[@]}" -V k.npy -o a.npy
expect 0 "$GA" attend full -Q q.npy -K k.npy -V k.npy --pattern graph:g.txt --causal -o b.npy
od -An -t f4 -w4 -v -j 128 a.npy >a.txt
od -An -t f4 -w4 -v -j 128 b.npy >b.txt
paste a.txt b.txt | awk '{ d = $1 - $2; if (d * d > 1e-10) bad = 1 } END { exit bad || NR != 8 }' ||
    fail "the choice as a pattern is not the variant"
rm -f ./*.txt a.npy b.npy

# Lists of the choice, and landmark's blocks: one landmark at 2, so that row 3 sees block 0 and itself.
expect 0 "$GA" "${slash[@]}" -o g.txt --return columns=c.npy --return slashes=s.npy
[ "$(od -An -t d4 -v -j 128 c.npy | xargs)" = 0 ] || fail "columns"
[ "$(od -An -t d4 -v -j 128 s.npy | xargs)" = "0 1" ] || fail "slashes"
expect 0 "$GA" select landmark -Q zero.npy -K zero.npy --causal --set block=2
printf '%s\t%s\n' 0 0 0 1 0 2 0 3 1 1 1 2 1 3 3 3 >landmarks
grep -v '^#' out | diff - landmarks || fail "edges of landmark"
rm -f g.txt c.npy s.npy

# States: the bounds of the one page of quest (minima, then maxima of the channels) and recycled's small cache.
for key in 0,1,9,0 9,9,0,0; do
    npy '4, 2' ${key//,/ } 1 0 0 1 >r.npy
    expect 0 "$GA" select quest -Q zero.npy -K r.npy --causal --return state=s.npy -o g.txt
    expect 0 "$GA" attend quest -Q zero.npy -K r.npy -V r.npy --causal --return state=t.npy -o o.npy
    cmp -s s.npy t.npy || fail "states of select and attend"
    [ "$(od -An -t f4 -v -j 128 s.npy | xargs)" = "0 0 9 $([ $key = 9,9,0,0 ] && echo 9 || echo 1)" ] || fail "bounds"
done
expect 0 "$GA" select recycled -Q zero.npy -K r.npy --causal --set top_k=2 --return state=s.npy -o g.txt
[ "$(od -An -t d4 -v -j 128 s.npy | xargs)" = "2 3" ] || fail "small cache: $(od -An -t d4 -v -j 128 s.npy | xargs)"
expect 2 "$GA" select hip -Q zero.npy -K r.npy --causal --return state=no.npy && says "no output 'state'"
rm -f g.txt s.npy t.npy r.npy o.npy

# The report: all softmax weights are alike, so that the kept mass of a row is its kept share: 1, 1, 1, 3/4.
expect 0 "$GA" "${slash[@]}" -o g.txt --report -
has pairs 9
has visible_pairs 10
has density 0.9
has recall_rows 4
awk '$1 == "mass_mean" && ($2 - 0.9375)^2 < 1e-10 { ok++ } $1 == "mass_least" && ($2 - 0.75)^2 < 1e-10 { ok++ }
    END { exit ok != 2 }' out || fail "kept mass"
[ "$(wc -l <out)" -eq 18 ] || fail "rows of the report"
for name in select attend dense; do
    awk -v n="${name}_flops" '$1 == n && $2 > 0 { ok = 1 } END { exit !ok }' out || fail "$name costs nothing"
done
expect 0 "$GA" "${slash[@]}" -o g.txt --report r.json --json
grep -q '"pairs": 9' r.json || fail "JSON"
rm -f g.txt r.json

# Every variant that chooses: threads change nothing, and what it keeps is seen.
"$GA" select --list | awk '$2 == "variant" { print $1 }' >variants
[ "$(wc -l <variants)" -ge 5 ] || fail "list of variants"
while read -r variant; do
    expect 0 "$GA" select "$variant" -Q q.npy -K k.npy --causal -@ 1 -o one.gab --report r.tsv
    expect 0 "$GA" select "$variant" -Q q.npy -K k.npy --causal -@ 7 -o more.gab
    cmp -s one.gab more.gab || fail "$variant depends on the number of threads"
    awk '$1 == "density" && ($2 <= 0 || $2 > 1) { bad = 1 } $1 == "select_flops" { seen = 1 } END { exit bad || !seen }' \
        r.tsv || fail "report of $variant"
    expect 0 "$GA" select --list "$variant"
    grep -q "^$variant"$'\t'output out || fail "outputs of $variant in the list"
done <variants
rm -f one.gab more.gab r.tsv variants edges degrees landmarks

# ---- what is refused, and what then is left ----
mkdir none && cd none || exit 99
in=(-Q ../zero.npy -K ../zero.npy)
expect 2 "$GA" select && says "needs VARIANT"
expect 2 "$GA" select full "${in[@]}" && says "does not select keys"
expect 2 "$GA" select fill "${in[@]}" && says "did you mean full"
expect 2 "$GA" select snapkv -Q ../zero.npy && says "needs -Q and -K"
expect 2 "$GA" select snapkv "${in[@]}" -o g.txt && says "needs --causal"
expect 2 "$GA" select vertical-slash "${in[@]}" -o g.txt && says "slashes=6096: expected 0 without --causal"
expect 2 "$GA" select snapkv "${in[@]}" --causal --head 1 -o g.txt --report r.tsv && says "below the 1 heads"
expect 2 "$GA" select snapkv "${in[@]}" --causal --entry 1 -o g.txt && says "--entry 1"
expect 2 "$GA" select snapkv "${in[@]}" --causal --return lse=l.npy -o g.txt && says "attend gives lse"
expect 2 "$GA" select snapkv "${in[@]}" --causal --return grad_q=l.npy -o g.txt && says "attend gives grad_q"
expect 2 "$GA" select snapkv "${in[@]}" --causal --return counts=l.npy -o g.txt && says "no output 'counts'"
expect 2 "$GA" select snapkv "${in[@]}" --causal --return selected -o g.txt
expect 2 "$GA" select snapkv "${in[@]}" --causal --set budget=1 -o g.txt
expect 2 "$GA" select snapkv "${in[@]}" --causal -o g.pdf
expect 2 "$GA" select snapkv "${in[@]}" --causal --report - && says "standard output"
expect 1 "$GA" select snapkv -Q no.npy -K ../zero.npy --causal -o g.txt --report r.tsv
expect 1 "$GA" select snapkv "${in[@]}" --causal -o g.txt --report /nowhere/r.tsv
expect 1 "$GA" select snapkv "${in[@]}" --causal -o /nowhere/g.txt --report r.tsv --return selected=s.npy
expect 1 "$GA" select snapkv "${in[@]}" --causal --max-memory 200 -o g.txt --report r.tsv
expect 1 "$GA" select snapkv -Q ../zero.npy -K ../zero.npy --causal --in-place=no -o ../zero.npy --to snap
expect 1 "$GA" select vertical-slash "${in[@]}" --causal -o g.graph && says "METIS files hold no loops"
only
finish
