/* matrix.h - rows of numbers in the memory of a device, as kernels take them. */
#ifndef GA_LIB_ENGINE_DEVICE_MATRIX_H
#define GA_LIB_ENGINE_DEVICE_MATRIX_H

#include <stdint.h>

/* Rows by (batch, head, row); type as in ga__type: f32, bf16, f16. Strides in elements. data NULL = not given. */
typedef struct ga__device_matrix {
    const void *data;
    int type;
    int64_t stride_batch, stride_head, stride_row;
} ga__device_matrix;

#endif
