#!/bin/bash
# neighbors: rows and files of batches, threads, how batches are composed, what is refused, outputs that fail.
# shellcheck source=/dev/null disable=SC2015,SC2094,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN

# parameters METHOD: some that suit a graph of a thousand nodes
parameters()
{
    case $1 in
        fanout | labor | shadow) echo --fanout=4,3 ;;
        ladies | fastgcn) echo --layer-size=60,40 ;;
        saint_node | saint_edge) echo --budget=150 --coverage=8 ;;
        saint_walk) echo --roots=50 --length=3 --coverage=8 ;;
        saint_mrw) echo --walkers=5 --budget=150 --coverage=8 ;;
        cluster) echo --parts=12 --parts-per-batch=3 ;;
        ppr) echo --top-k=7 --epsilon=1e-5 ;;
    esac
}

section "methods and threads"
# ids far apart, some nodes without incoming edges
"$ga" generate rmat -n 1000 -m 6000 | awk '/^#/ { next } { print 11 + 7 * $1, 11 + 7 * $2 }' >graph.txt
awk '{ print $1; print $2 }' graph.txt | sort -un | awk 'NR % 4 == 1' | sort -R --random-source=graph.txt >seeds.txt
seeds=$(wc -l <seeds.txt)
expect 0 "$ga" neighbors --list-methods
cp out methods
awk -F '\t' 'NF == 2 { print $1 }' methods >names
[ "$(wc -l <names)" -ge 12 ] || fail "methods: $(tr '\n' ' ' <names)"
grep -qx $'ppr\tparameter\talpha\tfloat\t0.15\t(0, 1\]\t.*' methods || fail "parameters of ppr: $(grep ^ppr methods)"
awk -F '\t' 'NF != 2 && (NF != 7 || $2 != "parameter") { exit 1 }' methods || fail "--list-methods"
while read -r method; do
    # shellcheck disable=SC2046
    expect 0 "$ga" neighbors graph.txt --method "$method" --seeds seeds.txt --batch 50 $(parameters "$method") -@ 1 -o one.tsv ||
        continue
    for threads in 2 5; do
        # shellcheck disable=SC2046
        expect 0 "$ga" neighbors graph.txt --method "$method" --seeds seeds.txt --batch 50 $(parameters "$method") \
            -@ "$threads" && same one.tsv out "$method, $threads threads"
    done
    head -n 1 one.tsv | grep -qx $'#batch\tlayer\tsource\ttarget\tweight' || fail "$method: $(head -n 1 one.tsv)"
    wanted=$(((seeds + 49) / 50))
    [ "$method" = cluster ] && wanted=4
    [ "$(grep -v '^#' one.tsv | cut -f 1 | uniq | wc -l)" -eq "$wanted" ] || fail "$method: batches"
    # rows are edges, the targets of layer 1 the seeds of the batch; but the rows of ppr are scores
    awk -F '\t' -v method="$method" -v batch=50 '
        FILENAME == "seeds.txt" { at[$1] = int((FNR - 1) / batch); next }
        FILENAME == "graph.txt" { split($0, end, " "); edge[end[1], end[2]]; next }
        /^#/ { next }
        NF != 5 || $5 <= 0 { print "row: " $0; exit 1 }
        method != "ppr" && !(($3, $4) in edge) { print "no edge: " $0; exit 1 }
        $2 == 1 && (!($4 in at) || at[$4] != $1) { print "no seed: " $0; exit 1 }' seeds.txt graph.txt one.tsv >wrong ||
        fail "$method: $(cat wrong)"
    # every node of a batch is on a row or told
    # shellcheck disable=SC2046
    expect 0 "$ga" neighbors graph.txt --method "$method" --seeds seeds.txt --batch 50 $(parameters "$method") -o b.gab
    only b-*.gab graph.txt seeds.txt methods names one.tsv wrong
    [ "$(find . -name 'b-*.gab' | wc -l)" -eq "$wanted" ] || fail "$method: files"
    expect 0 "$ga" info b-1.gab --multi=keep --loops=keep
    has nodes "$(awk -F '\t' '/^# node 1 / { split($0, word, " "); print word[4] } /^#/ { next }
        $1 == 1 { print $3; print $4 }' one.tsv | sort -u | wc -l)"
    has edges "$(awk -F '\t' '/^#/ { next } $1 == 1 && ($2 || "'"$method"'" != "vrgcn")' one.tsv | wc -l)"
    expect 0 "$ga" convert b-1.gab --weights --multi=keep --loops=keep && same <(grep -v '^#' out | cut -f 1,2 | sort) \
        <(awk -F '\t' '/^#/ { next } $1 == 1 && ($2 || "'"$method"'" != "vrgcn") { print $3 "\t" $4 }' one.tsv | sort) "$method: edges"
    rm b-*.gab
done <names

