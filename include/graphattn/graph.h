/* graph.h - directed graphs: reading, writing, generating.
 *
 * Nodes are 0 .. n-1 in ascending order of their original ids; original ids are kept when they differ. Out-lists
 * are sorted. Definitions of nodes, loops, duplicates and isolated nodes follow graphattn-formats(5).
 */
#ifndef GRAPHATTN_GRAPH_H
#define GRAPHATTN_GRAPH_H

#include <graphattn/base.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ga_graph ga_graph;

/* A compressed sparse row view: row r holds targets[offsets[r]] .. targets[offsets[r + 1] - 1], ascending.
 * Borrowed from the graph, valid until it is destroyed. weights is NULL when there are none. */
typedef struct ga_csr {
    int64_t rows, nonzeros;
    const int64_t *offsets;
    const uint32_t *targets;
    const float *weights;
} ga_csr;

/* Formats by their names in --from and --to. */
typedef enum ga_format {
    GA_FORMAT_AUTO = 0, /* reading: by magic number and content; writing: by suffix, else text */
    GA_FORMAT_TEXT,     /* "snap": src<TAB>dst lines, # and % comments */
    GA_FORMAT_MTX,      /* Matrix Market coordinate */
    GA_FORMAT_METIS,    /* METIS .graph: undirected by definition, both directions are read */
    GA_FORMAT_SG,       /* GAP serialised graph: int32 ids, int64 offsets */
    GA_FORMAT_GAB,      /* our binary file, mapped into memory */
    GA_FORMAT_GRAPHML,  /* these by way of ga_context_set_foreign_formats: */
    GA_FORMAT_GML,
    GA_FORMAT_PAJEK,
    GA_FORMAT_NCOL, /* reading: only by name or suffix, they look like edge lists */
    GA_FORMAT_LGL,
    GA_FORMAT_LEDA /* writing alone */
} ga_format;
GA_API const char *ga_format_name(ga_format format);
/* GA_INVALID (no message) for an unknown name. */
GA_API ga_status ga_format_from_name(const char *name, ga_format *format);

typedef enum ga_loops { GA_LOOPS_DROP = 0, GA_LOOPS_KEEP, GA_LOOPS_ERROR } ga_loops;
typedef enum ga_multi { GA_MULTI_COLLAPSE = 0, GA_MULTI_KEEP, GA_MULTI_ERROR } ga_multi;

typedef struct ga_read_options {
    ga_format format;
    ga_loops loops;
    ga_multi multi;
    int64_t nodes;        /* total number of nodes, isolated ones included; -1 = from ids and header */
    bool undirected;      /* every line is two edges */
    bool strict;          /* garbage after gzip data is an error, not a warning */
    bool ignore_columns;  /* edge lists may have columns beyond the third (--columns) */
    bool allow_nonfinite; /* weights may be NaN or infinite */
    bool dense_ids;       /* ids are node numbers: 0 .. max, no compaction; refused beyond max_nodes */
    bool weights;         /* keep the third column / matrix values as weights (summed when collapsing) */
    int64_t max_nodes;    /* refuse more (GA_LIMIT) */
    int64_t max_edges;    /* refuse more edge lines (GA_LIMIT); 0 = none */
} ga_read_options;
#define GA_READ_OPTIONS_INIT \
    { \
        GA_FORMAT_AUTO, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, -1, false, false, false, false, false, false, \
            INT64_C(2147483648), 0 \
    }

/* What stood in the file, before the policies were applied. */
typedef struct ga_read_report {
    ga_format format;
    bool gzip;
    int64_t edge_lines;     /* edges as listed (after undirected doubling) */
    int64_t loops;          /* edges u -> u after collapsing duplicates of them */
    int64_t duplicates;     /* removed (or kept) repetitions of edges that are no loops */
    int64_t declared_nodes; /* from a header; -1 = none */
    int64_t bytes;          /* uncompressed bytes read */
} ga_read_report;

/* Reads a graph; path "-" is standard input. report may be NULL. Returns owned. GA_FORMAT names file and line. */
GA_API ga_status ga_graph_read(ga_context *context, const char *path, const ga_read_options *options,
                               ga_graph **graph, ga_read_report *report);

typedef struct ga_write_options {
    ga_format format;
    bool in_edges; /* .gab, .sg: also store the transpose */
    bool in_place; /* path may be the file that the graph was read from */
} ga_write_options;
#define GA_WRITE_OPTIONS_INIT \
    { \
        GA_FORMAT_AUTO, false, false \
    }

/* Writes whole or not at all (temporary name, fsync, rename); path "-" is standard output. Text starts with
 * "# Nodes: N Edges: M" and has original ids where the graph has them. A path ending in .gz is compressed. */
GA_API ga_status ga_graph_write(ga_context *context, const ga_graph *graph, const char *path,
                                const ga_write_options *options);

/* Builds a graph of `nodes` nodes from `edges` pairs. With GA_MULTI_COLLAPSE and GA_LOOPS_DROP the result is
 * simple. ids: NULL (0 .. nodes-1) or ascending original ids. Copies. Returns owned. */
