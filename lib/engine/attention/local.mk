# attention: the problem, checked; choosing a family; the family of rows
libgraphattn_sources += lib/engine/attention/attention.h lib/engine/attention/places.h lib/engine/attention/rows.h \
	lib/engine/attention/attention.c lib/engine/attention/outputs.c lib/engine/attention/places.c \
	lib/engine/attention/resolve.c lib/engine/attention/rows.c lib/engine/attention/rows_backward.c \
	lib/engine/attention/rows_post.c lib/engine/attention/rows_score.c lib/engine/attention/rows_statistics.c \
	lib/engine/attention/rows_kernels_body.h
engine_scalar_sources += lib/engine/attention/rows_kernels_scalar.c
engine_avx2_sources += lib/engine/attention/rows_kernels_avx2.c
engine_avx512_sources += lib/engine/attention/rows_kernels_avx512.c
