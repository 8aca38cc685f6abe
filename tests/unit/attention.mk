check_PROGRAMS += tests/unit/check_view tests/unit/check_attention_rows tests/unit/check_attention_arguments \
	tests/unit/check_attention_gradients tests/unit/check_attention_memory

tests_unit_check_view_SOURCES = tests/unit/check_view.c
tests_unit_check_view_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_view_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_attention_rows_SOURCES = tests/unit/check_attention_rows.c tests/unit/check_attention_rows.h \
	tests/unit/check_attention_outputs.h
tests_unit_check_attention_rows_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_attention_rows_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_attention_gradients_SOURCES = tests/unit/check_attention_gradients.c \
	tests/unit/check_attention_rows.h
tests_unit_check_attention_gradients_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_attention_gradients_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_attention_arguments_SOURCES = tests/unit/check_attention_arguments.c \
	tests/unit/check_attention_rows.h tests/unit/check_attention_outputs.h
tests_unit_check_attention_arguments_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_attention_arguments_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_attention_memory_SOURCES = tests/unit/check_attention_memory.c
tests_unit_check_attention_memory_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_attention_memory_LDADD = $(test_libs) $(CHECK_LIBS) -lm
