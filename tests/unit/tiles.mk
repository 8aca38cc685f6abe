check_PROGRAMS += tests/unit/check_tiles

tests_unit_check_tiles_SOURCES = tests/unit/check_tiles.c \
	$(test_support)
tests_unit_check_tiles_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_tiles_LDADD = libgraphattn-core.la $(CHECK_LIBS) -lm
