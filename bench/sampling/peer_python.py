#!/usr/bin/python3
"""Python peers of the sampling steps, for bench/sampling/run.

  peer_python.py networkx-jdm FILE RUNS       degree_mixing_dict(out, in) of a DiGraph
  peer_python.py numpy-jdm FILE RUNS          unique() over degree pairs, JDM and DCM, from edge arrays
  peer_python.py networkx-realize FILE RUNS   directed_joint_degree_graph from the file's own degrees

FILE is `src dst` lines, plain or gzip, # comments.  The graph is made simple first, outside the timing.
One line: name<TAB>edges<TAB>best seconds<TAB>median seconds<TAB>peak resident bytes.
"""
import resource
import sys
import time

import numpy as np


def simple_edges(path):
    e = np.loadtxt(path, dtype=np.int64, comments=("#", "%"), usecols=(0, 1)).reshape(-1, 2)
    e = e[e[:, 0] != e[:, 1]]
    ids, flat = np.unique(e, return_inverse=True)
    e = np.unique(flat.reshape(-1, 2), axis=0)
    return len(ids), e[:, 0].copy(), e[:, 1].copy()


def numpy_jdm(n, s, t):
    dout, din = np.bincount(s, minlength=n), np.bincount(t, minlength=n)
    width = int(din.max()) + 1
    np.unique(dout[s] * width + din[t], return_counts=True)
    np.unique(dout * width + din, return_counts=True)


def digraph(n, s, t):
    import networkx as nx
    g = nx.DiGraph()
    g.add_nodes_from(range(n))
    g.add_edges_from(zip(s.tolist(), t.tolist()))
    return g


def networkx_jdm(g):
    import networkx as nx
    nx.degree_mixing_dict(g, x="out", y="in")


def realize_input(n, s, t):
    dout, din = np.bincount(s, minlength=n), np.bincount(t, minlength=n)
    nkk = {}
    for k, l in zip(dout[s].tolist(), din[t].tolist()):
        row = nkk.setdefault(k, {})
        row[l] = row.get(l, 0) + 1
    return din.tolist(), dout.tolist(), nkk


def networkx_realize(din, dout, nkk):
    import networkx as nx
    nx.directed_joint_degree_graph(din, dout, nkk, seed=1)


def main():
    what, path, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    n, s, t = simple_edges(path)
    if what == "numpy-jdm":
        step, args = numpy_jdm, (n, s, t)
    elif what == "networkx-jdm":
        step, args = networkx_jdm, (digraph(n, s, t),)
    elif what == "networkx-realize":
        step, args = networkx_realize, realize_input(n, s, t)
    else:
        sys.exit("peer_python.py: unknown step " + what)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        step(*args)
        seconds.append(time.perf_counter() - start)
    seconds.sort()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print("%s\t%d\t%.6f\t%.6f\t%d" % (what, len(s), seconds[0], seconds[len(seconds) // 2], peak))


if __name__ == "__main__":
    main()
