/* edge_list.h - edges as they were read: pairs in chunks, and what is known about them. */
#ifndef GA_GRAPH_EDGE_LIST_H
#define GA_GRAPH_EDGE_LIST_H

#include "graph/csr.h"
#include "graph/lines.h"
#include "lib/base/workers.h"

/* Memory that one thread fills with pairs. */
typedef struct ga__chunk {
    void *pairs;    /* ga__pair, or two uint64_t each when wide */
    float *weights; /* or NULL */
    bool wide;
    int64_t room, used;
    int64_t pending; /* blocks of an edge source that still need it */
} ga__chunk;

/* Consecutive edges of one block of the file. */
typedef struct ga__segment {
    int64_t block, part;
    int64_t chunk;
    ga__pair *narrow; /* one of both */
    uint64_t *wide;
    float *weights;
    int64_t count;
    uint64_t largest;
    bool sorted;      /* narrow pairs ascend */
    bool distinct;    /* if sorted: none is a loop or repeated */
    int64_t lines;    /* of the file that ended in this segment */
    int64_t declared; /* header figure found here before any edge of the block; -1 */
} ga__segment;

typedef struct ga__edge_list {
    ga__segment *segments; /* in the order of the file once it is read */
    int64_t segment_count, segment_room;
    ga__chunk *chunks;
    int64_t chunk_count, chunk_room;
    int64_t edges, lines, bytes;
    uint64_t largest;
    int64_t declared; /* -1 = none */
    bool wide;        /* some segment is */
} ga__edge_list;

void ga__edge_list_clear(ga_context *context, ga__edge_list *list);

/* What to read the lines from: a file whose first `start` bytes (first_line - 1 lines) are done with. head: bytes
 * that were taken from the stream already but belong to the lines; only for streams. */
typedef struct ga__line_input {
    ga__input *input;
    int64_t start, first_line;
    const unsigned char *head;
    int64_t head_size;
} ga__line_input;

/* Reads all lines. block_size 0 means the usual one. */
ga_status ga__edge_list_read(ga_context *context, const ga__line_input *from, const ga__line_rules *rules,
                             int64_t max_edges, int64_t block_size, ga__edge_list *list);

/* Node numbers for ids. */
typedef struct ga__mapping {
    int64_t nodes;
    ga__ranks ranks; /* bits NULL: the pairs hold node numbers */
    uint64_t *ids;   /* NULL: 0 .. nodes - 1 */
} ga__mapping;

void ga__mapping_clear(ga_context *context, ga__mapping *mapping);

/* Decides about node numbers; rewrites the pairs where ids are too sparse for ranks. */
ga_status ga__edge_list_map(ga_context *context, ga__edge_list *list, const ga_read_options *options,
                            const char *name, ga__mapping *mapping);
/* The part of it for ids spread over a range much larger than the number of edges: *ids takes the distinct ids and
 * as many of the smallest unused ones as make declared_nodes(user, count of ids) in all. */
ga_status ga__edge_list_compact(ga_context *context, ga__edge_list *list,
                                ga_status (*total)(void *user, int64_t ids, int64_t *nodes), void *user,
                                uint64_t **ids, int64_t *nodes);

/* Merges the smallest unused integers into `count` ascending ids (room for nodes) so that there are `nodes`. Returns
 * the number below which every integer is an id now. */
int64_t ga__add_declared(uint64_t *ids, int64_t count, int64_t nodes);

/* Builds the rows; empties the list on the way. both: each edge also the other way round. */
ga_status ga__edge_list_build(ga_context *context, ga__edge_list *list, const ga__mapping *mapping, bool both,
                              const ga__csr_policy *policy, ga__csr_result *result);

#endif
