check_PROGRAMS += tests/unit/check_tiles_backward

tests_unit_check_tiles_backward_SOURCES = tests/unit/check_tiles_backward.c tests/unit/check_tiles_backward.h
tests_unit_check_tiles_backward_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_tiles_backward_LDADD = $(test_libs) $(CHECK_LIBS) -lm
