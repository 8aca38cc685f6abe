check_PROGRAMS += tests/unit/check_rescale tests/unit/check_rescale_golden
tests_unit_check_rescale_SOURCES = tests/unit/check_rescale.c tests/unit/check_rescale.h
tests_unit_check_rescale_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_rescale_LDADD = $(test_libs) $(CHECK_LIBS)
tests_unit_check_rescale_golden_SOURCES = tests/unit/check_rescale_golden.c tests/unit/check_rescale.h
tests_unit_check_rescale_golden_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_rescale_golden_LDADD = $(test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/check_rescale_plan
tests_unit_check_rescale_plan_SOURCES = tests/unit/check_rescale_plan.c tests/unit/check_rescale.h \
	tests/unit/support.c tests/unit/support.h
tests_unit_check_rescale_plan_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_rescale_plan_LDADD = $(test_libs) $(CHECK_LIBS)
