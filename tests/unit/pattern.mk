check_PROGRAMS += tests/unit/check_pattern tests/unit/check_pattern_numbers tests/unit/check_pattern_lists \
	tests/unit/check_pattern_draw

tests_unit_check_pattern_SOURCES = tests/unit/check_pattern.c tests/unit/check_pattern.h \
	$(test_support)
tests_unit_check_pattern_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_pattern_LDADD = libgraphattn-core.la $(CHECK_LIBS)

tests_unit_check_pattern_numbers_SOURCES = tests/unit/check_pattern_numbers.c tests/unit/check_pattern.h \
	$(test_support)
tests_unit_check_pattern_numbers_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_pattern_numbers_LDADD = libgraphattn-core.la $(CHECK_LIBS)

tests_unit_check_pattern_lists_SOURCES = tests/unit/check_pattern_lists.c tests/unit/check_pattern.h \
	$(test_support)
tests_unit_check_pattern_lists_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_pattern_lists_LDADD = libgraphattn-core.la $(CHECK_LIBS)

tests_unit_check_pattern_draw_SOURCES = tests/unit/check_pattern_draw.c tests/unit/check_pattern.h \
	$(test_support)
tests_unit_check_pattern_draw_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_pattern_draw_LDADD = libgraphattn-core.la $(CHECK_LIBS) $(PNG_LIBS)
