# Blocks and analyses by name; the variants of attention/vision.
check_PROGRAMS += tests/unit/check_blocks tests/unit/check_blocks_values tests/unit/check_vision \
	tests/unit/check_moa_plan
tests_unit_check_blocks_SOURCES = tests/unit/check_blocks.c tests/unit/check_blocks.h $(test_support)
tests_unit_check_blocks_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_blocks_LDADD = libgraphattn-core.la $(CHECK_LIBS) -lm
tests_unit_check_blocks_values_SOURCES = tests/unit/check_blocks_values.c $(test_support)
tests_unit_check_blocks_values_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_blocks_values_LDADD = libgraphattn-core.la $(CHECK_LIBS) -lm
tests_unit_check_vision_SOURCES = tests/unit/check_vision.c $(test_support)
tests_unit_check_vision_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_vision_LDADD = libgraphattn-core.la $(CHECK_LIBS) -lm
tests_unit_check_moa_plan_SOURCES = tests/unit/check_moa_plan.c $(test_support)
tests_unit_check_moa_plan_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_moa_plan_LDADD = libgraphattn-core.la $(CHECK_LIBS) -lm
