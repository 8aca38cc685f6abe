# the adapter to igraph, where igraph was found
igraph_test_sources = tests/unit/igraph/check_igraph.c tests/unit/igraph/check_igraph_files.c \
	tests/unit/igraph/check_igraph_broken.c tests/unit/igraph/check_igraph.h
if HAVE_IGRAPH
check_PROGRAMS += tests/unit/igraph/check_igraph tests/unit/igraph/check_igraph_files \
	tests/unit/igraph/check_igraph_broken
tests_unit_igraph_check_igraph_SOURCES = tests/unit/igraph/check_igraph.c tests/unit/igraph/check_igraph.h
tests_unit_igraph_check_igraph_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(IGRAPH_CFLAGS)
tests_unit_igraph_check_igraph_LDADD = $(test_libs) libga-igraph.la $(IGRAPH_LIBS) $(CHECK_LIBS) -lm
tests_unit_igraph_check_igraph_files_SOURCES = tests/unit/igraph/check_igraph_files.c \
	tests/unit/igraph/check_igraph.h
tests_unit_igraph_check_igraph_files_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(IGRAPH_CFLAGS)
tests_unit_igraph_check_igraph_files_LDADD = $(test_libs) libga-igraph.la $(IGRAPH_LIBS) $(CHECK_LIBS) -lm
tests_unit_igraph_check_igraph_broken_SOURCES = tests/unit/igraph/check_igraph_broken.c \
	tests/unit/igraph/check_igraph.h
tests_unit_igraph_check_igraph_broken_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(IGRAPH_CFLAGS)
tests_unit_igraph_check_igraph_broken_LDADD = $(test_libs) libga-igraph.la $(IGRAPH_LIBS) $(CHECK_LIBS) -lm
else
EXTRA_DIST += $(igraph_test_sources)
endif
