#!/bin/bash
# The commands in README.md run, in the order in which they stand there, and write what they say they write.
set -euo pipefail
source_dir=$(cd "${srcdir:-.}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/build" "$work/doc"
ln -s "$GRAPHATTN" "$work/bin/graphattn"
ln -s "$GRAPHATTN" "$work/build/graphattn"
ln -s "$source_dir/data" "$work/data"
ln -s "$source_dir/doc/make-degree-figure" "$work/doc/make-degree-figure"
PATH=$work/bin:$PATH
cd "$work"

# the files that the commands take for granted
graphattn generate rmat -n 4000 -m 24000 -o web.txt.gz
graphattn generate ba -n 12000 -m 48000 -o citations.gab
seq 0 11999 | awk '{ print $1 % 7 }' >topics.txt
seq 1 12000 | awk 'BEGIN { print "%%MatrixMarket matrix coordinate pattern general"; print 12000, 14, 24000 }
    { print $1, 1 + ($1 - 1) % 7; print $1, 8 + ($1 * 3) % 7 }' | gzip >words.mtx.gz
# four thousand tokens of eight zeros, as NumPy writes them
{
    printf '\223NUMPY\1\0\166\0%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (4000, 8), }"
    head -c 128000 /dev/zero
} >q.npy
for name in k v g; do
    cp q.npy $name.npy
done

# code blocks are indented by four spaces
sed -n 's/^    \(graphattn [a-z].*\)$/\1/p; s/^    \(build\/graphattn .*\)$/\1/p; s/^    \(doc\/make-degree-figure .*\)$/\1/p' \
    "$source_dir/README.md" | grep -v ' COMMAND' >commands
[ "$(wc -l <commands)" -ge 9 ]
bad=0
while read -r command; do
    case $command in
        doc/*) command -v python3 >/dev/null || continue ;;
    esac
    if ! bash -o pipefail -c "$command" >output 2>errors </dev/null; then
        echo "this command of README.md fails: $command"
        cat output errors
        bad=1
    fi
    for file in $(printf '%s\n' "$command" | grep -oE '(-o|--map|--report|--out-jdm|--out-dcm|--out-features|--out-labels|--save) [^ ]+' | cut -d ' ' -f 2); do
        [ -s "$file" ] || { echo "$file is missing after: $command"; bad=1; }
    done
done <commands

# what the text claims
# shellcheck disable=SC2016 # backquotes are meant
sed -n 's/^| `\([a-z]*\) [^|]*` | .*/\1/p' "$source_dir/README.md" | sort >listed
graphattn help --list-commands | cut -f 1 | grep -vx help | sort >known
diff listed known || { echo "< commands of README.md only, > commands of the program only"; bad=1; }
for file in $(grep -oE '\]\([^)#:]+\)' "$source_dir/README.md" | tr -d '()]'); do
    [ -e "$source_dir/$file" ] || { echo "README.md links to $file, which is missing"; bad=1; }
done
# shellcheck disable=SC2013,SC2016
for folder in $(sed -n 's/^| `\([^`]*\)` | .*/\1/p' "$source_dir/doc/WHERE.md"); do
    [ -d "$source_dir/$folder" ] || { echo "doc/WHERE.md has a folder $folder, which is missing"; bad=1; }
done

# the bundled graph is the one that is described
(cd "$source_dir/data" && sha256sum --quiet -c SHA256SUMS) || { echo "data/SHA256SUMS does not match"; bad=1; }
graphattn info data/debian-packages.txt.gz -o info
value()
{
    sed -n "s/^$1	//p" info | sed -e :a -e 's/^\([0-9]*[0-9]\)\([0-9]\{3\}\)/\1,\2/; ta'
}
for row in "| nodes, edges | $(value nodes), $(value edges) |" \
    "| isolated nodes (declared by the header, on no edge line) | $(value isolated) |" \
    "| largest in-degree, largest out-degree | $(value max_in_degree) (\`libc6\`), $(value max_out_degree) (\`med-bio\`) |" \
    "| non-zero entries of the joint degree matrix (out-degree of source, in-degree of target) | $(value nnz_jdm) |" \
    "| non-zero entries of the degree correlation matrix (in-degree, out-degree) | $(value nnz_dcm) |"; do
    grep -qxF "$row" "$source_dir/data/README.md" || { echo "data/README.md lacks: $row"; bad=1; }
done
exit $bad
