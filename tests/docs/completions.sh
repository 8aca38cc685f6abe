#!/bin/bash
# The completions parse, and offer every command, every option and the words that options take.
set -euo pipefail
source_dir=$(cd "${srcdir:-.}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$GRAPHATTN" "$work/bin/graphattn"
PATH=$work/bin:$PATH
cd "$work"
bad=0

bash -n "$source_dir/completions/bash/graphattn"
# shellcheck source=/dev/null
. "$source_dir/completions/bash/graphattn"
complete -p graphattn >"$work/registered"
grep -q -e '-F _graphattn graphattn' "$work/registered"

# offers WORD...: what is offered for the last of the words
offers()
{
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _graphattn
    printf '%s\n' "${COMPREPLY[@]}"
}

# expect WANTED WORD...
expect()
{
    local wanted=$1 got
    shift
    got=$(offers "$@" | sort | tr '\n' ' ')
    if [ "$got" != "$wanted" ]; then
        echo "after \"$*\": offered \"$got\", expected \"$wanted\""
        bad=1
    fi
}

offers graphattn '' | grep -v '^-' | sort >offered
graphattn help --list-commands | cut -f 1 | sort >known
diff known offered || bad=1
while read -r command; do
    offers graphattn "$command" - | sort >offered
    graphattn help --list-options "$command" | cut -f 1 | sort >known
    diff known offered || { echo "$command: other options are offered than known"; bad=1; }
done < <(graphattn help --list-commands | cut -f 1)

expect 'dcm ' graphattn dc
expect '--out-dcm --out-jdm ' graphattn rescale --out-
expect 'drop error keep ' graphattn jdm x.txt --loops ''
expect 'drop ' graphattn jdm x.txt --loops = d
expect 'drop error keep ' graphattn jdm x.txt --loops =
expect 'sample ' graphattn help sa
expect 'grid ' graphattn generate g
expect 'forest_fire frontier ' graphattn sample x.txt --method f
expect 'both ' graphattn sample x.txt --direction = b
touch map.txt 'two words.txt'
expect 'map.txt ' graphattn sample x.txt --map m
expect 'two words.txt ' graphattn sample tw
[ "$(offers graphattn sample --map = '' | wc -l)" -ge 3 ] || { echo "no files after --map="; bad=1; }

if command -v zsh >/dev/null; then
    zsh -n "$source_dir/completions/zsh/_graphattn" || bad=1
    # what is offered, with zsh's own functions replaced by ones that print
    cat >zsh-offers <<'END'
_describe() { print -l -- ${${(P)argv[-1]}%%:*} }
_files() { print files }
compset() { :; }
words=("$@")
CURRENT=$#words
END
    sed 1d "$source_dir/completions/zsh/_graphattn" >zsh-body
    zsh_offers()
    {
        { cat zsh-offers; printf '_under_test() {\n'; cat zsh-body; printf '}\n_under_test\n'; } >zsh-run
        zsh -f zsh-run "$@" | sort
    }
    while read -r command; do
        zsh_offers graphattn "$command" - >offered
        graphattn help --list-options "$command" | cut -f 1 | sort >known
        diff known offered || { echo "zsh: $command: other options are offered than known"; bad=1; }
    done < <(graphattn help --list-commands | cut -f 1)
    [ "$(zsh_offers graphattn jdm x.txt --loops= | tr '\n' ' ')" = 'drop error keep ' ] || { echo "zsh: --loops="; bad=1; }
    [ "$(zsh_offers graphattn generate '' | wc -l)" -eq 5 ] || { echo "zsh: models"; bad=1; }
    [ "$(zsh_offers graphattn sample --map '')" = files ] || { echo "zsh: --map"; bad=1; }
    graphattn help --list-commands | cut -f 1 | sort >known
    zsh_offers graphattn '' >offered
    diff known offered || bad=1
fi
exit $bad
