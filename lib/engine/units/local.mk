# summaries of units of keys, and queries scored against them
libgraphattn_sources += lib/engine/units/units.h lib/engine/units/units_body.h lib/engine/units/units_loops.h
engine_scalar_sources += lib/engine/units/units_scalar.c
engine_avx2_sources += lib/engine/units/units_avx2.c
engine_avx512_sources += lib/engine/units/units_avx512.c
