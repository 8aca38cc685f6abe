EXTRA_DIST += bench/README.md bench/sampling/run bench/sampling/ours.c bench/sampling/peer_igraph.c \
	bench/sampling/peer_python.py bench/sampling/quality \
	bench/engine/run bench/engine/peer_onednn.cpp bench/engine/peer_graphblas.c bench/engine/peer_torch.py \
	bench/engine/peer_ggml.c \
	bench/accuracy/run bench/accuracy/results.tsv bench/pipeline/run bench/gnn/run bench/gnn/peer_torch.py
