libgraphattn_sources += \
	sampling/rescale/balance.c \
	sampling/rescale/choose.c \
	sampling/rescale/donors.c \
	sampling/rescale/drop.c \
	sampling/rescale/fill.c \
	sampling/rescale/grid.c \
	sampling/rescale/objective.c \
	sampling/rescale/objective.h \
	sampling/rescale/plan.c \
	sampling/rescale/plan.h \
	sampling/rescale/quantile.c \
	sampling/rescale/report.c \
	sampling/rescale/report_write.c \
	sampling/rescale/rescale.c \
	sampling/rescale/rescale.h \
	sampling/rescale/sift.c \
	sampling/rescale/stage.c \
	sampling/rescale/start.c \
	sampling/rescale/tally.c \
	sampling/rescale/tally.h
