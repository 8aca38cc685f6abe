check_PROGRAMS += tests/unit/check_layers

tests_unit_check_layers_SOURCES = tests/unit/check_layers.c tests/unit/check_layers.h $(test_support)
tests_unit_check_layers_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_layers_LDADD = libgraphattn-core.la $(CHECK_LIBS) -lm
