libgraphattn_sources += sampling/rewire/rewire.c sampling/rewire/rewire.h sampling/rewire/rewiring.h \
	sampling/rewire/edge_set.c sampling/rewire/edge_set.h sampling/rewire/setup.c sampling/rewire/deal.c \
	sampling/rewire/desk.c sampling/rewire/desk.h sampling/rewire/units.c sampling/rewire/superstep.c \
	sampling/rewire/triples.c sampling/rewire/triangles.c sampling/rewire/reciprocity.c sampling/rewire/clustering.c \
	sampling/rewire/targeting.h sampling/rewire/targeting.c sampling/rewire/rewire_report.c
