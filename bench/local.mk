EXTRA_DIST += bench/README.md bench/sampling/run bench/sampling/ours.c bench/sampling/peer_igraph.c \
	bench/sampling/peer_python.py bench/sampling/quality
