# Linear and recurrent attention: what must hold beside the definitions.
check_PROGRAMS += tests/unit/check_decode tests/unit/check_linear tests/unit/check_linear_laws \
	tests/unit/check_linear_long tests/unit/check_linear_blocks
linear_test = tests/unit/check_linear.h
tests_unit_check_decode_SOURCES = tests/unit/check_decode.c $(linear_test)
tests_unit_check_decode_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_decode_LDADD = $(test_libs) $(CHECK_LIBS)
tests_unit_check_linear_SOURCES = tests/unit/check_linear.c $(linear_test)
tests_unit_check_linear_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_linear_LDADD = $(test_libs) $(CHECK_LIBS)
tests_unit_check_linear_laws_SOURCES = tests/unit/check_linear_laws.c $(linear_test)
tests_unit_check_linear_laws_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_linear_laws_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_linear_long_SOURCES = tests/unit/check_linear_long.c $(linear_test)
tests_unit_check_linear_long_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_linear_long_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_linear_blocks_SOURCES = tests/unit/check_linear_blocks.c $(linear_test)
tests_unit_check_linear_blocks_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_linear_blocks_LDADD = $(test_libs) $(CHECK_LIBS) -lm
