/* check_device_edges.h - what tests of operators over edges on a device share. */
#ifndef TESTS_CHECK_DEVICE_EDGES_H
#define TESTS_CHECK_DEVICE_EDGES_H

#include "tests/unit/check_products.h"
#include "tests/unit/device/device_support.h"

/* The same numbers in double precision. Returns owned. */
static inline DLTensor *wide_of(ga_context *context, const DLTensor *tensor)
{
    DLTensor *wide = tensor_new(context, f64, tensor->ndim, tensor->shape);
    for (int64_t i = 0; i < count_of(tensor); i++) {
        set(wide, i, get(tensor, i));
    }
    return wide;
}

static inline void all_near(const DLTensor *found, const DLTensor *wanted, double tolerance, const char *what)
{
    for (int64_t i = 0; i < count_of(wanted); i++) {
        expect(fabs(get(found, i) - get(wanted, i)) <= tolerance, "%s: element %lld is %.9g, not %.9g", what,
               (long long)i, get(found, i), get(wanted, i));
    }
}

static inline int64_t longest_row(const ga_edges *edges)
{
    int64_t most = 1;
    for (int64_t i = 0; i < edges->targets; i++) {
        int64_t length = edges->offsets[i + 1] - edges->offsets[i];
        most = length > most ? length : most;
    }
    return most;
}

static inline void drop_tensors(ga_context *context, DLTensor *const *tensors, int count)
{
    for (int i = 0; i < count; i++) {
        ga_tensor_destroy(context, tensors[i]);
    }
}

#endif
