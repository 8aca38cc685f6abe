#!/usr/bin/python3
"""peer_torch.py - torch and scipy on the same problems: prints rows name<TAB>seconds[<TAB>peak bytes].

  peer_torch.py attention THREADS TOKENS HEADS DIM RUNS
  peer_torch.py spmm THREADS GRAPH WIDTH RUNS
  peer_torch.py graph THREADS GRAPH RUNS       GAT, GATv2 and dot-product layers of 4 heads of 16, forward and backward

GRAPH is a file of i64 n, i64 m, i64 offsets[n + 1], i32 sources[m], rows being targets.
"""
import resource
import sys
import time

import numpy as np
import torch


def best(function, runs):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def row(name, seconds, *more):
    print("\t".join([name, "%.6f" % seconds] + [str(x) for x in more]), flush=True)


def read_graph(path):
    with open(path, "rb") as f:
        n, m = (int(x) for x in np.fromfile(f, np.int64, 2))
        return n, m, np.fromfile(f, np.int64, n + 1), np.fromfile(f, np.int32, m)


def attention(tokens, heads, dim, runs):
    q, k, v = (torch.randn(1, heads, tokens, dim) for _ in range(3))

    def plain():
        return torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) * dim ** -0.5, -1), v)

    fused = getattr(torch.nn.functional, "scaled_dot_product_attention", None)
    with torch.no_grad():
        row("torch attention", best(plain, runs))
        if fused:
            row("torch fused attention", best(lambda: fused(q, k, v), runs))
    for t in (q, k, v):
        t.requires_grad_(True)
    out = plain()
    row("torch attention backward", best(lambda: out.backward(torch.ones_like(out), retain_graph=True), runs))


def spmm(graph, width, runs):
    import scipy.sparse
    n, m, offsets, sources = read_graph(graph)
    values = np.ones(m, np.float32)
    x = np.random.rand(n, width).astype(np.float32)
    a = scipy.sparse.csr_matrix((values, sources, offsets.astype(np.int32)), shape=(n, n))
    row("scipy", best(lambda: a @ x, runs))
    b = torch.sparse_csr_tensor(torch.from_numpy(offsets), torch.from_numpy(sources.astype(np.int64)),
                                torch.from_numpy(values), size=(n, n))
    t = torch.from_numpy(x)
    with torch.no_grad():
        row("torch csr", best(lambda: b @ t, runs))


def graph_layers(graph, runs):
    n, m, offsets, sources = read_graph(graph)
    heads, width = 4, 16
    src = torch.from_numpy(sources.astype(np.int64))
    dst = torch.from_numpy(np.repeat(np.arange(n), np.diff(offsets)))
    x = torch.randn(n, heads, width, requires_grad=True)
    left = torch.randn(n, heads, requires_grad=True)
    right = torch.randn(n, heads, requires_grad=True)
    att = torch.randn(heads, width, requires_grad=True)

    def layer(score):
        with torch.no_grad():
            most = torch.full((n, heads), -1e30).scatter_reduce(0, dst[:, None].expand(-1, heads), score, "amax")
        weight = torch.exp(score - most[dst])
        total = torch.zeros(n, heads).index_add(0, dst, weight)
        share = weight / (total[dst] + 1e-16)
        return torch.zeros(n, heads, width).index_add(0, dst, x[src] * share[:, :, None])

    leaky = torch.nn.functional.leaky_relu
    layers = {"GAT": lambda: layer(leaky(left[src] + right[dst], 0.2)),
              "GATv2": lambda: layer((leaky(x[src] + x[dst], 0.2) * att).sum(-1)),
              "dot product": lambda: layer((x[src] * x[dst]).sum(-1) * 0.25)}
    for name, function in layers.items():
        with torch.no_grad():
            seconds = best(function, runs)
        row("torch %s" % name, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    for name, function in layers.items():
        y = function()
        ones = torch.ones_like(y)
        row("torch %s backward" % name, best(lambda: y.backward(ones, retain_graph=True), runs))


def main():
    what, threads, rest = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    torch.set_num_threads(threads)
    if what == "attention":
        attention(*[int(x) for x in rest])
    elif what == "spmm":
        spmm(rest[0], int(rest[1]), int(rest[2]))
    else:
        graph_layers(rest[0], int(rest[1]))


main()
