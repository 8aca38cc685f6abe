check_PROGRAMS += tests/unit/check_classical tests/unit/check_classical_laws

tests_unit_check_classical_SOURCES = tests/unit/check_classical.c tests/unit/check_classical.h \
	tests/unit/check_sampling.h tests/unit/check_graph.h
tests_unit_check_classical_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_classical_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_classical_laws_SOURCES = tests/unit/check_classical_laws.c tests/unit/check_law.h tests/unit/check_classical.h \
	tests/unit/check_sampling.h tests/unit/check_graph.h
tests_unit_check_classical_laws_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_classical_laws_LDADD = $(test_libs) $(CHECK_LIBS)
