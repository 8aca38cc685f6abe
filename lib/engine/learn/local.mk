# losses and steps of optimisers
libgraphattn_sources += lib/engine/learn/learn.h lib/engine/learn/learn_body.h
engine_scalar_sources += lib/engine/learn/learn_scalar.c
engine_avx2_sources += lib/engine/learn/learn_avx2.c
engine_avx512_sources += lib/engine/learn/learn_avx512.c
