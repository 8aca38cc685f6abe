#!/bin/bash
# Inputs that are broken, strange or hostile.
# shellcheck source=/dev/null disable=SC2015,SC2094,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN

section missing
mkdir folder
expect 1 "$ga" info absent.txt && says "absent.txt" && says "No such file"
expect 1 "$ga" info folder && says "irectory"
echo "0 1" >secret.txt
chmod 000 secret.txt
if [ "$(id -u)" -ne 0 ]; then
    expect 1 "$ga" info secret.txt && says "denied"
fi

section nothing
for text in '' '# only a comment\n% another\n' '\n\n  \n'; do
    printf '%b' "$text" >empty.txt
    expect 0 "$ga" info empty.txt && has nodes 0 && has edges 0 && says "no edges"
done
expect 0 "$ga" sample empty.txt -r 0.5 --map empty.map --report empty.report && grep -qx '# Nodes: 0 Edges: 0' out || fail "sample of nothing: $(cat out)"
expect 1 "$ga" sample empty.txt --nodes 5 && says "no nodes"
: >empty.mtx
expect 1 "$ga" info empty.mtx
: >empty.gab
expect 1 "$ga" info empty.gab
: >empty.sg
expect 1 "$ga" info empty.sg
expect 1 "$ga" info --from=metis empty.gab

section gzip
for i in $(seq 0 40); do echo "$i $(((i * 7 + 3) % 41))"; done >plain.txt
gzip -nc plain.txt >whole.gz
size=$(stat -c %s whole.gz)
python3 - "$ga" $((slow ? 17 : 1)) <<'END' || fail "truncated gzip"
import os, subprocess, sys
raw, bad = open("whole.gz", "rb").read(), 0
for n in range(1, len(raw), int(sys.argv[2])):
    open("cut.gz", "wb").write(raw[:n])
    p = subprocess.run([sys.argv[1], "convert", "cut.gz", "-o", "out.gab"], stderr=subprocess.PIPE)
    if p.returncode != 1 or not p.stderr or os.path.exists("out.gab"):
        print("cut at %d: exit %d, %s" % (n, p.returncode, p.stderr))
        bad += 1
sys.exit(bad > 0)
END
for at in 8 7 4 1; do
    { head -c $((size - at)) whole.gz; printf '\377'; tail -c $((at - 1)) whole.gz; } | head -c "$size" >bad.gz
    expect 1 "$ga" info bad.gz || echo "trailer byte -$at"
done
{ cat whole.gz; echo garbage; } >garbage.gz
expect 0 "$ga" info garbage.gz && says "warning" && has edges 40
expect 1 "$ga" info --strict garbage.gz
{ cat whole.gz; head -c 10000 /dev/zero; } >padded.gz
expect 0 "$ga" info --strict padded.gz && has edges 40 && ! grep -q warning err || fail "zero bytes behind gzip data"
{ gzip -nc </dev/null; cat whole.gz; echo "50 51" | gzip -c; } >members.gz
expect 0 "$ga" info members.gz && has edges 41

section compressed
echo "0 1" | gzip -c | gzip -c >twice.gz
expect 1 "$ga" info twice.gz && says "gzip"
printf '\3757zXZ\0rest' >a.xz
expect 1 "$ga" info a.xz && says "xz"
printf '\050\265\057\375rest' >a.zst
expect 1 "$ga" info a.zst && says "zstd"
printf 'BZh91AY&SYrest' >a.bz2
expect 1 "$ga" info a.bz2 && says "bzip2"

section bomb
yes '# nothing but comments here' | head -c 100000000 | gzip -c >comments.gz
expect 0 "$ga" info --max-memory=80M comments.gz && has nodes 0
yes '0 1' | head -n 5000000 | gzip -c >edges.gz
expect 1 "$ga" info --max-edges=1000 edges.gz && says "max-edges"
expect 1 "$ga" info --max-memory=1M edges.gz && says "memory"
head -c 50000000 /dev/zero | tr '\0' 1 | gzip -c >line.gz
expect 1 "$ga" info --max-memory=80M line.gz && says "line.gz:1" && says "longer than"

section ids
echo "0 4000000000" >giant.txt
expect 0 "$ga" info giant.txt && has nodes 2
expect 1 "$ga" info --dense-ids giant.txt && says "max-nodes"
echo "0 18446744073709551615" >largest.txt
expect 0 "$ga" convert largest.txt && grep -q 18446744073709551615 out || fail "the largest id"
for bad in '-1 2' '18446744073709551616 2' '99999999999999999999999 2' '1e5 2' '0x10 2' '1.0 2' $'\u0663 2' 'a b' '1 2x' '+1 2'; do
    printf '# header\n0 1\n%s\n' "$bad" >bad.txt
    expect 1 "$ga" info bad.txt && says "bad.txt:3"
done
printf '0 1\n1\0002 3\n' >nul.txt
expect 1 "$ga" info nul.txt && says "nul.txt:2"
printf '\357\273\2770 1\n' >bom.txt
expect 0 "$ga" info bom.txt && has edges 1

