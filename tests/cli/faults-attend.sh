#!/bin/bash
# attend, mask, variants and bench with what they cannot take: the exit status, the message, and nothing left behind.
# shellcheck source=/dev/null disable=SC2015,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN

# make FILE DESCR SHAPE [KIND]: a NumPy file, by the definition of the format. KIND: fortran; nan, inf (the first number);
# short, long (by a byte); bare (the header alone)
# shellcheck disable=SC2016
maker='
import struct, sys
name, descr, shape = sys.argv[1:4]
kind = sys.argv[4] if len(sys.argv) > 4 else ""
extents = [int(x) for x in shape.split(",") if x]
count = 1
for x in extents:
    count *= x
text = "{@descr@: @%s@, @fortran_order@: %s, @shape@: (%s), }" % (
    descr, kind == "fortran", "".join("%d, " % x for x in extents))
text = text.replace("@", chr(39))
text += " " * (-(len(text) + 11) % 64) + "\n"
data = b""
if kind != "bare":
    values = [(7 * i % 11 - 5) / 8 for i in range(count)]
    if kind in ("nan", "inf"):
        values[0] = float(kind)
    code = {"f4": "f", "f8": "d", "f2": "e", "i8": "q", "i4": "i", "u1": "B", "b1": "B", "c8": "q", "O": "q", "u2": "H"}
    letter = code[descr.lstrip("<>|=")]
    integers = letter in "qiBH"
    sign = ">" if descr[0] == ">" else "<"
    data = struct.pack(sign + str(count) + letter, *([i % 2 for i in range(count)] if integers else values))
if kind == "short":
    data = data[:-1]
if kind == "long":
    data += b"x"
open(name, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data)
'
make() { python3 -ISc "$maker" "$@"; }
# Good queries (1, 2, 4, 3), keys and values (1, 1, 5, 3).
inputs()
{
    make q.npy '<f4' 1,2,4,3
    make k.npy '<f4' 1,1,5,3
    make v.npy '<f4' 1,1,5,3
}
attend() { expect "$1" "$ga" attend "${@:2}"; }
# refused STATUS TEXT WORD...: fails with that status and text, and leaves neither an output nor a temporary file
refused()
{
    local wanted=$1 text=$2 before after
    shift 2
    before=$(ls)
    attend "$wanted" "$@" -o new.npy --return lse=lse.npy && says "$text"
    after=$(ls)
    [ "$(printf '%s\nerr\nout\n' "$before" | sort -u)" = "$(printf '%s\nerr\nout\n' "$after" | sort -u)" ] ||
        fail "left by attend $*: $(echo "$after" | tr '\n' ' ')"
    rm -f new.npy lse.npy
}
# with FLAG FILE: -Q, -K and -V, one of them another file
with()
{
    local q=q.npy k=k.npy v=v.npy
    case $1 in -Q) q=$2 ;; -K) k=$2 ;; -V) v=$2 ;; esac
    words=(-Q "$q" -K "$k" -V "$v")
}

section shapes
inputs
for case in "-Q 2,2,4,3 k:" "-Q 1,2,4,2 k:" "-K 2,1,5,3 k:" "-K 1,1,5,4 k:" "-K 1,1,6,3 v:" "-K 1,3,5,3 v:" \
    "-V 1,2,5,3 v:" "-V 1,1,4,3 v:" "-V 2,1,5,3 v:"; do
    read -r flag shape text <<<"$case"
    make bad.npy '<f4' "$shape"
    with "$flag" bad.npy
    refused 2 "$text shape (" full "${words[@]}"
