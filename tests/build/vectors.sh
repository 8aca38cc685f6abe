#!/bin/sh
# The bodies that are compiled per instruction set really use its vectors.
set -eu
command -v objdump >/dev/null || { echo "no objdump"; exit 77; }
bad=0
# look SUFFIX REGISTERS: every object of that instruction set computes in such registers
look() {
    found=0
    for object in lib/engine/*/.libs/*_"$1".o lib/engine/*/*_"$1".o; do
        [ -f "$object" ] || continue
        found=$((found + 1))
        count=$(objdump -d --no-show-raw-insn "$object" | grep -cE "v((fm|fnm|mul|add|sub|cmp|max)[a-z0-9_]*p[sd]|pmuludq) .*%$2" || true)
        if [ "$count" -lt 1 ]; then
            echo "$object: $count arithmetic instructions in $2 registers"
            bad=1
        fi
    done
    [ "$found" -gt 0 ] || echo "nothing is compiled for $1"
}
look avx2 ymm
look avx512 zmm
exit $bad
