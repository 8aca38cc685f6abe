#!/bin/sh
# The library never prints, exits, aborts, installs signal handlers or changes the locale.
set -eu
library=.libs/libgraphattn.so
[ -f "$library" ] || { echo "no shared library here"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm -D --undefined-only "$library" | sed 's/@.*//' | awk '{ print $2 }' | sort -u >"$work/needed"
[ -s "$work/needed" ]
if grep -xE 'exit|_exit|abort|printf|puts|putchar|fprintf|perror|signal|sigaction|setlocale|srand|rand|fork' "$work/needed"; then
    exit 1
fi
