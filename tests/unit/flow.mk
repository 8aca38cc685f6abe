check_PROGRAMS += tests/unit/check_flow
tests_unit_check_flow_SOURCES = tests/unit/check_flow.c tests/unit/check_graph.h
tests_unit_check_flow_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_flow_LDADD = $(test_libs) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/check_round
tests_unit_check_round_SOURCES = tests/unit/check_round.c tests/unit/check_graph.h
tests_unit_check_round_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_round_LDADD = $(test_libs) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/check_transport
tests_unit_check_transport_SOURCES = tests/unit/check_transport.c
tests_unit_check_transport_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_transport_LDADD = $(test_libs) $(CHECK_LIBS)
