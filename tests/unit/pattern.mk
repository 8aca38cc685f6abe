check_PROGRAMS += tests/unit/check_pattern tests/unit/check_pattern_numbers tests/unit/check_pattern_lists \
	tests/unit/check_pattern_draw

tests_unit_check_pattern_SOURCES = tests/unit/check_pattern.c tests/unit/check_pattern.h
tests_unit_check_pattern_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_pattern_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_pattern_numbers_SOURCES = tests/unit/check_pattern_numbers.c tests/unit/check_pattern.h
tests_unit_check_pattern_numbers_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_pattern_numbers_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_pattern_lists_SOURCES = tests/unit/check_pattern_lists.c tests/unit/check_pattern.h
tests_unit_check_pattern_lists_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_pattern_lists_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_pattern_draw_SOURCES = tests/unit/check_pattern_draw.c tests/unit/check_pattern.h
tests_unit_check_pattern_draw_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_pattern_draw_LDADD = $(test_libs) $(CHECK_LIBS) $(PNG_LIBS)
check_PROGRAMS += tests/unit/check_pattern_measure
tests_unit_check_pattern_measure_SOURCES = tests/unit/check_pattern_measure.c
tests_unit_check_pattern_measure_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_pattern_measure_LDADD = $(test_libs) $(CHECK_LIBS) -lm
