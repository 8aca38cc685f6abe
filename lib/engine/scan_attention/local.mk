libgraphattn_sources += lib/engine/scan_attention/scan.h lib/engine/scan_attention/scan.c \
	lib/engine/scan_attention/check.c lib/engine/scan_attention/scan_ref.c lib/engine/scan_attention/scan_body.h \
	lib/engine/scan_attention/scan_space.h lib/engine/scan_attention/scan_ahead.h lib/engine/scan_attention/scan_block.h \
	lib/engine/scan_attention/scan_block_pairs.h \
	lib/engine/scan_attention/scan_block_sweep.h lib/engine/scan_attention/scan_chunk.h \
	lib/engine/scan_attention/scan_sweep.h \
	lib/engine/scan_attention/backward_body.h lib/engine/scan_attention/reverse_body.h \
	lib/engine/scan_attention/reverse_sweep.h lib/engine/scan_attention/shapes.h \
	lib/engine/scan_attention/memory.h lib/engine/scan_attention/memory_body.h \
	lib/engine/scan_attention/scan_device.h lib/engine/scan_attention/scan_device.c \
	lib/engine/scan_attention/scan_kernels.h
cuda_sources += lib/engine/scan_attention/scan_forward_cuda.cu
emulated_sources += lib/engine/scan_attention/scan_forward_emulated.cc
engine_scalar_sources += lib/engine/scan_attention/scan_scalar.c lib/engine/scan_attention/memory_scalar.c
engine_avx2_sources += lib/engine/scan_attention/scan_avx2.c lib/engine/scan_attention/memory_avx2.c
engine_avx512_sources += lib/engine/scan_attention/scan_avx512.c lib/engine/scan_attention/memory_avx512.c