done
make bad.npy '<f4' 1,3,5,3
refused 2 "q has 2 heads, expected a multiple of the 3 heads" full -Q q.npy -K bad.npy -V bad.npy
for flag in -Q -K -V; do
    for shape in 1,1,1,5,3 1,1,1,1,1,5,3; do
        make bad.npy '<f4' "$shape"
        with "$flag" bad.npy
        refused 2 "$(echo "${flag#-}" | tr QKV qkv)" full "${words[@]}"
    done
    # what is said to be larger than any memory
    make bad.npy '<f4' 4294967296,4294967296,4,3 bare
    with "$flag" bad.npy
    refused 1 bad.npy full "${words[@]}"
    make bad.npy '<f4' 1,1,4611686018427387904,3 bare
    refused 1 bad.npy full "${words[@]}"
    make bad.npy '<f4' 1,1,1099511627776,3 bare
    refused 1 bad.npy full "${words[@]}"
done
# fewer axes are legal, as are none of something
make two.npy '<f4' 4,3
attend 0 full -Q two.npy -K two.npy -V two.npy -o o.npy
for shapes in "1,2,0,3 1,1,5,3 1,1,5,3" "1,2,4,3 1,1,0,3 1,1,0,3" "1,2,0,3 1,1,0,3 1,1,0,3" "1,2,4,0 1,1,5,0 1,1,5,3" \
    "1,2,4,3 1,1,5,3 1,1,5,0" "0,2,4,3 0,1,5,3 0,1,5,3" "1,0,4,3 1,0,5,3 1,0,5,3" "1,0,4,3 1,1,5,3 1,1,5,3"; do
    read -r q k v <<<"$shapes"
    make zq.npy '<f4' "$q"
    make zk.npy '<f4' "$k"
    make zv.npy '<f4' "$v"
    IFS=, read -r -a n <<<"$q"
    make zg.npy '<f4' "${n[0]},${n[1]},${n[2]},${v##*,}"
    for precision in f32 f64 bf16; do
        for name in full "window --set window=3" sigmoid linear; do
            # shellcheck disable=SC2086
            attend 0 $name -Q zq.npy -K zk.npy -V zv.npy --grad-output zg.npy -o o.npy --precision $precision \
                --return grad_q=gq.npy --return grad_k=gk.npy --return grad_v=gv.npy || echo "$shapes $name $precision"
        done
        attend 0 full -Q zq.npy -K zk.npy -V zv.npy -o o.npy --precision $precision --return lse=l.npy \
            --return map=m.npy --return stats=s.npy --return argmax=a.npy --return column_sum=c.npy
    done
done
for h in 0,4,3 1,0,3; do
    make zq.npy '<f4' "$h"
    attend 2 neighborhood --set window=9223372036854775807 -Q q.npy -K q.npy -V q.npy -o no.npy
    attend 0 neighborhood --set window=1 -Q zq.npy -K zq.npy -V zq.npy -o o.npy
done
make zq.npy '<f4' 1,1,0,3
expect 0 "$ga" attend neighborhood --set window=3 -Q zq.npy -K zq.npy -V zq.npy -o o.npy
"$ga" attend neighborhood --set window=9223372036854775807 -Q zq.npy -K zq.npy -V zq.npy -o o.npy 2>err
[ $? -le 2 ] || fail "an enormous window without tokens: $(cat err)"

section types
inputs
attend 0 full -Q q.npy -K k.npy -V v.npy -o want.npy
for flag in -Q -K -V; do
    case $flag in -Q) shape=1,2,4,3 ;; *) shape=1,1,5,3 ;; esac
    for type in '<i8' '<i4' '|u1' '|b1'; do
        make bad.npy "$type" $shape
        with $flag bad.npy
        refused 2 "$(echo "${flag#-}" | tr QKV qkv)" full "${words[@]}"
    done
    for type in '|O' '<c8' '<f3' '<U4' nonsense; do
        make bad.npy "$type" $shape bare
        with $flag bad.npy
        refused 1 bad.npy full "${words[@]}"
    done
    for kind in short long bare; do
        make bad.npy '<f4' $shape $kind
        with $flag bad.npy
        refused 1 bad.npy full "${words[@]}"
    done
    for kind in nan inf; do
        make odd.npy '<f4' $shape $kind
        with $flag odd.npy
        attend 0 full "${words[@]}" -o o.npy --return map=map.npy
        attend 0 window --set window=3 "${words[@]}" -o o.npy --backend scalar
    done
    for type in '>f4' '<f8' '>f8' '<f2' '>f2'; do
        make other.npy "$type" $shape
        with $flag other.npy
        attend 0 full "${words[@]}" -o o.npy
        same want.npy o.npy "$flag as $type"
    done
    : >empty.npy
    with $flag empty.npy
    refused 1 empty.npy full "${words[@]}"
    printf 'no numpy file at all, but long enough to be one' >text.npy
    with $flag text.npy
    refused 1 "text.npy: is no npy file" full "${words[@]}"
    with $flag absent.npy
    refused 1 "absent.npy" full "${words[@]}"
    with $flag .
    refused 1 "." full "${words[@]}"
done
# the order of Fortran is another order of the same numbers
make row.npy '<f4' 1,1,1,3
make row_f.npy '<f4' 1,1,1,3 fortran
attend 0 full -Q row.npy -K k.npy -V v.npy -o a.npy
attend 0 full -Q row_f.npy -K k.npy -V v.npy -o b.npy
same a.npy b.npy "Fortran order"
# compressed, and standard input once
gzip -c q.npy >q.npy.gz
attend 0 full -Q q.npy.gz -K k.npy -V v.npy -o o.npy && same want.npy o.npy "gzip"
head -c 100 q.npy.gz >cut.npy.gz
refused 1 cut.npy.gz full -Q cut.npy.gz -K k.npy -V v.npy
"$ga" attend full -Q - -K k.npy -V v.npy -o o.npy <q.npy && same want.npy o.npy "standard input"
refused 2 "standard input" full -Q - -K - -V v.npy
refused 2 "standard input" full -Q q.npy -K k.npy -V - --tensor bias=-
refused 2 "standard input" graph -Q q.npy -K k.npy -V - --graph -

section options
inputs
all=(-Q q.npy -K k.npy -V v.npy)
refused 2 "needs -Q, -K and -V" full -K k.npy -V v.npy
refused 2 "needs -Q, -K and -V" full
refused 2 "full has no tensor 'q'" full "${all[@]}" --tensor q=q.npy
refused 2 "full has no tensor 'nothing'" full "${all[@]}" --tensor nothing=q.npy
make bias.npy '<f4' 2,4,5
refused 2 "bias is given twice" full "${all[@]}" --tensor bias=bias.npy --tensor bias=bias.npy
for shape in 3,4,5 2,5,4 2,4 1,2,4,5; do
    make bad.npy '<f4' "$shape"
    refused 2 "bias: shape (" full "${all[@]}" --tensor bias=bad.npy
done
make bad.npy '<i8' 2,4,5
refused 2 "bias" full "${all[@]}" --tensor bias=bad.npy
for words in "--set" "--tensor" "--return"; do
    for bad in x = =x x=; do
        attend 2 full "${all[@]}" -o new.npy $words "$bad" && says "$words: found \"$bad\", expected NAME=VALUE"
    done
    attend 2 full "${all[@]}" -o new.npy $words '' && says "$words: found nothing"
done
refused 2 "full has no parameter 'window'" full "${all[@]}" --set window=3
for bad in 1x '' ' 1' 1e2 0x10 -1 3.0 99999999999999999999 nan; do
    [ -z "$bad" ] || refused 2 "window: window=$bad: expected an integer" window "${all[@]}" --set "window=$bad"
done
for bad in 1x nan -1 -inf 1e999; do
    refused 2 "full: softcap=$bad: expected a number" full "${all[@]}" --set "softcap=$bad"
done
refused 2 "linear: feature=none: expected elu1|relu" linear "${all[@]}" --set feature=none
refused 2 "linear: normalise=yes: expected 0, 1, false or true" linear "${all[@]}" --set normalise=yes
refused 2 "window: sinks=6: expected at most the 5 keys" window "${all[@]}" --set sinks=6
for bad in inf nan -inf x '' 1e999; do
    refused 2 "scale" full "${all[@]}" --scale "$bad"
done
# windows without an end
for name in left right window; do
    refused 2 "window" window "${all[@]}" --set $name=9223372036854775808
    attend 0 window "${all[@]}" --set $name=9223372036854775807 -o o.npy
done
make table.npy '<f4' 2,5
refused 2 "expected (2|1, 9223372036854775807)" window "${all[@]}" --set left=9223372036854775804 --set right=2 --tensor bias=table.npy
refused 1 "does not fit" window "${all[@]}" --set left=9223372036854775807 --set right=9223372036854775807 \
    --tensor bias=table.npy
refused 2 "finite sides" window "${all[@]}" --tensor bias=table.npy

section outputs
inputs
all=(-Q q.npy -K k.npy -V v.npy)
for words in "full state" "linear lse" "linear map" "sigmoid lse" "full grad_o" "full nothing" "full O"; do
    read -r name what <<<"$words"
    attend 2 "$name" "${all[@]}" -o new.npy --return "$what=x.npy" && says "$what"
done
attend 2 full "${all[@]}" -o new.npy --return grad_q=x.npy && says "--grad-output"
make grad.npy '<f4' 1,2,4,3
attend 2 full "${all[@]}" --grad-output grad.npy -o new.npy --return grad_bias=x.npy && says "differentiable"
for shape in 1,2,4,4 1,1,4,3 2,2,4,3 1,2,5,3; do
    make bad.npy '<f4' $shape
    attend 2 full "${all[@]}" --grad-output bad.npy -o new.npy --return grad_q=x.npy && says "grad_o: shape"
done
make bad.npy '<i8' 1,2,4,3
attend 2 full "${all[@]}" --grad-output bad.npy -o new.npy --return grad_q=x.npy && says "grad_o"
attend 2 full "${all[@]}" -o new.npy --return lse=a.npy --return lse=b.npy && says "twice"
attend 2 full "${all[@]}" -o new.npy --return o=a.npy && says "twice"
attend 2 full "${all[@]}" -o new.npy --return lse=new.npy
attend 2 full "${all[@]}" -o new.npy --return lse=a.npy --return map=a.npy
attend 2 full "${all[@]}" -o - --return lse=-
attend 1 full "${all[@]}" -o q.npy && says "is an input as well as an output"
attend 1 full "${all[@]}" -o new.npy --return lse=./k.npy && says "is an input as well as an output"
ln -s q.npy link.npy
attend 1 full "${all[@]}" -o link.npy
rm link.npy
mkdir folder
for bad in folder absent/x.npy q.npy/x.npy; do
    attend 1 full "${all[@]}" -o "$bad" && says "${bad%%/*}"
    attend 1 full "${all[@]}" -o new.npy --return lse="$bad"
done
if [ "$(id -u)" -ne 0 ]; then
    chmod 555 folder
    attend 1 full "${all[@]}" -o folder/x.npy && says "denied"
fi
rmdir folder
only q.npy k.npy v.npy grad.npy bad.npy
attend 1 full "${all[@]}" -o /dev/full
attend 1 full "${all[@]}" -o new.npy --return lse=/dev/full
for command in "attend full ${all[*]}" "mask full --queries 300" "variants" "variants --json" "variants full" "bench --limits"; do
    case $command in bench*) [ "$slow" = 0 ] || continue ;; esac
    got=0
    # shellcheck disable=SC2086
    "$ga" $command >/dev/full 2>err || got=$?
    [ "$got" -eq 1 ] && says "space left" || fail "exit $got of $command to a full device: $(cat err)"
    got=0
    # shellcheck disable=SC2086
    "$ga" $command >&- 2>err || got=$?
    [ "$got" -eq 1 ] || fail "exit $got of $command with standard output closed"
