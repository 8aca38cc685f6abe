# the largest entries of rows
libgraphattn_sources += lib/engine/top_k/top_k.h lib/engine/top_k/shapes.h lib/engine/top_k/top_k_body.h \
	lib/engine/top_k/select_body.h lib/engine/top_k/top_k.c \
	lib/engine/top_k/top_k_device.h lib/engine/top_k/top_k_device.c lib/engine/top_k/top_k_kernels.h
cuda_sources += lib/engine/top_k/top_k_cuda.cu
emulated_sources += lib/engine/top_k/top_k_emulated.cc
engine_scalar_sources += lib/engine/top_k/top_k_scalar.c
engine_avx2_sources += lib/engine/top_k/top_k_avx2.c
engine_avx512_sources += lib/engine/top_k/top_k_avx512.c
