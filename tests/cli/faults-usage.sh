#!/bin/bash
# Wrong usage, requests that cannot be met, odd surroundings.
# shellcheck source=/dev/null disable=SC2015,SC2094,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN

section threads
printf '0 1\n1 2\n2 0\n0 2\n3 1\n' >graph.txt
for bad in 0 -1 two 1.5 '' 99999999999999999999; do
    expect 2 "$ga" jdm graph.txt -@ "$bad" || echo "-@ $bad"
done
expect 0 "$ga" jdm graph.txt -@ 1000000 && says "note"
expect 0 "$ga" jdm graph.txt -@1
if [ "$slow" = 0 ] && [ "$(id -u)" -ne 0 ]; then
    (ulimit -u 1 && "$ga" jdm graph.txt -@ 2 >out 2>err) || fail "no thread can be had: $(cat err)"
fi

section sizes
printf '0 1\n1 2\n2 0\n0 2\n3 1\n' >graph.txt
for bad in 0 -0.5 nan inf 0x1p-1 0,5 half '' 1e999; do
    expect 2 "$ga" sample graph.txt -r "$bad" -o out.txt || echo "-r $bad"
    expect 2 "$ga" sample graph.txt --nodes="$bad" -o out.txt || echo "--nodes $bad"
done
expect 2 "$ga" sample graph.txt && says "ratio"
expect 2 "$ga" sample graph.txt -r 0.5 --nodes 2
expect 2 "$ga" sample graph.txt -r 2 --keep-ids
expect 2 "$ga" sample graph.txt -r 1 --out-labels labels.txt
expect 2 "$ga" sample graph.txt -r 1 --edges 3 && says "exclude each other"
expect 2 "$ga" sample graph.txt --nodes 2 --edges 3 && says "exclude each other"
expect 0 "$ga" sample graph.txt -r 1
expect 0 "$ga" sample graph.txt -r 2.5 && grep -q '^# Nodes: 10 ' out || fail "2.5 times 4 nodes"
expect 1 "$ga" sample graph.txt -r 1e-9 -o out.txt && says "1e-09"
expect 2 "$ga" sample graph.txt -r 1 --lambda=-1
expect 2 "$ga" sample graph.txt -r 1 --degree-cap=2
expect 2 "$ga" rewire graph.txt --triples 1.5
expect 2 "$ga" rewire graph.txt --target reciprocity=2
expect 2 "$ga" rewire graph.txt --target recprocity=0.5 && says "reciprocity"
expect 2 "$ga" rewire graph.txt --target transitivity
expect 2 "$ga" rewire graph.txt --loops=keep
expect 1 "$ga" info graph.txt --nodes 3
expect 0 "$ga" info graph.txt --nodes 30 && has isolated 26
printf '1\n2\n' >two.txt
expect 1 "$ga" jdm graph.txt --labels two.txt && says "2 labels" && says "4 nodes"
printf '1\n2\nx\n4\n' >two.txt
expect 1 "$ga" jdm graph.txt --labels two.txt && says "two.txt:3"
only graph.txt two.txt

section infeasible
printf '1\t1\t3\n' >a.jdm
printf '0\t1\t2\n1\t0\t2\n' >a.dcm
expect 1 "$ga" realize --jdm a.jdm --dcm a.dcm -o graph.txt && says "C1 row 1" && says "3 edges"
expect 1 "$ga" realize --jdm a.jdm --dcm a.dcm --all-violations -o graph.txt && says "C1 row 1" && says "C1 column 1"
[ "$(grep -c 'C1 row 1' err)" -eq 1 ] || fail "a violation stands twice"
expect 1 "$ga" rescale --jdm a.jdm --dcm a.dcm -r 0.5 --out-jdm b.jdm --out-dcm b.dcm --report r.tsv
printf 'x\t1\t3\n' >b.jdm.txt
expect 1 "$ga" realize --jdm b.jdm.txt --dcm a.dcm -o graph.txt && says "C0 jdm line 1"
only a.jdm a.dcm b.jdm.txt
expect 2 "$ga" realize --jdm a.jdm
expect 2 "$ga" rescale --jdm a.jdm --dcm a.dcm -r 0.5
expect 2 "$ga" rescale --jdm a.jdm --dcm a.dcm --out-jdm b.jdm
expect 2 "$ga" realize --jdm - --dcm -

section stuck
# a complete graph cannot be changed at all: an end, and a report that says so
for i in 0 1 2 3 4; do for j in 0 1 2 3 4; do [ "$i" = "$j" ] || echo "$i $j"; done; done >complete.txt
expect 0 "$ga" rewire complete.txt -o again.txt --report report.tsv
grep -qx $'changed_edges\t0' report.tsv && grep -q '^attempts' report.tsv || fail "the report of a graph that cannot move"

