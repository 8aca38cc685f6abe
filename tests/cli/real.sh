#!/bin/bash
# Real graphs, judged by a program that shares no code with ours: a sample of ratio 1 has the matrices of the original,
# smaller ones stay within the figures of the table below.
# shellcheck source=/dev/null disable=SC2015,SC2094,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN
judge=$shared/tools/check_sample.py
python=$(numpy_python)
if [ ! -f "$judge" ] || [ -z "$python" ]; then
    echo "no judge here ($judge), or no numpy"
    exit 77
fi

section whole
graphs=("$debian" "$shared"/data/graphs/*.txt.gz)
if [ "$slow" = 1 ]; then
    graphs=("$shared"/data/graphs/p2p-Gnutella08.txt.gz "$shared"/data/graphs/email-Eu-core.txt.gz)
fi
for graph in "${graphs[@]}"; do
    expect 0 "$ga" sample "$graph" -q -r 1 -o sample.txt || continue
    "$python" "$judge" "$graph" sample.txt --ratio 1 --exact >out 2>err || fail "$(basename "$graph") at ratio 1: $(cat err)"
done

# graph, ratio, limits: KS, total variation by cell and in powers of two, share of the edges; options. On wiki-Vote
# small samples cannot hold the edges of the hubs.
section parts
while read -r graph ratio ks tv log2 edges options; do
    case $graph in '#'*) continue ;; esac
    if [ "$slow" = 1 ] && [ "$graph" != p2p-Gnutella31 ]; then
        continue
    fi
    file=$shared/data/graphs/$graph.txt.gz
    # shellcheck disable=SC2086
    expect 0 "$ga" sample "$file" -q -r "$ratio" $options -o sample.txt || continue
    "$python" "$judge" "$file" sample.txt --ratio "$ratio" --max-ks "$ks" --max-tv "$tv" --max-tv-log2 "$log2" \
        --max-edge-error "$edges" --max-node-error 0.5 >out 2>err || fail "$graph at ratio $ratio: $(tr '\n' ';' <err)"
    grep -E '^(ks_in|ks_out|jdd_tv|jdd_tv_log2|edge_error_relative)' out | tr '\n\t' ' =' | sed "s/^/$graph $ratio: /;s/\$/\n/"
done <<'END'
# graph            ratio ks    tv   log2  edges
wiki-Vote          0.5   0.002 0.25 0.03  0.01
wiki-Vote          0.2   0.0035 0.54 0.09 0.01
wiki-Vote          0.1   0.011 0.72 0.293 0.05
wiki-Vote          0.1   0.011 0.752 0.293 0.07 --dcm-rounding=systematic --objective=quantile
wiki-Vote          0.05  0.0415 0.875 0.522 0.19
soc-Slashdot0902   0.5   0.0004 0.103 0.0175 0.001
soc-Slashdot0902   0.2   0.0006 0.229 0.028 0.007
soc-Slashdot0902   0.1   0.001 0.33 0.05  0.01
soc-Slashdot0902   0.05  0.001 0.46 0.09  0.017
soc-Slashdot0902   0.1   0.0017 0.455 0.061 0.016 --dcm-rounding=systematic --objective=quantile
web-Stanford-m1    0.5   0.0002 0.20 0.041 0.001
web-Stanford-m1    0.2   0.0005 0.33 0.11 0.01
web-Stanford-m1    0.1   0.001 0.385 0.182  0.02
web-Stanford-m1    0.05  0.001 0.50 0.30  0.02
p2p-Gnutella31     0.5   0.0005 0.01 0.003 0.001
p2p-Gnutella31     0.2   0.0005 0.02 0.004 0.002
p2p-Gnutella31     0.1   0.001 0.03 0.006 0.005
p2p-Gnutella31     0.05  0.001 0.05 0.02  0.01
p2p-Gnutella31     0.1   0.001 0.04 0.01  0.002 --dcm-rounding=systematic --objective=quantile
END

finish
