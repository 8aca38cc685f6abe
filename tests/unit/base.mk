base_tests = tests/unit/check_base tests/unit/check_io tests/unit/check_tensor tests/unit/check_safetensors
check_PROGRAMS += $(base_tests)

tests_unit_check_base_SOURCES = tests/unit/check_base.c
tests_unit_check_base_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_base_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_io_SOURCES = tests/unit/check_base_input.c tests/unit/check_base_output.c \
	tests/unit/check_base_io.h
tests_unit_check_io_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_io_LDADD = $(test_libs) $(CHECK_LIBS) $(ZLIB_LIBS)

tests_unit_check_tensor_SOURCES = tests/unit/check_tensor.c
tests_unit_check_tensor_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_tensor_LDADD = $(test_libs) $(CHECK_LIBS) $(ZLIB_LIBS)

tests_unit_check_safetensors_SOURCES = tests/unit/check_safetensors.c
tests_unit_check_safetensors_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_safetensors_LDADD = $(test_libs) $(CHECK_LIBS)
