#!/bin/bash
# The golden cases of the blocks and of the analyses of maps that the program knows, with every instruction set of this
# machine and in double precision; every block and analysis has cases; refusals.
# shellcheck source=/dev/null disable=SC2094,SC2154
. "$(dirname "$0")/lib.sh"
runner=$shared/tools/run_golden.py
python=$(numpy_python)
if [ ! -f "$runner" ] || [ -z "$python" ]; then
    echo "no golden cases here ($runner), or no numpy"
    exit 77
fi
mkdir cases
"$GRAPHATTN" block --list | awk -F '\t' '$2 == "block" { print $1 }' >block
"$GRAPHATTN" maps --list | awk -F '\t' '$2 == "analysis" { print $1 }' >maps
[ "$(wc -l <block)" -ge 7 ] || fail "no list of blocks"
[ "$(wc -l <maps)" -ge 1 ] || fail "no list of analyses"
"$python" - "$shared/golden" <<'END' || fail "cases"
import json, os, sys
golden, seen = os.path.abspath(sys.argv[1]), set()
known = {kind: open(kind).read().split() for kind in ("block", "maps")}
own = {"maps": ["moa-plan", "statistics"]}  # ours alone
for family in ("attention-static", "attention-linear", "attention-dynamic"):
    for name in sorted(os.listdir(os.path.join(golden, family))):
        path = os.path.join(golden, family, name)
        if not os.path.exists(os.path.join(path, "case.json")):
            continue
        case = json.load(open(os.path.join(path, "case.json")))
        if case["variant"] in known.get(case["command"], []):
            seen.add((case["command"], case["variant"]))
            os.symlink(path, os.path.join("cases", family + "--" + name))
wrong = ["no golden case for %s %s" % (kind, name) for kind in known for name in known[kind]
         if (kind, name) not in seen and name not in own.get(kind, [])]
print("\n".join(wrong + ["%d cases" % len(os.listdir("cases"))]))
sys.exit(bool(wrong))
END
"$python" -c 'import numpy; numpy.save("x.npy", numpy.ones((1, 2, 2, 2), "f4")); numpy.save("w.npy", numpy.ones((2, 2), "f4"));
numpy.save("b.npy", numpy.ones(2, "f4")); numpy.save("n.npy", numpy.zeros(3, "i8")); numpy.save("s.npy", numpy.array([0, 1, -1]))'
gate=(--tensor x=x.npy --tensor w1=w.npy --tensor w2=w.npy --tensor b1=b.npy --tensor b2=b.npy)
# os.walk does not follow links: every folder is named
tried=0
for backend in scalar avx2 avx512; do
    if "$GRAPHATTN" block channel-attention "${gate[@]}" --backend "$backend" -o y.npy 2>err; then
        echo "== $backend"
        "$python" "$runner" --graphattn "$GRAPHATTN" --backend "$backend" cases/*/ || fail "golden cases with $backend"
        tried=$((tried + 1))
        [ "$slow" -eq 1 ] && break
    fi
done
[ "$tried" -gt 0 ] || fail "no instruction set works: $(cat err)"
printf '#!/bin/sh\nexec "%s" "$@" --precision f64\n' "$GRAPHATTN" >wide
chmod +x wide
echo "== f64"
"$python" "$runner" --graphattn ./wide cases/*/ || fail "golden cases in double precision"

# refused COMMAND WORDS...: wrong usage, nothing left
refused()
{
    expect 2 "$GRAPHATTN" "${@:2}"
    says "$1"
    rm -f out err
    if [ -e left.npy ] || [ -e also.npy ]; then
        fail "something is left of a run that failed"
    fi
}
refused "no block 'kam'; did you mean kan?" block kam -o left.npy
refused "no analysis 'influences'; did you mean influence?" maps influences
refused "needs a name; --list lists them" block
refused "needs a name; --list lists them" maps
refused "merge has no y for --output" block merge -o left.npy
refused "needs --return NAME=FILE; the outputs of partition are size, grid" block partition --set width=3
refused "channel-attention needs w1" block channel-attention --tensor x=x.npy -o left.npy
refused "channel-attention has no tensor 'w3'" block channel-attention "${gate[@]}" --tensor w3=w.npy -o left.npy
refused "w1 is given twice" block channel-attention "${gate[@]}" --tensor w1=w.npy -o left.npy
refused "segments go without convolutions" block channel-attention "${gate[@]}" --tensor segments=n.npy -o left.npy \
    --tensor conv1_w=x.npy --tensor conv1_b=b.npy --tensor conv2_w=x.npy --tensor conv2_b=b.npy
refused "2 with segments" block channel-attention "${gate[@]}" --tensor segments=n.npy -o left.npy --return gate=also.npy
refused "grad_x needs the gradient of y" block channel-attention "${gate[@]}" -o left.npy --return grad_x=also.npy
refused "has no output 'map'" block channel-attention "${gate[@]}" -o left.npy --return map=also.npy
refused "--tensor: found \"x\", expected NAME=VALUE" block kan --tensor x -o left.npy
refused "multires-fuse has no gradients" block multires-fuse -o left.npy --set shape=1,1 --grad-output x.npy \
    --tensor x=x.npy --tensor low=x.npy --tensor ln1_w=b.npy --tensor ln1_b=b.npy --tensor ln2_w=b.npy \
    --tensor ln2_b=b.npy --tensor w=w.npy --tensor b=b.npy
refused "sigma=90: expected a smaller one" block object-code --set sigma=90 --return codes=left.npy
refused "grad_map: shape" maps influence --tensor map=x.npy --tensor grad_map=w.npy --return influence=left.npy
refused "block=0: expected >= 1" maps influence --tensor map=x.npy --tensor grad_map=x.npy --return blocks=left.npy
expect 1 "$GRAPHATTN" maps influence --tensor map=missing.npy --tensor grad_map=x.npy --return influence=left.npy
[ -e left.npy ] && fail "something is left of a run that failed"

# reports
expect 0 "$GRAPHATTN" maps influence --tensor map=x.npy --tensor grad_map=x.npy --return influence=e.npy
has maps 2
has influence_sum 8
expect 0 "$GRAPHATTN" maps influence --tensor map=x.npy --tensor grad_map=x.npy --json
"$python" -c 'import json; r = json.load(open("out")); assert r["maps"] == 2 and r["influence_max"] == 1, r' || fail "JSON"
expect 0 "$GRAPHATTN" maps influence --tensor map=x.npy --tensor grad_map=x.npy -o report.tsv --return influence=-
"$python" -c 'import numpy; assert (numpy.load("out") == -1).all()' || fail "influence on standard output"
grep -qx "influence_max"$'\t'1 report.tsv || fail "no report in its file"
# without y, an output on standard output
"$GRAPHATTN" block partition --set width=640 --set height=480 --return grid=- >grid.npy || fail "grid on standard output"
"$python" -c 'import numpy; assert list(numpy.load("grid.npy")) == [2, 2]' || fail "grid"
finish
