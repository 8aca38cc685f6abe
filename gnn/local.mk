# graph neural networks: layers
libgraphattn_sources += \
	gnn/agnn.c gnn/appnp.c gnn/dense.c gnn/edge_terms.c gnn/gat.c gnn/gatv2.c gnn/gcn.c gnn/gprgnn.c gnn/heads.c \
	gnn/layer.h gnn/layers.c gnn/messages.c gnn/messages.h gnn/mlp.c gnn/pgnn.c gnn/propagate.c gnn/rows.c gnn/sage.c \
	gnn/tensors.c gnn/transformer.c
