# Blocks and analyses by name; the variants of attention/vision.
check_PROGRAMS += tests/unit/check_blocks tests/unit/check_blocks_values tests/unit/check_vision \
	tests/unit/check_moa_plan tests/unit/check_vision_tiles
tests_unit_check_blocks_SOURCES = tests/unit/check_blocks.c tests/unit/check_blocks.h
tests_unit_check_blocks_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_blocks_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_blocks_values_SOURCES = tests/unit/check_blocks_values.c
tests_unit_check_blocks_values_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_blocks_values_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_vision_SOURCES = tests/unit/check_vision.c
tests_unit_check_vision_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_vision_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_moa_plan_SOURCES = tests/unit/check_moa_plan.c
tests_unit_check_moa_plan_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_moa_plan_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_vision_tiles_SOURCES = tests/unit/check_vision_tiles.c
tests_unit_check_vision_tiles_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_vision_tiles_LDADD = $(test_libs) $(CHECK_LIBS) -lm