section composition
expect 0 "$ga" generate er -n 400 -m 3000 -o graph.txt
seq 0 99 >seeds.txt
{ seq 350 379; seq 30 59; seq 200 230; } >others.txt
for method in fanout labor ladies fastgcn vrgcn shadow ppr; do
    expect 0 "$ga" neighbors graph.txt --method "$method" --seeds seeds.txt --batch 30 -o a.tsv
    expect 0 "$ga" neighbors graph.txt --method "$method" --seeds others.txt --batch 30 -o b.tsv
    same <(grep $'^1\t\|^# node 1 ' a.tsv) <(grep $'^1\t\|^# node 1 ' b.tsv) "$method: batch 1"
    [ "$(grep -c $'^1\t' a.tsv)" -ge 30 ] || fail "$method: batch 1 is empty"
done
expect 0 "$ga" neighbors graph.txt --method fanout --seeds seeds.txt -o a.tsv
expect 0 "$ga" neighbors graph.txt --method fanout --seeds seeds.txt --seed 2 -o b.tsv && cmp -s a.tsv b.tsv &&
    fail "--seed has no effect"
expect 0 "$ga" neighbors graph.txt --method fanout --seeds seeds.txt --batch 100000 -o b.tsv && same a.tsv b.tsv "one batch"
"$ga" neighbors --method fanout --seeds seeds.txt <graph.txt >b.tsv && same a.tsv b.tsv "standard input"

section weights
printf '1 3 0.5\n2 3 2\n3 1 4\n' >graph.txt
printf '# two\n3\n1\n' >seeds.txt
expect 0 "$ga" neighbors graph.txt --method fanout --fanout=-1 --seeds seeds.txt --weights edge -q
same out <(printf '#batch\tlayer\tsource\ttarget\tweight\n0\t1\t1\t3\t0.5\n0\t1\t2\t3\t2\n0\t1\t3\t1\t4\n') "weights: $(cat out)"
expect 0 "$ga" neighbors graph.txt --method fanout --fanout=1 --direction=both --seeds seeds.txt -q
grep -qx $'0\t1\t3\t1\t1' out || fail "direction: $(cat out)"
expect 0 "$ga" neighbors graph.txt --method fanout --fanout=-1 --seeds <(echo 2) -q
grep -qx '# node 0 2' out || fail "a node without rows: $(cat out)"

section parts
expect 0 "$ga" generate er -n 60 -m 300 -o graph.txt
awk 'BEGIN { for (i = 0; i < 60; i++) print i % 3 * 10 }' >parts.txt
expect 0 "$ga" neighbors graph.txt --method cluster --parts-file parts.txt -o part.gab
for i in 0 1 2; do
    expect 0 "$ga" info part-$i.gab && has nodes 20
    expect 0 "$ga" convert part-$i.gab && awk '/^#/ { next } $1 % 3 != $2 % 3 { exit 1 }' out || fail "part $i"
done
only graph.txt parts.txt part-0.gab part-1.gab part-2.gab
head -n 59 parts.txt >few.txt
expect 1 "$ga" neighbors graph.txt --method cluster --parts-file few.txt && says "few.txt: 59 parts, expected one for each of the 60"
sed '7s/.*/-1/' parts.txt >bad.txt
expect 1 "$ga" neighbors graph.txt --method cluster --parts-file bad.txt && says "node 6 has part -1"

section probabilities
python=$(numpy_python)
printf '0 1\n0 2\n1 2\n2 0\n' >graph.txt
echo 2 >seeds.txt
if [ -n "$python" ]; then
    for method in ladies fastgcn saint_node saint_edge; do
        expect 0 "$ga" neighbors graph.txt --method "$method" --seeds seeds.txt --return "probabilities=$method.npy" -o rows.tsv
    done
    "$python" - <<'END' || fail "probabilities"
import numpy
wanted = {"ladies": [1 / 2, 1 / 2, 0], "fastgcn": [1.25 / 2.5, .25 / 2.5, 1 / 2.5], "saint_node": [.5, .1, .4],
          "saint_edge": [1.5 / 6, 1 / 6, 1.5 / 6, 2 / 6]}
for name, law in wanted.items():
    got = numpy.load(name + ".npy")
    assert got.dtype == "f8" and numpy.allclose(got, law, rtol=1e-14), (name, got)
END
fi
expect 1 "$ga" neighbors graph.txt --method labor --seeds seeds.txt --return probabilities=p.npy -o rows2.tsv &&
    says "labor: no probabilities, ladies, fastgcn, saint_node and saint_edge have them"
[ ! -e p.npy ] && [ ! -e rows2.tsv ] || fail "results of a refused call"

