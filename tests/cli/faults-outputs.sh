#!/bin/bash
# Outputs that cannot be written, memory that is not there, interruptions: nothing is left behind.
# shellcheck source=/dev/null disable=SC2015,SC2094,SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN
big=$((slow ? 20000 : 200000))

section memory
expect 0 "$ga" generate rmat -n 20000 -m 200000 -o graph.txt
for command in "convert" "jdm" "sample -r 0.5" "rewire"; do
    # shellcheck disable=SC2086
    expect 1 "$ga" $command graph.txt --max-memory=300K -o result.txt && says "memory"
done
if [ "$slow" = 0 ]; then
    # the system says no: somewhere in the middle, whatever the limit
    for kb in 40000 60000 80000; do
        for command in "convert" "sample -r 0.5" "rewire"; do
            # a thread of OpenBLAS would ask for memory for ever
            # shellcheck disable=SC2086
            (export OPENBLAS_NUM_THREADS=1 && ulimit -v "$kb" && "$ga" $command -@ 2 graph.txt -o result.txt >out 2>err)
            code=$?
            if [ "$code" -ne 0 ]; then
                [ "$code" -eq 1 ] || [ "$code" -eq 127 ] || fail "exit $code of $command with $kb kB: $(head -c 200 err)"
                [ ! -e result.txt ] || fail "a result in spite of exit $code"
            fi
            rm -f result.txt
        done
    done
fi
only graph.txt

section full
expect 0 "$ga" generate er -n 3000 -m 30000 -o graph.txt
for command in convert info jdm dcm rewire "sample -r 0.5"; do
    got=0
    # shellcheck disable=SC2086
    "$ga" $command graph.txt >/dev/full 2>err || got=$?
    [ "$got" -eq 1 ] && says "space left" || fail "exit $got of $command to a full device: $(cat err)"
done
got=0
"$ga" generate er -n 3000 -m 30000 >/dev/full 2>err || got=$?
[ "$got" -eq 1 ] || fail "exit $got of generate to a full device"
echo "an old result" >old.txt
cp old.txt result.txt
for blocks in 1 20 100; do
    for command in convert rewire "sample -r 0.9 --map=map.txt --report=report.tsv"; do
        got=0
        # shellcheck disable=SC2086
        (ulimit -f "$blocks" && "$ga" $command graph.txt -o result.txt >out 2>err) || got=$?
        [ "$got" -eq 1 ] || fail "exit $got of $command with files of at most $blocks blocks"
        same old.txt result.txt "an old file after a failure"
        only graph.txt old.txt result.txt
    done
done
expect 1 "$ga" sample graph.txt -r 0.5 --map=map.txt --report=/dev/full -o new.txt
only graph.txt old.txt result.txt
"$ga" sample graph.txt -r 0.5 --map=map.txt >/dev/full 2>err && fail "a sample on a full device"
only graph.txt old.txt result.txt

section closed
expect 0 "$ga" generate er -n 3000 -m 30000 -o graph.txt
for command in convert info jdm dcm rewire "sample -r 0.5"; do
    got=0
    # shellcheck disable=SC2086
    "$ga" $command graph.txt >&- 2>err || got=$?
    [ "$got" -eq 1 ] || fail "exit $got of $command with standard output closed"
done
"$ga" convert graph.txt -o copy.txt >&- 2>&- <&- || fail "all standard files closed"
grep -q '^# Nodes: ' copy.txt || fail "a file that was written with standard output closed"
"$ga" convert - <&- -o copy2.txt 2>err && fail "standard input closed"
only graph.txt copy.txt
rm copy.txt
{ "$ga" convert graph.txt 2>err; echo $? >code; } | head -n 1 >/dev/null
[ "$(cat code)" -eq 141 ] && [ ! -s err ] || fail "exit $(cat code) behind head: $(cat err)"
{ "$ga" sample graph.txt -r 0.9 --map map.txt 2>err; echo $? >code; } | head -n 1 >/dev/null
[ "$(cat code)" -eq 141 ] && [ ! -e map.txt ] || fail "exit $(cat code) behind head, or a map"
for words in "help --list-options sample" "sample --help" "info graph.txt"; do
    # the reader is gone before a word is written
    # shellcheck disable=SC2086
    { sleep 0.2; "$ga" $words 2>err; echo $? >code; } | true
    [ "$(cat code)" -eq 141 ] && [ ! -s err ] || fail "exit $(cat code) of $words behind nobody: $(cat err)"
