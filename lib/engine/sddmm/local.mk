# dots of rows along edges
libgraphattn_sources += lib/engine/sddmm/sddmm.h lib/engine/sddmm/shapes.h lib/engine/sddmm/sddmm_body.h \
	lib/engine/sddmm/dots_body.h lib/engine/sddmm/sddmm.c \
	lib/engine/sddmm/dots_device.h lib/engine/sddmm/dots_device.c lib/engine/sddmm/dots_kernels.h
cuda_sources += lib/engine/sddmm/dots_cuda.cu
emulated_sources += lib/engine/sddmm/dots_emulated.cc
engine_scalar_sources += lib/engine/sddmm/sddmm_scalar.c
engine_avx2_sources += lib/engine/sddmm/sddmm_avx2.c
engine_avx512_sources += lib/engine/sddmm/sddmm_avx512.c
