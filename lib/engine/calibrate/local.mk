libgraphattn_sources += lib/engine/calibrate/calibrate.c lib/engine/calibrate/calibrate.h \
	lib/engine/calibrate/calibrate_body.h lib/engine/calibrate/step_body.h lib/engine/calibrate/unit_body.h
engine_scalar_sources += lib/engine/calibrate/calibrate_scalar.c
engine_avx2_sources += lib/engine/calibrate/calibrate_avx2.c
engine_avx512_sources += lib/engine/calibrate/calibrate_avx512.c