done
make big.npy '<f4' 1,1,3000,64
{ sleep 0.1; "$ga" attend window --set window=4 -Q big.npy -K big.npy -V big.npy --return lse=lse.npy 2>err; echo $? >code; } | true
[ "$(cat code)" -eq 141 ] && [ ! -s err ] && [ ! -e lse.npy ] || fail "exit $(cat code) behind nobody: $(cat err)"
rm -f code big.npy
echo old >old.txt
cp old.txt result.npy
(ulimit -f 0 && "$ga" attend full "${all[@]}" -o result.npy >/dev/null 2>&1) && fail "a file beyond the limit"
same old.txt result.npy "an old file after a failure"
only q.npy k.npy v.npy grad.npy bad.npy old.txt result.npy

section graphs
inputs
all=(-Q q.npy -K k.npy -V v.npy)
printf '4 3\n0 0\n# comment\r\n%% comment\n\r\n1\t2\r\n' >g.txt
printf '0 0\n1 2\n4 3\n' >h.txt
attend 0 graph "${all[@]}" --graph g.txt -o a.npy
attend 0 graph "${all[@]}" --graph h.txt -o b.npy
same a.npy b.npy "comments, ends of lines, order"
: >none.txt
printf '# nothing\n' >comment.txt
for f in none.txt comment.txt; do
    attend 0 graph "${all[@]}" --graph $f -o o.npy --return lse=lse.npy
    make no_bias.npy '<f4' 0
    attend 0 graph "${all[@]}" --graph $f --tensor edge_bias=no_bias.npy -o o.npy
