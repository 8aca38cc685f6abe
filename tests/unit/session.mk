check_PROGRAMS += tests/unit/check_paged tests/unit/check_parts tests/unit/check_session \
	tests/unit/check_session_laws tests/unit/check_recycled

tests_unit_check_paged_SOURCES = tests/unit/check_paged.c
tests_unit_check_paged_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_paged_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_parts_SOURCES = tests/unit/check_parts.c
tests_unit_check_parts_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_parts_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_session_SOURCES = tests/unit/check_session.c tests/unit/check_session.h
tests_unit_check_session_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_session_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_session_laws_SOURCES = tests/unit/check_session_laws.c tests/unit/check_session.h
tests_unit_check_session_laws_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_session_laws_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_recycled_SOURCES = tests/unit/check_recycled.c
tests_unit_check_recycled_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_recycled_LDADD = $(test_libs) $(CHECK_LIBS) -lm
