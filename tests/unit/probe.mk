# Selectors that a few rows of the map judge, landmark attention, and the report of a selection.
check_PROGRAMS += tests/unit/check_probe_rows tests/unit/check_landmark tests/unit/check_selection_report
tests_unit_check_probe_rows_SOURCES = tests/unit/check_probe_rows.c tests/unit/check_probe.h
tests_unit_check_probe_rows_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_probe_rows_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_landmark_SOURCES = tests/unit/check_landmark.c tests/unit/check_probe.h
tests_unit_check_landmark_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_landmark_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_selection_report_SOURCES = tests/unit/check_selection_report.c tests/unit/check_probe.h
tests_unit_check_selection_report_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_selection_report_LDADD = $(test_libs) $(CHECK_LIBS) -lm
