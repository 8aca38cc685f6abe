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

SEEDS='1 2' "$source_dir/examples/many-samples" web.txt many 0.5 0.25
[ "$(wc -l <many/table.tsv)" -eq 5 ]
awk -F '\t' 'NF != 12 { exit 1 }
    NR > 1 && $3 != 2000 * $1 { exit 1 }
    NR > 1 && ($5 > $7 || $6 > $7 || $10 < $11 - 1e-6) { exit 1 }' many/table.tsv
[ "$(find many -type f | wc -l)" -eq 6 ]
