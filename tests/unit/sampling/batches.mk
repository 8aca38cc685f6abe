# Mini-batches and the parts of a graph.
check_PROGRAMS += tests/unit/sampling/check_batches tests/unit/sampling/check_batches_calls \
	tests/unit/sampling/check_batches_laws tests/unit/sampling/check_partition
EXTRA_DIST += tests/unit/sampling/check_batches.h

tests_unit_sampling_check_batches_SOURCES = tests/unit/sampling/check_batches.c
tests_unit_sampling_check_batches_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_sampling_check_batches_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_sampling_check_batches_calls_SOURCES = tests/unit/sampling/check_batches_calls.c
tests_unit_sampling_check_batches_calls_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_sampling_check_batches_calls_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_sampling_check_batches_laws_SOURCES = tests/unit/sampling/check_batches_laws.c
tests_unit_sampling_check_batches_laws_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_sampling_check_batches_laws_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_sampling_check_partition_SOURCES = tests/unit/sampling/check_partition.c
tests_unit_sampling_check_partition_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_sampling_check_partition_LDADD = $(test_libs) $(CHECK_LIBS) -lm
