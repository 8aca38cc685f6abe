#!/bin/sh
# Who may include whom: lib knows nobody above it, graph only lib, sampling only graph and lib.
set -eu
cd "${srcdir:-.}"
[ -d lib ] && [ -d graph ] && [ -d sampling ] && [ -d cli ]
bad=0
refuse() {
    room=$1
    shift
    for other in "$@"; do
        if grep -rnE "#[[:space:]]*include[[:space:]]+\"$other/" "$room"; then
            echo "$room must not include $other"
            bad=1
        fi
    done
}
refuse lib graph sampling cli gnn attention
refuse graph sampling cli gnn attention
refuse sampling cli gnn attention
exit $bad
