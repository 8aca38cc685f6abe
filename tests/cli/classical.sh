#!/bin/bash
# sample by the classical methods: sizes, ids, labels and features of the sampled nodes, what is refused.
# shellcheck source=/dev/null disable=SC2015,SC2094,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN

# graph N: nodes and edges of a graph file as its first line says
size_of()
{
    sed -n '1s/^# Nodes: \([0-9]*\) Edges: \([0-9]*\)$/\1 \2/p' "$1"
}

section methods
expect 0 "$ga" generate rmat -n 2000 -m 12000 -o a.txt
expect 0 "$ga" sample --list-methods
cp out methods
[ "$(awk -F '\t' 'NF == 2' methods | wc -l)" -ge 30 ] || fail "too few methods"
grep -qx $'pagerank\tparameter\talpha\tfloat\t0.85\t\[0, 1)\t.*' methods || fail "parameters of pagerank: $(grep pagerank methods)"
edges=$(size_of a.txt | cut -d ' ' -f 2)
while read -r method; do
    expect 0 "$ga" sample a.txt --method "$method" -r 0.2 --map map.txt -q -o s.txt || continue
    if grep -qx "$method"$'\tparameter\tinduced\tbool\tfalse.*' methods && [ "$method" != pies ] &&
        [ "$method" != diffusion_tree ]; then
        [ "$(size_of s.txt | cut -d ' ' -f 2)" -eq $((edges / 5)) ] || fail "$method: $(size_of s.txt)"
    else
        [ "$(size_of s.txt | cut -d ' ' -f 1)" -eq 400 ] || fail "$method: $(size_of s.txt)"
    fi
    awk '/^#/ { next } $1 != $2 { exit 1 }' map.txt || [ "$method" = jdm ] || fail "$method: ids in the map differ"
    [ "$method" = jdm ] || [ "$(grep -v '^#' s.txt | sort - <(grep -v '^#' a.txt) | uniq -d | wc -l)" -eq "$(grep -vc '^#' s.txt)" ] ||
        fail "$method: edges that the graph does not have"
done < <(awk -F '\t' 'NF == 2 { print $1 }' methods)

section sizes
expect 0 "$ga" generate er -n 100 -m 400 -o a.txt
expect 0 "$ga" sample a.txt --method node --nodes 37 -o s.txt && [ "$(size_of s.txt | cut -d ' ' -f 1)" = 37 ] || fail "--nodes"
expect 0 "$ga" sample a.txt --method edge --edges 123 -o s.txt && [ "$(size_of s.txt | cut -d ' ' -f 2)" = 123 ] || fail "--edges"
expect 0 "$ga" sample a.txt --method node --edges 100 -o s.txt && [ "$(size_of s.txt | cut -d ' ' -f 1)" = 25 ] || fail "--edges of node"
expect 0 "$ga" sample a.txt --method edge --nodes 25 -o s.txt && [ "$(size_of s.txt | cut -d ' ' -f 2)" = 100 ] || fail "--nodes of edge"
expect 0 "$ga" sample a.txt --method node -r 0.001 -o s.txt && [ "$(size_of s.txt)" = "0 0" ] || fail "no nodes: $(size_of s.txt)"
expect 0 "$ga" sample a.txt --method bfs -r 1 -o s.txt && same a.txt s.txt "ratio 1"
expect 0 "$ga" sample a.txt --method random_walk -r 0.5 --induced=no -o s.txt
used=$(size_of s.txt)
expect 0 "$ga" sample a.txt --method random_walk -r 0.5 --induced -o s.txt
[ "${used#* }" -lt "$(size_of s.txt | cut -d ' ' -f 2)" ] || fail "--induced=no has as many edges"
expect 0 "$ga" sample a.txt --method bfs -r 0.2 --start 7,8 --direction=out -o s.txt && grep -q $'^7\t' s.txt || fail "--start"
expect 0 "$ga" sample a.txt --method node -r 0.2 --seed 1 -o s.txt && expect 0 "$ga" sample a.txt --method node -r 0.2 --seed 2 -o t.txt
cmp -s s.txt t.txt && fail "--seed has no effect"

