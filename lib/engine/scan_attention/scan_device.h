/* scan_device.h - linear recurrences on a device: what a launch needs. Members as in ga__scan_plan. */
#ifndef GA_LIB_ENGINE_SCAN_DEVICE_H
#define GA_LIB_ENGINE_SCAN_DEVICE_H

#include "lib/engine/device/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GA__DEVICE_SCAN_ROWS = 512 /* of a state at most */, GA__DEVICE_SCAN_COLUMNS = 32 /* of a block */ };

typedef struct ga__scan_forward_launch_args {
    ga__device_matrix q, k, v, initial;
    ga__device_matrix decay; /* (batch, group, key) rows of 1 or d; of one number a head: by head */
    ga__device_matrix beta;  /* heads are batch entries, rows are groups, columns keys */
    ga__device_matrix bonus; /* rows are groups */
    int decay_kind;          /* ga__scan_decay */
    int delta, causal, normalise;
    int64_t batch, heads, groups, queries, keys, d, e, ratio;
    float scale, eps;
    float *o, *state; /* contiguous; NULL = not wanted */
} ga__scan_forward_launch_args;

int ga__scan_forward_launch(const ga__scan_forward_launch_args *args, void *stream);

/* Rows that threads hold of a state of d rows: so many in turn by eight. */
static inline int64_t ga__scan_device_rows(int64_t d)
{
    int64_t rows = 32;
    while (rows < d) {
        rows *= 2;
    }
    return rows;
}

/* Bytes of shared memory that a token takes: rows of q and k, columns of v, two numbers a decay, beta. */
static inline int64_t ga__scan_device_token(const ga__scan_forward_launch_args *a)
{
    int64_t rows = ga__scan_device_rows(a->d);
    return 4 * (rows * (1 + a->ratio) + GA__DEVICE_SCAN_COLUMNS + 2 * (a->decay_kind == 3 ? rows : 1) + 1);
}

#ifdef __cplusplus
}
#endif

#endif
