#!/bin/sh
# The shared libraries export exactly the functions that the public headers declare.
set -eu
library=.libs/libgraphattn.so
[ -f "$library" ] || { echo "no shared library here"; exit 77; }
command -v nm >/dev/null || { echo "no nm"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# compare MARK LIBRARY
compare() {
    nm -D --defined-only "$2" | awk '$2 ~ /[TDRB]/ { print $3 }' | sort >"$work/exported"
    cat "${srcdir:-.}"/include/graphattn/*.h | tr '\n' ' ' |
        grep -o "$1 [^;{]*;" | sed -n 's/.*[ *]\(ga_[a-z0-9_]*\)(.*/\1/p' | sort >"$work/declared"
    [ -s "$work/declared" ]
    diff "$work/declared" "$work/exported"
}
compare GA_API "$library"
if grep -q '^#define HAVE_IGRAPH 1' config.h; then
    compare GA_IGRAPH_API .libs/libgraphattn-igraph.so
fi
