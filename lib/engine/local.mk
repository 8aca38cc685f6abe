# The engine: kernels on tensors. What is compiled per instruction set goes to three convenience libraries; gcc
# vectorises at -O3 only. Products and sums are fused where vf_fma says so and nowhere else: t * a - t * a is 0.
engine_scalar_sources =
engine_avx2_sources =
engine_avx512_sources =
engine_bf16_sources =
# kernels for CUDA, and the same for its emulation
cuda_sources =
emulated_sources =
noinst_LTLIBRARIES += libga-scalar.la
libgraphattn_convenience += libga-scalar.la
if HAVE_AVX2
noinst_LTLIBRARIES += libga-avx2.la
libgraphattn_convenience += libga-avx2.la
endif
if HAVE_AVX512
noinst_LTLIBRARIES += libga-avx512.la
libgraphattn_convenience += libga-avx512.la
endif
if HAVE_AVX512BF16
noinst_LTLIBRARIES += libga-bf16.la
libgraphattn_convenience += libga-bf16.la
endif

libgraphattn_sources += lib/engine/isa.h lib/engine/isa.c lib/engine/view.h lib/engine/view.c lib/engine/keys.h lib/engine/keys.c lib/engine/simd.h \
	lib/engine/simd_avx512.h lib/engine/simd_avx2.h lib/engine/simd_scalar.h lib/engine/simd_f64.h \
	lib/engine/simd_real.h lib/engine/normaliser.h

include lib/engine/pattern/local.mk
include lib/engine/attention/local.mk
include lib/engine/tile_attention/local.mk
include lib/engine/edge_attention/local.mk
include lib/engine/scan_attention/local.mk
include lib/engine/keep/local.mk
include lib/engine/spmm/local.mk
include lib/engine/sddmm/local.mk
include lib/engine/count/local.mk
include lib/engine/gemm/local.mk
include lib/engine/merge/local.mk
include lib/engine/top_k/local.mk
include lib/engine/units/local.mk
include lib/engine/paged_attention/local.mk
include lib/engine/calibrate/local.mk
include lib/engine/limits/local.mk
include lib/engine/rowwise/local.mk
include lib/engine/grouped/local.mk
include lib/engine/activate/local.mk
include lib/engine/learn/local.mk
# the last one: it builds what the others named
include lib/engine/device/local.mk

libga_scalar_la_SOURCES = $(engine_scalar_sources)
libga_scalar_la_CFLAGS = $(AM_CFLAGS) -O3 -ffp-contract=off
libga_avx2_la_SOURCES = $(engine_avx2_sources)
libga_avx2_la_CFLAGS = $(AM_CFLAGS) -O3 -ffp-contract=off $(AVX2_CFLAGS)
libga_avx512_la_SOURCES = $(engine_avx512_sources)
libga_avx512_la_CFLAGS = $(AM_CFLAGS) -O3 -ffp-contract=off $(AVX512_CFLAGS)
libga_bf16_la_SOURCES = $(engine_bf16_sources)
libga_bf16_la_CFLAGS = $(AM_CFLAGS) -O3 -ffp-contract=off $(AVX512BF16_CFLAGS)
