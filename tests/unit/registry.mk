check_PROGRAMS += tests/unit/check_registry

tests_unit_check_registry_SOURCES = tests/unit/check_registry.c tests/unit/check_registry.h
tests_unit_check_registry_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_registry_LDADD = $(test_libs) $(CHECK_LIBS)
