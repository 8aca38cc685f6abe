check_PROGRAMS += tests/unit/check_layers tests/unit/check_layers_run tests/unit/check_layers_graph

tests_unit_check_layers_SOURCES = tests/unit/check_layers.c tests/unit/check_layers.h
tests_unit_check_layers_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_layers_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_layers_run_SOURCES = tests/unit/check_layers_run.c tests/unit/check_layers.h
tests_unit_check_layers_run_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_layers_run_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_layers_graph_SOURCES = tests/unit/check_layers_graph.c
tests_unit_check_layers_graph_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_layers_graph_LDADD = $(test_libs) $(CHECK_LIBS) -lm
