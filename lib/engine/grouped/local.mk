# softmax over groups of scores
libgraphattn_sources += lib/engine/grouped/grouped.h lib/engine/grouped/grouped_body.h
engine_scalar_sources += lib/engine/grouped/grouped_scalar.c
engine_avx2_sources += lib/engine/grouped/grouped_avx2.c
engine_avx512_sources += lib/engine/grouped/grouped_avx512.c
