EXTRA_DIST += bench/README.md bench/sampling/run bench/sampling/ours.c bench/sampling/peer_igraph.c \
	bench/sampling/peer_python.py bench/sampling/quality \
	bench/engine/run bench/engine/peer_onednn.cpp bench/engine/peer_graphblas.c bench/engine/peer_torch.py \
	bench/engine/peer_ggml.c
