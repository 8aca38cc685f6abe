# statistics of graphs; beside the degree matrices, which one of the groups needs
libgraphattn_sources += sampling/statistics/study.h sampling/statistics/study.c sampling/statistics/statistics.c \
	sampling/statistics/counts.c sampling/statistics/mixing.c sampling/statistics/triangles.c \
	sampling/statistics/clustering.c sampling/statistics/components.c sampling/statistics/strong.c \
	sampling/statistics/cores.c sampling/statistics/hops.c sampling/statistics/rank.c sampling/statistics/powerlaw.c \
	sampling/statistics/krylov.h sampling/statistics/krylov.c sampling/statistics/hessenberg.c \
	sampling/statistics/spectrum.c
