check_PROGRAMS += tests/unit/statistics/check_statistics tests/unit/statistics/check_compare
EXTRA_DIST += tests/unit/statistics/dense.h

tests_unit_statistics_check_statistics_SOURCES = tests/unit/statistics/check_statistics.c
tests_unit_statistics_check_statistics_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_statistics_check_statistics_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_statistics_check_compare_SOURCES = tests/unit/statistics/check_compare.c
tests_unit_statistics_check_compare_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_statistics_check_compare_LDADD = $(test_libs) $(CHECK_LIBS) -lm

if HAVE_IGRAPH
check_PROGRAMS += tests/unit/statistics/check_statistics_igraph
tests_unit_statistics_check_statistics_igraph_SOURCES = tests/unit/statistics/check_statistics_igraph.c
tests_unit_statistics_check_statistics_igraph_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(IGRAPH_CFLAGS)
tests_unit_statistics_check_statistics_igraph_LDADD = $(test_libs) $(CHECK_LIBS) $(IGRAPH_LIBS) -lm
endif
