libgraphattn_sources += \
	sampling/flow/flow.h \
	sampling/flow/max_flow.c \
	sampling/flow/min_cost_flow.c \
	sampling/flow/simplex.h \
	sampling/flow/simplex_start.c \
	sampling/flow/simplex_tree.c \
	sampling/flow/transport.c \
	sampling/flow/transport.h \
	sampling/flow/transport_start.c \
	sampling/rescale/round.c \
	sampling/rescale/round.h \
	sampling/rescale/round_laminar.c \
	sampling/rescale/round_laminar.h \
	sampling/rescale/round_network.c \
	sampling/rescale/round_systematic.c