section seed
expect 0 "$ga" generate er -n 300 -m 3000 -o graph.txt
expect 0 "$ga" sample graph.txt -r 0.5 -o plain.txt --report plain.tsv
expect 0 "$ga" sample graph.txt -r 0.5 --seed 1 -o one.txt --report one.tsv
expect 0 "$ga" sample graph.txt -r 0.5 --seed 2 -o two.txt --report two.tsv
same plain.txt one.txt "the default seed is 1"
cmp -s one.txt two.txt && fail "another seed, the same sample"
grep -qx $'seed\t1' plain.tsv || fail "the report does not name the seed"
expect 0 "$ga" rewire graph.txt --seed 18446744073709551615 -o rewired.txt --report rewired.tsv
grep -qx $'seed\t18446744073709551615' rewired.tsv || fail "a seed of 64 bits"
expect 0 "$ga" sample --help && grep -q 'default: 1)' out || fail "the help does not name the default seed"
for bad in -1 1.5 x 18446744073709551616; do
    expect 2 "$ga" sample graph.txt -r 0.5 --seed="$bad"
done

section unknown
printf '0 1\n' >graph.txt
expect 2 "$ga" smaple graph.txt -r 1 && says "did you mean sample?"
expect 2 "$ga" attend
expect 2 "$ga"
expect 2 "$ga" --bogus
expect 2 "$ga" sample graph.txt --rato 1 && says "did you mean --ratio?"
expect 2 "$ga" sample graph.txt -r 1 --method jmd && says "did you mean jdm?"
expect 2 "$ga" sample graph.txt -r 1 --method zigzag && says "release"
expect 2 "$ga" convert graph.txt --to gba && says "did you mean gab?"
expect 2 "$ga" convert graph.txt --to png && says "snap|mtx"
expect 2 "$ga" generate rmta -n 4 -m 4 && says "did you mean rmat?"
expect 2 "$ga" generate er -n 4
expect 2 "$ga" generate
expect 2 "$ga" help smaple && says "did you mean sample?"
expect 2 "$ga" jdm graph.txt another.txt && says "another.txt"
expect 2 "$ga" jdm graph.txt -o
expect 2 "$ga" jdm graph.txt --output=
expect 2 "$ga" jdm graph.txt -x
expect 2 "$ga" info graph.txt --ma 1 && says "may be"
expect 2 "$ga" info graph.txt --json=perhaps
expect 2 "$ga" info graph.txt --device=gpu
expect 1 "$ga" info graph.txt --device=cuda && says "cuda"
expect 0 "$ga" info graph.txt --device=cpu
expect 2 "$ga" info graph.txt --max-memory 5X
expect 2 "$ga" info graph.txt --max-memory 99999999999T

section spellings
expect 0 "$ga" generate er -n 200 -m 2000 -o graph.txt
expect 0 "$ga" sample graph.txt -r 0.5 --steer=no -q -o wanted.txt
for words in "-r0.5 graph.txt -qo got.txt --steer=no" "--rat 0.5 --steer=no --output=got.txt -q -- graph.txt" \
    "-q -r 0.5 --steer --steer=no --out got.txt graph.txt"; do
    # "--out" may be --output or --out-labels
    words=${words/--out got/--outp got}
    rm -f got.txt
    # shellcheck disable=SC2086
    expect 0 "$ga" sample $words && same wanted.txt got.txt "$words"
done

section surroundings
expect 0 "$ga" generate er -n 200 -m 2000 -o graph.txt
expect 0 "$ga" sample graph.txt -r 0.5 -o wanted.txt --report wanted.tsv
other=$(locale -a 2>/dev/null | grep -iE '^(de_DE|fr_FR|ru_RU)' | head -n 1)
expect 0 env LC_ALL="${other:-C.UTF-8}" TZ=Asia/Tokyo "$ga" sample graph.txt -r 0.5 -o got.txt --report got.tsv
same wanted.txt got.txt "another locale"
same <(grep -v ^seconds wanted.tsv) <(grep -v ^seconds got.tsv) "a report in another locale"
expect 0 env -i "$ga" sample graph.txt -r 0.5 -o got.txt && same wanted.txt got.txt "an empty environment"
mkdir gone
(cd gone && rmdir ../gone && "$ga" sample "$PWD/../graph.txt" -r 0.5 >../out 2>../err) ||
    (cd "$work/surroundings" && "$ga" sample graph.txt -r 0.5 >out)
cat >argc0.py <<'END'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.execve(sys.argv[1].encode(), (ctypes.c_char_p * 1)(None), (ctypes.c_char_p * 1)(None))
sys.exit(99)
END
expect 2 python3 argc0.py "$ga"
expect 0 "$ga" generate rmat -n 100 -m 300 --progress=always -o got.txt && says "300 edges" && says "edges/s"
expect 0 "$ga" generate rmat -n 100 -m 300 -o got.txt && [ ! -s err ] || fail "progress that is not on a terminal"

finish
