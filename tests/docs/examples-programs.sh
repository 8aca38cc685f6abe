#!/bin/sh
# The programs in examples/ run and print what they should.
set -eu
source_dir=$(cd "${srcdir:-.}" && pwd)
programs=$PWD/examples
[ -x "$programs/sample" ] || { echo "the examples were not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$GRAPHATTN" generate rmat -n 2000 -m 12000 -o web.txt

"$programs/sample" web.txt 0.1 small.txt >sample.out
grep '^200 nodes (wanted 200.0), ' sample.out
"$GRAPHATTN" sample web.txt -r 0.1 -q | cmp - small.txt
if "$programs/sample" web.txt -1 wrong.txt 2>errors; then
    exit 1
fi
grep '^sample: ' errors
[ ! -e wrong.txt ]

"$programs/matrices" >matrices.out
grep '^ratio 2: 12 nodes, 16 edges, 0 dropped$' matrices.out
grep '^ratio 0.5: 3 nodes, ' matrices.out

"$programs/hooks" web.txt >hooks.out 2>/dev/null
grep '^12000 edges in ' hooks.out
grep '^own allocator used, 0 bytes left$' hooks.out

# 2000 nodes, every fourth without a label; all neighbours, then two of each: 500 batches of estimates have the same mean
awk 'BEGIN { for (i = 0; i < 2000; i++) print i % 4 ? i % 3 : -1 }' >labels.txt
"$programs/batches" web.txt labels.txt -1,-1 1000000 1 >exact.out
"$programs/batches" web.txt labels.txt 2,2 64 20 >batches.out
[ "$(grep -c '^epoch [0-9]*: 1500 seeds in 24 batches of ' batches.out)" -eq 20 ]
awk 'function share() { sub(".*; ", ""); return $1 } NR == FNR { exact = share(); next } { sum += share() }
    END { exit !(exact > 0.1 && exact < 0.5 && sum / 20 > exact - 0.01 && sum / 20 < exact + 0.01) }' exact.out batches.out
sed -n 1p exact.out | grep '^epoch 0: 1500 seeds in 1 batches of '

"$programs/jdm" web.txt 3 >jdm.out
sed -n 1p jdm.out | grep '^# 12000 edges in '
sed -n 3p jdm.out | while read -r out in edges _; do
    "$GRAPHATTN" jdm web.txt | grep -x "$out	$in	$edges"
done
[ "$(grep -c '^[1-9]' jdm.out)" -eq 3 ]

"$programs/gat" small.txt 4 2 y.npy | grep '^200 nodes, .* 2 heads of 4 channels'
[ -s y.npy ]
if "$programs/gat" small.txt 4 0 wrong.npy 2>errors; then
    exit 1
fi
grep '^gat: ' errors
[ ! -e wrong.npy ]

if [ -x "$programs/igraph" ]; then
    "$GRAPHATTN" convert web.txt -o web.graphml
    "$programs/igraph" web.txt 0.1 >igraph.out
    "$programs/igraph" web.graphml 0.1 | cmp - igraph.out
    awk -F '\t' 'NF != 7 { exit 1 }
        $1 == "original" && ($2 != 2000 || $3 != 12000) { exit 1 }
        $1 == "sample" && ($2 != 200 || $3 < 1000 || $5 <= 0) { exit 1 }
        END { exit NR != 3 }' igraph.out
    "$GRAPHATTN" stats web.txt --metrics reciprocity >stats.out
    awk -F '\t' 'FNR == NR { if ($1 == "original") wanted = $4; next }
        $1 == "reciprocity" { seen = 1; if (wanted - $2 > 1e-4 || $2 - wanted > 1e-4) exit 1 }
        END { exit !seen }' igraph.out stats.out
    if "$programs/igraph" missing.graphml 0.1 2>errors; then
        exit 1
    fi
    grep '^igraph: .*missing.graphml' errors
fi

SEEDS='1 2' "$source_dir/examples/many-samples" web.txt many 0.5 0.25
[ "$(wc -l <many/table.tsv)" -eq 5 ]
awk -F '\t' 'NF != 12 { exit 1 }
    NR > 1 && $3 != 2000 * $1 { exit 1 }
    NR > 1 && ($5 > $7 || $6 > $7 || $10 < $11 - 1e-6) { exit 1 }' many/table.tsv
[ "$(find many -type f | wc -l)" -eq 6 ]

if command -v python3 >/dev/null; then
    python3 - <<'EOF'
import math, struct
for name, phase in (("q", 0), ("k", 1), ("v", 2)):
    shape, count = "(1, 2, 24, 4)", 2 * 24 * 4
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % shape
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(name + ".npy", "wb") as out:
        out.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode())
        out.write(struct.pack("<%df" % count, *[2 * math.sin(1.7 * i * i + phase) for i in range(count)]))
EOF
    "$programs/hedgehog_distill" q.npy k.npy v.npy 60 wq.npy wk.npy >distill.out
    awk -F '\t' '/^step 0\t/ { first = $2 } /^step 60\t/ { last = $2 } /^floor/ { least = $2 }
        /^error before/ { before = $2 } /^error behind/ { behind = $2 }
        END { exit !(least > 0 && least < last && last < 0.95 * first && behind < 0.9 * before) }' distill.out
    "$GRAPHATTN" attend hedgehog --causal --precision f64 -Q q.npy -K k.npy -V v.npy --tensor w_q=wq.npy \
        --tensor w_k=wk.npy -o o.npy --return distill=loss.npy
    python3 -c 'import struct
found = struct.unpack("<d", open("loss.npy", "rb").read()[-8:])[0]
last = [line.split("\t")[1] for line in open("distill.out") if line.startswith("step 60")][0]
assert abs(found - float(last)) < 1e-6, (found, last)'
fi
