# Built by the test that runs them; never installed.
example_programs = examples/sample examples/matrices examples/hooks examples/hedgehog_distill examples/jdm examples/gat \
	examples/batches
examples_sample_SOURCES = examples/sample.c
examples_sample_LDADD = libgraphattn.la
examples_matrices_SOURCES = examples/matrices.c
examples_matrices_LDADD = libgraphattn.la
examples_hooks_SOURCES = examples/hooks.c
examples_hooks_LDADD = libgraphattn.la
examples_hedgehog_distill_SOURCES = examples/hedgehog_distill.c
examples_hedgehog_distill_LDADD = libgraphattn.la -lm
examples_jdm_SOURCES = examples/jdm.c
examples_jdm_LDADD = libgraphattn.la
examples_gat_SOURCES = examples/gat.c
examples_gat_LDADD = libgraphattn.la -lm
examples_batches_SOURCES = examples/batches.c
examples_batches_LDADD = libgraphattn.la
if HAVE_IGRAPH
example_programs += examples/igraph
examples_igraph_SOURCES = examples/igraph.c
examples_igraph_CFLAGS = $(AM_CFLAGS) $(IGRAPH_CFLAGS)
examples_igraph_LDADD = libgraphattn-igraph.la libgraphattn.la $(IGRAPH_LIBS)
else
EXTRA_DIST += examples/igraph.c
endif
EXTRA_PROGRAMS = $(example_programs)
CLEANFILES += $(EXTRA_PROGRAMS)
EXTRA_DIST += examples/README.md examples/many-samples examples/batch/sweep.sbatch examples/batch/train.sbatch
