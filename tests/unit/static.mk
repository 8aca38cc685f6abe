# Attention on fixed patterns: numbers of pairs and what equals what.
check_PROGRAMS += tests/unit/check_static
tests_unit_check_static_SOURCES = tests/unit/check_static.c
tests_unit_check_static_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_static_LDADD = $(test_libs) $(CHECK_LIBS)
