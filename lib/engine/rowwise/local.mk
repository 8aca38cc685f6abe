# passes over the rows of contiguous matrices
libgraphattn_sources += lib/engine/rowwise/rowwise.h lib/engine/rowwise/rowwise_body.h \
	lib/engine/rowwise/rowwise_loops.h
engine_scalar_sources += lib/engine/rowwise/rowwise_scalar.c
engine_avx2_sources += lib/engine/rowwise/rowwise_avx2.c
engine_avx512_sources += lib/engine/rowwise/rowwise_avx512.c
