# models
libgraphattn_sources += \
	gnn/activations.c gnn/model.c gnn/model.h gnn/model_run.c gnn/models.c gnn/norms.c gnn/parameters.c \
	gnn/models/agnn.c gnn/models/appnp.c gnn/models/gat.c gnn/models/gatv2.c gnn/models/gcn.c gnn/models/gprgnn.c \
	gnn/models/mlp.c gnn/models/pgnn.c gnn/models/plan.c gnn/models/plan.h gnn/models/sage.c \
	gnn/models/transformer.c
