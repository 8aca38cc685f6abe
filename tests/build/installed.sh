#!/bin/bash
# What is installed can be used: programs are built by pkg-config against it, and run.
#
# Without arguments it installs the build in which it runs into a folder of its own first. As part of `make installcheck`
# it is told where things are: installed.sh ROOT LIBDIR BINDIR, ROOT standing before both (DESTDIR).
set -euo pipefail
source_dir=$(cd "${srcdir:-.}" && pwd)
command -v pkg-config >/dev/null || { echo "no pkg-config"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ $# -ne 3 ]; then
    # Into the folders that the build was configured for: libtool installs libraries that need each other nowhere else.
    clean=(env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory DESTDIR="$work/root")
    "${clean[@]}" install >"$work/install.log" 2>&1 || { tail -n 20 "$work/install.log"; exit 1; }
    "${clean[@]}" installcheck-local
    exit
fi
root=$1 libdir=$2 bindir=$3

# The files of pkg-config name the folders that the build was configured for; they move with them.
export PKG_CONFIG_PATH=$root$libdir/pkgconfig LD_LIBRARY_PATH=$root$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
prefix=$root${libdir%/lib*}
flags_of()
{
    pkg-config --define-variable=prefix="$prefix" --define-variable=exec_prefix="$prefix" \
        --define-variable=libdir="$root$libdir" --define-variable=includedir="$prefix/include" --cflags --libs "$1"
}
read -ra flags < <(flags_of libgraphattn)
version=$(pkg-config --modversion libgraphattn)
[ -e "$root$libdir/libgraphattn.so" ]

cd "$work"
for program in jdm sample gat matrices; do
    ${CC:-cc} -std=c11 -Wall -Wextra -Werror "$source_dir/examples/$program.c" "${flags[@]}" -lm -o "$program"
    if ldd "$program" | grep 'not found'; then exit 1; fi
done
ga=$root$bindir/graphattn
"$ga" --version | grep -F "$version"
"$ga" generate rmat -n 2000 -m 12000 -q -o web.txt

./jdm web.txt 3 >jdm.out
sed -n 1p jdm.out | grep '^# 12000 edges in '
[ "$(grep -c '^[1-9]' jdm.out)" -eq 3 ]
read -r out in edges share < <(sed -n 3p jdm.out)
[ "$("$ga" jdm web.txt | awk -F '\t' -v o="$out" -v i="$in" '$1 == o && $2 == i { print $3 }')" = "$edges" ]
awk -v edges="$edges" -v share="$share" 'BEGIN { exit !(share - edges / 12000 < 1e-4 && edges / 12000 - share < 1e-4) }'

./sample web.txt 0.1 small.txt | grep '^200 nodes '
"$ga" sample web.txt -r 0.1 -q | cmp - small.txt

./gat small.txt 4 2 y.npy | grep '^200 nodes, .* 2 heads of 4 channels'
[ "$(tail -c $((200 * 8 * 4)) y.npy | od -An -v -t f4 | tr -s ' ' '\n' | grep -c '[0-9]')" -eq 1600 ]
if tail -c 6400 y.npy | od -An -v -t f4 | grep -i nan; then exit 1; fi
if ./gat small.txt 4 0 wrong.npy 2>errors; then exit 1; fi
grep '^gat: ' errors
[ ! -e wrong.npy ]

./matrices | grep '^ratio 2: '

# The adapter, where it was built. igraph itself did not move.
if [ -e "$root$libdir/pkgconfig/libgraphattn-igraph.pc" ]; then
    [ -e "$root$libdir/libgraphattn-igraph.so" ]
    read -ra flags < <(flags_of libgraphattn-igraph)
    read -ra theirs < <(pkg-config --cflags --libs igraph)
    ${CC:-cc} -std=c11 -Wall -Wextra -Werror "$source_dir/examples/igraph.c" "${flags[@]}" "${theirs[@]}" -o igraph
    if ldd igraph | grep 'not found'; then exit 1; fi
    "$ga" convert web.txt -q -o web.gml
    ./igraph web.gml 0.1 | grep -P '^sample\t200\t'
else
    if pkg-config --exists 'igraph >= 0.10'; then echo "built without igraph"; fi
    if [ -e "$prefix/include/graphattn/igraph.h" ]; then exit 1; fi
fi
