# Terms of keys in a score; post steps by class in one pass.
check_PROGRAMS += tests/unit/check_columns
tests_unit_check_columns_SOURCES = tests/unit/check_columns.c
tests_unit_check_columns_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_columns_LDADD = $(test_libs) $(CHECK_LIBS) -lm