section "order of lines"
# the last line joins its ends for sure only when it passes first
printf '1 2\n3 4\n5 6\n7 8\n' >up.txt
printf '7 8\n5 6\n3 4\n1 2\n1 1\n' >down.txt
first=0
for seed in 1 2 3 4 5 6 7 8 9 10; do
    expect 0 "$ga" sample up.txt --method pies --nodes 2 --seed "$seed" -q -o up.out
    expect 0 "$ga" sample down.txt --method pies --nodes 2 --seed "$seed" -q -o down.out
    same <(grep -v '^#' up.out | awk '{ print 9 - $2, 9 - $1 }' | sort) <(grep -v '^#' down.out | tr '\t' ' ' | sort) "pies, seed $seed"
    grep -q 7 down.out && first=$((first + 1))
done
[ "$first" -ge 1 ] || fail "pies: the first line never stays"
"$ga" sample --method pies --nodes 2 <up.txt >out 2>err || fail "pies of standard input: $(cat err)"
says "not by line"
expect 0 "$ga" sample <(cat up.txt) --method pies --nodes 2 && says "not by line"

section weights
printf '1 2 0.5\n2 3 1.25\n3 1 7\n' >w.txt
expect 0 "$ga" sample w.txt --method node -r 1 --weights && grep -qx $'2\t3\t1.25' out || fail "--weights: $(cat out)"
expect 0 "$ga" sample w.txt --method node -r 1 && grep -qx $'2\t3' out || fail "without --weights: $(cat out)"
expect 2 "$ga" sample w.txt -r 1 --weights && says "have no weights"

section features
python=$(numpy_python)
expect 0 "$ga" generate er -n 200 -m 1000 -o plain.txt
awk '/^#/ { next } { print 1000 + 7 * $1, 1000 + 7 * $2 }' plain.txt >a.txt
expect 0 "$ga" info a.txt
n=$(sed -n 's/^nodes\t//p' out)
{
    printf '%%%%MatrixMarket matrix coordinate integer general\n%% row r has r in column 2, and 1 in column 3 if odd\n%d 3 %d\n' "$n" $((n + (n + 1) / 2))
    for ((i = 1; i <= n; i++)); do
        echo "$i 2 $i"
        [ $((i % 2)) -eq 0 ] || echo "$i 3 1"
    done
} >f.mtx
sed '1s/integer/real/; 4,$s/$/.5/' f.mtx >r.mtx
sed '1s/integer/pattern/; 4,$s/ [0-9]*$//' f.mtx >p.mtx
seq 1 "$n" >labels.txt
for method in bfs jdm; do
    expect 0 "$ga" sample a.txt --method "$method" -r 0.3 --renumber --labels labels.txt --out-labels labels.out --map map.txt \
        --features f.mtx --out-features f.out.mtx -q -o s.txt
    rows=$(size_of s.txt | cut -d ' ' -f 1)
    [ "$(wc -l <labels.out)" -eq "$rows" ] || fail "$method: labels"
    head -n 1 f.out.mtx | grep -qx '%%MatrixMarket matrix coordinate integer general' || fail "$method: $(head -n 1 f.out.mtx)"
    # label and feature of a sampled node are the number of its original, whose id is 1000 + 7 * i, counted from the ids
    same labels.out <(awk 'NR > 2 && $2 == 2 { print $3 }' f.out.mtx) "$method: labels and features"
    awk 'NR > 2 && $2 == 3 && $1 > 0 { odd[$1] } NR > 2 && $2 == 2 { value[$1] = $3 }
        END { for (i in value) if ((i in odd) != value[i] % 2) exit 1 }' f.out.mtx || fail "$method: rows of features"
    grep -v '^#' a.txt | tr ' ' '\n' | sort -un >ids.txt
    awk 'NR == FNR { id[FNR] = $1; next } FILENAME == "labels.out" { label[FNR - 1] = $1; next }
        /^#/ { next } id[label[$1]] != $2 { exit 1 }' ids.txt labels.out map.txt || fail "$method: labels and map"
    awk '/^#/ { next } $1 >= '"$rows"' || $2 >= '"$rows"' { exit 1 }' s.txt || fail "$method: ids of --renumber"
done
expect 0 "$ga" sample a.txt --method node -r 1 --features r.mtx --out-features r.out.mtx.gz -q -o s.txt
same <(zcat r.out.mtx.gz | sed 1,2d) <(sed 1,3d r.mtx) "real features"
expect 0 "$ga" sample a.txt --method node -r 1 --features p.mtx --out-features p.out.mtx -q -o s.txt
same <(sed 2d p.mtx) p.out.mtx "pattern features"
if [ -n "$python" ]; then
    "$python" - "$n" <<'END'
