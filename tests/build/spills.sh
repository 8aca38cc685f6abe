#!/bin/sh
# What ptxas reported when the CUDA kernels were compiled: none spills registers, on any architecture.
set -eu
reports=$(find lib -name '*.cu.ptxas' 2>/dev/null)
[ -n "$reports" ] || { echo "no CUDA kernels in this build"; exit 77; }
# shellcheck disable=SC2086
awk '
    /Compiling entry function/ { split($0, part, "\047"); kernel = part[2] " for " part[4]; kernels++ }
    /bytes spill stores/ {
        match($0, /[0-9]+ bytes spill stores/); stores = substr($0, RSTART) + 0
        match($0, /[0-9]+ bytes spill loads/); loads = substr($0, RSTART) + 0
        if (stores + loads > 0) { print FILENAME ": " kernel ": " $0; bad = 1 }
    }
    /Used [0-9]+ registers/ { match($0, /[0-9]+ registers/); used = substr($0, RSTART) + 0; if (used > most) { most = used; which = kernel } }
    END { print kernels + 0 " kernels, at most " most + 0 " registers (" which ")"; exit bad }
' $reports
