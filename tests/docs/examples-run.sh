#!/bin/bash
# Every example of the manual pages runs, in the order of its page, in a folder that was empty; where the page shows the
# output, it is that. The example of the library's page compiles.
set -euo pipefail
source_dir=$(cd "${srcdir:-.}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$GRAPHATTN" "$work/bin/graphattn"
PATH=$work/bin:$PATH
bad=0

# blocks PAGE: cuts them into $work/blocks
blocks()
{
    rm -rf "$work/blocks" "$work/here"
    mkdir "$work/blocks" "$work/here"
    awk -v folder="$work/blocks" -f "$source_dir/tests/docs/pages.awk" "$1"
}

run_page()
{
    local page=$1 block shown
    blocks "$page"
    if [ ! -e "$work/blocks/01.sh" ]; then
        echo "${page##*/}: no examples"
        bad=1
    fi
    for block in "$work"/blocks/*.sh; do
        shown=${block%.sh}.out
        if ! (cd "$work/here" && sh -eu "$block") >"$work/output" 2>"$work/errors"; then
            echo "${page##*/}: this example fails:"
            cat "$block" "$work/errors"
            bad=1
        elif [ -e "$shown" ] && ! diff "$shown" "$work/output"; then
            echo "${page##*/}: other output than the page shows:"
            cat "$block"
            bad=1
        fi
    done
}

compile_page()
{
    blocks "$1"
    {
        printf '#include <graphattn.h>\n#include <stdio.h>\nint main(int argc, char **argv)\n{\n'
        printf '    const char *path = argv[argc - 1];\n'
        sed 's/^/    /' "$work/blocks/01.sh"
        printf '    return status != GA_OK;\n}\n'
    } >"$work/example.c"
    if ! ${CC:-cc} -std=c11 -Wall -Wextra -Werror -fsyntax-only -I"$source_dir/include" "$work/example.c"; then
        echo "${1##*/}: the example does not compile"
        bad=1
    fi
}

pages=0
for page in "$source_dir"/man/*.[15] "$source_dir"/man/graphattn-pipelines.7; do
    run_page "$page"
    pages=$((pages + 1))
done
compile_page "$source_dir/man/libgraphattn.3"
[ "$pages" -ge 11 ]
exit $bad