section lines
printf '5\n' >one.txt
expect 1 "$ga" info one.txt && says "one.txt:1"
printf '1 2 3 4\n' >four.txt
expect 1 "$ga" info four.txt
expect 0 "$ga" info --columns four.txt && has edges 1
printf '1 2 0.5\n2\t3\t1\n' >mixed.txt
expect 0 "$ga" info mixed.txt && has edges 2
printf '1 2\r\n2 3\r\n' >crlf.txt
expect 0 "$ga" info crlf.txt && has edges 2
printf '1 2\r2 3\r' >cr.txt
expect 0 "$ga" info cr.txt && has edges 2
printf '1 2\n2 3' >open.txt
expect 0 "$ga" info open.txt && has edges 2
{ printf '1 '; head -c 3000000 /dev/zero | tr '\0' ' '; printf '2\n'; } >long.txt
expect 1 "$ga" info long.txt && says "long.txt:1"

section counts
printf '1 1\n1 1\n1 2\n1 2\n2 1\n3 3\n' >loops.txt
expect 0 "$ga" info loops.txt
for row in "nodes 3" "edges 2" "loops 2" "duplicates 1" "isolated 1"; do
    # shellcheck disable=SC2086
    has $row
done
says "2 loops dropped" && says "1 repeated edge collapsed"
expect 0 "$ga" info -q loops.txt && [ ! -s err ] || fail "--quiet is not quiet"
expect 0 "$ga" info --loops=keep loops.txt && has edges 4 && has isolated 0
expect 0 "$ga" info --multi=keep loops.txt && has edges 3
expect 1 "$ga" info --loops=error loops.txt && says "loop"
expect 1 "$ga" info --multi=error loops.txt
expect 0 "$ga" info --undirected loops.txt && has edges 2

section weights
for bad in nan inf -inf 1e400 1,5; do
    printf '1 2 %s\n' "$bad" >weight.txt
    expect 1 "$ga" convert --weights weight.txt || echo "weight $bad"
done
printf '1 2 inf\n' >weight.txt
expect 0 "$ga" convert --weights --allow-nonfinite weight.txt
printf '1 2 1.5\n' >comma.txt
for locale in $(locale -a 2>/dev/null | grep -i '^de_DE' | head -n 1) C; do
    expect 0 env LC_ALL="$locale" "$ga" convert --weights comma.txt && grep -qx $'1\t2\t1.5' out ||
        fail "a weight in locale $locale"
done

section binary
for i in $(seq 0 12); do echo "$((i * 3)) $(((i * 5 + 2) % 13 * 3))"; done >small.txt
expect 0 "$ga" convert small.txt -o small.gab
expect 0 "$ga" convert small.txt -o small.sg
expect 0 "$ga" convert small.txt -o wanted.txt
# every byte changed in turn: refused, or the right graph where the byte is padding between sections
python3 - "$ga" $((slow ? 23 : 1)) <<'END' || fail "flipped bytes"
import os, subprocess, sys
raw, wanted, bad = open("small.gab", "rb").read(), open("wanted.txt", "rb").read(), 0
for n in range(0, len(raw), int(sys.argv[2])):
    changed = bytearray(raw)
    changed[n] ^= 1 << n % 8
    open("flipped.gab", "wb").write(changed)
    p = subprocess.run([sys.argv[1], "convert", "--from=gab", "flipped.gab", "-o", "got.txt"], stderr=subprocess.PIPE)
    there = os.path.exists("got.txt")
    if p.returncode not in (0, 1) or there != (p.returncode == 0) or (there and open("got.txt", "rb").read() != wanted):
        print("byte %d: exit %d, %s" % (n, p.returncode, p.stderr))
        bad += 1
    if there:
        os.remove("got.txt")
sys.exit(bad > 0)
END
for kind in gab sg; do
    size=$(stat -c %s small.$kind)
    for n in 1 8 17 40 $((size / 2)) $((size - 1)); do
        head -c "$n" small.$kind >cut.$kind
        expect 1 "$ga" info cut.$kind || echo "$kind cut at $n"
    done
    { cat small.$kind; echo more; } >longer.$kind
    expect 1 "$ga" info longer.$kind || echo "longer $kind"
done
python3 - <<'END'
import struct
raw = open("small.sg", "rb").read()
def write(name, directed=raw[:1], edges=None, nodes=None, rest=raw[17:]):
    e, n = struct.unpack("<qq", raw[1:17])
    open(name, "wb").write(directed + struct.pack("<qq", e if edges is None else edges, n if nodes is None else nodes) + rest)
