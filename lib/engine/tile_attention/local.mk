libgraphattn_sources += lib/engine/tile_attention/shapes.h lib/engine/tile_attention/tiles.h lib/engine/tile_attention/tile_item.h \
	lib/engine/tile_attention/tiles.c lib/engine/tile_attention/tile_attention.c \
	lib/engine/tile_attention/tile_item.c lib/engine/tile_attention/tile_bias.c \
	lib/engine/tile_attention/tile_statistics.c lib/engine/tile_attention/tile_panel.h \
	lib/engine/tile_attention/tile_panel.c
engine_scalar_sources += lib/engine/tile_attention/forward_scalar.c lib/engine/tile_attention/forward_body.h \
	lib/engine/tile_attention/forward_pack.h
engine_avx2_sources += lib/engine/tile_attention/forward_avx2.c
engine_avx512_sources += lib/engine/tile_attention/forward_avx512.c
engine_bf16_sources += lib/engine/tile_attention/forward_bf16.c
include lib/engine/tile_attention/backward.mk
