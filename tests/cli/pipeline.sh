#!/bin/bash
# Commands that feed each other; formats there and back; help and version.
# shellcheck source=/dev/null disable=SC2015,SC2094,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN
nodes=$((slow ? 10000 : 100000))

section pipes
set -o pipefail
"$ga" generate rmat -n "$nodes" -m $((16 * nodes)) | "$ga" sample - -r 0.05 | "$ga" info - >out 2>err ||
    fail "generate | sample | info: $(cat err)"
has nodes $((nodes / 20))
"$ga" generate er -n 500 -m 3000 -o graph.txt
# no operand and no terminal: standard input
"$ga" jdm <graph.txt >from-stdin.jdm && "$ga" jdm graph.txt -o a.jdm && same from-stdin.jdm a.jdm "no operand"
"$ga" dcm graph.txt -o a.dcm
"$ga" realize --jdm a.jdm --dcm a.dcm | "$ga" dcm - -o b.dcm || fail "realize | dcm"
same a.dcm b.dcm "realize | dcm"
"$ga" realize --jdm a.jdm --dcm a.dcm --swaps-per-edge 3 | "$ga" jdm - | cmp - a.jdm || fail "realize with swaps | jdm"
"$ga" rewire graph.txt --labels <(seq 1 500 | sed 's/.$//;s/^$/0/') -o rewired.txt || fail "rewire --labels"
"$ga" rescale --jdm a.jdm --dcm a.dcm -r 0.5 --out-jdm h.jdm --out-dcm h.dcm --report h.tsv
"$ga" realize --jdm h.jdm --dcm h.dcm -o h.txt && "$ga" jdm h.txt | cmp - h.jdm || fail "rescale, realize, jdm"
"$ga" rescale --jdm a.jdm --dcm a.dcm --nodes 250 --out-jdm n.jdm --out-dcm n.dcm && same h.jdm n.jdm "--nodes instead of -r"
set +o pipefail

section isolated
printf '# Nodes: 12 Edges: 2\n5 7\n7 9\n' >graph.txt
"$ga" jdm graph.txt -o a.jdm
"$ga" dcm graph.txt -o a.dcm
"$ga" realize --jdm a.jdm --dcm a.dcm | "$ga" dcm - | cmp - a.dcm || fail "isolated nodes through realize"
expect 0 "$ga" sample graph.txt -r 1 --map map.txt --keep-ids -o keep.txt
[ "$(grep -vc '^#' map.txt)" -eq 12 ] || fail "the map does not have every node"
awk '!/^#/ && $1 != $2 { exit 1 }' map.txt || fail "--keep-ids: ids in the map differ"
expect 0 "$ga" sample graph.txt --edges 250 --report r.tsv -o many.txt
awk -F '\t' '$1 == "wanted_edges" && $2 == 250 { ok = 1 } END { exit !ok }' r.tsv || fail "--edges: $(grep edges r.tsv)"
expect 0 "$ga" sample graph.txt -r 3 --map map.txt -o triple.txt
[ "$(grep -v '^#' map.txt | cut -f 2 | sort -n | uniq -c | awk '{ print $1 }' | sort -u)" = 3 ] || fail "donors of ratio 3"

# 11 million cells for 8,000 edges: most of them never become arcs. The optimum is that of the problem with all of them.
section "many labels"
expect 0 "$ga" generate er -n 8000 -m 16000 -o thin.txt
awk 'BEGIN { for (i = 0; i < 8000; i++) print i * 7919 % 3001 }' >thin.labels
expect 0 "$ga" sample thin.txt --labels thin.labels -r 0.5 -q -o half.txt --out-labels half.labels --report half.tsv
awk -F '\t' '$1 == "objective_value" && $2 > 6633.399 && $2 < 6633.401 { good++ }
    $1 == "dropped" && $2 == 0 { good++ } END { exit good != 2 }' half.tsv ||
    fail "many labels: $(grep -E 'objective_value|dropped' half.tsv)"
"$ga" jdm half.txt --labels half.labels -o half.jdm && "$ga" dcm half.txt --labels half.labels -o half.dcm &&
    "$ga" realize --jdm half.jdm --dcm half.dcm -o again.txt || fail "many labels: not realisable"

section formats
expect 0 "$ga" generate er -n 300 -m 2000 -o a.txt
for kind in txt mtx sg gab txt.gz mtx.gz gab.gz; do
    expect 0 "$ga" convert a.txt -o "b.$kind" && expect 0 "$ga" convert "b.$kind" -o c.txt && same a.txt c.txt "by way of $kind"
    expect 0 "$ga" convert a.txt -o "b.$kind" --in-edges && expect 0 "$ga" convert "b.$kind" -o c.txt && same a.txt c.txt "by way of $kind"
done
expect 0 "$ga" convert --undirected a.txt -o u.txt
expect 0 "$ga" convert u.txt -o u.graph && expect 0 "$ga" convert u.graph -o v.txt
same <(grep -v '^#' u.txt | sort) <(grep -v '^#' v.txt | sort) "by way of metis"
expect 0 "$ga" convert a.txt --to mtx && head -n 1 out | grep -q MatrixMarket || fail "--to mtx"
printf '1 2 0.5\n2 3 1e-3\n' >w.txt
expect 0 "$ga" convert --weights w.txt -o w.gab && expect 0 "$ga" convert w.gab --weights && grep -qx $'2\t3\t0.001' out ||
    fail "weights: $(cat out)"
