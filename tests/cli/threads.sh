#!/bin/bash
# The same bytes with any number of threads, for every command.
# shellcheck source=/dev/null disable=SC2015,SC2094,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN
nodes=$((slow ? 3000 : 30000))

section threads
expect 0 "$ga" generate rmat -n "$nodes" -m $((8 * nodes)) -o graph.txt
gzip -c graph.txt >graph.gz
expect 0 "$ga" convert graph.txt -o graph.gab
"$ga" jdm graph.txt -o graph.jdm
"$ga" dcm graph.txt -o graph.dcm
awk '!/^#/ { print $1 % 5 }' graph.txt | head -n "$("$ga" info graph.txt | sed -n 's/^nodes\t//p')" >labels.txt
while read -r words; do
    for threads in 1 2 3 7; do
        mkdir -p "with-$threads"
        # shellcheck disable=SC2086
        expect 0 "$ga" ${words//OUT/with-$threads} -@ "$threads" || continue
        cp out "with-$threads/stdout"
        for f in "with-$threads"/*; do
            sed -i '/seconds/d' "$f"
            same "with-1/$(basename "$f")" "$f" "$words, $threads threads"
        done
    done
    rm -rf with-*
done <<'END'
convert graph.txt
convert graph.gz --to=gab -o OUT/a.gab
convert graph.gab --to=mtx
convert graph.txt --to=sg --in-edges -o OUT/a.sg
info graph.gz
generate er -n 3000 -m 60000
generate rmat -n 5000 -m 60000 -o OUT/a.txt
generate ba -n 3000 -m 9000
generate sbm -n 3000 -m 20000
generate grid -n 2500
jdm graph.txt
jdm graph.txt --labels labels.txt
dcm graph.gab
rescale --jdm graph.jdm --dcm graph.dcm -r 0.3 --out-jdm OUT/j --out-dcm OUT/d --report OUT/r
rescale --jdm graph.jdm --dcm graph.dcm -r 0.3 --objective=quantile --dcm-rounding=systematic --out-jdm OUT/j --out-dcm OUT/d
realize --jdm graph.jdm --dcm graph.dcm
rewire graph.txt --swaps-per-edge 3 --report OUT/r -o OUT/g
rewire graph.txt --preserve=degrees --swaps-per-edge 2
sample graph.txt -r 0.2 --map OUT/m --report OUT/r
sample graph.txt -r 0.2 --labels labels.txt --out-labels OUT/l -o OUT/g --map OUT/m
sample graph.txt -r 0.2 --swaps-per-edge 2 -o OUT/g.gab
sample graph.txt -r 0.2 --target=reciprocity=0.1 -o OUT/g --map OUT/m
END

finish
