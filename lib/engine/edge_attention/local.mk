libgraphattn_sources += lib/engine/edge_attention/edge.h lib/engine/edge_attention/edge_pass.c \
	lib/engine/edge_attention/edge_check.c lib/engine/edge_attention/edge_attention.c \
	lib/engine/edge_attention/edge_call.h lib/engine/edge_attention/edge_gradients.c \
	lib/engine/edge_attention/edge_ref.h \
	lib/engine/edge_attention/edge_ref.c lib/engine/edge_attention/edge_ref_gradients.c lib/engine/edge_attention/edge_family.c \
	lib/engine/edge_attention/edge_body.h lib/engine/edge_attention/edge_vectors.h \
	lib/engine/edge_attention/edge_forward.h lib/engine/edge_attention/edge_reweight.h \
	lib/engine/edge_attention/edge_backward.h lib/engine/edge_attention/edge_direct.h \
	lib/engine/edge_attention/edge_direct_vectors.h lib/engine/edge_attention/edge_records.h \
	lib/engine/edge_attention/edge_direct_forward.h lib/engine/edge_attention/edge_direct_backward.h \
	lib/engine/edge_attention/edge_direct_distance.h lib/engine/edge_attention/edge_direct_kernels.h \
	lib/engine/edge_attention/shapes.h lib/engine/edge_attention/edge_device.h \
	lib/engine/edge_attention/edge_device_call.h lib/engine/edge_attention/edge_device.c \
	lib/engine/edge_attention/edge_device_backward.c lib/engine/edge_attention/edge_slopes_kernels.h \
	lib/engine/edge_attention/edge_pairs_kernels.h \
	lib/engine/edge_attention/edge_formula_kernels.h lib/engine/edge_attention/edge_score_kernels.h lib/engine/edge_attention/edge_forward_kernels.h
cuda_sources += lib/engine/edge_attention/edge_forward_cuda.cu lib/engine/edge_attention/edge_backward_cuda.cu
emulated_sources += lib/engine/edge_attention/edge_forward_emulated.cc lib/engine/edge_attention/edge_backward_emulated.cc
engine_scalar_sources += lib/engine/edge_attention/edge_scalar.c
engine_avx2_sources += lib/engine/edge_attention/edge_avx2.c
engine_avx512_sources += lib/engine/edge_attention/edge_avx512.c
