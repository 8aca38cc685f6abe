# lib.sh - what the tests of the command share: source it first. Runs in a folder of its own, which vanishes.
# shellcheck shell=bash disable=SC2034

set -u
: "${GRAPHATTN:?path of the program}"
case $GRAPHATTN in /*) ;; *) GRAPHATTN=$PWD/$GRAPHATTN ;; esac
top=$(cd "$(dirname "$0")/../.." && pwd)
shared=${GRAPHATTN_SHARED:-$top/../shared}
debian=$top/data/debian-packages.txt.gz
work=$(mktemp -d "${TMPDIR:-/tmp}/graphattn-test.XXXXXX")
trap 'cd / && rm -rf "$work"' EXIT
cd "$work" || exit 99
failures=0

# A sanitizer makes the program some ten times slower: the long loops take fewer steps.
slow=0
if grep -q -e __asan_init -e __tsan_init "$GRAPHATTN"; then
    slow=1
fi

fail()
{
    printf 'FAIL: %s\n' "$*"
    failures=$((failures + 1))
}

# A python that has numpy, or nothing.
numpy_python()
{
    local candidate
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import numpy' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

# expect STATUS COMMAND...: runs it with its output in the files out and err, and looks at its exit status.
expect()
{
    local wanted=$1 got=0
    shift
    "$@" >out 2>err </dev/null || got=$?
    if [ "$got" -ne "$wanted" ]; then
        fail "exit $got instead of $wanted: ${*/#"$GRAPHATTN"/graphattn}: $(head -c 300 err)"
        return 1
    fi
}

# says TEXT: the last command's standard error has it.
says()
{
    grep -qF -e "$1" err || fail "\"$1\" is not in the message: $(head -c 300 err)"
}

# has NAME VALUE: the last command's output has that row.
has()
{
    grep -qxF -e "$1"$'\t'"$2" out || fail "no row $1 $2: $(tr '\n\t' ';=' <out | head -c 400)"
}

# only FILE...: nothing else is in this folder, out and err apart.
only()
{
    local found wanted
    found=$(find . -mindepth 1 -maxdepth 1 ! -name out ! -name err -printf '%f\n' | sort)
    wanted=$(printf '%s\n' "$@" | sort)
    [ "$found" = "$wanted" ] || fail "files here: $(echo "$found" | tr '\n' ' '), expected: $*"
}

# same FILE FILE [WHAT]
same()
{
    cmp -s "$1" "$2" || fail "${3:-files}: $1 and $2 differ"
}

# Each test in a folder of its own, named in what fails.
section()
{
    cd "$work" || exit 99
    rm -rf ./*
    mkdir -p "$1"
    cd "$1" || exit 99
    printf '== %s\n' "$1"
}

finish()
{
    if [ "$failures" -gt 0 ]; then
        echo "$failures failed"
        exit 1
    fi
    exit 0
}
