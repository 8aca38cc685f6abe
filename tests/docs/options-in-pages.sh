#!/bin/sh
# Every option that the program knows stands in its manual page's OPTIONS, and the other way round; every command has a
# page, and every page a command.
set -eu
man=${srcdir:-.}/man
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# page_options PAGE [HEADING]: the options of the list items in OPTIONS, or in its subsection HEADING.
page_options() {
    awk -v part="${2-}" '
        /^\.Sh / { inside = $2 == "OPTIONS"; there = part == "" }
        /^\.Ss / { there = part == "" || substr($0, 5) == part }
        inside && there && /^\.It Fl / { for (i = 2; i < NF; i++) if ($i == "Fl") print "-" $(i + 1) }' "$1" | sort -u
}

compare() {
    if ! diff "$work/known" "$work/described" >"$work/difference"; then
        echo "$1: < known to the program only, > in the page only"
        grep '^[<>]' "$work/difference"
        bad=1
    fi
}

"$GRAPHATTN" help --list-commands | cut -f 1 >"$work/commands"
[ "$(wc -l <"$work/commands")" -ge 9 ]
while read -r command; do
    "$GRAPHATTN" help --list-options "$command" | cut -f 1 | sort -u >"$work/known"
    [ -s "$work/known" ]
    if [ "$command" = help ]; then # described in graphattn(1), beside what all commands know
        page_options "$man/graphattn.1" "Common options" >"$work/common"
        page_options "$man/graphattn.1" "Options of help" >"$work/described"
        comm -12 "$work/known" "$work/common" >>"$work/described"
        sort -u -o "$work/described" "$work/described"
        compare graphattn.1
        continue
    fi
    page_options "$man/graphattn-$command.1" >"$work/described"
    compare "graphattn-$command.1"
    # all common options are really common
    page_options "$man/graphattn.1" "Common options" | comm -13 "$work/known" - | grep -vxE -e '-o|--output' &&
        { echo "$command does not know these common options"; bad=1; }
    grep -q "^\.Xr graphattn-$command 1" "$man/graphattn.1" || { echo "graphattn.1 lacks $command"; bad=1; }
done <"$work/commands"

for page in "$man"/graphattn-*.1; do
    command=${page##*/graphattn-}
    command=${command%.1}
    grep -qx "$command" "$work/commands" || { echo "$page describes no command"; bad=1; }
done
exit $bad