done

section pieces
expect 0 "$ga" generate er -n 3000 -m 30000 -o graph.txt
gzip -kc graph.txt >graph.gz
expect 0 "$ga" jdm graph.txt -o wanted.jdm
for f in graph.txt graph.gz; do
    # a pipe that gives a few bytes at a time
    python3 - "$f" <<'END' | "$ga" jdm - -o got.jdm || fail "a pipe in pieces"
import os, random, sys, time
raw = open(sys.argv[1], "rb").read()
random.seed(1)
while raw:
    n = random.choice([1, 2, 3, 100, 5000, 65536])
    os.write(1, raw[:n])
    raw = raw[n:]
    if n < 4:
        time.sleep(0.0005)
END
    same wanted.jdm got.jdm "$f through a pipe"
done
"$ga" convert graph.txt --to gab | "$ga" convert - -o got.txt || fail "a .gab through a pipe"
same graph.txt got.txt "a .gab through a pipe"
# pipes that do not block
python3 - "$ga" <<'END' || fail "pipes that do not block"
import fcntl, os, subprocess, sys, threading, time
raw = open("graph.txt", "rb").read()
r, w = os.pipe()
r2, w2 = os.pipe()
for fd in (r, w2):
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
p = subprocess.Popen([sys.argv[1], "convert", "-"], stdin=r, stdout=w2)
os.close(r)
os.close(w2)
def feed():
    for i in range(0, len(raw), 30000):
        time.sleep(0.005)
        os.write(w, raw[i:i + 30000])
    os.close(w)
threading.Thread(target=feed).start()
got = b""
while True:
    time.sleep(0.002)
    piece = os.read(r2, 10000)
    if not piece:
        break
    got += piece
sys.exit(p.wait() or got != raw)
END

section killed
expect 0 "$ga" generate rmat -n "$big" -m $((10 * big)) -o graph.txt
awk '!/^#/ { print $1 }' graph.txt | sort -un | head -n 20000 >ids.txt
echo "an old result" >old.txt
cp old.txt result.txt
cat >signals.py <<'END'
"""Sends a signal to a program once it catches it, and looks at how it ends."""
import os, signal, subprocess, sys, time

def ready(pid, number):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("SigCgt:"):
            return int(line.split()[1], 16) >> (number - 1) & 1
    return True

# a suite in the background of a script is started with SIGINT ignored, which the program would respect
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)

def run(words, number, delay, stdout):
    until = time.monotonic() + 20
    p = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=stdout)
    while p.poll() is None and not ready(p.pid, number) and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(delay)
    if p.poll() is not None:
        return None, 0, "over before it could be interrupted: " + p.stderr.read().decode()
    start = time.monotonic()
    p.send_signal(number)
    try:
        code = p.wait(20)
    except subprocess.TimeoutExpired:
        p.kill()
        return None, 20, "did not end"
    return code, time.monotonic() - start, p.stderr.read().decode()

def ends(words, number, wanted, delay, allowed, stdout=subprocess.DEVNULL):
    """A busy machine may be late, but not three times."""
    for _ in range(3):
        code, took, text = run(words, number, delay, stdout)
        strange = sorted(set(os.listdir(".")) - allowed)
        if code != wanted or strange:
            print("%s: exit %s instead of %d, left behind: %s; %s" % (" ".join(words), code, wanted, strange, text))
            return False
        if took <= 1:
            return True
    print("%s: ended only after %.2f s" % (" ".join(words), took))
    return False
END
python3 - "$ga" <<'END' || fail "signals"
import os, signal, sys
sys.path.insert(0, ".")
sys.dont_write_bytecode = True
from signals import ends
ga, good = sys.argv[1], True
allowed = {"graph.txt", "ids.txt", "old.txt", "result.txt", "signals.py", "out", "err"}
rewire = [ga, "rewire", "graph.txt", "--swaps-per-edge=100000", "-o", "result.txt"]
sample = [ga, "sample", "graph.txt", "-r", "0.5", "--swaps-per-edge=100000", "-o", "result.txt", "--map=map.txt"]
generate = [ga, "generate", "er", "-n", "3000000", "-m", "60000000", "-o", "result.txt"]
batches = [ga, "neighbors", "graph.txt", "--method=fanout", "--fanout=-1,-1,-1", "--batch=100", "--seeds=ids.txt", "-o"]
for delay in (0.0, 0.3, 0.8):
    good &= ends(rewire, signal.SIGINT, 130, delay, allowed)
