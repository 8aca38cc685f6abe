libgraphattn_sources += lib/engine/tile_attention/shapes.h lib/engine/tile_attention/tiles.h lib/engine/tile_attention/tile_item.h \
	lib/engine/tile_attention/tiles.c lib/engine/tile_attention/tile_attention.c \
	lib/engine/tile_attention/tile_item.c lib/engine/tile_attention/tile_room.c \
	lib/engine/tile_attention/tile_rows.c lib/engine/tile_attention/tile_walk.c \
	lib/engine/tile_attention/tile_parts.c lib/engine/tile_attention/tile_bias.c \
	lib/engine/tile_attention/tile_classes.c lib/engine/tile_attention/tile_terms.c lib/engine/tile_attention/tile_terms.h \
	lib/engine/tile_attention/tile_statistics.c lib/engine/tile_attention/tile_panel.h \
	lib/engine/tile_attention/tile_panel.c \
	lib/engine/tile_attention/tile_device.h lib/engine/tile_attention/tile_device.c \
	lib/engine/tile_attention/tile_device_call.h lib/engine/tile_attention/tile_device_lists.h \
	lib/engine/tile_attention/tile_device_backward.c lib/engine/tile_attention/tile_backward_kernels.h \
	lib/engine/tile_attention/tile_device_lists.c lib/engine/tile_attention/tile_common_kernels.h \
	lib/engine/tile_attention/tile_matrix_kernels.h lib/engine/tile_attention/tile_plain_kernels.h \
	lib/engine/tile_attention/tile_forward_kernels.h
cuda_sources += lib/engine/tile_attention/tile_forward_cuda.cu lib/engine/tile_attention/tile_backward_cuda.cu
emulated_sources += lib/engine/tile_attention/tile_forward_emulated.cc \
	lib/engine/tile_attention/tile_backward_emulated.cc
engine_scalar_sources += lib/engine/tile_attention/forward_scalar.c lib/engine/tile_attention/forward_body.h \
	lib/engine/tile_attention/forward_pack.h
engine_avx2_sources += lib/engine/tile_attention/forward_avx2.c
engine_avx512_sources += lib/engine/tile_attention/forward_avx512.c
engine_bf16_sources += lib/engine/tile_attention/forward_bf16.c
include lib/engine/tile_attention/backward.mk
