#!/bin/bash
# graphattn train, predict and embed, as a user runs them.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"

# Four groups of 60 nodes; every node has two features of its group and one of another.
make_data()
{
    "$GRAPHATTN" generate sbm -n 240 -m 1600 --blocks 4 --mixing 0.15 --seed 5 -o graph.txt
    seq 0 239 | awk '{ print int($1 / 60) }' >labels.txt
    awk 'BEGIN { print "%%MatrixMarket matrix coordinate pattern general"; print 240, 40, 720
        for (i = 0; i < 240; i++) { g = 10 * int(i / 60); print i + 1, g + 1 + i % 5; print i + 1, g + 6 + i % 5
            print i + 1, 1 + (g + 10 + (i * 7) % 30) % 40 } }' >features.mtx
}
data=(graph.txt --undirected --features features.mtx --labels labels.txt)

figure()
{
    awk -F '\t' -v name="$1" '$1 == name { print $2 }' out
}

section every-model
make_data
for model in gcn sage gat gatv2 transformer agnn appnp gprgnn pgnn mlp; do
    epochs=60
    [ "$slow" -eq 1 ] && epochs=30
    expect 0 "$GRAPHATTN" train "${data[@]}" --split balanced:0.2,0.1 --model $model \
        --set epochs=$epochs,lr=0.02 --save m.safetensors || continue
    accuracy=$(figure test_accuracy)
    # chance is 0.25; features alone tell two thirds
    awk -v a="$accuracy" -v m="$model" 'BEGIN { exit !(a > (m == "mlp" ? 0.6 : 0.8)) }' || fail "$model: test accuracy $accuracy"
    # the file predicts what the report said
    expect 0 "$GRAPHATTN" train "${data[@]}" --split balanced:0.2,0.1 --model $model --set epochs=1 --save-split s
    expect 0 "$GRAPHATTN" predict graph.txt --undirected --features features.mtx --load m.safetensors -o c.txt \
        --labels labels.txt --index s.test.txt --report /dev/stdout
    [ "$(figure accuracy)" = "$accuracy" ] || fail "$model: $(figure accuracy) from the file, $accuracy reported"
    [ "$(wc -l <c.txt)" -eq 240 ] || fail "$model: $(wc -l <c.txt) classes"
    # so do the classes themselves
    told=$(paste labels.txt c.txt | awk 'NR == FNR { test[$1]; next } FNR - 1 in test { n++; good += $1 == $2 }
        END { printf "%.12g", good / n }' s.test.txt -)
    awk -v a="$told" -v b="$accuracy" 'BEGIN { exit !(a - b < 1e-9 && b - a < 1e-9) }' ||
        fail "$model: $told of the classes written are right, $accuracy reported"
done
[ "$("$GRAPHATTN" train --list-models | awk -F '\t' '$2 == "model"' | wc -l)" -eq 10 ] || fail "list of models"

section threads-and-seeds
make_data
run()
{
    "$GRAPHATTN" train "${data[@]}" --split random:0.3,0.1 --model gat --set epochs=15 "$@" >/dev/null || fail "train $*"
}
run -@ 1 --save a.safetensors
run -@ 2 --save b.safetensors
run -@ 3 --save c.safetensors
run -@ 1 --seed 2 --split-seed 1 --save d.safetensors
same a.safetensors b.safetensors "1 and 2 threads"
same a.safetensors c.safetensors "1 and 3 threads"
cmp -s a.safetensors d.safetensors && fail "another seed gives the same model"
run --set batch=20,fanout=4,3 -@ 1 --save e.safetensors
run --set batch=20,fanout=4,3 -@ 3 --save f.safetensors
same e.safetensors f.safetensors "batches with 1 and 3 threads"

section splits
make_data
"$GRAPHATTN" train "${data[@]}" --split balanced:0.1,0.05 --split-seed 7 --save-split s --model gcn --set epochs=5 \
    --save a.safetensors >/dev/null || fail "drawn split"
"$GRAPHATTN" train "${data[@]}" --train-index s.train.txt --val-index s.val.txt --test-index s.test.txt --model gcn \
    --set epochs=5 --save b.safetensors >/dev/null || fail "saved split"
same a.safetensors b.safetensors "a split and its files"
[ "$(wc -l <s.train.txt)" -eq 24 ] || fail "$(wc -l <s.train.txt) training nodes, expected 6 of each class"
[ "$(sort -n s.*.txt | uniq | wc -l)" -eq 240 ] || fail "the three lists are not all nodes"
for class in 0 1 2 3; do
    n=$(awk -v c=$class 'int($1 / 60) == c' s.train.txt | wc -l)
    [ "$n" -eq 6 ] || fail "$n training nodes of class $class"
done

section resume
make_data
options=(--split "random:0.3,0.2" --model gatv2)
"$GRAPHATTN" train "${data[@]}" "${options[@]}" --set epochs=40 --save whole.safetensors >/dev/null || fail "whole run"
"$GRAPHATTN" train "${data[@]}" "${options[@]}" --set epochs=40 --checkpoint state --log first.tsv -q >/dev/null &
child=$!
for _ in $(seq 200); do
    [ -f first.tsv ] && [ "$(wc -l <first.tsv)" -ge 4 ] && break
    sleep 0.02
done
kill -9 "$child" 2>/dev/null
wait "$child" 2>/dev/null
[ -f state ] || fail "no state is left of a run that was killed"
expect 0 "$GRAPHATTN" train "${data[@]}" "${options[@]}" --set epochs=40 --resume state --save again.safetensors \
    --log first.tsv
[ "$(grep -c epoch first.tsv)" -eq 1 ] || fail "the log of a resumed run has $(grep -c epoch first.tsv) heads"
[ "$(tail -n 1 first.tsv | cut -f 1)" -eq 40 ] || fail "the log of a resumed run ends at $(tail -n 1 first.tsv | cut -f 1)"
[ "$(sed 1d first.tsv | cut -f 1 | sort -nu | wc -l)" -ge 39 ] || fail "the log of a resumed run lacks epochs"
same whole.safetensors again.safetensors "a run that was killed and went on"
expect 1 "$GRAPHATTN" train "${data[@]}" "${options[@]}" --set epochs=40,hidden=4 --resume state --save no.safetensors
says hidden
[ -e no.safetensors ] && fail "a model is left of a run that failed"

section outputs
make_data
expect 0 "$GRAPHATTN" train "${data[@]}" --split random:0.3,0.2 --model gcn --set epochs=12 --set hidden=8 --json \
    --log log.tsv --plot curves.svg --save m.safetensors
tail -n 1 out >last
for name in best_epoch train_accuracy val_accuracy test_accuracy seconds_per_epoch; do
    grep -q "\"$name\": " last || fail "no $name in the last line"
done
[ "$(wc -l <log.tsv)" -eq 13 ] || fail "$(wc -l <log.tsv) lines in the log"
head -n 1 log.tsv | grep -qx "epoch.train_loss.train_acc.val_loss.val_acc.test_acc.seconds" || fail "head of the log"
grep -q '</svg>' curves.svg || fail "no picture"
[ "$(grep -c 'class="curve"' curves.svg)" -eq 10 ] || fail "not five curves with their keys"
expect 2 "$GRAPHATTN" train "${data[@]}" --split random:0.3,0.2 --model gcn --plot curves.jpg
says ".svg, .png or .pdf"
mkdir empty
PATH=$PWD/empty expect 1 "$GRAPHATTN" train "${data[@]}" --split random:0.3,0.2 --model gcn --set epochs=2 --plot curves.png
says "gnuplot"
[ -e curves.png ] && fail "a picture without gnuplot"
if command -v gnuplot >/dev/null; then
    for suffix in png pdf; do
        expect 0 "$GRAPHATTN" train "${data[@]}" --split random:0.3,0.2 --model gcn --set epochs=2 --plot "curves.$suffix"
        head -c 8 "curves.$suffix" | grep -aqE 'PNG|%PDF' || fail "no picture in curves.$suffix"
    done
fi
expect 0 "$GRAPHATTN" embed graph.txt --undirected --features features.mtx --load m.safetensors -o h.npy
head -c 128 h.npy | grep -aq "(240, 8)" || fail "shape of the embedding"
expect 0 "$GRAPHATTN" predict graph.txt --undirected --features features.mtx --load m.safetensors --logits l.npy
head -c 128 l.npy | grep -aq "(240, 4)" || fail "shape of the logits"
# another graph: the first three groups
awk 'NR == 1 || ($1 < 180 && $2 < 180)' graph.txt | grep -v '^#' >small.txt
awk 'NR == 1 { print; next } NR == 2 { print 180, 40, 540; next } $1 <= 180' features.mtx >small.mtx
expect 0 "$GRAPHATTN" predict small.txt --undirected --features small.mtx --load m.safetensors
[ "$(wc -l <out)" -eq 180 ] || fail "classes of another graph: $(wc -l <out)"

section several-labels
make_data
python=$(numpy_python)
if [ -n "$python" ]; then
    "$python" -c '
import numpy
g = numpy.arange(240) // 60
t = numpy.stack([g < 2, g % 2 == 0, g == 3], 1).astype("u1")
numpy.save("targets.npy", t)'
    seq 0 2 239 >train.txt
    seq 1 2 239 >test.txt
    expect 0 "$GRAPHATTN" train graph.txt --undirected --features features.mtx --labels targets.npy --model sage \
        --train-index train.txt --test-index test.txt --set epochs=60,lr=0.02 --save m.safetensors
    awk -v a="$(figure test_accuracy)" 'BEGIN { exit !(a > 0.9) }' || fail "several labels: $(figure test_accuracy)"
    awk -v a="$(figure test_auc)" 'BEGIN { exit !(a > 0.95) }' || fail "several labels: area $(figure test_auc)"
    expect 0 "$GRAPHATTN" predict graph.txt --undirected --features features.mtx --load m.safetensors -o p.npy
    "$python" -c '
import numpy
p, t = numpy.load("p.npy"), numpy.load("targets.npy")
assert p.shape == t.shape and p.dtype == "u1" and (p == t).mean() > 0.9, (p.shape, p.dtype)' || fail "table of labels"
fi

section interrupt
make_data
# python: what a script starts in the background has SIGINT ignored, which the program would respect
cat >interrupt.py <<'END'
import os, signal, subprocess, sys, time

signal.signal(signal.SIGINT, signal.default_int_handler)
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
for _ in range(1000):
    time.sleep(0.01)
    if os.path.exists("log.tsv") and open("log.tsv").read().count("\n") > 3:
        break
child.send_signal(signal.SIGINT)
print(child.wait(timeout=60))
END
options=(--split "random:0.3,0.2" --model gat --set epochs=100000 --set patience=0 -q)
code=$(python3 interrupt.py "$GRAPHATTN" train "${data[@]}" "${options[@]}" --checkpoint state --save m.safetensors \
    --log log.tsv)
[ "$code" = 130 ] || fail "exit $code after an interrupt"
[ -e m.safetensors ] && fail "a model is left of a run that was interrupted"
[ -s state ] || fail "no state is left of a run that was interrupted"
finish
