#!/bin/sh
# The shared library exports exactly the functions that the public headers declare.
set -eu
library=.libs/libgraphattn.so
[ -f "$library" ] || { echo "no shared library here"; exit 77; }
command -v nm >/dev/null || { echo "no nm"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm -D --defined-only "$library" | awk '$2 ~ /[TDRB]/ { print $3 }' | sort >"$work/exported"
cat "${srcdir:-.}"/include/graphattn/*.h | tr '\n' ' ' |
    grep -o 'GA_API [^;{]*;' | sed -n 's/.*[ *]\(ga_[a-z0-9_]*\)(.*/\1/p' | sort >"$work/declared"
[ -s "$work/declared" ]
diff "$work/declared" "$work/exported"
