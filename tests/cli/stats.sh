#!/bin/bash
# graphattn stats: rows, arrays, groups, real graphs, wrong usage.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN

section rows
printf '10 20\n20 30\n30 10\n10 30\n40 10\n' >graph.txt
expect 0 "$ga" stats graph.txt -q --metrics all
has nodes 4
has edges 5
has reciprocity 0.4
has scc.largest 3
has bowtie.in 1
has kcore.all 2
has diameter 2
has triad_census.120C 1
has pagerank.argmax 10
has transitivity 0.6
grep -q '^label' out && fail "statistics of labels without labels"
[ "$(head -n 1 out)" = "#name"$'\t'value ] || fail "no header"
expect 0 "$ga" stats -q --metrics size <graph.txt
"$ga" stats -q --metrics size <graph.txt >out || fail "standard input"
[ "$(wc -l <out)" -eq 8 ] || fail "not the seven rows of a group"
expect 0 "$ga" stats graph.txt -q
[ "$(grep -c 'triad_census\|singular\|powerlaw\|diameter' out)" -eq 0 ] || fail "more than the standard groups"
for group in size nnz reciprocity assortativity wcc scc transitivity clustering kcore pagerank; do
    grep -qE "^($group|nodes|nnz_jdm)" out || fail "no $group among the standard groups"
done
expect 0 "$ga" stats graph.txt -q --json --metrics all -o report.json
python3 -c 'import json; r = json.load(open("report.json")); assert r["edges"] == 5 and r["reciprocity"] == 0.4' || fail JSON
printf '1\n1\n2\n-1\n' >labels.txt
expect 0 "$ga" stats graph.txt -q --metrics labels --labels labels.txt
has label.edge_homophily 0.25
expect 0 "$ga" stats graph.txt -q --metrics all --labels labels.txt
has label.edge_homophily 0.25

# info prints some of the same figures
expect 0 "$ga" stats "$debian" -q --metrics size,nnz -o some.tsv
"$ga" info "$debian" -q >info.tsv
for name in nodes edges isolated mean_degree nnz_jdm nnz_dcm out_classes in_classes r_min r_min_1 r_min_5; do
    grep -qx "$(grep -P "^$name\t" info.tsv)" some.tsv || fail "$name differs from info"
done

section arrays
python=$(numpy_python)
if [ -n "$python" ]; then
    expect 0 "$ga" stats "$debian" -q --metrics size,kcore,pagerank,wcc,clustering --return coreness_all=c.npy \
        --return pagerank=p.npy --return in_degree=d.npy --return wcc_sizes=w.npy --return local_clustering=l.npy -o rows.tsv
    "$python" - <<'END' || fail arrays
import numpy
rows = dict(line.rstrip("\n").split("\t") for line in open("rows.tsv"))
c, p, d, w, l = (numpy.load(x + ".npy") for x in "cpdwl")
assert len(c) == len(p) == len(d) == len(l) == int(rows["nodes"]) == w.sum()
assert c.max() == int(rows["kcore.all"]) and d.sum() == int(rows["edges"]) and d.max() == int(rows["max_in"])
assert abs(p.sum() - 1) < 1e-12 and w[0] == int(rows["wcc.largest"]) and len(w) == int(rows["wcc.count"])
assert abs(l.mean() - float(rows["clustering"])) < 1e-12
END
fi
rm -f ./*.npy rows.tsv
printf '0 1\n' >graph.txt
expect 2 "$ga" stats graph.txt --return nothing=n.npy && says "no array \"nothing\""
expect 1 "$ga" stats graph.txt --metrics size --return pagerank=n.npy -o left.tsv && says "its group pagerank"
if [ -e n.npy ] || [ -e left.tsv ]; then
    fail "something is left of a run that failed"
fi

section threads
"$ga" generate rmat -n 30000 -m 200000 -q -o web.gab
for threads in 1 4; do
    expect 0 "$ga" stats web.gab -q --metrics all -@ $threads --return pagerank=p$threads.npy -o $threads.tsv
done
same 1.tsv 4.tsv "one thread and four"
same p1.npy p4.npy "arrays of one thread and four"
expect 0 "$ga" stats web.gab --metrics hop_plot
says "estimated from 512 sources"
expect 0 "$ga" stats web.gab --metrics hop_plot --hop-sources 64
says "estimated from 64 sources"

section list
expect 0 "$ga" stats --list-methods
awk -F '\t' 'NF != 5 { exit 1 } $2 == "standard" { n++ } END { exit n != 10 || NR != 17 }' out || fail "the list of groups"

section real
# triangles and clustering as the collection that the graphs come from publishes them
while read -r name clustering closed; do
    if [ -f "$shared/data/graphs/$name.txt.gz" ]; then
        expect 0 "$ga" stats "$shared/data/graphs/$name.txt.gz" -q --metrics clustering,wcc,scc
        awk -F '\t' -v wanted="$clustering" '$1 == "clustering" { exit !($2 > wanted - 5.1e-5 && $2 < wanted + 5.1e-5) }' out ||
            fail "$name: $(grep '^clustering' out | head -n 1), published: $clustering"
        has scc.largest "$closed"
    fi
done <<'END'
p2p-Gnutella08 0.0109 2068
p2p-Gnutella31 0.0055 14149
wiki-Vote 0.1409 1300
END

section usage
printf '0 1\n1 2\n' >graph.txt
expect 2 "$ga" stats graph.txt --metrics clusterin && says "no group \"clusterin\"" && says "clustering,"
expect 2 "$ga" stats graph.txt --metrics labels && says "needs the labels"
expect 2 "$ga" stats graph.txt --metrics pagerank --alpha 1 && says "alpha"
expect 2 "$ga" stats graph.txt --metrics pagerank --alpha x && says "alpha"
expect 2 "$ga" stats graph.txt --hop-sources 0
printf '0 0\n0 1\n' >loop.txt
expect 1 "$ga" stats loop.txt --loops keep && says "a loop or a repeated edge was kept"
expect 0 "$ga" stats loop.txt
printf '1\n' >short.txt
expect 1 "$ga" stats graph.txt --metrics labels --labels short.txt && says "short.txt: 1 labels"
"$ga" generate rmat -n 30000 -m 200000 -q -o web.gab
"$ga" stats web.gab --metrics all >out 2>err &
job=$!
sleep 0.05
kill -INT $job 2>/dev/null
wait $job
got=$?
[ $got -eq 130 ] || [ $got -eq 0 ] || fail "exit $got after an interrupt"
finish
