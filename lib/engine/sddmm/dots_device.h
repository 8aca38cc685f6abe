/* dots_device.h - dots of rows along edges on a device: what a launch needs. Members as in ga__dots (sddmm.h). */
#ifndef GA_LIB_ENGINE_SDDMM_DOTS_DEVICE_H
#define GA_LIB_ENGINE_SDDMM_DOTS_DEVICE_H

#include "lib/engine/spmm/lists.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ga__dots_launch_args {
    ga__edge_lists lists;
    int64_t heads, width;
    const void *a, *b;
    int a_type, b_type; /* ga__type: f32, bf16, f16 */
    int64_t a_stride, b_stride;
    const int64_t *chosen;
    int mean;
    int s_wide; /* s is f64 */
    void *s;
} ga__dots_launch_args;

int ga__dots_launch(const ga__dots_launch_args *args, void *stream);

#ifdef __cplusplus
}
#endif

#endif
