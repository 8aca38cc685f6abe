# sums of rows over edges: work split by edges, the kernel, its backward passes
libgraphattn_sources += lib/engine/spmm/spmm.h lib/engine/spmm/shapes.h lib/engine/spmm/spmm_body.h \
	lib/engine/spmm/gather_body.h lib/engine/spmm/split.c lib/engine/spmm/transpose.c lib/engine/spmm/gather.c \
	lib/engine/spmm/spmm.c lib/engine/spmm/spmm_backward.c lib/engine/spmm/pieces.h lib/engine/spmm/lists.h \
	lib/engine/spmm/lists_device.h lib/engine/spmm/lists_device.c lib/engine/spmm/lists_kernels.h \
	lib/engine/spmm/gather_device.h lib/engine/spmm/gather_device.c lib/engine/spmm/gather_kernels.h
cuda_sources += lib/engine/spmm/gather_cuda.cu
emulated_sources += lib/engine/spmm/gather_emulated.cc
engine_scalar_sources += lib/engine/spmm/spmm_scalar.c
engine_avx2_sources += lib/engine/spmm/spmm_avx2.c
engine_avx512_sources += lib/engine/spmm/spmm_avx512.c
