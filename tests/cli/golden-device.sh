#!/bin/bash
# The golden cases on the emulated device: every one gives its values or is refused in words, and the list of what is
# refused is the one below. No case passes because it was computed on the CPU: on a device that cannot start kernels only
# those pass that start none, and they are listed too.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
runner=$shared/tools/run_golden.py
python=$(numpy_python)
if [ ! -f "$runner" ] || [ -z "$python" ]; then
    echo "no golden cases here ($runner), or no numpy"
    exit 77
fi
if [ ! -e "${GRAPHATTN_PLUGIN_DIR:-/nowhere}/graphattn-emulated.so" ]; then
    echo "this build has no emulated device"
    exit 77
fi
mkdir cases
"$GRAPHATTN" variants | sed 1d | cut -f 1 >known
"$GRAPHATTN" layer --list | awk -F '\t' '$2 == "layer" { print $1 }' >>known
"$python" - "$shared/golden" "$slow" <<'END' || fail "cases"
import json, os, sys
golden, slow = os.path.abspath(sys.argv[1]), sys.argv[2] == "1"
known, seen = open("known").read().split(), set()
for family in ("attention-static", "attention-linear", "attention-dynamic", "composed", "gnn"):
    for name in sorted(os.listdir(os.path.join(golden, family))):
        path = os.path.join(golden, family, name)
        if not os.path.exists(os.path.join(path, "case.json")):
            continue
        case = json.load(open(os.path.join(path, "case.json")))
        if case["command"] not in ("attend", "layer") or case["variant"] not in known:
            continue
        if slow and case["variant"] in seen: # a sanitizer is at work: one case each
            continue
        seen.add(case["variant"])
        os.symlink(path, os.path.join("cases", family + "--" + name))
print("%d cases" % len(os.listdir("cases")))
END
# run FILE: the runner's lines of all cases, on two halves at once
run()
{
    local all=(cases/*/) half
    half=$(((${#all[@]} + 1) / 2))
    "$python" "$runner" --graphattn "$GRAPHATTN" --device emulated -v "${all[@]:0:half}" >"$1.a" 2>&1 &
    "$python" "$runner" --graphattn "$GRAPHATTN" --device emulated -v "${all[@]:half}" >"$1.b" 2>&1
    wait
    # the runner names a case by its place in the folder that it was given, here ".": the command behind it tells more
    cat "$1.a" "$1.b" >"$1"
}
run found
passed=$(grep -c '^ok ' found)
# what is refused: variant and words
refusal='s/^FAIL [^ ]* (\([^)]*\)): .*graphattn [a-z]*: \(.*the emulated device cannot .* yet\)$/\1: \2/p'
sed -n "$refusal" found | LC_ALL=C sort | uniq -c | sed 's/^ *//' >refused
grep '^FAIL' found | grep -v 'the emulated device cannot .* yet$' >wrong
[ -s wrong ] && fail "neither the values nor a refusal:
$(head -n 20 wrong)"
echo "$passed passed, $(awk '{ sum += $1 } END { print sum + 0 }' refused) refused"
cat >wanted <<'END'
1 act: attention: the emulated device cannot give maps yet
3 act: attention: the emulated device cannot give statistics of rows yet
1 based: scan: the emulated device cannot compute gradients yet
1 block-sparse: attention: the emulated device cannot give gradients but those of q, k and v yet
2 dara: attention: the emulated device cannot give gradients but those of q, k and v yet
3 dara: attention: the emulated device cannot give maps yet
4 delta: scan: the emulated device cannot compute gradients yet
3 full: attention: the emulated device cannot compute softplus-reweight weights yet
2 full: attention: the emulated device cannot give gradients but of softmax, sigmoid and identity yet
3 full: attention: the emulated device cannot give gradients but those of q, k and v yet
10 full: attention: the emulated device cannot give maps yet
7 gated-delta: scan: the emulated device cannot compute gradients yet
6 gla: scan: the emulated device cannot compute gradients yet
3 graph: attention: the emulated device cannot add an edge bias yet
1 halo: attention: the emulated device cannot give gradients of extra keys and ghosts yet
2 head-mask: attention: the emulated device cannot give maps yet
2 hedgehog: scan: the emulated device cannot compute gradients yet
1 inline: scan: the emulated device cannot compute gradients yet
1 l2vit: scan: the emulated device cannot compute gradients yet
10 landmark: landmark: the emulated device cannot attend to landmarks yet
1 lightning: scan: the emulated device cannot compute gradients yet
9 linear: scan: the emulated device cannot compute gradients yet
1 mala: scan: the emulated device cannot compute gradients yet
1 maxvit-block: attention: the emulated device cannot give gradients but those of q, k and v yet
1 maxvit-grid: attention: the emulated device cannot give gradients but those of q, k and v yet
2 neighborhood: attention: the emulated device cannot give gradients but those of q, k and v yet
1 norm-attention: scan: the emulated device cannot compute gradients yet
3 object: object: the emulated device cannot attend to objects yet
1 overlap-window: attention: the emulated device cannot give gradients but those of q, k and v yet
12 p-adapter: attention: the emulated device cannot give maps yet
1 paint: attention: the emulated device cannot give maps yet
1 quest: attention: the emulated device cannot give maps yet
1 radial: attention: the emulated device cannot give gradients but those of q, k and v yet
10 rat: rat: the emulated device cannot run recurrences yet
4 retention: scan: the emulated device cannot compute gradients yet
1 s2: attention: the emulated device cannot give gradients but those of q, k and v yet
1 shifted-window: attention: the emulated device cannot add an edge bias yet
1 shifted-window: attention: the emulated device cannot give gradients but those of q, k and v yet
3 sigmoid: attention: the emulated device cannot give gradients but those of q, k and v yet
4 sigmoid: attention: the emulated device cannot give maps yet
3 softplus-reweight: attention: the emulated device cannot compute softplus-reweight weights yet
5 softplus-reweight: attention: the emulated device cannot give maps yet
3 softplus: attention: the emulated device cannot give gradients but of softmax, sigmoid and identity yet
2 softplus: attention: the emulated device cannot give maps yet
16 titans: titans: the emulated device cannot learn a memory yet
3 var: attention: the emulated device cannot give maps yet
1 var: attention: the emulated device cannot run post steps yet
1 window: attention: the emulated device cannot give gradients but those of q, k and v yet
2 window: attention: the emulated device cannot give maps yet
END
if [ "$slow" -eq 0 ]; then
    diff wanted refused || fail "what is refused has changed"
fi

# on a device that cannot start kernels nothing passes but what starts none: variants without a case that fails
export GRAPHATTN_EMULATED_BROKEN=1
run broken
sed -n 's/^FAIL [^ ]* (\([^)]*\)): .*/\1/p' broken | LC_ALL=C sort -u >started
"$python" - <<'END' | LC_ALL=C sort -u | LC_ALL=C comm -23 - started >idle
import json, os
for name in os.listdir("cases"):
    case = json.load(open(os.path.join("cases", name, "case.json")))
    if not case.get("error"):
        print(case["variant"])
END
cat >idle.wanted <<'END'
mlp
END
if [ "$slow" -eq 0 ]; then
    diff idle.wanted idle || fail "the variants that start no kernel are others"
fi
finish
