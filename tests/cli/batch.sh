#!/bin/bash
# The batch scripts in examples/batch do what graphattn-pipelines(7) says, without a scheduler.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN
scripts=$top/examples/batch
export GRAPHATTN=$ga

section sweep
"$ga" generate rmat -n 2000 -m 12000 -q -o web.txt
export GRAPH=web.txt FOLDER=sweep RATIOS='0.5 0.2' SEEDS='1 2'
for task in 0 1 2 3 4; do # the last one has nothing to do
    SLURM_ARRAY_TASK_ID=$task SLURM_CPUS_PER_TASK=1 bash "$scripts/sweep.sbatch" || fail "task $task"
done
[ "$(find sweep -type f | wc -l)" -eq 9 ] || fail "not one original, four samples, four tables: $(ls sweep)"
"$ga" sample web.txt -r 0.2 --seed 2 -q | cmp - <("$ga" convert sweep/jdm-0.2-2.gab -q) || fail "task 3 made another sample"
touch -d '2020-01-01' sweep/jdm-0.5-1.gab
SLURM_ARRAY_TASK_ID=0 bash "$scripts/sweep.sbatch" || fail "task 0 again"
[ "$(date -r sweep/jdm-0.5-1.gab +%Y)" -eq 2020 ] || fail "a sample that was there was made again"
STEP=table bash "$scripts/sweep.sbatch" || fail "the table"
awk -F '\t' '!/^#/ && (NF != 5 || $1 != "jdm") { exit 1 } $4 == "ks_in" { n++ } END { exit n != 4 }' sweep/jdm.tsv ||
    fail "the table: $(head -n 3 sweep/jdm.tsv)"
STEP=nothing expect 2 bash "$scripts/sweep.sbatch"

section training
"$ga" generate rmat -n 2000 -m 12000 -q -o web.txt
cat >scontrol <<'STUB'
#!/bin/sh
echo "$*" >>requeued
STUB
chmod +x scontrol
seq 0 1999 | awk '{ print $1 % 3 }' >labels.txt
{
    printf '%%%%MatrixMarket matrix coordinate pattern general\n2000 8 4000\n'
    seq 0 1999 | awk '{ print $1 + 1, $1 % 3 + 1; print $1 + 1, $1 % 5 + 4 }'
} >features.mtx
export GRAPH=$PWD/web.txt FEATURES=$PWD/features.mtx LABELS=$PWD/labels.txt FOLDER=$PWD/whole RATIO=0.3
epochs=$((slow ? 300 : 1500))
export SLURM_JOB_ID=17 PATH=$PWD:$PATH
SETTINGS=epochs=$epochs,patience=0 bash "$scripts/train.sbatch" 2>log || fail "training: $(cat log)"
[ "$(wc -l <whole/classes.txt)" -eq 2000 ] || fail "not a class for every node"
[ ! -e whole/requeued ] || fail "queued again though it was done"

# The time is up in the middle: the state stays, the job is queued again, and the second run comes to the same end.
export FOLDER=$PWD/parts
SETTINGS=epochs=$epochs,patience=0 bash "$scripts/train.sbatch" 2>log &
job=$!
while [ ! -e parts/state.safetensors ] && kill -0 $job 2>/dev/null; do
    sleep 0.01
done
kill -USR1 $job 2>/dev/null
wait $job || fail "interrupted: status $?, $(cat log)"
[ "$(cat parts/requeued)" = "requeue 17" ] || fail "not queued again: $(cat log)"
[ ! -e parts/train.json ] || fail "an interrupted training looks done"
SETTINGS=epochs=$epochs,patience=0 bash "$scripts/train.sbatch" 2>log || fail "resumed: $(cat log)"
cmp whole/model.safetensors parts/model.safetensors || fail "another model after an interruption"
cmp whole/classes.txt parts/classes.txt || fail "other classes after an interruption"
finish
