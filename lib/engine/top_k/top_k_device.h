/* top_k_device.h - the largest of rows on a device: what a launch needs. */
#ifndef GA_LIB_ENGINE_TOP_K_DEVICE_H
#define GA_LIB_ENGINE_TOP_K_DEVICE_H

#include "lib/engine/device/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ga__top_k_launch_args {
    ga__device_matrix x;
    int64_t batch, heads, rows, columns, k; /* k: at least 1 */
    /* (batch, head) rows of limits; NULL = all columns */
    const int64_t *count;
    int64_t count_stride_batch, count_stride_head;
    int32_t *indices; /* contiguous */
    void *values;     /* contiguous; NULL = not wanted */
    int values_type;  /* ga__type: f32, bf16, f16 */
} ga__top_k_launch_args;

int ga__top_k_launch(const ga__top_k_launch_args *args, void *stream);

#ifdef __cplusplus
}
#endif

#endif
