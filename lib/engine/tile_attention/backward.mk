libgraphattn_sources += lib/engine/tile_attention/backward.h lib/engine/tile_attention/backward_tile.h \
	lib/engine/tile_attention/backward_item.h lib/engine/tile_attention/backward.c \
	lib/engine/tile_attention/backward_item.c lib/engine/tile_attention/backward_plan.c \
	lib/engine/tile_attention/backward_rows.c lib/engine/tile_attention/backward_terms.c
engine_scalar_sources += lib/engine/tile_attention/backward_scalar.c lib/engine/tile_attention/backward_body.h
engine_avx2_sources += lib/engine/tile_attention/backward_avx2.c
engine_avx512_sources += lib/engine/tile_attention/backward_avx512.c
