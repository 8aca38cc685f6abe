#!/bin/bash
# The options that the parser knows, those of the help text and those of the lists are one set, and each is explained.
# shellcheck source=/dev/null disable=SC2015,SC2094,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN

section options
expect 0 "$ga" help --list-commands
cp out commands
awk -F '\t' 'NF != 2 || $2 == "" { exit 1 }' commands || fail "a command without summary"
while IFS=$'\t' read -r command _; do
    expect 0 "$ga" help --list-options "$command"
    cp out rows
    awk -F '\t' 'NF != 3 || $3 == "" { print; bad = 1 } END { exit bad }' rows || fail "$command: a row without help"
    cut -f 1 rows | sort >listed
    [ -z "$(uniq -d listed)" ] || fail "$command: an option stands twice: $(uniq -d listed)"
    expect 0 "$ga" "$command" --help
    grep -oE '^ {2,6}(-., )?--[a-z0-9-]+' out | grep -oE -- '-[^ ,]+' | sort >shown
    same listed shown "$command: lists and help"
    # the parser takes every one of them: a bad value is refused in its name, a good switch leads on to --help
    while IFS=$'\1' read -r option argument _; do
        if [ -z "$argument" ]; then
            expect 0 "$ga" "$command" "$option" --help || echo "$command $option"
            case $option in --*) expect 0 "$ga" "$command" "$option=no" --help ;; esac
        else
            expect 2 "$ga" "$command" "$option" && says "$option needs a value"
            case $option in --*) expect 2 "$ga" "$command" "$option=" && says "$option" ;; esac
        fi
        case $argument in
            *'|'*)
                for word in ${argument//|/ }; do
                    expect 0 "$ga" "$command" "$option=$word" --help || echo "$command $option=$word"
                done
                ;;
        esac
    done < <(tr '\t' '\1' <rows)
done <commands

finish
