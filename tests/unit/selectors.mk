# Selectors: units of keys and their summaries, selected patterns, what every selector must do.
check_PROGRAMS += tests/unit/check_selectors tests/unit/check_selectors_calls tests/unit/check_selected \
	tests/unit/check_units
selectors_test = tests/unit/check_selectors.h tests/unit/check_linear.h
tests_unit_check_selectors_SOURCES = tests/unit/check_selectors.c $(selectors_test)
tests_unit_check_selectors_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_selectors_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_selectors_calls_SOURCES = tests/unit/check_selectors_calls.c $(selectors_test)
tests_unit_check_selectors_calls_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_selectors_calls_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_selected_SOURCES = tests/unit/check_selected.c
tests_unit_check_selected_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_selected_LDADD = $(test_libs) $(CHECK_LIBS)
tests_unit_check_units_SOURCES = tests/unit/check_units.c
tests_unit_check_units_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_units_LDADD = $(test_libs) $(CHECK_LIBS) -lm
