check_PROGRAMS += tests/unit/check_tiles

tests_unit_check_tiles_SOURCES = tests/unit/check_tiles.c
tests_unit_check_tiles_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_tiles_LDADD = $(test_libs) $(CHECK_LIBS) -lm

check_PROGRAMS += tests/unit/check_tiles_grid

tests_unit_check_tiles_grid_SOURCES = tests/unit/check_tiles_grid.c
tests_unit_check_tiles_grid_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_tiles_grid_LDADD = $(test_libs) $(CHECK_LIBS) -lm
