# graph neural networks: layers
libgraphattn_sources += \
	gnn/agnn.c gnn/appnp.c gnn/dense.c gnn/edge_terms.c gnn/gat.c gnn/gatv2.c gnn/gcn.c gnn/gprgnn.c \
	gnn/graph_numbers.c gnn/heads.c gnn/layer.h gnn/layers.c gnn/messages.c gnn/messages.h gnn/mlp.c gnn/noise.c \
	gnn/passes.c gnn/passes.h gnn/pgnn.c gnn/propagate.c gnn/rows.c gnn/run.c gnn/sage.c gnn/tensors.c \
	gnn/transformer.c
include gnn/models/models.mk
include gnn/train.mk
