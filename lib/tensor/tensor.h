/* tensor.h - what tensors and NumPy files share; for lib/tensor. */
#ifndef GA_LIB_TENSOR_H
#define GA_LIB_TENSOR_H

#include <graphattn/tensor.h>

#include "lib/base/base.h"

enum { GA__MAX_AXES = 64 };

/* Bytes of one element; 0 for a type that tensors do not have. */
int ga__dtype_size(DLDataType dtype);

/* Number of elements; name begins the messages. GA_INVALID for a negative extent or too many axes, GA_OVERFLOW when elements * size or a stride
 * does not fit. */
ga_status ga__count_elements(ga_context *context, const char *name, int ndim, const int64_t *shape, int size,
                             int64_t *elements);

/* A tensor that takes over data (from ga_alloc) on success. Returns owned. */
ga_status ga__tensor_wrap(ga_context *context, DLDataType dtype, int ndim, const int64_t *shape, void *data,
                          DLTensor **out);

/* GA_INVALID "NAME: shape (..), expected (..)" unless its axes are these; -1 accepts any, missing leading axes are 1. */
ga_status ga__tensor_fits(ga_context *context, const char *name, const DLTensor *tensor, int count,
                          const int64_t *axes);

/* Elements of a strided array in C order, piece by piece. */
typedef struct ga__walk {
    const unsigned char *base;
    int ndim, size;
    const int64_t *shape;
    int64_t strides[GA__MAX_AXES]; /* in bytes */
    int64_t index[GA__MAX_AXES];
} ga__walk;

/* strides in elements. */
ga__walk ga__walk_start(const void *data, int size, int ndim, const int64_t *shape, const int64_t *strides);
/* Copies the next count elements, which must be there, to out. */
void ga__walk_copy(ga__walk *walk, int64_t count, void *out);

/* Writes the elements in C order, whatever the strides; the tensor was checked before. */
ga_status ga__tensor_write(ga_context *context, ga__output *output, const DLTensor *tensor);

#endif
