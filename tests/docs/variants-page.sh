#!/bin/sh
# graphattn-variants(7) is what the registry says today.
set -eu
source_dir=${srcdir:-.}
made=$(mktemp)
trap 'rm -f "$made"' EXIT
"$source_dir/man/make-variants-page" "$GRAPHATTN" >"$made"
if ! diff "$source_dir/man/graphattn-variants.7" "$made"; then
    echo "make it again: man/make-variants-page build/graphattn >man/graphattn-variants.7"
    exit 1
fi
for name in $("$GRAPHATTN" variants | sed 1d | cut -f 1); do
    grep -q "^\.Ss $name\$" "$made"
done
