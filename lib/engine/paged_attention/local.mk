# attention of few queries over rows of keys where they lie
libgraphattn_sources += lib/engine/paged_attention/paged.h lib/engine/paged_attention/paged_body.h \
	lib/engine/paged_attention/paged.c lib/engine/paged_attention/paged_sets.h \
	lib/engine/paged_attention/paged_sets.c lib/engine/paged_attention/paged_forward.c
engine_scalar_sources += lib/engine/paged_attention/paged_scalar.c
engine_avx2_sources += lib/engine/paged_attention/paged_avx2.c
engine_avx512_sources += lib/engine/paged_attention/paged_avx512.c
