#!/bin/sh
# Every public header compiles alone, as C11 and as C++, without a warning.
set -eu
include=${srcdir:-.}/include
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checked=0
for header in graphattn.h $(cd "$include" && ls graphattn/*.h); do
    # the adapter's needs igraph's
    if [ "$header" = graphattn/igraph.h ] && ! grep -q '^#define HAVE_IGRAPH 1' config.h; then
        continue
    fi
    printf '#include <%s>\nint main(void) { return 0; }\n' "$header" >"$work/one.c"
    cp "$work/one.c" "$work/one.cc"
    ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$include" -c "$work/one.c" -o "$work/one.o"
    if command -v c++ >/dev/null; then
        c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$include" -c "$work/one.cc" -o "$work/one.o"
    fi
    checked=$((checked + 1))
done
[ "$checked" -gt 5 ]
