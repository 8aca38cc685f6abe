# dense products
libgraphattn_sources += lib/engine/gemm/gemm.h lib/engine/gemm/shapes.h lib/engine/gemm/gemm_body.h \
	lib/engine/gemm/panel_body.h lib/engine/gemm/gemm.c lib/engine/gemm/gemm_blas.c
engine_scalar_sources += lib/engine/gemm/gemm_scalar.c
engine_avx2_sources += lib/engine/gemm/gemm_avx2.c
engine_avx512_sources += lib/engine/gemm/gemm_avx512.c
