# What holds for every row of the registry.
check_PROGRAMS += tests/unit/check_properties
# reference.c knows the fixtures of all files
test_reference = tests/reference/reference.c tests/reference/reference.h tests/reference/fixtures.c tests/reference/fixtures_linear.c \
	tests/reference/fixtures_static.c tests/reference/fixtures_titans.c \
	tests/reference/fixtures_laplacian.c tests/reference/fixtures_vision.c \
	tests/reference/fixtures_maps.c tests/reference/fixtures_select.c tests/reference/fixtures_session.c \
	tests/reference/fixtures_probe.c tests/reference/fixtures_landmark.c
tests_unit_check_properties_SOURCES = tests/unit/check_properties.c
tests_unit_check_properties_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_properties_LDADD = $(test_libs) $(CHECK_LIBS)
