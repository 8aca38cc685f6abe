#!/bin/sh
# The C program of README.md compiles, and samples a tenth of the nodes.
set -eu
source_dir=$(cd "${srcdir:-.}" && pwd)
library=$PWD/.libs
[ -e "$library/libgraphattn.so" ] || { echo "no shared library here"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2016 # backquotes are meant
sed -n '/^```c$/,/^```$/p' "$source_dir/README.md" | sed '1d; $d' >"$work/tenth.c"
[ -s "$work/tenth.c" ]
${CC:-cc} -std=c11 -Wall -Wextra -Werror -I"$source_dir/include" "$work/tenth.c" -L"$library" -Wl,-rpath,"$library" \
    -lgraphattn -o "$work/tenth"
"$GRAPHATTN" generate rmat -n 3000 -m 15000 -o "$work/graph.txt"
"$work/tenth" "$work/graph.txt" "$work/tenth.txt"
head -n 1 "$work/tenth.txt" | grep '^# Nodes: 300 Edges: '
# the program does what the command does
"$GRAPHATTN" sample "$work/graph.txt" -r 0.1 -q | cmp - "$work/tenth.txt"
# and says what is wrong
if "$work/tenth" "$work/missing.txt" "$work/x.txt" 2>"$work/errors"; then
    exit 1
fi
grep missing.txt "$work/errors"
[ ! -e "$work/x.txt" ]
