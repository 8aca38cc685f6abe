# What holds for every row of the registry.
check_PROGRAMS += tests/unit/check_properties
tests_unit_check_properties_SOURCES = tests/unit/check_properties.c tests/reference/reference.c \
	tests/reference/reference.h tests/reference/fixtures.c tests/reference/fixtures_linear.c \
	tests/reference/fixtures_static.c $(test_support)
tests_unit_check_properties_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_properties_LDADD = libgraphattn-core.la $(CHECK_LIBS)