good &= ends(rewire, signal.SIGTERM, 143, 0.4, allowed)
good &= ends(sample, signal.SIGINT, 130, 0.8, allowed)
good &= ends(generate, signal.SIGINT, 130, 0.3, allowed)
for name in "rows.tsv", "batch.gab":
    good &= ends(batches + [name], signal.SIGINT, 130, 0.8, allowed)
# nobody reads what it writes
r, w = os.pipe()
good &= ends([ga, "convert", "graph.txt"], signal.SIGINT, 130, 1, allowed, w)
good &= ends([ga, "generate", "er", "-n", "3000", "-m", "60000"], signal.SIGTERM, 143, 0.5, allowed, w)
sys.exit(not good)
END
same old.txt result.txt "an old file after a signal"
mkfifo pipe
sleep 20 >pipe &
sleeper=$!
python3 - "$ga" <<'END' || fail "a signal while waiting for input"
import signal, sys
sys.path.insert(0, ".")
sys.dont_write_bytecode = True
from signals import ends
allowed = {"graph.txt", "ids.txt", "old.txt", "result.txt", "signals.py", "pipe", "out", "err"}
sys.exit(not ends([sys.argv[1], "info", "pipe"], signal.SIGINT, 130, 0.2, allowed))
END
kill "$sleeper" 2>/dev/null
wait "$sleeper" 2>/dev/null
# killed outright: the old file or the new one, and names that say what they are
"$ga" rewire graph.txt --swaps-per-edge=2 -o result.txt 2>err &
victim=$!
sleep 0.3
kill -9 "$victim" 2>/dev/null
wait "$victim" 2>/dev/null
if ! cmp -s old.txt result.txt; then
    expect 0 "$ga" info result.txt
fi
for f in *; do
    case $f in graph.txt | ids.txt | old.txt | result.txt | signals.py | out | err | pipe | result.txt.tmp-*) ;; *) fail "left by kill -9: $f" ;; esac
done

section names
printf '0 1\n1 2\n2 0\n0 2\n' >graph.txt
cp graph.txt keep.txt
ln -s graph.txt link.txt
ln graph.txt hard.txt
for f in graph.txt link.txt hard.txt ./graph.txt; do
    expect 1 "$ga" convert graph.txt -o "$f" && says "in-place"
    expect 1 "$ga" rewire "$f" -o graph.txt
    expect 1 "$ga" sample graph.txt -r 1 -o new.txt --map "$f"
done
same graph.txt keep.txt "an input after a refused output"
"$ga" convert graph.txt >>graph.txt 2>err && fail "standard output is the input"
same graph.txt keep.txt "an input that was standard output"
expect 0 "$ga" convert graph.txt --in-place -o graph.txt && grep -q '^# Nodes: 3 Edges: 4' graph.txt || fail "--in-place"
expect 2 "$ga" sample graph.txt -r 1 -o a.txt --map a.txt
expect 2 "$ga" sample graph.txt -r 1 --map -
expect 2 "$ga" jdm - --labels -
expect 1 "$ga" sample graph.txt -r 1 -o link.txt --map hard.txt && [ ! -e new.txt ] || fail "two names of one file"

section places
printf '0 1\n1 2\n2 0\n0 2\n' >graph.txt
mkdir folder locked
expect 1 "$ga" convert graph.txt -o folder && says "irectory"
expect 1 "$ga" convert graph.txt -o absent/out.txt && says "No such file"
long=$(printf 'x%.0s' $(seq 1 300))
expect 1 "$ga" convert graph.txt -o "$long" && says "too long"
just=$(printf 'y%.0s' $(seq 1 255))
"$ga" convert graph.txt -o "$just" 2>err || [ ! -e "$just" ] || fail "a name of 255 bytes"
rm -f "$just"
chmod 555 locked
if [ "$(id -u)" -ne 0 ]; then
    expect 1 "$ga" convert graph.txt -o locked/out.txt && says "denied"
