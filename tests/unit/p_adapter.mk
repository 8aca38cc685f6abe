# the p-adapter: definition and gradients in all its forms; threads, memory, refusals
check_PROGRAMS += tests/unit/check_p_adapter tests/unit/check_p_adapter_calls
tests_unit_check_p_adapter_SOURCES = tests/unit/check_p_adapter.c tests/unit/check_p_adapter.h
tests_unit_check_p_adapter_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_p_adapter_LDADD = $(test_libs) $(CHECK_LIBS)
tests_unit_check_p_adapter_calls_SOURCES = tests/unit/check_p_adapter_calls.c tests/unit/check_p_adapter.h
tests_unit_check_p_adapter_calls_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_p_adapter_calls_LDADD = $(test_libs) $(CHECK_LIBS)