import numpy, sys
n = int(sys.argv[1])
for t in "f2", "f4", "f8", "i4", "i8", "u1", "u2", "b1":
    numpy.save("in-%s.npy" % t, (numpy.arange(n * 6) % 251).reshape(n, 2, 3).astype(t))
END
    for t in f2 f4 f8 i4 i8 u1 u2 b1; do
        expect 0 "$ga" sample a.txt --method dfs -r 0.3 --features "in-$t.npy" --out-features "out-$t.npy" --map map.txt -q -o s.txt
    done
    "$python" - <<'END' || fail ".npy features"
import numpy
ids = [int(x) for x in open("ids.txt")]
rows = [ids.index(int(x.split()[1])) for x in open("map.txt") if x[0] != "#"]
for t in "f2", "f4", "f8", "i4", "i8", "u1", "u2", "b1":
    a, b = numpy.load("in-%s.npy" % t), numpy.load("out-%s.npy" % t)
    assert a.dtype == b.dtype and b.shape == (len(rows), 2, 3) and (a[rows] == b).all(), t
END
fi
rm -f out-f4.npy s.txt
sed '3s/^[0-9]*/201/' f.mtx >long.mtx
expect 1 "$ga" sample a.txt --method node -r 0.5 --features long.mtx --out-features out-f4.npy -q -o s.txt &&
    says "long.mtx: 201 rows, expected one for each of the $n nodes"
[ ! -e s.txt ] && [ ! -e out-f4.npy ] || fail "files of a sample that failed"
sed '4s/[0-9]*$/16777216/' f.mtx >big.mtx
expect 1 "$ga" sample a.txt --method node -r 0.5 --features big.mtx --out-features b.mtx -q -o s.txt && says "expected ones below 2^24"
seq 2 "$n" >few.txt
expect 1 "$ga" sample a.txt --method node -r 0.5 --labels few.txt -q -o s.txt && says "$((n - 1)) labels, expected one for each of the $n nodes"

section refused
expect 0 "$ga" generate er -n 50 -m 100 -o a.txt
# refused STATUS WORDS OPTION...
refused()
{
    local status=$1 words=$2
    shift 2
    expect "$status" "$ga" sample a.txt "$@" -o s.txt && says "$words"
    [ ! -e s.txt ] || fail "a sample of $*"
}
refused 2 "did you mean node?" -r 0.5 --method nod
refused 2 "jdm has no parameter 'alpha'" -r 0.5 --alpha 1
refused 2 "node has no parameter 'walkers'" -r 0.5 --method node --walkers 3
refused 2 "directed_frontier: jump_weight=-1: expected a number, >= 0" -r 0.5 --method directed_frontier --jump-weight=-1
refused 2 "frontier has no parameter 'jump_weight'" -r 0.5 --method frontier --jump-weight 2
refused 2 "pagerank: alpha=1: expected a number, [0, 1)" -r 0.5 --method pagerank --alpha 1
refused 2 "frontier: walkers=0: expected an integer, >= 1" -r 0.5 --method frontier --walkers=0
refused 2 "spikyball: mode=ball: expected edgeball|hubball|fireball|coreball|firecoreball" -r 0.5 --method spikyball --mode ball
refused 2 "pies: induced=1: expected 0" -r 0.5 --method pies --induced
refused 2 "found \"maybe\", expected yes or no" -r 0.5 --method bfs --induced=maybe
refused 2 "--lambda is for --method jdm, not for bfs" -r 0.5 --method bfs --lambda 1
refused 2 "--swaps-per-edge is for --method jdm" -r 0.5 --method bfs --swaps-per-edge 1
refused 2 "--steer is for --method jdm" -r 0.5 --method bfs --steer=no
refused 2 "--report is for --method jdm" -r 0.5 --method bfs --report r.tsv
refused 2 "needs a ratio of at most 1" -r 1.5 --method bfs
refused 2 "exclude each other" -r 0.5 --renumber --keep-ids
refused 2 "--features needs --out-features" -r 0.5 --features a.txt
refused 2 "--out-features needs --features" -r 0.5 --out-features f.npy
refused 1 "a sample of 51 nodes, the graph has 50" --nodes 51 --method bfs
refused 1 "a sample of 101 edges, the graph has 100" --edges 101 --method edge
refused 1 "the graph has no node 50" -r 0.5 --method bfs --start 3,50
finish
