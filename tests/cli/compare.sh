#!/bin/bash
# graphattn compare: distances of equal and unequal graphs, ranking, pictures, wrong usage.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN
nodes=$((slow ? 1000 : 4000))
"$ga" generate rmat -n "$nodes" -m $((6 * nodes)) -q -o "$work.txt"
trap 'cd / && rm -rf "$work" "$work".*' EXIT
"$ga" sample "$work.txt" -r 0.2 -q -o "$work.jdm.gab"
"$ga" sample "$work.txt" -r 0.2 --method node -q -o "$work.node.gab"
"$ga" sample "$work.txt" -r 0.2 --method forest_fire -q -o "$work.fire.gab"

section equal
for metrics in all size; do
    expect 0 "$ga" compare "$work.txt" "$work.txt" -q --metrics $metrics
    has ratio 1
    awk -F '\t' '$1 ~ /^(ks_|jd|dc|scree|triad_tv)/ || $1 ~ /difference$/ { n++; if ($2 != 0 && $2 != "nan") bad = bad " " $1 "=" $2 }
        END { if (n < 12 || bad) { print n " rows" bad; exit 1 } }' out >bad || fail "a graph is not equal to itself: $(cat bad)"
done
grep -q '^scc' out && fail "a group that was not asked for"
expect 0 "$ga" compare "$work.txt" "$work.txt" -q
for name in ks_in ks_total jdd_l1 dcd_tv_log2 jdm_l1_counts ks_coreness_all ks_pagerank ks_wcc_size ks_scc_size; do
    has $name 0
done
grep -qE '^(triad_tv|ks_hop_plot)' out && fail "a distance that needs a group that was not asked for"

section unequal
# by hand: in-degrees 0 1 1 and 0 0 2, out-degrees 1 1 0 and 1 1 0; edges from 1 to 1, and from 1 to 2
printf '0 1\n1 2\n' >path.txt
printf '0 2\n1 2\n' >fork.txt
expect 0 "$ga" compare path.txt fork.txt -q
has ks_out 0
awk -F '\t' '$1 == "ks_in" { exit !($2 > 0.33333 && $2 < 0.33334) }' out || fail "ks_in: $(grep ks_in out)"
has jdd_tv 1
has jdd_l1 2
has jdm_l1_counts 4
has edges.a 2
has edges.difference 0
has max_in.difference 1
expect 0 "$ga" compare path.txt fork.txt -q --ratio 2
has ratio 2
has jdm_l1_counts 6
expect 0 "$ga" compare path.txt fork.txt -q --json
python3 -c 'import json; r = json.load(open("out")); assert r["jdd_tv"] == 1 and r["ks_out"] == 0 and r["kcore.seconds"] >= 0, r' ||
    fail "JSON"