done
rm -f o.npy lse.npy a.npy b.npy
printf '0 0\n0 4\n' >far.txt
refused 2 "graph: far.txt:2: query 4 of 4" graph "${all[@]}" --graph far.txt
refused 2 "far.txt:2: query 4 of 4" full "${all[@]}" --pattern graph:far.txt
printf '# x\n\n5 0\n' >far.txt
refused 2 "graph: far.txt:3: key 5 of 5" graph "${all[@]}" --graph far.txt
printf '9223372036854775807 0\n' >far.txt
refused 2 "far.txt:1: key 9223372036854775807 of 5" graph "${all[@]}" --graph far.txt
for line in '0 9223372036854775808' '0 -1' '-1 0' '0' '0 x' '0 1 2 3' '0.5 1' '0,1' '0 1e0' $'0 1\t2 3'; do
    printf '0 0\n%s\n' "$line" >wrong.txt
    refused 1 "wrong.txt:2: found " graph "${all[@]}" --graph wrong.txt
done
printf '0 0\n0 0\n' >twice.txt
make one.npy '<f4' 2
attend 0 graph "${all[@]}" --graph twice.txt -o o.npy
refused 2 "" graph "${all[@]}" --graph twice.txt --tensor edge_bias=one.npy
for shape in 4 3,3 2,2 2,1,3 3,1; do
    make bad.npy '<f4' $shape
    refused 2 "edge_bias: shape (" graph "${all[@]}" --graph h.txt --tensor edge_bias=bad.npy
