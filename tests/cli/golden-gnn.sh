#!/bin/bash
# The golden cases of the layers, with every instruction set of this machine and in double precision; every layer has
# cases.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
runner=$shared/tools/run_golden.py
python=$(numpy_python)
if [ ! -f "$runner" ] || [ -z "$python" ]; then
    echo "no golden cases here ($runner), or no numpy"
    exit 77
fi
mkdir cases
"$GRAPHATTN" layer --list | awk -F '\t' '$2 == "layer" { print $1 }' >layers
[ "$(wc -l <layers)" -ge 10 ] || fail "no list of layers"
"$python" - "$shared/golden/gnn" <<'END' || fail "cases"
import json, os, sys
golden, seen = os.path.abspath(sys.argv[1]), set()
layers = open("layers").read().split()
for name in sorted(os.listdir(golden)):
    path = os.path.join(golden, name)
    if not os.path.exists(os.path.join(path, "case.json")):
        continue
    case = json.load(open(os.path.join(path, "case.json")))
    if case["command"] == "layer":
        seen.add(case["variant"])
        os.symlink(path, os.path.join("cases", name))
wrong = ["no golden case for the layer " + l for l in layers if l not in seen]
wrong += ["no layer for the golden cases of " + l for l in sorted(seen) if l not in layers]
print("\n".join(wrong + ["%d cases" % len(os.listdir("cases"))]))
sys.exit(bool(wrong))
END
"$python" -c 'import numpy; numpy.save("empty.npy", numpy.zeros((1, 1), "f4"))'
# os.walk does not follow links: every folder is named
tried=0
for backend in scalar avx2 avx512; do
    if "$GRAPHATTN" layer mlp --features empty.npy --tensor weight_0=empty.npy --backend "$backend" -o y.npy 2>err; then
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

# refusals: exit status, words, nothing left
printf '0\t1\n1\t2\t0.5\n2\tx\n' >broken.txt
printf '0\t1\n# comment\n1\t7\n' >outside.txt
printf '0\t1\n1\t2\theavy\n' >heavy.txt
"$python" - <<'END'
import numpy
numpy.save("x.npy", numpy.ones((3, 2), "f4"))
numpy.save("w.npy", numpy.ones((2, 2), "f4"))
numpy.save("g.npy", numpy.ones((3, 2), "f4"))
END
printf '0\t1\n' >good.txt
refused()
{
    expect "$1" "$GRAPHATTN" layer "${@:3}" -o left.npy --return grad_features=also.npy
    says "$2"
    if [ -e left.npy ] || [ -e also.npy ]; then
        fail "something is left of a run that failed"
    fi
}
common=(--features x.npy --tensor weight=w.npy --grad-output g.npy)
refused 1 "broken.txt:3: found \"x\", expected src<TAB>dst" gcn "${common[@]}" --graph broken.txt
refused 1 "heavy.txt:2: found \"heavy\"" gcn "${common[@]}" --graph heavy.txt
refused 2 "outside.txt:3: node 7, expected below 3" gcn "${common[@]}" --graph outside.txt
refused 2 "no layer 'gnc'; did you mean gcn?" gnc "${common[@]}" --graph outside.txt
refused 2 "needs --graph" gcn "${common[@]}"
refused 2 "needs --features" gcn --graph outside.txt
refused 2 "gcn has no parameter 'heads'" gcn "${common[@]}" --graph good.txt --set heads=2
refused 2 "gat needs att_src" gat "${common[@]}" --graph good.txt
refused 2 "grad_features needs the gradient of y" gcn --features x.npy --tensor weight=w.npy --graph good.txt

# weights in the third column are edge_weight
printf '0\t1\t2\n1\t2\t0.5\n2\t1\n' >weighted.txt
printf '0\t1\n1\t2\n2\t1\n' >plain.txt
"$python" -c 'import numpy; numpy.save("e.npy", numpy.array([2, 0.5, 1]))'
expect 0 "$GRAPHATTN" layer gcn --features x.npy --tensor weight=w.npy --graph weighted.txt -o a.npy
expect 0 "$GRAPHATTN" layer gcn --features x.npy --tensor weight=w.npy --graph plain.txt --tensor edge_weight=e.npy -o b.npy
cmp a.npy b.npy || fail "the third column is not the tensor edge_weight"
expect 0 "$GRAPHATTN" layer gcn --features x.npy --tensor weight=w.npy --graph plain.txt -o c.npy
cmp -s a.npy c.npy && fail "the third column makes no difference"
# another format gives the same
expect 0 "$GRAPHATTN" convert plain.txt -o plain.gab --dense-ids
expect 0 "$GRAPHATTN" layer gcn --features x.npy --tensor weight=w.npy --graph plain.gab -o d.npy
cmp c.npy d.npy || fail "a binary graph gives another result"
finish
