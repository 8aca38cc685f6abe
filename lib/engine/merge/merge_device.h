/* merge_device.h - partial results joined on a device: what a launch needs. */
#ifndef GA_LIB_ENGINE_MERGE_DEVICE_H
#define GA_LIB_ENGINE_MERGE_DEVICE_H

#include "lib/engine/device/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A result: o by (batch, head, row), lse by (batch, head) rows of rows. */
typedef struct ga__merge_side {
    ga__device_matrix o, lse;
} ga__merge_side;

typedef struct ga__merge_launch_args {
    int64_t batch, heads, rows, columns;
    /* Parts are those of side 0, so many elements apart; or they are two, one a side. */
    int64_t parts, next_o, next_lse;
    int pair;
    ga__merge_side side[2];
    void *o; /* contiguous */
    int o_type;
    void *lse; /* contiguous f32; NULL = not wanted */
} ga__merge_launch_args;

int ga__merge_launch(const ga__merge_launch_args *args, void *stream);

#ifdef __cplusplus
}
#endif

#endif
