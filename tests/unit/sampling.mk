check_PROGRAMS += tests/unit/check_matrices tests/unit/check_realize tests/unit/check_sample

tests_unit_check_matrices_SOURCES = tests/unit/check_matrices.c tests/unit/check_sampling.h tests/unit/check_graph.h
tests_unit_check_matrices_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_matrices_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_realize_SOURCES = tests/unit/check_realize.c tests/unit/check_sampling.h tests/unit/check_graph.h
tests_unit_check_realize_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_realize_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_sample_SOURCES = tests/unit/check_sample.c tests/unit/check_sampling.h tests/unit/check_graph.h
tests_unit_check_sample_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_sample_LDADD = $(test_libs) $(CHECK_LIBS)
