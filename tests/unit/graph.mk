check_PROGRAMS += tests/unit/check_graph_text tests/unit/check_graph_files tests/unit/check_graph_binary tests/unit/check_graph_build \
	tests/unit/check_graph_generate tests/fuzz/replay

tests_unit_check_graph_text_SOURCES = tests/unit/check_graph_text.c tests/unit/check_graph.h
tests_unit_check_graph_text_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_graph_text_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_graph_files_SOURCES = tests/unit/check_graph_files.c tests/unit/check_graph_files.h tests/unit/check_graph.h
tests_unit_check_graph_files_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_graph_files_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_graph_binary_SOURCES = tests/unit/check_graph_binary.c tests/unit/check_graph_files.h tests/unit/check_graph.h
tests_unit_check_graph_binary_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_graph_binary_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_graph_build_SOURCES = tests/unit/check_graph_build.c tests/unit/check_graph.h
tests_unit_check_graph_build_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_graph_build_LDADD = $(test_libs) $(CHECK_LIBS)

tests_unit_check_graph_generate_SOURCES = tests/unit/check_graph_generate.c tests/unit/check_graph.h
tests_unit_check_graph_generate_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_graph_generate_LDADD = $(test_libs) $(CHECK_LIBS)

# Every reader on hand-made seeds and on mutations of them. The folder's name is compiled in, so that the program needs
# no environment; an argument names another.
tests_fuzz_replay_SOURCES = tests/fuzz/replay.c tests/fuzz/readers.c tests/fuzz/readers.h
tests_fuzz_replay_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS=\"$(abs_top_srcdir)/tests/fuzz/corpus\"
tests_fuzz_replay_CFLAGS = $(AM_CFLAGS)
tests_fuzz_replay_LDADD = $(test_libs)
