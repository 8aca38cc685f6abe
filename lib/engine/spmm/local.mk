# sums of rows over edges: work split by edges, the kernel, its backward passes
libgraphattn_sources += lib/engine/spmm/spmm.h lib/engine/spmm/shapes.h lib/engine/spmm/spmm_body.h \
	lib/engine/spmm/gather_body.h lib/engine/spmm/split.c lib/engine/spmm/transpose.c lib/engine/spmm/gather.c \
	lib/engine/spmm/spmm.c lib/engine/spmm/spmm_backward.c
engine_scalar_sources += lib/engine/spmm/spmm_scalar.c
engine_avx2_sources += lib/engine/spmm/spmm_avx2.c
engine_avx512_sources += lib/engine/spmm/spmm_avx512.c
