/* safetensors.h - a safetensors file in memory, and its header. */
#ifndef GA_LIB_TENSOR_SAFETENSORS_H
#define GA_LIB_TENSOR_SAFETENSORS_H

#include <jansson.h>

#include "lib/tensor/tensor.h"

/* A tensor as the header describes it. */
typedef struct ga__entry {
    const char *name; /* borrowed from the header */
    DLDataType dtype;
    int ndim;
    int64_t shape[GA__MAX_AXES];
    int64_t begin, end; /* bytes of the data section */
    DLTensor *tensor;   /* owned */
} ga__entry;

struct ga_safetensors {
    json_t *header; /* owns the names and the metadata */
    int64_t count;
    ga__entry *entries; /* in the order of the header */
    ga__entry **order;  /* by place of their data */
};

/* Types by their names in the header; code 0 bits 0 for a name that we do not have. */
DLDataType ga__safetensors_dtype(const char *name);
/* NULL for a type that the format does not have. */
const char *ga__safetensors_dtype_name(DLDataType dtype);

/* Parses the header text into file->header, entries and count. Every tensor's range has the length of dtype x shape,
 * and the ranges cover the data section without holes and overlaps: *bytes is its size. Messages start with name. */
ga_status ga__safetensors_parse(ga_context *context, const char *name, const char *text, int64_t size,
                                ga_safetensors *file, int64_t *bytes);

#endif
