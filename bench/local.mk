EXTRA_DIST += bench/README.md bench/sampling/run bench/sampling/ours.c bench/sampling/peer_igraph.c \
	bench/sampling/peer_python.py bench/sampling/quality \
	bench/engine/run bench/engine/peer_onednn.cpp bench/engine/peer_graphblas.c bench/engine/peer_torch.py \
	bench/engine/peer_ggml.c \
	bench/selection/run bench/selection/needle.c bench/selection/results.tsv \
	bench/accuracy/run bench/accuracy/results.tsv bench/pipeline/run bench/gnn/run bench/gnn/peer_torch.py

# checks and times the operators of a device; made for the tests and by bench/gpu/run
EXTRA_PROGRAMS += bench/gpu/ours
bench_gpu_ours_SOURCES = bench/gpu/ours.c bench/gpu/work.c bench/gpu/work.h
bench_gpu_ours_LDADD = libgraphattn-core.la $(JANSSON_LIBS) -lm
EXTRA_DIST += bench/gpu/run bench/gpu/peers.py bench/gpu/table bench/gpu/compare bench/gpu/shapes.json

# our statistics beside igraph's
if HAVE_IGRAPH
EXTRA_PROGRAMS += bench/statistics/beside_igraph
bench_statistics_beside_igraph_SOURCES = bench/statistics/beside_igraph.c
bench_statistics_beside_igraph_CFLAGS = $(AM_CFLAGS) $(IGRAPH_CFLAGS)
bench_statistics_beside_igraph_LDADD = libgraphattn-core.la $(IGRAPH_LIBS) -lm
endif
EXTRA_DIST += bench/statistics/run bench/quality/run bench/quality/table bench/quality/results.tsv
