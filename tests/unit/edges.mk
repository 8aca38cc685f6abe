check_PROGRAMS += tests/unit/check_edges
tests_unit_check_edges_SOURCES = tests/unit/check_edges.c tests/unit/check_edges_net.c \
	tests/unit/check_edges_family.c tests/unit/check_edges.h tests/unit/check_edges_laws.h tests/unit/check_edges_training.h \
	tests/unit/support.c tests/unit/support.h
tests_unit_check_edges_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_edges_LDADD = $(test_libs) $(CHECK_LIBS) -lm
