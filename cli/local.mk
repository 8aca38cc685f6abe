# The command. It links the objects of the library, not the shared library: one file to run anywhere.

graphattn_SOURCES = \
	cli/convert.c \
	cli/degree_matrices.c \
	cli/files.c \
	cli/generate.c \
	cli/graphs.c \
	cli/help.c \
	cli/info.c \
	cli/main.c \
	cli/options.c \
	cli/options.h \
	cli/output.c \
	cli/parse.c \
	cli/progress.c \
	cli/realize.c \
	cli/rescale.c \
	cli/rescaling.c \
	cli/rewire.c \
	cli/sample.c \
	cli/session.c \
	cli/session.h \
	cli/signals.c \
	cli/suggest.c \
	cli/usage.c
graphattn_LDADD = libgraphattn-core.la
