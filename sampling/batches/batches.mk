libgraphattn_sources += sampling/batches/batches.h sampling/batches/batches.c sampling/batches/methods.c \
	sampling/batches/made.c sampling/batches/layers.c sampling/batches/important.c sampling/batches/saint.c \
	sampling/batches/cluster.c sampling/batches/score.c sampling/batches/graph.c sampling/batches/partition.h \
	sampling/batches/partition.c sampling/batches/coarsen.c sampling/batches/refine.c