done
refused 2 "graph needs --graph" graph "${all[@]}"
refused 2 "full takes no graph" full "${all[@]}" --graph g.txt
refused 2 "either --graph or --pattern graph:FILE" full "${all[@]}" --graph g.txt --pattern graph:g.txt
refused 1 "absent.txt" graph "${all[@]}" --graph absent.txt
refused 1 "absent.txt" full "${all[@]}" --pattern graph:absent.txt
refused 2 "graph" full "${all[@]}" --pattern graph:
printf 'GAB' >cut.gab
refused 1 "cut.gab" graph "${all[@]}" --graph cut.gab
make p.npy '<i8' 5
make i.npy '<i8' 3
refused 2 "graph needs indices" graph "${all[@]}" --tensor indptr=p.npy
refused 2 "graph needs indptr" graph "${all[@]}" --tensor indices=i.npy
refused 2 "indptr: expected 0 .. 3 ascending" graph "${all[@]}" --tensor indptr=p.npy --tensor indices=i.npy
refused 2 "indptr: 3 values, expected 5" graph "${all[@]}" --tensor indptr=i.npy --tensor indices=p.npy
refused 2 "either --graph or indptr and indices" graph "${all[@]}" --graph g.txt --tensor indptr=p.npy --tensor indices=i.npy
make zq.npy '<f4' 1,1,0,3
make p.npy '<i8' 1
refused 2 "indptr: expected 0 .. 3 ascending" graph -Q zq.npy -K k.npy -V v.npy --tensor indptr=p.npy --tensor indices=i.npy

