#!/bin/bash
# The golden cases of the attention variants, patterns and normalisers that are in the registry, with every instruction
# set of this machine and in double precision; every variant has cases.
# shellcheck source=/dev/null disable=SC2094,SC2154
. "$(dirname "$0")/lib.sh"
runner=$shared/tools/run_golden.py
python=$(numpy_python)
if [ ! -f "$runner" ] || [ -z "$python" ]; then
    echo "no golden cases here ($runner), or no numpy"
    exit 77
fi
mkdir cases
"$GRAPHATTN" variants | sed 1d | cut -f 1 >variants
# the list behind "no pattern 'none'; the patterns are ..."
: >empty.npy
"$python" -c 'import numpy; numpy.save("empty.npy", numpy.zeros((1, 1), "f4"))'
for kind in pattern normaliser; do
    "$GRAPHATTN" attend full -Q empty.npy -K empty.npy -V empty.npy "--$kind" none -o o.npy 2>err
    sed -n "s/.*; the ${kind}s are //p" err | tr -d ' ' | tr ',' '\n' >"$kind"
    [ "$(wc -l <"$kind")" -ge 5 ] || fail "no list of ${kind}s: $(cat err)"
done
"$python" - "$shared/golden" <<'END' || fail "cases"
import json, os, sys
golden, missing = os.path.abspath(sys.argv[1]), 0
lines = lambda f: open(f).read().split()
variants, patterns, normalisers = lines("variants"), lines("pattern"), lines("normaliser")
seen = set()
for family in ("attention-static", "attention-linear", "attention-dynamic", "gnn", "composed"):
    for name in sorted(os.listdir(os.path.join(golden, family))):
        path = os.path.join(golden, family, name)
        if not os.path.exists(os.path.join(path, "case.json")):
            continue
        case = json.load(open(os.path.join(path, "case.json")))
        known = case["command"] == "attend" and case["variant"] in variants
        if "pattern" in case and case["pattern"].split(":")[0] not in patterns:
            known = False
        if "normaliser" in case and case["normaliser"].split(":")[0] not in normalisers and not case.get("error"):
            known = False
        if known:
            os.symlink(path, os.path.join("cases", family + "--" + name))
            if family != "composed":
                seen.add(case["variant"])
for variant in variants:
    if variant not in seen:
        print("no golden case for the variant " + variant)
        missing = 1
print("%d cases" % len(os.listdir("cases")))
sys.exit(missing)
END
# os.walk does not follow links: every folder is named
tried=0
for backend in scalar avx2 avx512; do
    if "$GRAPHATTN" attend full -Q empty.npy -K empty.npy -V empty.npy --backend "$backend" -o o.npy 2>err; then
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
finish
