check_PROGRAMS += tests/unit/check_models tests/unit/check_model_passes tests/unit/check_model_laws

tests_unit_check_models_SOURCES = tests/unit/check_models.c tests/unit/check_models.h
tests_unit_check_models_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_models_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_model_passes_SOURCES = tests/unit/check_model_passes.c tests/unit/check_model_data.h \
	tests/unit/check_models.h
tests_unit_check_model_passes_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_model_passes_LDADD = $(test_libs) $(CHECK_LIBS) -lm
tests_unit_check_model_laws_SOURCES = tests/unit/check_model_laws.c tests/unit/check_model_data.h \
	tests/unit/check_models.h
tests_unit_check_model_laws_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_model_laws_LDADD = $(test_libs) $(CHECK_LIBS) -lm
