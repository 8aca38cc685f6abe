# The command. It links the objects of the library, not the shared library: one file to run anywhere.

graphattn_SOURCES = \
	cli/attend.c \
	cli/bench.c \
	cli/bench.h \
	cli/bench_call.c \
	cli/bench_call.h \
	cli/bench_crossover.c \
	cli/bench_dense.c \
	cli/bench_growth.c \
	cli/bench_select.c \
	cli/bench_sparse.c \
	cli/bench_variants.c \
	cli/block.c \
	cli/carry.c \
	cli/carry.h \
	cli/chart.c \
	cli/chart.h \
	cli/chart_gnuplot.c \
	cli/chart_svg.c \
	cli/compare.c \
	cli/contest.c \
	cli/contest.h \
	cli/convert.c \
	cli/cost.c \
	cli/curves.c \
	cli/degree_matrices.c \
	cli/files.c \
	cli/generate.c \
	cli/graphs.c \
	cli/help.c \
	cli/info.c \
	cli/layer.c \
	cli/main.c \
	cli/maps.c \
	cli/mask.c \
	cli/neighbors.c cli/neighbors_write.c cli/neighbors.h \
	cli/node_data.c \
	cli/node_data.h \
	cli/options.c \
	cli/options.h \
	cli/output.c \
	cli/parse.c \
	cli/pictures.c \
	cli/predict.c \
	cli/progress.c \
	cli/realize.c \
	cli/report.c \
	cli/rescale.c \
	cli/rescaling.c \
	cli/rewire.c \
	cli/sample.c \
	cli/sample_methods.c \
	cli/sample_methods.h \
	cli/select.c \
	cli/session.c \
	cli/session.h \
	cli/signals.c \
	cli/stats.c \
	cli/suggest.c \
	cli/tensors.c \
	cli/train.c \
	cli/usage.c \
	cli/variants.c
graphattn_LDADD = $(cli_igraph) libgraphattn-core.la
if HAVE_IGRAPH
cli_igraph = libga-igraph.la $(IGRAPH_LIBS)
endif
