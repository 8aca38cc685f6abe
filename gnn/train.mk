# training
libgraphattn_sources += \
	gnn/checkpoint.c gnn/data.c gnn/loader.c gnn/loss.c gnn/metrics.c gnn/model_file.c gnn/optimiser.c gnn/predict.c \
	gnn/sampler.c gnn/sampler.h gnn/splits.c gnn/train.c gnn/train.h
