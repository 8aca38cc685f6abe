# what this machine can do at best
libgraphattn_sources += lib/engine/limits/limits.h lib/engine/limits/limits_body.h lib/engine/limits/limits.c
engine_scalar_sources += lib/engine/limits/limits_scalar.c
engine_avx2_sources += lib/engine/limits/limits_avx2.c
engine_avx512_sources += lib/engine/limits/limits_avx512.c
