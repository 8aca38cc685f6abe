# dropout bits
libgraphattn_sources += lib/engine/keep/keep.h lib/engine/keep/keep_body.h lib/engine/keep/keep.c
engine_scalar_sources += lib/engine/keep/keep_scalar.c
engine_avx2_sources += lib/engine/keep/keep_avx2.c
engine_avx512_sources += lib/engine/keep/keep_avx512.c
