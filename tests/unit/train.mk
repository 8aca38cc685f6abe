# training of models
check_PROGRAMS += tests/unit/check_train tests/unit/check_train_batches tests/unit/check_train_parts

tests_unit_check_train_SOURCES = tests/unit/check_train.c tests/unit/check_train.h
tests_unit_check_train_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_train_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_train_parts_SOURCES = tests/unit/check_train_parts.c tests/unit/check_train.h
tests_unit_check_train_parts_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_train_parts_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_train_batches_SOURCES = tests/unit/check_train_batches.c tests/unit/check_train.h
tests_unit_check_train_batches_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_train_batches_LDADD = $(test_libs) $(CHECK_LIBS) -lm
