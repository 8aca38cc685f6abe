libgraphattn_sources += lib/engine/scan_attention/scan.h lib/engine/scan_attention/scan.c \
	lib/engine/scan_attention/check.c lib/engine/scan_attention/scan_ref.c lib/engine/scan_attention/scan_body.h \
	lib/engine/scan_attention/scan_chunk.h lib/engine/scan_attention/scan_sweep.h \
	lib/engine/scan_attention/backward_body.h lib/engine/scan_attention/reverse_body.h \
	lib/engine/scan_attention/reverse_sweep.h lib/engine/scan_attention/shapes.h
engine_scalar_sources += lib/engine/scan_attention/scan_scalar.c
engine_avx2_sources += lib/engine/scan_attention/scan_avx2.c
engine_avx512_sources += lib/engine/scan_attention/scan_avx512.c