section strings
inputs
all=(-Q q.npy -K q.npy -V q.npy)
for bad in '' : ',' = nothing full:x full:x=1 full: 'full:,' window: 'window:,' window:= window:window window:window= \
    'window:window=3,' window:,window=3 window:window=3,,sinks=1 window:window=3:sinks=1 'window: window=3' window:window=3x3 \
    neighborhood neighborhood:window= neighborhood:window=x neighborhood:window=3x neighborhood:window=x3 \
    neighborhood:window=3x3 neighborhood:window=0 neighborhood:window=5 neighborhood:window=3,dilation=2 \
    neighborhood:window=3,stride=4 neighborhood:window=2,shape=2x3 neighborhood:window=1,shape=1x1x1x4 \
    neighborhood:window=9223372036854775807 \
    neighborhood:window=2,dilation=9223372036854775807 neighborhood:window=3,causal_axes=2 block-sparse \
    block-sparse:block_q=0 graph graph: sigmoid softmax WINDOW:window=3 \
    "$(printf 'x%.0s' $(seq 1 5000))" "window:$(printf 'x%.0s' $(seq 1 5000))=3"; do
    refused 2 "" full "${all[@]}" --pattern "$bad"
    [ -s err ] || fail "no message for --pattern '$bad'"
done
refused 1 "the product of shape does not fit" full "${all[@]}" --pattern neighborhood:window=1,shape=4294967296x4294967296
for bad in '' : ',' = nothing softmax: softmax:x=1 sigmoid: sigmoid:bias sigmoid:bias= sigmoid:bias=x sigmoid:bias=nan \
    sigmoid:bias_mode= sigmoid:bias_mode=log softplus:length_scale=2 softplus-reweight:power=0.5 \
    softplus-reweight:offset=-1 softplus-reweight:eps=0 softplus-reweight:free_rows=-1 relu-l1:eps=-1 norm-attention window \
    full SOFTMAX "$(printf 'x%.0s' $(seq 1 5000))"; do
    refused 2 "" full "${all[@]}" --normaliser "$bad"
    [ -s err ] || fail "no message for --normaliser '$bad'"
done

section surroundings
inputs
all=(-Q q.npy -K k.npy -V v.npy)
refused 2 "backend" full "${all[@]}" --backend mmx
refused 2 "backend" full "${all[@]}" --backend ''
refused 1 "CUDA" full "${all[@]}" --backend cuda
refused 1 "cuda" full "${all[@]}" --device cuda
GRAPHATTN_BACKEND=mmx refused 2 "GRAPHATTN_BACKEND: found \"mmx\", expected auto|scalar" full "${all[@]}"
GRAPHATTN_BACKEND='' attend 0 full "${all[@]}" -o /dev/null
GRAPHATTN_BACKEND=mmx attend 0 full "${all[@]}" -o /dev/null --backend scalar
refused 2 "precision" full "${all[@]}" --precision f16
refused 2 "no variant 'nothing'" nothing "${all[@]}"
refused 2 "" full full "${all[@]}"
expect 2 "$ga" attend
make big.npy '<f4' 1,1,2000,64
for limit in 1 100K 1M; do
    refused 1 "memory" full -Q big.npy -K big.npy -V big.npy --max-memory=$limit --precision f64
done
attend 1 full -Q big.npy -K big.npy -V big.npy --max-memory=10M -o new.npy --return map=map.npy && says "memory"
only q.npy k.npy v.npy big.npy