section refused
expect 0 "$ga" generate er -n 50 -m 200 -o graph.txt
seq 0 9 >seeds.txt
# refused STATUS WORDS OPTION...
refused()
{
    local status=$1 words=$2
    shift 2
    expect "$status" "$ga" neighbors graph.txt "$@" -o rows.tsv && says "$words"
    only graph.txt seeds.txt
}
refused 2 "needs --method; --list-methods lists them" --seeds seeds.txt
refused 2 'unknown method "fanouts"; did you mean fanout?' --method fanouts --seeds seeds.txt
refused 2 'no method "xyzzyxyzzy"' --method xyzzyxyzzy --seeds seeds.txt
refused 2 "--method labor needs --seeds" --method labor
refused 2 "--parts-file is for --method cluster, not for labor" --method labor --seeds seeds.txt --parts-file seeds.txt
refused 2 "fanout has no parameter 'layer_size'" --method fanout --seeds seeds.txt --layer-size 3
refused 2 "fanout: fanout=0: expected -1 for all neighbours, or 1 and more" --method fanout --seeds seeds.txt --fanout 0
refused 2 "labor has no parameter 'replace'" --method labor --seeds seeds.txt --replace
refused 2 "direction=up: expected out|in|both" --method labor --seeds seeds.txt --direction up
refused 2 "ppr has no parameter 'weights'" --method ppr --seeds seeds.txt --weights edge
refused 2 "--batch" --method labor --seeds seeds.txt --batch 0
refused 2 'found "laws=x", expected probabilities=FILE' --method ladies --seeds seeds.txt --return laws=x
refused 2 'expected probabilities=FILE' --method ladies --seeds seeds.txt --return probabilities=
refused 2 "two results would go to rows.tsv" --method ladies --seeds seeds.txt --return probabilities=rows.tsv
refused 1 "the graph has no node 50" --method labor --seeds <(echo 50)
refused 1 "the graph has no node -1" --method labor --seeds <(echo -1)
refused 1 "found \"x\"" --method labor --seeds <(echo x)
refused 1 "No such file" --method labor --seeds none.txt
refused 1 "memory" --method saint_node --seeds seeds.txt --max-memory 2K
refused 1 "more than can be addressed" --method saint_mrw --seeds seeds.txt --walkers 9000000000000000000

section outputs
expect 0 "$ga" generate er -n 3000 -m 30000 -o graph.txt
seq 0 2999 >seeds.txt
sampled=("$ga" neighbors graph.txt --method fanout --seeds seeds.txt --batch 100)
echo "an old result" >x-3.gab
cp x-3.gab old.txt
got=0
"${sampled[@]}" >/dev/full 2>err || got=$?
[ "$got" -eq 1 ] && says "space left" || fail "exit $got to a full device: $(cat err)"
got=0
"${sampled[@]}" >&- 2>err || got=$?
[ "$got" -eq 1 ] || fail "exit $got with standard output closed"
{ "${sampled[@]}" 2>err; echo $? >code; } | head -n 1 >/dev/null
[ "$(cat code)" -eq 141 ] && [ ! -s err ] || fail "exit $(cat code) behind head: $(cat err)"
rm code
# files that cannot be written: some are already, none has its name
(ulimit -f 20 && "${sampled[@]}" -o x.gab >out 2>err) && fail "files of at most 20 blocks"
same old.txt x-3.gab "an old file after a failure"
only graph.txt seeds.txt x-3.gab old.txt
mkdir x-7.gab
expect 1 "${sampled[@]}" -o x.gab && says "x-7.gab: is a directory"
only graph.txt seeds.txt x-3.gab x-7.gab old.txt
same old.txt x-3.gab "an old file beside a folder"
rmdir x-7.gab
expect 0 "$ga" convert graph.txt -o x-5.gab
expect 1 "$ga" neighbors x-5.gab --method fanout --seeds seeds.txt --batch 100 -o x.gab && says "x-5.gab: is an input as well"
expect 1 "$ga" neighbors graph.txt --method ladies --seeds seeds.txt --batch 1000 -o x.gab --return probabilities=x-1.gab &&
    says "x-1.gab: is the file of the probabilities"
expect 1 "$ga" neighbors graph.txt --method ladies --seeds seeds.txt --batch 1000 -o x.gab --return probabilities=none/p.npy
only graph.txt seeds.txt x-3.gab x-5.gab old.txt
expect 0 "$ga" neighbors graph.txt --method ladies --seeds seeds.txt --batch 1000 -o x.gab --return probabilities=p.npy
only graph.txt seeds.txt x-0.gab x-1.gab x-2.gab x-3.gab x-5.gab old.txt p.npy
expect 0 "${sampled[@]}" -o x.gab && cmp -s old.txt x-3.gab && fail "an old file stays"
[ "$(find . -name 'x-*.gab' | wc -l)" -eq 30 ] || fail "files of batches"
expect 0 "${sampled[@]}" -o r.tsv.gz && expect 0 "${sampled[@]}" -o r.tsv && same <(zcat r.tsv.gz) r.tsv "compressed rows"
finish
