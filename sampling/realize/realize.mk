libgraphattn_sources += sampling/realize/realize.h sampling/realize/building.h \
	sampling/realize/realize.c sampling/realize/construct.c sampling/realize/repair.c
