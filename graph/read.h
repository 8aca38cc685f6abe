/* read.h - the readers of graph files. */
#ifndef GA_GRAPH_READ_H
#define GA_GRAPH_READ_H

#include "graph/csr.h"
#include "graph/edge_list.h"

/* A file being read. Readers fill graph (owned) and the report; the caller knows the file's name and policies. */
typedef struct ga__reading {
    ga_context *context;
    ga__input *input;
    const char *path, *name;
    const ga_read_options *options;
    int64_t block_size; /* of the text reader; 0 = the usual one */
    ga_graph *graph;
    ga_read_report report;
} ga__reading;

ga_status ga__read_text(ga__reading *r);
ga_status ga__read_mtx(ga__reading *r);
ga_status ga__read_metis(ga__reading *r);
ga_status ga__read_sg(ga__reading *r);
ga_status ga__read_gab(ga__reading *r);
ga_status ga__read_foreign(ga__reading *r);
/* What the context was given, or NULL. */
const ga_foreign_formats *ga__foreign_formats(const ga_context *context);

/* ga_graph_read with another block size, for tests. */
ga_status ga__graph_read(ga_context *context, const char *path, const ga_read_options *options,
                         int64_t block_size, ga_graph **graph, ga_read_report *report);

/* An edge list, mapped and built by the options' policies. Empties list. */
ga_status ga__reading_build(ga__reading *r, ga__edge_list *list, bool both);

/* Of a suffix as in --to; .gz is looked through; GA_FORMAT_AUTO when it is none of ours. */
ga_format ga__format_of_suffix(const char *path);

/* Name of what a text that is no edge list looks like, and its format, GA_FORMAT_AUTO when we know of none; or NULL. */
const char *ga__foreign_format(const unsigned char *text, int64_t size, ga_format *format);

#endif
