# Changes of maps, of scores by keys and of heads; statistics of rows.
check_PROGRAMS += tests/unit/check_maps
tests_unit_check_maps_SOURCES = tests/unit/check_maps.c tests/unit/check_linear.h
tests_unit_check_maps_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_maps_LDADD = $(test_libs) $(CHECK_LIBS) -lm
