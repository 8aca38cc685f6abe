#!/bin/sh
# The manual pages are clean mdoc, and name every public function.
set -eu
command -v mandoc >/dev/null || { echo "no mandoc"; exit 77; }
source_dir=${srcdir:-.}
bad=0
for page in "$source_dir"/man/*.[1-9]; do
    mandoc -Tlint -Wwarning "$page" || bad=1
done
page=$source_dir/man/libgraphattn.3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat "$source_dir"/include/graphattn/*.h | tr '\n' ' ' | grep -oE 'GA_(IGRAPH_)?API [^;{]*;' |
    sed -n 's/.*[ *]\(ga_[a-z0-9_]*\)(.*/\1/p' | sort -u >"$work/declared"
sed -n 's/^\.Fn \(ga_[a-z0-9_]*\).*/\1/p' "$page" | sort -u >"$work/described"
[ -s "$work/declared" ]
if ! diff "$work/declared" "$work/described"; then
    echo "< declared only, > described in libgraphattn.3 only"
    bad=1
fi
exit $bad
