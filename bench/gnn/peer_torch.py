"""Epochs of GAT and pGNN on a node-classification set, as a torch user would write them.

  peer_torch.py DIR MODEL FORM EPOCHS THREADS

DIR holds edges.txt.gz, features.mtx.gz, labels.txt.gz and splits/public.*; MODEL is gat or pgnn; FORM is edges (edge
index, index_add) or dense (a mask of n x n).  An epoch is a training step and an evaluation.  Prints seconds an epoch:
the best and the median.
"""
import gzip
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F


def read(folder):
    edges = np.loadtxt(gzip.open(folder + "/edges.txt.gz", "rt"), dtype=np.int64, comments="#")[:, :2]
    with gzip.open(folder + "/features.mtx.gz", "rt") as f:
        rows = [line.split() for line in f if not line.startswith("%")]
    n, width = int(rows[0][0]), int(rows[0][1])
    x = np.zeros((n, width), np.float32)
    for r in rows[1:]:
        x[int(r[0]) - 1, int(r[1]) - 1] = float(r[2]) if len(r) > 2 else 1
    labels = np.loadtxt(gzip.open(folder + "/labels.txt.gz", "rt"), dtype=np.int64)
    train = np.loadtxt(gzip.open(folder + "/splits/public.train.txt.gz", "rt"), dtype=np.int64)
    both = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    return x, both, labels, train


class Gat(torch.nn.Module):
    def __init__(self, width, heads, out, mean):
        super().__init__()
        self.heads, self.out, self.mean = heads, out, mean
        self.weight = torch.nn.Parameter(torch.empty(width, heads * out))
        self.src = torch.nn.Parameter(torch.empty(1, heads, out))
        self.dst = torch.nn.Parameter(torch.empty(1, heads, out))
        self.bias = torch.nn.Parameter(torch.zeros(out if mean else heads * out))
        for p in (self.weight, self.src, self.dst):
            torch.nn.init.xavier_uniform_(p)

    def forward(self, x, graph):
        x = F.dropout(x, 0.6, self.training)
        z = (x @ self.weight).view(-1, self.heads, self.out)
        left, right = (z * self.src).sum(-1), (z * self.dst).sum(-1)
        z = F.dropout(z, 0.6, self.training)
        if graph[0] == "dense":
            score = F.leaky_relu(left[None] + right[:, None], 0.2).masked_fill(~graph[1][..., None], float("-inf"))
            a = F.dropout(torch.softmax(score, 1), 0.6, self.training)
            o = torch.einsum("ijh,jho->iho", a, z)
        else:
            source, target = graph[1]
            e = F.leaky_relu(left[source] + right[target], 0.2)
            top = torch.full((z.shape[0], self.heads), float("-inf"))
            top = top.scatter_reduce(0, target[:, None].expand_as(e), e.detach(), "amax")
            e = torch.exp(e - top[target])
            a = e / torch.zeros_like(left).index_add(0, target, e)[target]
            a = F.dropout(a, 0.6, self.training)
            o = torch.zeros_like(z).index_add(0, target, z[source] * a[..., None])
        return (o.mean(1) if self.mean else o.flatten(1)) + self.bias


class GatNet(torch.nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.a, self.b = Gat(width, 8, 8, False), Gat(64, 1, classes, True)

    def forward(self, x, graph):
        return self.b(F.elu(self.a(x, graph)), graph)


class Pgnn(torch.nn.Module):
    def __init__(self, width, classes, p=1.5, mu=0.1, k=4):
        super().__init__()
        self.p, self.mu, self.k = p, mu, k
        self.a, self.b = torch.nn.Linear(width, 16), torch.nn.Linear(16, classes)

    def forward(self, x, graph):
        h = F.dropout(F.relu(self.a(x)), 0.5, self.training)
        source, target = graph[1]
        degree = torch.zeros(h.shape[0]).index_add(0, target, torch.ones(target.shape[0]))
        s = torch.where(degree > 0, degree.clamp(min=1) ** -0.5, torch.zeros_like(degree))
        f, c = h, 2 * self.mu / self.p
        for _ in range(self.k):
            g = f * s[:, None]
            tau = ((g[source] - g[target]) ** 2).sum(1)
            m = torch.where(tau > 0, tau.clamp(min=1e-30) ** ((self.p - 2) / 2), torch.zeros_like(tau))
            alpha = 1 / (s * s * torch.zeros_like(degree).index_add(0, target, m) + c)
            total = torch.zeros_like(f).index_add(0, target, m[:, None] * g[source])
            f = alpha[:, None] * (s[:, None] * total + c * h)
        return self.b(f)


def main():
    folder, model, form, epochs, threads = sys.argv[1:6]
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    x, edges, labels, train = read(folder)
    n = x.shape[0]
    if model == "gat":
        loops = np.arange(n)
        edges = np.unique(np.concatenate([edges, np.stack([loops, loops], 1)]), axis=0)
        x = x / np.maximum(x.sum(1, keepdims=True), 1)
    x, y, train = torch.from_numpy(x), torch.from_numpy(labels), torch.from_numpy(train)
    source, target = torch.from_numpy(edges[:, 0].copy()), torch.from_numpy(edges[:, 1].copy())
    graph = ("edges", (source, target))
    if form == "dense":
        mask = torch.zeros(n, n, dtype=torch.bool)
        mask[target, source] = True
        graph = ("dense", mask)
    net = (GatNet if model == "gat" else Pgnn)(x.shape[1], int(y.max()) + 1)
    step = torch.optim.Adam(net.parameters(), lr=0.005, weight_decay=5e-4)
    times = []
    for _ in range(int(epochs)):
        start = time.perf_counter()
        net.train()
        step.zero_grad()
        F.cross_entropy(net(x, graph)[train], y[train]).backward()
        step.step()
        net.eval()
        with torch.no_grad():
            net(x, graph)
        times.append(time.perf_counter() - start)
    print("%.6g %.6g" % (min(times), statistics.median(times)))


main()
