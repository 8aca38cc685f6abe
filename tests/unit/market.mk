# sparse matrices in files
check_PROGRAMS += tests/unit/check_market

tests_unit_check_market_SOURCES = tests/unit/check_market.c
tests_unit_check_market_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_market_LDADD = $(test_libs) $(CHECK_LIBS) $(ZLIB_LIBS) -lm
