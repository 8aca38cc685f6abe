# What the variants say about causality; analyses of maps; what things cost.
check_PROGRAMS += tests/unit/check_cab tests/unit/check_analyses tests/unit/check_analyses_laws \
	tests/unit/check_costs
tests_unit_check_cab_SOURCES = tests/unit/check_cab.c tests/unit/check_cab.h
tests_unit_check_cab_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_cab_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_analyses_SOURCES = tests/unit/check_analyses.c tests/unit/check_analyses.h
tests_unit_check_analyses_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_analyses_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_costs_SOURCES = tests/unit/check_costs.c
tests_unit_check_costs_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_costs_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_analyses_laws_SOURCES = tests/unit/check_analyses_laws.c tests/unit/check_analyses.h
tests_unit_check_analyses_laws_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_analyses_laws_LDADD = $(test_libs) $(CHECK_LIBS) -lm