printf '# ids with gaps\n10 20\n20 4000000000\n' >gaps.txt
expect 0 "$ga" convert gaps.txt -o gaps.gab && expect 0 "$ga" convert gaps.gab && grep -qx $'20\t4000000000' out || fail "ids"
expect 0 "$ga" info gaps.gab && has format gab && has nodes 3 && has gzip no
expect 0 "$ga" info b.txt.gz && has format snap && has gzip yes

section json
expect 0 "$ga" generate er -n 100 -m 500 -o a.txt
expect 0 "$ga" info a.txt
expect 0 "$ga" info a.txt --json -o i.json && expect 0 "$ga" info a.txt -o i.tsv
expect 0 "$ga" jdm a.txt --json -o j.json && expect 0 "$ga" jdm a.txt -o j.tsv
seq 1 100 | sed 's/.$//;s/^$/0/' >labels.txt
expect 0 "$ga" dcm a.txt --labels labels.txt --json -o d.json && expect 0 "$ga" dcm a.txt --labels labels.txt -o d.tsv
expect 0 "$ga" jdm a.txt --labels labels.txt --json -o l.json && expect 0 "$ga" jdm a.txt --labels labels.txt -o l.tsv
expect 0 "$ga" sample a.txt -r 0.5 --report r.json --json -o s.txt && expect 0 "$ga" sample a.txt -r 0.5 --report r.tsv -o s.txt
expect 0 "$ga" rewire a.txt --report w.json --json -o s.txt
expect 0 "$ga" sample a.txt -r 0.5 --labels labels.txt --out-labels labels.out --map map.txt -o s.txt
[ "$(wc -l <labels.out)" -eq 50 ] || fail "--out-labels"
python3 - <<'END' || fail "JSON"
import json
rows = dict(x.rstrip("\n").split("\t") for x in open("i.tsv") if x[0] != "#")
info = json.load(open("i.json"))
assert set(rows) == set(info), set(rows) ^ set(info)
assert info["nodes"] == 100 and info["edges"] == 500 and info["format"] == "snap", info
assert float(rows["r_min"]) == info["r_min"]
for name in "jdl":
    head, *cells = [x.rstrip("\n").split("\t") for x in open(name + ".tsv")]
    j = json.load(open(name + ".json"))
    head[0] = head[0].lstrip("#")
    assert j["columns"] == head, (j["columns"], head)
    assert sorted(j["cells"]) == sorted([int(v) for v in c] for c in cells), name
report = json.load(open("r.json"))
rows = [x.rstrip("\n").split("\t") for x in open("r.tsv") if x[0] != "#"]
for key, *value in rows:
    if key not in ("seconds", "dropped_edges"):
        same = report[key] == value[0] if isinstance(report[key], str) else report[key] is None or report[key] == float(value[0])
        assert same, key
json.load(open("w.json"))
labels = open("labels.txt").read().split()
for line, got in zip((x for x in open("map.txt") if x[0] != "#"), open("labels.out").read().split()):
    assert labels[int(line.split("\t")[1])] == got
END

section help
expect 0 "$ga" --version && grep -q '^graphattn [0-9]' out || fail "--version"
expect 0 "$ga" --help && grep -q sample out || fail "--help"
expect 0 "$ga" help --list-commands
cut -f 1 out >commands
grep -qx sample commands || fail "--list-commands"
while read -r command; do
    expect 0 "$ga" "$command" --help && grep -q "^usage: graphattn $command" out || fail "$command --help"
    expect 0 "$ga" "$command" -h
    [ ! -s err ] || fail "$command --help on standard error"
    awk 'length > 110 { exit 1 }' out || fail "a line of $command --help is too long"
    got=0
    "$ga" "$command" --help >/dev/full 2>err || got=$?
    [ "$got" -eq 1 ] || fail "exit $got of $command --help >/dev/full"
    got=0
    "$ga" "$command" --help >&- 2>err || got=$?
    [ "$got" -eq 1 ] || fail "exit $got of $command --help >&-"
    # without a manual page (no man at all) the help text comes instead
    expect 0 env PATH=/nonexistent "$ga" help "$command" && grep -q "^usage: graphattn $command" out || fail "help $command"
done <commands
if command -v man >/dev/null && [ -f "$top/man/graphattn-sample.1" ]; then
    mkdir -p pages/man1
    cp "$top/man/graphattn-sample.1" pages/man1
    expect 0 env MANPATH="$PWD/pages" MANPAGER=cat "$ga" help sample
    grep -q '^NAME' out || fail "help does not open the manual page"
    expect 0 env MANPATH="$PWD/pages" MANPAGER=cat "$ga" help jdm
    grep -q '^usage: graphattn jdm' out || fail "help without a manual page"
fi
for word in --help --version; do
    "$ga" "$word" >/dev/full 2>err && fail "$word >/dev/full"
done
expect 0 "$ga" sample --list-methods && grep -q '^jdm' out || fail "--list-methods"
expect 0 "$ga" generate --list-models && grep -q '^rmat' out || fail "--list-models"

finish