fi
expect 1 "$ga" sample graph.txt -r 1 -o new.txt --map absent/map.txt
expect 1 "$ga" sample graph.txt -r 1 -o new.txt --map folder
expect 0 "$ga" convert graph.txt -o /dev/null
[ -c /dev/null ] || fail "/dev/null was replaced"
expect 0 "$ga" convert graph.txt -o "with blank ü.txt"
only graph.txt folder locked "with blank ü.txt"
# refused before the work begins
SECONDS=0
for place in absent/out.txt folder graph.txt/out.txt; do
    expect 1 "$ga" rewire graph.txt --swaps-per-edge=1e12 -o "$place"
    expect 1 "$ga" rewire graph.txt --swaps-per-edge=1e12 -o new.txt --report "$place"
done
[ "$SECONDS" -lt 30 ] || fail "an output that cannot be is found out after the work"
for suffix in dot json png svg; do
    expect 2 "$ga" convert graph.txt -o "new.$suffix" && says ".$suffix cannot be written"
done
expect 0 "$ga" convert graph.txt --to snap -o new.png && rm new.png
# another name while it is written, and the mode of the umask
(umask 027 && "$ga" convert graph.txt -o mode.txt)
[ "$(stat -c %a mode.txt)" = 640 ] || fail "mode $(stat -c %a mode.txt) with umask 027"

section kept
# what stands behind a name stays: permissions, links, descriptors
expect 0 "$ga" generate er -n 100 -m 600 -o graph.txt
for words in "-o secret.txt" "-o secret.txt --map map.txt"; do
    echo old >secret.txt
    chmod 600 secret.txt
    # shellcheck disable=SC2086
    expect 0 "$ga" sample graph.txt -r 0.5 $words
    [ "$(stat -c %a secret.txt)" = 600 ] || fail "mode $(stat -c %a secret.txt) of a private file after $words"
    mkdir -p folder
    rm -f link.txt folder/real.txt
    ln -s folder/real.txt link.txt
    for turn in new again; do
        # shellcheck disable=SC2086
        expect 0 "$ga" sample graph.txt -r 0.5 ${words/secret/link}
        [ -L link.txt ] && same secret.txt folder/real.txt "a $turn file behind a link, $words"
    done
    # shellcheck disable=SC2086
    (ulimit -f 1 && "$ga" sample graph.txt -r 1 ${words/secret.txt/link.txt} >out 2>err) && fail "a file beyond the limit"
    same secret.txt folder/real.txt "an old file behind a link after a failure, $words"
done
if [ "$(id -u)" -ne 0 ]; then
    chmod 444 secret.txt
    expect 1 "$ga" convert graph.txt -o secret.txt && says "denied"
fi
only graph.txt secret.txt map.txt folder link.txt
expect 1 "$ga" sample graph.txt -r 0.5 -o new.txt --map ./new.txt && says "one file"
expect 1 "$ga" sample graph.txt -r 0.5 -o new.txt --map folder/../new.txt && says "one file"
expect 0 "$ga" sample graph.txt -r 0.5 -o /dev/null --map /dev/null
expect 2 "$ga" sample graph.txt -r 0.5 -o - --map /dev/fd/1
expect 1 "$ga" sample graph.txt -r 0.5 -o /dev/fd/77 && says "Bad file descriptor"
{ echo before; "$ga" sample graph.txt -r 0.5 -q -o /dev/null --report /dev/stderr; echo after; } >log 2>&1
[ "$(head -n 1 log)" = before ] && [ "$(tail -n 1 log)" = after ] && grep -q $'^seed\t1$' log ||
    fail "a report on standard error: $(cat log)"
"$ga" sample graph.txt -r 0.5 -q -o /dev/fd/3 3>three.txt && same three.txt secret.txt "an open descriptor"
"$ga" sample graph.txt -r 0.5 -q -o >(cat >one.txt) --map >(cat >two.txt)
for _ in $(seq 50); do
    [ -s one.txt ] && [ -s two.txt ] && break
    sleep 0.1
done
sleep 0.1
same one.txt secret.txt "a graph to a process" && same two.txt map.txt "a map to a process"
long=$(printf 'z%.0s' $(seq 1 245))
expect 0 "$ga" sample graph.txt -r 0.5 -o "${long}_graph" --map "${long}_map"
same "${long}_graph" secret.txt "a long name" && same "${long}_map" map.txt "another long name"

finish
