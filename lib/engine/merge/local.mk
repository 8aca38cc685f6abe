# joining attention over disjoint sets of keys
libgraphattn_sources += lib/engine/merge/merge.h lib/engine/merge/shapes.h lib/engine/merge/merge_body.h \
	lib/engine/merge/merge.c lib/engine/merge/merge_parts.c \
	lib/engine/merge/merge_device.h lib/engine/merge/merge_device.c lib/engine/merge/merge_kernels.h
cuda_sources += lib/engine/merge/merge_cuda.cu
emulated_sources += lib/engine/merge/merge_emulated.cc
engine_scalar_sources += lib/engine/merge/merge_scalar.c
engine_avx2_sources += lib/engine/merge/merge_avx2.c
engine_avx512_sources += lib/engine/merge/merge_avx512.c