section mask
inputs
for words in "full" "full --queries -1" "full --queries x" "full --keys 1e3" "full --queries 4 --heads 0" \
    "full --queries 4 --head 1" "full --queries 4 --head -1" "full --queries 4 --heads 3 --kv-heads 2" \
    "full --queries 4 --kv-heads 2" "full --queries 4 --pixels 0 -o x.png" "full --queries 4 --pixels 99999 -o x.png" \
    "linear --queries 4" "nothing --queries 4" "graph --queries 4" "block-sparse --queries 4" \
    "neighborhood --queries 4 --keys 5 --set window=3" "neighborhood --queries 4" "full --queries 4 --set x=1" \
    "window --queries 4 --set sinks=5" "full --queries 4 --pattern nothing" "full --queries 4 -o x.pdf" \
    "full --queries 4 --tensor x=q.npy" "full --pattern neighborhood:window=1,shape=4294967296x4294967296x2" \
    "full --queries 9223372036854775808"; do
    # shellcheck disable=SC2086
    expect 2 "$ga" mask $words -q
    [ -s err ] || fail "no message for mask $words"
done
for words in "--queries 4294967296" "--queries 9223372036854775807" "--queries 2000000 --max-memory=100M" "--queries 4 -o absent/x.png" \
    "--queries 4 -o absent/x.svg" "--queries 4 -o absent/x.txt" "--queries 4 -o /dev/full"; do
    # shellcheck disable=SC2086
    expect 1 "$ga" mask full $words || echo "mask full $words"
done
for words in "--queries 0" "--queries 0 --keys 3" "--queries 3 --keys 0" "--queries 0 -o x.png" "--queries 0 -o x.svg"; do
    got=0
    # shellcheck disable=SC2086
    "$ga" mask full $words >out 2>err || got=$?
    [ "$got" -le 2 ] || fail "exit $got of mask full $words: $(head -c 300 err)"
done
rm -f x.png x.svg
expect 2 "$ga" variants nothing
expect 2 "$ga" variants full window
expect 2 "$ga" variants full --cab
expect 1 "$ga" variants -o absent/x.txt
for words in "--task nothing" "--n 0" "--n x" "--heads 0" "--dim 0" "--dim 99999" "--window 0" "--reps 0" "--reps 1001" "extra"; do
    # shellcheck disable=SC2086
    expect 2 "$ga" bench $words
done
expect 1 "$ga" bench --task spmm --graph absent.txt -o new.txt
expect 1 "$ga" bench --task gemm -o absent/x.txt
expect 1 "$ga" bench --task attention --n 4096 --max-memory=1M -o new.txt
only q.npy k.npy v.npy

section interrupted
make q.npy "<f4" 1,8,20000,32
python3 - "$ga" <<'END' || fail "interrupted"
import os, signal, subprocess, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
ga = sys.argv[1]
attend = [ga, "attend", "full", "-Q", "q.npy", "-K", "q.npy", "-V", "q.npy", "-o", "new.npy", "--return"]
good = True
for words in (attend + ["lse=lse.npy"], attend + ["grad_k=g.npy", "--grad-output", "q.npy"], attend + ["entropy=e.npy"],
              [ga, "bench", "--task", "attention", "--n", "16384", "--reps", "1000", "-o", "new.txt"]):
    for sign, wanted in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        for _ in range(3):
            p = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            time.sleep(0.8)
            early = p.poll()
            start = time.monotonic()
            p.send_signal(sign)
            code = p.wait(60)
            took = time.monotonic() - start
            text = p.stderr.read().decode()
            if early is None and took <= 2:
                break
        left = sorted(set(os.listdir(".")) - {"q.npy", "out", "err"})
        if early is not None or code != wanted or left or took > 2:
            print(" ".join(words), sign, "early", early, "exit", code, "left", left, "after %.1f s" % took, text)
            good = False
sys.exit(not good)
END
only q.npy
finish
