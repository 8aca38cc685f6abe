/* npy.h - the header of a NumPy file, parsed. */
#ifndef GA_LIB_TENSOR_NPY_H
#define GA_LIB_TENSOR_NPY_H

#include "lib/tensor/tensor.h"

typedef struct ga__npy {
    DLDataType dtype;
    bool swapped; /* big-endian */
    bool fortran;
    int ndim;
    int64_t shape[GA__MAX_AXES];
} ga__npy;

/* text: what stands between the length field and the data. Messages begin with name. */
ga_status ga__npy_parse(ga_context *context, const char *name, const char *text, int64_t size,
                        bool u2_is_bf16, ga__npy *npy);

/* Writes a version 1 header with magic and padding; its size, at most GA__NPY_ROOM. */
enum { GA__NPY_ROOM = 2048 };
int ga__npy_format(DLDataType dtype, int ndim, const int64_t *shape, char *text);

#endif