section ranking
cp "$work.jdm.gab" "$work.node.gab" "$work.fire.gab" .
mv ./*.node.gab node.gab && mv ./*.fire.gab fire.gab && mv ./*.jdm.gab jdm.gab
expect 0 "$ga" compare "$work.txt" node.gab fire.gab "$work.txt" jdm.gab -q -o table.tsv
[ "$(cut -f 1 table.tsv | tr '\n' ' ')" = "#sample $work.txt jdm.gab fire.gab node.gab " ] ||
    [ "$(cut -f 1 table.tsv | head -n 3 | tr '\n' ' ')" = "#sample $work.txt jdm.gab " ] || fail "the order: $(cut -f 1,2 table.tsv)"
[ "$(awk -F '\t' 'NR == 2 { print $2 }' table.tsv)" = 1 ] || fail "the original is not the nearest to itself"
awk -F '\t' '{ if (NF != n && NR > 1) exit 1; n = NF }' table.tsv || fail "rows of different lengths"
awk -F '\t' 'NR > 1 { sum += $2 } END { exit sum != 10 }' table.tsv || fail "places of four samples do not sum to ten"
expect 0 "$ga" compare "$work.txt" node.gab jdm.gab -q --json
python3 -c 'import json; r = json.load(open("out")); assert [x["sample"] for x in r] == ["jdm.gab", "node.gab"] and 1 <= r[0]["mean_place"] < r[1]["mean_place"], r' ||
    fail "JSON of two samples"
expect 0 "$ga" compare "$work.txt" node.gab fire.gab "$work.txt" jdm.gab -q -@ 1 -o one.tsv
expect 0 "$ga" compare "$work.txt" node.gab fire.gab "$work.txt" jdm.gab -q -@ 4 -o four.tsv
same one.tsv four.tsv "one thread and four"
"$ga" compare - jdm.gab -q -o input.tsv <"$work.txt" || fail "standard input"
expect 0 "$ga" compare "$work.txt" jdm.gab -q -o file.tsv
same input.tsv file.tsv "standard input and a file"

section pictures
cp "$work.jdm.gab" jdm.gab
expect 0 "$ga" compare "$work.txt" jdm.gab -q --plot two.svg -o two.tsv
python3 - <<'END' || fail "the picture"
import xml.etree.ElementTree as tree
root = tree.parse("two.svg").getroot()
words = [x.text for x in root.iter("{http://www.w3.org/2000/svg}text")]
for wanted in ("in-degrees", "out-degrees", "distances", "clustering", "joint degrees: jdm.gab"):
    assert wanted in words, (wanted, words)
numbers = " ".join(x.get("d") or x.get("points") or "" for x in root.iter())
assert "nan" not in numbers and "inf" not in numbers
END
expect 0 "$ga" compare "$work.txt" jdm.gab -q -@ 1 --plot one.svg -o one.tsv
same one.svg two.svg "pictures by one thread and several"
expect 2 "$ga" compare "$work.txt" jdm.gab --plot two.jpg
says ".svg, .png or .pdf"
if command -v gnuplot >/dev/null; then
    for suffix in png pdf; do
        expect 0 "$ga" compare "$work.txt" jdm.gab -q --plot "two.$suffix" -o two.tsv
        head -c 8 "two.$suffix" | grep -aqE 'PNG|%PDF' || fail "no picture in two.$suffix"
    done
fi
rm -f two.png
mkdir empty
PATH=$PWD/empty expect 1 "$ga" compare "$work.txt" jdm.gab -q --plot two.png -o left.tsv
says "drawn by the program gnuplot"
if [ -e two.png ] || [ -e left.tsv ]; then
    fail "something is left of a run that failed"
fi

section small
# graphs without edges, without nodes: no distance is made up
printf '# Nodes: 3 Edges: 0\n' >lone.txt
printf '# Nodes: 0 Edges: 0\n' >none.txt
printf '0 1\n' >edge.txt
for a in lone none edge; do
    for b in lone none edge; do
        expect 0 "$ga" compare $a.txt $b.txt -q --metrics all --plot p.svg
        [ $a = $b ] && grep -E '^(ks_in|jdd_tv)' out | grep -vE $'\t(0|nan)$' && fail "$a is not equal to itself"
    done
done

section usage
expect 2 "$ga" compare "$work.txt"
expect 2 "$ga" compare
expect 1 "$ga" compare "$work.txt" nothing.txt && says "nothing.txt"
expect 2 "$ga" compare "$work.txt" "$work.txt" --ratio 0
expect 2 "$ga" compare "$work.txt" "$work.txt" --metrics clusterin && says "clustering"
samples=()
for _ in $(seq 17); do samples+=("$work.txt"); done
expect 2 "$ga" compare "$work.txt" "${samples[@]}" && says "at most 16"
expect 0 "$ga" compare "$work.txt" "${samples[@]:1}" -q --metrics size
cp "$work.txt" both.txt
expect 1 "$ga" compare both.txt "$work.txt" -o both.txt && says "both.txt"
finish
