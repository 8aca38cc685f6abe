#!/bin/bash
# --device: what it takes, what is said when there is no device (faults 37 and 51), and that one is really used.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
plugins=${GRAPHATTN_PLUGIN_DIR:-/nowhere}
python=$(numpy_python)
if [ -z "$python" ]; then
    echo "no numpy here"
    exit 77
fi
mkdir "$work.in"
trap 'cd / && rm -rf "$work" "$work.in"' EXIT
"$python" - "$work.in" <<'END'
import numpy, sys
r = numpy.random.default_rng(1)
for name in "qkv":
    numpy.save(sys.argv[1] + "/" + name + ".npy", r.normal(size=(2, 40, 8)).astype("f4"))
END
attend()
{
    expect "$1" "$GRAPHATTN" attend full -Q "$work.in/q.npy" -K "$work.in/k.npy" -V "$work.in/v.npy" "${@:2}"
}

section words
for word in gpu cuda: cuda:x cuda:-1 cuda:1234567 emulated:x cpu:0 auto:1; do
    attend 2 --device "$word" -o o.npy
    says "--device: found \"$word\", expected cpu, cuda, cuda:N or auto"
done
only

section no-plugin
export GRAPHATTN_PLUGIN_DIR=$PWD/empty
mkdir empty
attend 1 --device emulated -o o.npy
says "--device emulated: emulated: there is no plug-in graphattn-emulated.so in $PWD/empty or /"
attend 1 --device cuda:3 -o o.npy
says "--device cuda:3: "
for folder in plugins . ../words; do
    GRAPHATTN_PLUGIN_DIR=$folder attend 1 --device cuda -o o.npy
    says "GRAPHATTN_PLUGIN_DIR: an absolute path expected, not $folder"
done
only empty

# what knows the CPU alone says so, whatever plug-ins there are
section of-the-cpu
printf '0 1\n1 2\n' >graph.txt
for command in info convert stats "sample -r 1" rewire; do
    for device in cuda emulated:1; do
        # shellcheck disable=SC2086
        expect 1 "$GRAPHATTN" $command graph.txt --device $device
        says "--device $device: ${command%% *} runs on the CPU only"
    done
done
expect 0 "$GRAPHATTN" info graph.txt --device auto
only graph.txt

# a plug-in in the current folder is not looked at
section current-folder
export GRAPHATTN_PLUGIN_DIR=
printf 'no module\n' >graphattn-emulated.so
attend 1 --device emulated -o o.npy
says "there is no plug-in graphattn-emulated.so in /"
only graphattn-emulated.so

section broken-plugins
export GRAPHATTN_PLUGIN_DIR=$PWD
printf 'no module\n' >graphattn-cuda.so
attend 1 --device cuda -o o.npy
says "$PWD/graphattn-cuda.so: cannot be loaded: "
attend 0 --device auto -o o.npy
says "note: working on the CPU: $PWD/graphattn-cuda.so: cannot be loaded: "
attend 0 -o p.npy
same o.npy p.npy "auto without a device, and the CPU"
only graphattn-cuda.so o.npy p.npy
# module FILE WORDS: a module of this build in the place of the plug-in
module()
{
    if [ ! -e "$plugins/$1.so" ]; then
        echo "no $1.so in this build"
        return
    fi
    cp "$plugins/$1.so" graphattn-cuda.so
    attend 1 --device cuda -o q.npy
    says "$PWD/graphattn-cuda.so: $2"
    attend 0 --device auto -o q.npy
    says "note: working on the CPU: "
    rm -f q.npy
}
module odd-none "not a plug-in of graphattn"
module odd-older "a plug-in for another version of the library: interface 1 of "
module odd-abi "a plug-in for another version of the library"
module odd-size "a plug-in for another version of the library"
module graphattn-emulated "holds the plug-in \"emulated\""

section cuda
export GRAPHATTN_PLUGIN_DIR=$plugins
if [ ! -e "$plugins/graphattn-cuda.so" ]; then
    echo "this build has no CUDA plug-in"
elif "$GRAPHATTN" attend full -Q "$work.in/q.npy" -K "$work.in/k.npy" -V "$work.in/v.npy" --device cuda -o o.npy 2>err; then
    echo "there is a GPU here"
    CUDA_VISIBLE_DEVICES='' attend 1 --device cuda -o p.npy
    says "--device cuda: cuda: no CUDA-capable device is detected"
    attend 1 --device cuda:999 -o p.npy
    says "--device cuda:999: cuda:999: there is no such device"
else
    attend 1 --device cuda -o o.npy
    grep -qE -- '--device cuda: cuda: (CUDA driver version is insufficient for CUDA runtime version|no CUDA-capable device is detected)' err ||
        fail "not the words of the run-time library: $(cat err)"
    [ "$(wc -l <err)" -eq 1 ] || fail "more than one line: $(cat err)"
    only
    attend 0 --device auto -o o.npy
    [ "$(grep -c 'note: working on the CPU: cuda: ' err)" -eq 1 ] || fail "auto does not say one thing: $(cat err)"
    attend 0 --device auto --quiet -o o.npy
    [ -s err ] && fail "auto says something in spite of --quiet: $(cat err)"
fi

section emulated
if [ ! -e "$plugins/graphattn-emulated.so" ]; then
    echo "this build has no emulated plug-in"
    finish
fi
attend 1 --device emulated:2 -o o.npy
says "--device emulated:2: emulated:2: there is no such device, their number is 2"
only
attend 0 --device emulated -o o.npy
attend 0 --device emulated:1 -o p.npy
same o.npy p.npy "two emulated devices"
attend 0 -o q.npy
"$python" -c 'import numpy, sys; a, b = numpy.load("o.npy"), numpy.load("q.npy"); sys.exit(int(abs(a - b).max() > 1e-5))' ||
    fail "the device gives another result than the CPU"
rm -f ./*.npy
printf '%s\n' '0 1' '0 2' '0 3' '1 2' '2 0' '3 0' '3 3' >graph.txt
seq 0 3 >labels.txt
for command in jdm dcm "jdm --labels labels.txt"; do
    # shellcheck disable=SC2086
    {
        expect 0 "$GRAPHATTN" $command graph.txt --device emulated -o there.tsv
        expect 0 "$GRAPHATTN" $command graph.txt -o here.tsv
        same there.tsv here.tsv "$command on the device, and on the CPU"
        GRAPHATTN_EMULATED_BROKEN=1 expect 1 "$GRAPHATTN" $command graph.txt --device emulated -o broken.tsv
        says "unspecified launch failure"
    }
done
rm -f ./*.tsv graph.txt labels.txt
# a device on which no kernel can be started: fault 38
GRAPHATTN_EMULATED_BROKEN=1 attend 1 --device emulated -o o.npy
says "emulated:0: "
says "unspecified launch failure"
only
finish
