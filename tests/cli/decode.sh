#!/bin/bash
# graphattn attend --decode: token by token is the whole call, on the golden cases of everything that can be decoded, and
# the rest is refused.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
python=$(numpy_python)
if [ -z "$python" ]; then
    echo "no numpy"
    exit 77
fi
"$python" -c 'import numpy
make = numpy.random.default_rng(3).standard_normal
for name, tokens in (("q", 7), ("k", 7), ("v", 7), ("q3", 3), ("q9", 9)):
    numpy.save(name + ".npy", make((2, 4 if name[0] == "q" else 2, tokens, 4)).astype("f4"))
numpy.save("g.npy", -abs(make((2, 2, 7, 4))).astype("f4"))
numpy.save("lepe.npy", make((16, 5, 5)).astype("f4"))'
all=(-Q q.npy -K k.npy -V v.npy)

# close WHAT: a.npy and b.npy, and their shapes, agree
close()
{
    "$python" -c 'import numpy, sys
a, b = numpy.load("a.npy"), numpy.load("b.npy")
sys.exit(a.shape != b.shape or not numpy.allclose(a, b, rtol=2e-5, atol=5e-6))' || fail "$1"
}

expect 0 "$GRAPHATTN" attend gla "${all[@]}" --tensor log_decay=g.npy -o a.npy --return state=s.npy
expect 0 "$GRAPHATTN" attend gla "${all[@]}" --tensor log_decay=g.npy --decode -o b.npy --return state=t.npy
close "o of gla"
mv s.npy a.npy && mv t.npy b.npy && close "state of gla"
expect 0 "$GRAPHATTN" attend full -Q q3.npy -K k.npy -V v.npy --causal -o a.npy
expect 0 "$GRAPHATTN" attend full -Q q3.npy -K k.npy -V v.npy --decode -o b.npy
close "three queries behind a prompt"
cp b.npy one.npy
for threads in 1 3 7; do
    expect 0 "$GRAPHATTN" attend full -Q q3.npy -K k.npy -V v.npy --decode -o b.npy -@ $threads
    cmp -s b.npy one.npy || fail "$threads threads"
done
"$GRAPHATTN" attend full -Q q3.npy -K k.npy -V v.npy --decode | cmp -s - one.npy || fail "standard output"
expect 0 "$GRAPHATTN" attend full "${all[@]}" --decode --precision f64 -o b.npy
head -c 128 b.npy | grep -q "'<f8'" || fail "f64 output"

# refused WORDS ARGUMENTS...: wrong usage, and no file is left
refused()
{
    local words=$1
    shift
    expect 2 "$GRAPHATTN" attend "$@" --decode -o none.npy
    says "$words"
    [ ! -e none.npy ] && [ ! -e none2.npy ] || fail "a file is left: $*"
}
refused "neighborhood cannot be decoded token by token" neighborhood "${all[@]}" --set window=3
refused "decoding gives o and state, not 'lse'" full "${all[@]}" --return lse=none2.npy
refused "full has no state" full "${all[@]}" --return state=none2.npy
refused "pattern neighborhood cannot be decoded" full "${all[@]}" --pattern neighborhood:window=3
refused "expected at least as many keys" full -Q q9.npy -K k.npy -V v.npy
refused "lepe and rope need the whole image" mala -Q k.npy -K k.npy -V v.npy --tensor lepe=lepe.npy
refused "based has no state" based "${all[@]}" --set mode=window --set window=2 --return state=none2.npy

# The golden cases, with o and state as the outputs; what is not causal is left out.
if [ -f "$shared/tools/run_golden.py" ]; then
    mkdir cases
    "$GRAPHATTN" variants | sed 1d | cut -f 1 | while read -r name; do
        "$GRAPHATTN" variants "$name" | grep -q '^decode'$'\t''1$' && echo "$name"
    done >decodable
    [ "$(wc -l <decodable)" -ge 20 ] || fail "$(wc -l <decodable) variants can be decoded"
    "$python" - "$shared/golden" <<'END' || fail "cases"
import json, numpy, os, sys
golden, decodable = os.path.abspath(sys.argv[1]), open("decodable").read().split()
always = ("lightning", "retention", "gla", "delta", "gated-delta", "rat", "titans", "ssm", "moa")
seen = set()
for family in ("attention-static", "attention-linear"):
    for name in sorted(os.listdir(os.path.join(golden, family))):
        path = os.path.join(golden, family, name)
        if not os.path.exists(os.path.join(path, "case.json")):
            continue
        case = json.load(open(os.path.join(path, "case.json")))
        variant, inputs = case["variant"], case.get("inputs", {})
        if variant not in decodable or case.get("error") or case["command"] != "attend":
            continue
        if not case.get("causal") and variant not in always:
            continue
        if "pattern" in case or "normaliser" in case or "graph" in inputs or "o" not in case["outputs"]:
            continue
        tokens = {n: numpy.load(os.path.join(path, inputs[n])).shape[-2] for n in ("q", "k") if n in inputs}
        if tokens and tokens["q"] > tokens["k"]:
            continue
        inputs.pop("grad_output", None)
        case["outputs"] = {n: f for n, f in case["outputs"].items() if n in ("o", "state")}
        to = os.path.join("cases", family + "--" + name)
        os.mkdir(to)
        for f in list(inputs.values()) + list(case["outputs"].values()):
            os.symlink(os.path.join(path, f), os.path.join(to, f))
        json.dump(case, open(os.path.join(to, "case.json"), "w"))
        seen.add(variant)
missing = [v for v in decodable if v in always + ("full", "window", "s2", "sigmoid", "linear", "based") and v not in seen]
print("%d cases of %d variants" % (len(os.listdir("cases")), len(seen)))
sys.exit("no case of " + ", ".join(missing) if missing else 0)
END
    printf '#!/bin/sh\nexec "%s" "$@" --decode\n' "$GRAPHATTN" >decoding
    chmod +x decoding
    "$python" "$shared/tools/run_golden.py" --graphattn ./decoding cases/*/ || fail "golden cases token by token"
fi
finish
