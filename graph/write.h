/* write.h - the writers of graph files. */
#ifndef GA_GRAPH_WRITE_H
#define GA_GRAPH_WRITE_H

#include "graph/csr.h"

/* Called with the graph, an open output and the options; messages name the file. */
typedef struct ga__writing {
    ga_context *context;
    const ga_graph *graph;
    const char *path;
    const ga_write_options *options;
    ga__output *output;
    ga_format format;
} ga__writing;

ga_status ga__write_text(ga__writing *w);
ga_status ga__write_mtx(ga__writing *w);
ga_status ga__write_metis(ga__writing *w);
ga_status ga__write_sg(ga__writing *w);
ga_status ga__write_gab(ga__writing *w);
ga_status ga__write_foreign(ga__writing *w);

/* The transpose: the graph's own, or one made here into *made, to be freed. */
ga_status ga__writing_transpose(ga__writing *w, ga__csr_result *made, const int64_t **offsets,
                                const uint32_t **sources);

/* "source SEPARATOR target" lines of all edges, formatted by several threads, written in order. */
ga_status ga__write_lines(ga__writing *w, char separator, const uint64_t *ids, uint64_t shift, bool weights);

/* Decimal digits of value at text; returns the end. Room for 24. */
char *ga__put_number(char *text, uint64_t value);
/* Shortest decimal form that reads back as the same float; returns the end. Room for 32. */
char *ga__put_float(char *text, float value);

#endif
