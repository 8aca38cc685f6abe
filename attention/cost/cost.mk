# what things cost: models, passes of cascades, variants at a size
libgraphattn_sources += \
	attention/cost/analyse.c \
	attention/cost/cascade.h \
	attention/cost/cost.c \
	attention/cost/cost.h \
	attention/cost/efficiency_length.c \
	attention/cost/kinetics.c \
	attention/cost/passes.c \
	attention/cost/plans.c \
	attention/cost/sparse_frontier.c \
	attention/cost/variant.c
