#!/bin/bash
# The golden cases of the commands that this release has.
# shellcheck source=/dev/null disable=SC2015,SC2094,SC2154
. "$(dirname "$0")/lib.sh"
runner=$shared/tools/run_sampling_golden.py
python=$(numpy_python)
if [ ! -f "$runner" ] || [ -z "$python" ]; then
    echo "no golden cases here ($runner), or no numpy"
    exit 77
fi
# cases of rescale name files of other cases by ../: the folders are links beside each other
mkdir cases
python3 - "$shared/golden/sampling" cases "$slow" <<'END' || fail "cases are missing"
import collections, json, os, sys
# how many there are of each command at least
least = {"matrices": 15, "realize": 30, "rescale": 15, "rewire": 3, "sample": 50, "stats": 3, "compare": 4, "neighbors": 15}
found = collections.Counter()
source, target, slow = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3] == "1"
for name in sorted(os.listdir(source)):
    path = os.path.join(source, name, "case.json")
    if not os.path.exists(path):
        continue
    case = json.load(open(path))
    ours = case["command"] in least
    if slow and (name.startswith(("rewire-space", "sample-real", "sample-law")) or
                 name.startswith("neighbors-") and name.endswith("-sparse")):
        ours = False
    if ours:
        found[case["command"]] += 1
        os.symlink(os.path.join(source, name), os.path.join(target, name))
print("%d cases" % len(os.listdir(target)))
few = [name for name in least if found[name] < least[name]]
sys.exit("too few cases of " + ", ".join(few) if few else 0)
END
# os.walk does not follow links: every folder is named
"$python" "$runner" --graphattn "$GRAPHATTN" -v cases/*/ || fail "golden cases"
finish
