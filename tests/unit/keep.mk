# Dropout bits.
check_PROGRAMS += tests/unit/check_keep

tests_unit_check_keep_SOURCES = tests/unit/check_keep.c
tests_unit_check_keep_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_keep_LDADD = $(test_libs) $(CHECK_LIBS) -lm
