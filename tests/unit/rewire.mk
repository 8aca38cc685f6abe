check_PROGRAMS += tests/unit/check_rewire tests/unit/check_rewire_uniform

tests_unit_check_rewire_SOURCES = tests/unit/check_rewire.c tests/unit/check_rewire.h
tests_unit_check_rewire_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_rewire_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_rewire_uniform_SOURCES = tests/unit/check_rewire_uniform.c tests/unit/check_rewire.h
tests_unit_check_rewire_uniform_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_rewire_uniform_LDADD = $(test_libs) $(CHECK_LIBS) -lm
