#!/bin/sh
# Who may include whom: lib knows nobody above it, graph only lib; sampling, attention and gnn only graph and lib.
set -eu
cd "${srcdir:-.}"
for room in lib graph sampling attention gnn cli; do [ -d "$room" ]; done
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
refuse attention sampling cli gnn
refuse gnn sampling cli attention
# inside lib: engine knows tensor and base, tensor knows base
refuse lib/base lib/tensor lib/engine
refuse lib/tensor lib/engine
exit $bad
