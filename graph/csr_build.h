/* csr_build.h - what the stages of a CSR build share; private to csr.c and its bodies.
 *
 * Edges are 64-bit keys, source in the high bits. They are split by their leading bits into units that fit the second
 * level cache, in ascending order of units; a bin that is still too large (a hub's row) is split again. Each unit is
 * then sorted, rid of what the policies drop, and squeezed in place to targets; row lengths are added up to offsets,
 * and the units are copied out.
 */
#ifndef GA_GRAPH_CSR_BUILD_H
#define GA_GRAPH_CSR_BUILD_H

#include "graph/csr.h"
#include "lib/base/workers.h"

enum {
    GA__BIN_BITS = 13, /* bins of one split */
    GA__LINE = 8,      /* elements gathered before they are written to a bucket */
    GA__UNIT = 1 << 15 /* elements of a unit, if possible */
};

typedef struct ga__unit {
    void *elements;
    int64_t count, kept;
    int64_t begin; /* where its edges start in the result */
    bool uniform;  /* all keys are the same */
} ga__unit;

typedef struct ga__build {
    ga_context *context;
    const ga__csr_policy *policy;
    int bits;          /* of an id in a key */
    int64_t unit_size; /* wanted; four times as many are split again */
    ga__unit *units;
    int64_t unit_count, unit_room;
    void **buffers; /* what the units lie in */
    int64_t buffer_count, buffer_room;
    int64_t *offsets;
    uint32_t *targets;
    float *weights;
    char *scratch; /* of the sorting workers */
    int64_t scratch_stride;
    int64_t next;
    int status;
    int64_t loops, duplicates;
    pthread_mutex_t lock; /* guards the verdict */
    bool refused, refused_loop;
    uint64_t refused_key;
} ga__build;

ga_status ga__build_add_unit(ga__build *b, void *elements, int64_t count, bool uniform);
/* Takes over buffer; on failure it stays the caller's. */
ga_status ga__build_add_buffer(ga__build *b, void *buffer);
/* An edge that a policy refuses. */
void ga__build_refuse(ga__build *b, uint64_t key, bool loop);

/* Adds to the length of a row. Rows at the ends of a unit may be shared with its neighbours. */
static inline void ga__build_row(const ga__build *b, uint32_t source, int64_t count, bool shared)
{
    int64_t row = (b->policy->ranks ? (int64_t)ga__rank_of(b->policy->ranks, source) : (int64_t)source) + 1;
    if (shared) {
        (void)__atomic_fetch_add(&b->offsets[row], count, __ATOMIC_RELAXED);
    } else {
        b->offsets[row] = count;
    }
}

typedef struct ga__weighted_key {
    uint64_t key;
    float weight;
    uint32_t unused;
} ga__weighted_key;

/* The bodies, csr_split.h, csr_sort.h and csr_squeeze.h, once for each kind of element. */
ga_status ga__split_plain(ga__build *b, const ga__edge_source *source);
ga_status ga__split_weighted(ga__build *b, const ga__edge_source *source);
void ga__unit_plain(ga__build *b, ga__unit *unit, void *scratch);
void ga__unit_weighted(ga__build *b, ga__unit *unit, void *scratch);

#endif