write("huge-m.sg", edges=1 << 60)
write("huge-n.sg", nodes=1 << 60)
write("minus-m.sg", edges=-1)
write("minus-n.sg", nodes=-5)
write("bool.sg", directed=b"\x02")
write("swapped.sg", rest=raw[17:])
e, n = struct.unpack("<qq", raw[1:17])
open("swapped.sg", "wb").write(raw[:1] + struct.pack(">qq", e, n) + raw[17:])
offsets = list(struct.unpack("<%dq" % (n + 1), raw[17:17 + 8 * (n + 1)]))
bad = offsets[:]
bad[2], bad[3] = bad[3] + 5, bad[2]
write("falling.sg", rest=struct.pack("<%dq" % (n + 1), *bad) + raw[17 + 8 * (n + 1):])
bad = offsets[:]
bad[3] = 1 << 40
write("beyond.sg", rest=struct.pack("<%dq" % (n + 1), *bad) + raw[17 + 8 * (n + 1):])
at = 17 + 8 * (n + 1)
write("neighbour.sg", rest=raw[17:at] + struct.pack("<i", n) + raw[at + 4:])
END
for f in huge-m huge-n minus-m minus-n bool swapped falling beyond neighbour; do
    expect 1 "$ga" info --from=sg --max-memory=200M $f.sg || echo "$f.sg"
done

section extremes
printf '# Nodes: 0 Edges: 0\n' >none.txt
printf '# Nodes: 1 Edges: 0\n' >one.txt
printf '# Nodes: 9 Edges: 0\n' >isolated.txt
for f in none one isolated; do
    for command in info jdm dcm rewire "convert --to=gab"; do
        # shellcheck disable=SC2086
        expect 0 "$ga" $command $f.txt || echo "$f"
    done
done
expect 0 "$ga" info isolated.txt && has isolated 9
expect 0 "$ga" sample isolated.txt -r 0.5 && grep -q '^# Nodes: 5 Edges: 0' out || fail "a sample of isolated nodes"
expect 0 "$ga" sample one.txt -r 1 && grep -q '^# Nodes: 1 Edges: 0' out || fail "a sample of one node"
for i in $(seq 0 11); do for j in $(seq 0 11); do [ "$i" = "$j" ] || echo "$i $j"; done; done >complete.txt
expect 0 "$ga" sample complete.txt -r 1 -o again.txt
expect 0 "$ga" jdm again.txt && grep -qx $'11\t11\t132' out || fail "a complete graph"
expect 0 "$ga" rewire complete.txt -o again.txt && same <(grep -v '^#' again.txt | sort) <(tr ' ' '\t' <complete.txt | sort)
leaves=$((slow ? 20000 : 1000000))
seq 1 "$leaves" | sed 's/^/0 /' >star.txt
expect 0 "$ga" dcm star.txt && grep -qx $'1\t0\t'"$leaves" out || fail "the leaves of a star"
expect 0 "$ga" jdm star.txt && grep -qx "$leaves"$'\t1\t'"$leaves" out || fail "the edges of a star"
expect 0 "$ga" sample star.txt -r 0.5 -o half.txt
# nothing recurses on the input: a long path with a small stack
if [ "$slow" = 0 ]; then
    seq 0 299999 | awk '{ print $1, $1 + 1 }' >path.txt
    for words in info jdm "sample -r 0.3" "rewire --swaps-per-edge 1 --target reciprocity=0.1,transitivity=0.01"; do
        # shellcheck disable=SC2086
        (ulimit -s 128 && "$ga" $words path.txt >out 2>err) || fail "$words with a stack of 128 KiB: $(cat err)"
    done
fi

section "beyond 32 bits"
# counts of 64 bits go through, or are refused before memory is taken
printf '1\t1\t5000000000\n' >a.jdm
cp a.jdm a.dcm
expect 0 "$ga" rescale --jdm a.jdm --dcm a.dcm -r 2 --max-memory=100M --out-jdm b.jdm --out-dcm b.dcm &&
    grep -qx $'1\t1\t10000000000' b.jdm && grep -qx $'1\t1\t10000000000' b.dcm || fail "five billion edges, doubled"
expect 1 "$ga" realize --jdm a.jdm --dcm a.dcm --max-memory=100M -o graph.txt
expect 1 "$ga" rescale --jdm a.jdm --dcm a.dcm -r 1e10 --out-jdm c.jdm --out-dcm c.dcm && says "too large"
printf '4294967294\t1\t4294967294\n' >a.jdm
printf '0\t4294967294\t1\n1\t0\t4294967294\n' >a.dcm
expect 1 "$ga" realize --jdm a.jdm --dcm a.dcm --max-memory=100M -o graph.txt && says "max-memory"
printf '1\t1\t9223372036854775807\n' >a.jdm
printf '1\t1\t9223372036854775807\n2\t2\t9223372036854775807\n' >a.dcm
expect 1 "$ga" rescale --jdm a.jdm --dcm a.dcm -r 2 --out-jdm c.jdm --out-dcm c.dcm
expect 1 "$ga" realize --jdm a.jdm --dcm a.dcm -o graph.txt
expect 1 "$ga" generate er -n 5000000000 -m 10 && says "2^32"
expect 1 "$ga" generate grid --rows 4000000000 --columns 4000000000
only a.jdm a.dcm b.jdm b.dcm

finish
