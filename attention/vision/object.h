/* object.h - a call of `attend object`, for its two ways of computing. */
#ifndef GA_ATTENTION_VISION_OBJECT_H
#define GA_ATTENTION_VISION_OBJECT_H

#include "attention/plan.h"

typedef struct ga__object {
    const ga__job *run;
    int64_t group;
    double gain, width; /* width: 2 sigma^2 */
    bool stop;
    ga__view q, k, v, q_pos, k_pos, valid, readout; /* without data: not given */
    ga__view o, lse, map, pointer;                  /* without data: not wanted */
} ga__object;

static inline bool ga__object_is_valid(const ga__object *t, int64_t b, int64_t key)
{
    return !t->valid.data || ga__view_get_integer(&t->valid, 0, b, key) != 0;
}

/* True when the tiles can compute the call: f32, no map, nothing empty, a kernel within the range of f32. */
bool ga__object_suits_tiles(const ga__object *t);
/* Fills o and lse. */
ga_status ga__object_tiles(ga__job *run, const ga__object *t);

/* scale gain sum_a exp(-(pq_a - pk_a)^2 / (2 sigma^2)), by blocks of queries. */
typedef struct ga__object_kernel {
    ga__job *run;
    int64_t axes, queries, keys;
    double factor, width;
    int64_t *query, *key;  /* owned: (axes, queries), (axes, keys) */
    float *table;          /* owned: factor times the exponential of distance 0 .. reach - 1 */
    int64_t reach;         /* 0 without positions */
    bool whole;            /* beyond reach it is 0 in f32 */
    int64_t *places, *row; /* owned: (rows): distinct positions of a block, ascending; the one of every row */
    float *lines;          /* owned: (rows, keys): the term of an axis at the distinct positions */
} ga__object_kernel;

/* order: the keys in use, NULL = the first `keys`; rows: of a block at most. To be closed in any case. */
ga_status ga__object_kernel_open(ga__job *run, const ga__object *t, int64_t keys, const int64_t *order,
                                 int64_t rows, ga__object_kernel *kernel);
void ga__object_kernel_close(ga__object_kernel *kernel);
/* The terms of the queries first .. first + rows - 1: (rows, keys). */
ga_status ga__object_kernel_fill(ga__object_kernel *kernel, int64_t first, int64_t rows, float *bias);

#endif
