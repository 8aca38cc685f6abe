# Built by the test that runs them; never installed.
example_programs = examples/sample examples/matrices examples/hooks examples/hedgehog_distill
EXTRA_PROGRAMS = $(example_programs)
examples_sample_SOURCES = examples/sample.c
examples_sample_LDADD = libgraphattn.la
examples_matrices_SOURCES = examples/matrices.c
examples_matrices_LDADD = libgraphattn.la
examples_hooks_SOURCES = examples/hooks.c
examples_hooks_LDADD = libgraphattn.la
examples_hedgehog_distill_SOURCES = examples/hedgehog_distill.c
examples_hedgehog_distill_LDADD = libgraphattn.la -lm
CLEANFILES += $(EXTRA_PROGRAMS)
EXTRA_DIST += examples/README.md examples/many-samples
