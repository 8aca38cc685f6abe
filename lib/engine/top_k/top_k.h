/* top_k.h - the kernels of ga_top_k. */
#ifndef GA_LIB_ENGINE_TOP_K_H
#define GA_LIB_ENGINE_TOP_K_H

#include "lib/base/workers.h"
#include "lib/engine/isa.h"
#include "lib/engine/view.h"

typedef struct ga__top_k_kernels {
    /* Indices of the k largest of x[0 .. n), ascending, into indices; returns how many there are (numbers that are not
     * NaN). scratch: k elements. [0] is for f32, bf16 and f16 (scratch of f32), [1] for f64. */
    int64_t (*select[2])(const void *x, ga__type type, int64_t n, int64_t k, int32_t *indices, void *scratch);
} ga__top_k_kernels;

/* A checked call; k is at least 1. count and values without data: not given, not wanted. */
typedef struct ga__top_k_call {
    ga__view x, count, indices, values;
    int64_t k;
} ga__top_k_call;
/* On the context's device. */
ga_status ga__top_k_on_device(ga_context *context, const ga__top_k_call *call);

extern const ga__top_k_kernels ga__top_k_scalar, ga__top_k_avx2, ga__top_k_avx512;

#endif
