# activations
libgraphattn_sources += lib/engine/activate/activate.h lib/engine/activate/activate_body.h
engine_scalar_sources += lib/engine/activate/activate_scalar.c
engine_avx2_sources += lib/engine/activate/activate_avx2.c
engine_avx512_sources += lib/engine/activate/activate_avx512.c