GA_API ga_status ga_graph_from_edges(ga_context *context, int64_t nodes, int64_t edges,
                                     const uint32_t *sources, const uint32_t *targets, const uint64_t *ids,
                                     ga_loops loops, ga_multi multi, ga_graph **graph);

/* The same with a weight for every edge, kept, or added up where edges are collapsed; weights NULL: none. undirected:
 * every edge goes both ways, loops once. */
GA_API ga_status ga_graph_from_weighted_edges(ga_context *context, int64_t nodes, int64_t edges,
                                              const uint32_t *sources, const uint32_t *targets,
                                              const float *weights, bool undirected, const uint64_t *ids,
                                              ga_loops loops, ga_multi multi, ga_graph **graph);

/* What a reader of a foreign format found; arrays are made by ga_alloc and taken over. */
typedef struct ga_foreign_graph {
    int64_t nodes, edges;
    uint32_t *sources, *targets; /* edges, in any order, loops and repetitions as they stand */
    float *weights;              /* edges, or NULL */
    uint64_t *ids;               /* nodes, ascending, or NULL for 0 .. nodes - 1 */
    bool undirected;             /* every edge stands for both directions */
    char message[512];           /* why it failed, without the file's name; after success a note, or "" */
} ga_foreign_graph;
/* Readers and writers of the formats of another library, as libgraphattn-igraph has them. in and out are streams that
 * decompress and compress; in ends early when reading fails or is cancelled, which then is what went wrong. The reader
 * may heed max_nodes, and weights that nobody wants need not be made; all other options are seen to behind it. message
 * has room for 512 bytes: why it failed, or after success a note, or "" as it came. */
typedef struct ga_foreign_formats {
    ga_status (*read)(ga_context *context, FILE *in, ga_format format, const ga_read_options *options,
                      ga_foreign_graph *graph);
    ga_status (*write)(ga_context *context, FILE *out, ga_format format, const ga_graph *graph,
                       char *message);
} ga_foreign_formats;
/* Lets this context read and write foreign formats by ga_graph_read and ga_graph_write. Borrowed; NULL = none. */
GA_API void ga_context_set_foreign_formats(ga_context *context, const ga_foreign_formats *formats);

/* Accepts NULL. */
GA_API void ga_graph_destroy(ga_context *context, ga_graph *graph);

/* Keeps a copy of the rows on the context's device, until the graph is destroyed or goes elsewhere: calls that count over
 * the edges of a graph on that device need not bring them. On the CPU drops the copy. The graph is to be destroyed by a
 * context that has the device. GA_NO_MEMORY, and the graph stays where it was, when there is no room. */
GA_API ga_status ga_graph_to_device(ga_context *context, ga_graph *graph);
GA_API int64_t ga_graph_nodes(const ga_graph *graph);
GA_API int64_t ga_graph_edges(const ga_graph *graph);
/* Original ids, ascending, or NULL when they are 0 .. n-1. Borrowed. */
GA_API const uint64_t *ga_graph_ids(const ga_graph *graph);
GA_API ga_csr ga_graph_out(const ga_graph *graph);
/* The transpose (rows are targets, entries their sources); built on first use and kept. */
GA_API ga_status ga_graph_in(ga_context *context, ga_graph *graph, ga_csr *in);
/* Degrees, loops and multiplicity counted, into caller arrays of n entries; either may be NULL. */
GA_API ga_status ga_graph_degrees(ga_context *context, const ga_graph *graph, uint32_t *out_degree,
                                  uint32_t *in_degree);

/* Models: rmat (Graph500: .57 .19 .19 .05), er (uniform among simple digraphs with m edges), ba, sbm, grid. */
typedef struct ga_generate_options {
    const char *model;
    int64_t nodes;
    int64_t edges;        /* er, rmat: number of edges; ba: edges per new node is edges / nodes, at least 1 */
    double a, b, c;       /* rmat: probabilities of the quadrants, d = 1 - a - b - c */
    bool keep_duplicates; /* rmat: raw draws, loops and repetitions included */
    int64_t blocks;       /* sbm: equal blocks */
    double mixing;        /* sbm: share of edges that leave their block */
    int64_t rows, columns; /* grid: 0 = near square from nodes */
    bool torus;            /* grid: wrap around */
} ga_generate_options;
#define GA_GENERATE_OPTIONS_INIT \
    { \
        "rmat", 0, 0, 0.57, 0.19, 0.19, false, 4, 0.1, 0, 0, false \
    }
/* Deterministic for the context's seed. Returns owned. */
GA_API ga_status ga_graph_generate(ga_context *context, const ga_generate_options *options, ga_graph **graph);

/* The table of models: name and one-line summary; NULL after the last. */
typedef struct ga_generator_info {
    const char *name, *summary;
} ga_generator_info;
GA_API const ga_generator_info *ga_generate_models(int *count);

/* Text files of one integer a line (labels, node lists), gzip recognised, # comments skipped. Returns owned. */
GA_API ga_status ga_integers_read(ga_context *context, const char *path, int64_t **values, int64_t *count);
GA_API ga_status ga_integers_write(ga_context *context, const char *path, const int64_t *values,
                                   int64_t count);

#ifdef __cplusplus
}
#endif

#endif
