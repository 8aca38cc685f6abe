check_PROGRAMS += tests/unit/check_scan tests/unit/check_scan_backward

scan_test = tests/unit/check_scan.h tests/unit/check_scan_case.c

tests_unit_check_scan_SOURCES = tests/unit/check_scan.c $(scan_test)
tests_unit_check_scan_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_scan_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_scan_backward_SOURCES = tests/unit/check_scan_backward.c $(scan_test)
tests_unit_check_scan_backward_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_scan_backward_LDADD = $(test_libs) $(CHECK_LIBS) -lm
