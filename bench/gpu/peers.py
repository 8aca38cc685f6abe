#!/usr/bin/env python3
"""The ceilings of a GPU and the peers' times for the workloads of shapes.json, by torch and CUDA events.

usage: peers.py --shapes FILE [--budget SECONDS] >peers.json

Ceilings: a copy, a bf16 product, a gather of rows that fit the L2. Peers: scaled_dot_product_attention (flash and cuDNN
forms), sparse CSR products (cuSPARSE), GATConv and GATv2Conv of torch_geometric where that is there. What cannot be
imported or run becomes a line that says why.
"""
import argparse
import json
import sys
import time


def timed(torch, call, warm=10, runs=30):
    """Milliseconds: median, 10 % and 90 %."""
    for _ in range(warm):
        call()
    marks = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(runs)]
    for start, end in marks:
        start.record()
        call()
        end.record()
    torch.cuda.synchronize()
    times = sorted(start.elapsed_time(end) for start, end in marks)
    return {"ms": times[runs // 2], "p10": times[runs // 10], "p90": times[runs * 9 // 10]}


def ceilings(torch):
    found = {}
    x = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    y = torch.empty_like(x)
    found["copy_TB_per_s"] = 2 * x.numel() / timed(torch, lambda: y.copy_(x))["ms"] / 1e9
    n = 8192
    a = torch.randn(n, n, dtype=torch.bfloat16, device="cuda")
    b = torch.randn(n, n, dtype=torch.bfloat16, device="cuda")
    found["bf16_TFLOP_per_s"] = 2 * n ** 3 / timed(torch, lambda: a @ b)["ms"] / 1e9
    table = torch.randn(64 << 10, 128, device="cuda")  # 32 MiB
    at = torch.randint(0, len(table), (8 << 20,), device="cuda")
    out = torch.empty(len(at), 128, device="cuda")
    gather = timed(torch, lambda: torch.index_select(table, 0, at, out=out))
    found["l2_gather_TB_per_s"] = len(at) * 128 * 4 / gather["ms"] / 1e9
    return found


def attention(torch, w):
    import torch.nn.functional as F
    from torch.nn.attention import SDPBackend, sdpa_kernel
    dtype = torch.bfloat16 if w["dtype"] == "bf16" else torch.float32
    shape = (w.get("batch", 1), w["heads"], w["tokens"], w["width"])
    q, k, v = (torch.randn(shape, dtype=dtype, device="cuda") for _ in range(3))
    causal = bool(w.get("causal"))
    forms = {"sdpa flash": SDPBackend.FLASH_ATTENTION, "sdpa cudnn": SDPBackend.CUDNN_ATTENTION,
             "sdpa efficient": SDPBackend.EFFICIENT_ATTENTION}
    backward = w["operator"] == "attention-backward"
    for name, form in forms.items():
        def call():
            with sdpa_kernel(form):
                return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        if backward:
            for t in (q, k, v):
                t.requires_grad_(True)
            with sdpa_kernel(form):
                o = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
            g = torch.randn_like(o)
            yield name, lambda: torch.autograd.grad(o, (q, k, v), g, retain_graph=True)
        else:
            yield name, call


def graph(torch, w):
    """CSR with w's nodes and edges, sources uniform."""
    n, m = w["nodes"], w["edges"]
    rows = torch.sort(torch.randint(0, n, (m,), device="cuda")).values
    offsets = torch.searchsorted(rows, torch.arange(n + 1, device="cuda"))
    return rows, offsets, torch.randint(0, n, (m,), device="cuda")


def edges(torch, w):
    n, f = w["nodes"], w.get("heads", 1) * w["width"]
    dtype = torch.bfloat16 if w["dtype"] == "bf16" else torch.float32
    rows, offsets, sources = graph(torch, w)
    x = torch.randn(n, f, dtype=dtype, device="cuda")
    if w["operator"] == "spmm":
        a = torch.sparse_csr_tensor(offsets, sources, torch.ones(len(sources), dtype=dtype, device="cuda"), (n, n))
        yield "torch.sparse (cuSPARSE)", lambda: a @ x
    if w["operator"] in ("gat", "gatv2"):
        from torch_geometric import nn
        heads = w.get("heads", 1)
        layer = (nn.GATConv if w["operator"] == "gat" else nn.GATv2Conv)(f, w["width"], heads, add_self_loops=False)
        layer = layer.cuda()
        index = torch.stack([sources, rows])
        yield "torch_geometric, with its projection", lambda: layer(x, index)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--shapes", required=True)
    p.add_argument("--budget", type=float, default=0)
    args = p.parse_args()
    started = time.time()
    out = {"ceilings": {}, "peers": {}, "said": []}
    try:
        import torch
        if not torch.cuda.is_available():
            raise RuntimeError("torch sees no GPU")
    except Exception as e:  # whatever keeps the peers from running is told, not hidden
        out["said"].append("no peers: %s" % e)
        json.dump(out, sys.stdout, indent=1)
        return
    out["torch"] = torch.__version__
    with torch.no_grad():
        out["ceilings"] = ceilings(torch)
    for w in json.load(open(args.shapes))["workloads"]:
        if args.budget and time.time() - started > args.budget:
            out["said"].append("%s: the time was used up" % w["name"])
            continue
        rows = out["peers"].setdefault(w["name"], {})
        try:
            source = attention if w["operator"].startswith("attention") else edges
            if w.get("window") or w.get("normaliser") or w["operator"] in ("jdm", "scan"):
                continue  # no peer computes the same
            for name, call in source(torch, w):
                try:
                    if w["operator"] == "attention-backward":
                        rows[name] = timed(torch, call)
                    else:
                        with torch.no_grad():
                            rows[name] = timed(torch, call)
                except Exception as e:
                    out["said"].append("%s, %s: %s" % (w["name"], name, str(e).split("\n")[0]))
        except Exception as e:
            out["said"].append("%s: %s" % (w["name"], str(e).split("\n")[0]))
        torch.cuda.empty_cache()
    json.dump(out, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
