#!/bin/bash
# What train, predict and embed do with inputs that are wrong: the words, the exit status, nothing left.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"

section inputs
printf '0\t1\n1\t2\n2\t0\n2\t3\n' >graph.txt
printf '%s\n' 0 1 0 1 >labels.txt
printf '0\n1\n' >train.txt
printf '%%%%MatrixMarket matrix coordinate real general\n4 3 5\n1 1 1\n2 2 0.5\n3 1 2\n4 3 1\n4 1 3\n' >x.mtx
good=(--features x.mtx --labels labels.txt --train-index train.txt --model gcn --set epochs=2)
expect 0 "$GRAPHATTN" train graph.txt "${good[@]}" --save good.safetensors

# refused STATUS WORDS OPTION...: later options win over those of good
refused()
{
    expect "$1" "$GRAPHATTN" train graph.txt "${good[@]}" "${@:3}" --save left.safetensors --plot left.svg
    says "$2"
    if [ -e left.safetensors ] || [ -e left.svg ]; then
        fail "something is left: $*"
        rm -f left.*
    fi
}
printf '%s\n' 0 1 0 >short.txt
refused 1 "short.txt: 3 labels, expected 4, the rows of x.mtx" --labels short.txt
printf '%s\n' 0 1 -2 1 >negative.txt
refused 1 "negative.txt: label -2 of node 2, expected -1 (none) to 65535" --labels negative.txt
printf '%s\n' 0 1 1099511627776 1 >huge.txt
refused 1 "label 1099511627776 of node 2" --labels huge.txt
printf '%s\n' 0 1 x 1 >words.txt
refused 1 "words.txt:3" --labels words.txt
printf '%s\n' -1 -1 0 1 >unknown.txt
refused 1 "no training nodes" --labels unknown.txt
: >empty.txt
refused 1 "no training nodes" --train-index empty.txt
printf '0\n4\n' >outside.txt
refused 1 "outside.txt: node 4, expected 0 to 3" --train-index outside.txt
printf '1\n0\n1\n' >twice.txt
refused 1 "twice.txt: node 1 stands there twice" --train-index twice.txt
refused 1 "absent.txt: No such file or directory" --val-index absent.txt
printf '%%%%MatrixMarket matrix coordinate real general\n4 3 1\n1 1 nan\n' >nan.mtx
refused 1 "nan.mtx:3" --features nan.mtx
printf '%%%%MatrixMarket matrix coordinate real general\n4 0 0\n' >narrow.mtx
refused 1 "narrow.mtx" --features narrow.mtx
printf '%%%%MatrixMarket matrix coordinate real general\n3 3 1\n1 1 1\n' >few.mtx
refused 1 "expected 3, the rows of few.mtx" --features few.mtx
printf '0\t1\n3\t9\n' >far.txt
expect 1 "$GRAPHATTN" train far.txt "${good[@]}" --save left.safetensors
says "far.txt:2: node 9, expected below 4"

section usage
printf '0\t1\n1\t2\n2\t0\n2\t3\n' >graph.txt
printf '%s\n' 0 1 0 1 >labels.txt
printf '0\n1\n' >train.txt
printf '%%%%MatrixMarket matrix coordinate real general\n4 3 5\n1 1 1\n2 2 0.5\n3 1 2\n4 3 1\n4 1 3\n' >x.mtx
refused 2 "no model 'gatt'; did you mean gat?" --model gatt
refused 2 "no parameter 'heads'" --set heads=2
refused 2 "dropout=1" --set dropout=1
refused 2 "epochs=0" --set epochs=0
refused 2 "expected NAME=VALUE" --set epochs
refused 2 "either --split or index files" --split random:0.5,0.1
expect 2 "$GRAPHATTN" train graph.txt --features x.mtx --labels labels.txt --model gcn --split random:0.9,0.2
says "shares that sum to at most 1"
expect 2 "$GRAPHATTN" train graph.txt --features x.mtx --labels labels.txt --model gcn
says "needs --train-index or --split"
expect 2 "$GRAPHATTN" train graph.txt --features x.mtx --labels labels.txt --train-index train.txt
says "needs --model"
expect 2 "$GRAPHATTN" train --features x.mtx --labels labels.txt --train-index train.txt --model gcn
says "model gcn needs a graph"
expect 2 "$GRAPHATTN" train graph.txt --labels labels.txt --train-index train.txt --model gcn
says "needs --features"

section models
printf '0\t1\n1\t2\n2\t0\n2\t3\n' >graph.txt
printf '%s\n' 0 1 0 1 >labels.txt
printf '0\n1\n' >train.txt
printf '%%%%MatrixMarket matrix coordinate real general\n4 3 5\n1 1 1\n2 2 0.5\n3 1 2\n4 3 1\n4 1 3\n' >x.mtx
expect 0 "$GRAPHATTN" train graph.txt "${good[@]}" --save m.safetensors --checkpoint state
printf '%%%%MatrixMarket matrix coordinate real general\n4 2 1\n1 1 1\n' >narrow.mtx
expect 1 "$GRAPHATTN" predict graph.txt --features narrow.mtx --load m.safetensors -o left.txt
says "2 columns, the model takes 3"
expect 1 "$GRAPHATTN" predict graph.txt --features x.mtx --load absent -o left.txt
says "absent: No such file or directory"
expect 1 "$GRAPHATTN" predict graph.txt --features x.mtx --load state -o left.txt
says "state"
head -c 200 m.safetensors >cut.safetensors
expect 1 "$GRAPHATTN" predict graph.txt --features x.mtx --load cut.safetensors -o left.txt
says "cut.safetensors"
expect 1 "$GRAPHATTN" predict graph.txt --features x.mtx --load x.mtx -o left.txt
says "x.mtx"
python=$(numpy_python)
if [ -n "$python" ]; then
    "$python" - <<'END_OF_PROGRAM'
import json, struct

data = open("m.safetensors", "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]


def write(name, change):
    h = json.loads(json.dumps(header))
    change(h)
    text = json.dumps(h).encode()
    open(name, "wb").write(struct.pack("<Q", len(text)) + text + rest)


def rename(h):
    h["layers.0.wait"] = h.pop("layers.0.weight")


def reshape(h):
    h["layers.0.weight"]["shape"].reverse()


write("renamed", rename)
write("reshaped", reshape)
write("model", lambda h: h["__metadata__"].update(model="gat"))
write("format", lambda h: h["__metadata__"].update(format="other"))
write("classes", lambda h: h["__metadata__"].update(classes="3"))
write("params", lambda h: h["__metadata__"].update(params="{"))
END_OF_PROGRAM
    for pair in "renamed:layers.0.weight" "reshaped:layers.0.weight" "model:" "format:format" "classes:layers.1" "params:params"; do
        expect 1 "$GRAPHATTN" predict graph.txt --features x.mtx --load "${pair%%:*}" -o left.txt
        says "${pair%%:*}: "
        says "${pair#*:}"
    done
fi
[ -e left.txt ] && fail "classes are left of a run that failed"
expect 1 "$GRAPHATTN" train graph.txt "${good[@]}" --model sage --resume state
says "model"
expect 1 "$GRAPHATTN" train graph.txt "${good[@]}" --seed 9 --resume state
says "seed"
expect 1 "$GRAPHATTN" embed graph.txt --features x.mtx --load m.safetensors --layer 7 -o left.npy
says "7"
expect 2 "$GRAPHATTN" embed graph.txt --features x.mtx
says "needs --load"
expect 2 "$GRAPHATTN" predict graph.txt --features x.mtx --load m.safetensors --index train.txt
says "--index needs --report"
finish
