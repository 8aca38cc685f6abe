# the graph: reading, writing, building, generating
libgraphattn_sources += \
	graph/csr.c graph/csr.h graph/csr_build.h graph/csr_plain.c graph/csr_runs.c graph/csr_sort.h \
	graph/csr_split.h graph/csr_squeeze.h graph/csr_weighted.c graph/degrees.c graph/edge_list.c \
	graph/edge_list.h graph/facts.c graph/facts.h graph/foreign.c graph/gab.c graph/gab.h graph/gab_read.c \
	graph/gab_write.c graph/generate.c graph/generate.h graph/generate_draw.c graph/generate_other.c \
	graph/generate_rmat.c graph/graph.c graph/graph.h graph/ids.c graph/ids_sparse.c \
	graph/integers.c graph/lines.h graph/parse_lines.c graph/read.c graph/read.h graph/read_metis.c \
	graph/read_mtx.c graph/read_sg.c graph/read_text.c graph/text_in.c graph/text_in.h \
	graph/write.c graph/write.h graph/write_other.c \
	graph/write_text.c
include graph/igraph/igraph.mk
