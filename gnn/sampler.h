/* sampler.h - the surroundings of some nodes, sampled hop by hop. */
#ifndef GA_GNN_SAMPLER_H
#define GA_GNN_SAMPLER_H

#include "gnn/train.h"

/* Samples one batch after the other, in one thread at a time. */
typedef struct ga__sampler {
    ga__loader_options options; /* fanout is owned */
    const double *degrees;      /* of the whole graph, borrowed; NULL unless weighted */
    int64_t epoch;
    uint32_t *local;       /* (nodes of the whole graph), owned: 1 + the number in the batch, 0 = not in it */
    struct ga__drawn *row; /* owned: edges of one node */
    int64_t row_room;
    int64_t *draws; /* owned */
    int64_t draw_room;
} ga__sampler;

/* A batch as plain arrays, owned; rooms in elements. */
typedef struct ga__sampled {
    int64_t seed_count;
    int64_t *nodes; /* numbers in the whole graph, seeds first */
    int64_t node_count, node_room;
    int64_t *offsets; /* (node_count + 1) */
    int64_t offset_room;
    uint32_t *sources; /* (edge_count), by target */
    double *weights;   /* NULL = 1 each */
    int64_t edge_count, edge_room;
    int64_t *entry_offsets; /* sparse features: (node_count + 1) */
    int64_t entry_offset_room;
    uint32_t *columns; /* (entry_count) */
    float *values;     /* sparse: (entry_count), NULL = 1 each; dense: (node_count, F) */
    int64_t entry_count, column_room, value_room;
} ga__sampled;

ga_status ga__sampler_open(ga_context *context, const ga__loader_options *options, ga__sampler *sampler);
void ga__sampler_close(ga_context *context, ga__sampler *sampler);
ga_status ga__sample(ga_context *context, ga__sampler *sampler, const ga__nodes *seeds, ga__sampled *out);
void ga__sampled_clear(ga_context *context, ga__sampled *sampled);

#endif
