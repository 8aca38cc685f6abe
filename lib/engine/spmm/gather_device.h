/* gather_device.h - gathered rows on a device: what a launch needs. Members as in ga__gather (spmm.h). */
#ifndef GA_LIB_ENGINE_SPMM_GATHER_DEVICE_H
#define GA_LIB_ENGINE_SPMM_GATHER_DEVICE_H

#include "lib/engine/spmm/lists.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ga__gather_launch_args {
    ga__edge_lists lists;
    int64_t heads, width;
    const void *x;
    int x_type; /* ga__type: f32, bf16, f16 */
    int64_t x_stride;
    const void *weights;
    int weights_wide; /* f64 */
    int64_t weight_stride;
    const int64_t *degrees;
    const int64_t *chosen;
    int mean, max;
    float *y;
    int64_t *argmax;
    float *slot_y;      /* (slots, columns) */
    int64_t *slot_edge; /* of max */
} ga__gather_launch_args;

int ga__gather_launch(const ga__gather_launch_args *args, void *stream);

#ifdef __cplusplus
}
#endif

#endif
