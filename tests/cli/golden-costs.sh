#!/bin/bash
# The golden cases of graphattn cost; every cost model has cases; the matrix of graphattn variants --cab; refusals, pictures
# of masks.
# shellcheck source=/dev/null disable=SC2094,SC2154
. "$(dirname "$0")/lib.sh"
runner=$shared/tools/run_golden.py
python=$(numpy_python)
if [ ! -f "$runner" ] || [ -z "$python" ]; then
    echo "no golden cases here ($runner), or no numpy"
    exit 77
fi
mkdir cases
"$GRAPHATTN" cost --list | awk -F '\t' '$2 == "cost" { print $1 }' >costs
[ "$(wc -l <costs)" -ge 5 ] || fail "no list of cost models"
"$python" - "$shared/golden/attention-dynamic" <<'END' || fail "cases"
import json, os, sys
golden, seen, known = os.path.abspath(sys.argv[1]), {"variant"}, open("costs").read().split()  # variant is ours alone
for name in sorted(os.listdir(golden)):
    path = os.path.join(golden, name)
    if os.path.exists(os.path.join(path, "case.json")):
        case = json.load(open(os.path.join(path, "case.json")))
        if case["command"] == "cost":
            os.symlink(path, os.path.join("cases", name))
            seen.add(case["variant"])
wrong = sorted(seen ^ set(known))
print("\n".join(["no golden case, or no cost model: " + w for w in wrong] + ["%d cases" % len(os.listdir("cases"))]))
sys.exit(bool(wrong))
END
# os.walk does not follow links: every folder is named
"$python" "$runner" --graphattn "$GRAPHATTN" cases/*/ || fail "golden cases"

# passes of everything, and the matrix, as they are written down
"$GRAPHATTN" variants --cab --json >cab.json || fail "--cab --json"
"$GRAPHATTN" variants --cab >cab.tsv || fail "--cab"
"$python" - "$shared/golden/attention-dynamic" "$GRAPHATTN" <<'END' || fail "passes, matrix"
import json, os, subprocess, sys
golden, program = sys.argv[1:]
wrong, ranks = [], ("keys", "queries", "units")
for name, plan in json.load(open(os.path.join(golden, "passes.json")))["plans"].items():
    out = subprocess.run([program, "cost", "passes", "--set", "variant=" + name, "--json"], stdout=subprocess.PIPE)
    got = json.loads(out.stdout)
    if [got[k] for k in ranks] != [plan[k] for k in ranks]:
        wrong.append("%s: %s, expected %s" % (name, got, plan))
want, got = json.load(open(os.path.join(golden, "cab.json")))["variants"], json.load(open("cab.json"))
words, answers, more = {True: "1", False: "0", None: "?"}, ("NS", "CS", "NC", "CC"), ("prefix", "unit", "cc_unit")
rows = {line.split("\t")[0]: line.rstrip("\n").split("\t") for line in open("cab.tsv") if line[0] != "#"}
for name, row in got.items():
    if row != {k: want[name].get(k) for k in answers + more}:
        wrong.append("%s: %s, expected %s" % (name, row, want[name]))
    if rows[name][1:] != [words[row[k]] for k in answers] + [row[k] or "-" for k in more]:
        wrong.append("%s: %s" % (name, rows[name]))
print("\n".join(wrong))
sys.exit(bool(wrong) or len(got) < 40)
END

# refused COMMAND WORDS...: wrong usage, nothing left
refused()
{
    expect 2 "$GRAPHATTN" "${@:2}"
    says "$1"
    rm -f out err
    if [ -e left.npy ] || [ -e left.png ]; then
        fail "something is left of a run that failed"
    fi
}
size=(--set queries=64 --set keys=64 --set dim=8)
refused "no cost 'pases'; did you mean passes?" cost pases
refused "needs a name; --list lists them" cost
refused "passes needs variant" cost passes --return keys=left.npy
refused "variant=foo: expected the name of a variant" cost passes --set variant=foo --return keys=left.npy
refused "fused=1: expected 0: act needs 3 passes over keys, 2 over queries, 1 over units" \
    cost passes --set variant=act --set fused=1 --return keys=left.npy
refused "full with post=row needs 4 passes over keys" cost passes --set variant=full,post=row,fused=1 --return keys=left.npy
refused "post=row: expected none with quest" cost passes --set variant=quest,post=row --return keys=left.npy
refused "variant has no output 'words'" cost variant --set variant=full "${size[@]}" --return words=left.npy
refused "variant needs dim" cost variant --set variant=full --set queries=64 --set keys=64 --return flops=left.npy
refused "full has no parameter 'left'" cost variant --set variant=full "${size[@]}" --set left=1 --return flops=left.npy
refused "kinetics takes no causal mask" cost kinetics --causal --set parameters=1 --set heads=1 --set kv_heads=1 \
    --set dim=1 --set layers=1 --set prompt=1 --set generated=1 --return compute=left.npy

# reports: an object of numbers, a tensor without axes
speed=(--set flops_per_second=1e9 --set bytes_per_second=1e9)
expect 0 "$GRAPHATTN" cost variant --set variant=window --set left=3 --set right=0 "${size[@]}" "${speed[@]}" --causal \
    --json --return density=density.npy
"$python" -c 'import json, numpy
r, d = json.load(open("out")), numpy.load("density.npy")
assert r["passes"] == 1 and d.shape == () and d == r["density"] == (4 * 64 - 6) / 64 ** 2, r' || fail "JSON"
expect 0 "$GRAPHATTN" cost variant --set variant=full "${size[@]}" "${speed[@]}" -o report.tsv
grep -qx "density"$'\t'1 report.tsv || fail "no report in its file"

# a mask as a picture; other shapes are none
"$python" -c 'import numpy
numpy.save("question.npy", numpy.array([0.1, 0.1, 0.1, 0.7], "f4")); numpy.save("general.npy", numpy.full(4, 0.25, "f4"))
numpy.save("cube.npy", numpy.ones((2, 2, 2, 2), "f4"))'
carve=(maps carve --tensor question=question.npy --tensor general=general.npy --set "shape=2,2")
expect 0 "$GRAPHATTN" "${carve[@]}" --return mask=mask.png --return score=score.npy
has y0 1
"$python" - <<'END' || fail "the picture of the mask"
import struct, zlib
data = open("mask.png", "rb").read()
assert data[:8] == b"\211PNG\r\n\032\n" and struct.unpack(">II", data[16:24]) == (2, 2)
at = data.index(b"IDAT")
rows = zlib.decompress(data[at + 4:at + 4 + struct.unpack(">I", data[at - 4:at])[0]])
assert rows == bytes([rows[0], 0, 0, rows[3], 0, 255]), rows
END
refused "expected a matrix" maps vhd --tensor with_image=cube.npy --tensor without_image=cube.npy --return vhd=left.png
finish
