/* merge.h - the kernel of ga_merge. */
#ifndef GA_LIB_ENGINE_MERGE_H
#define GA_LIB_ENGINE_MERGE_H

#include "lib/base/workers.h"
#include "lib/engine/isa.h"
#include "lib/engine/view.h"

typedef struct ga__merge_kernels {
    /* o[c] = w_a a[c] + w_b b[c] in single precision; types other than f64; o may be a or b. */
    void (*mix)(int64_t width, float w_a, const void *a, ga__type type_a, float w_b, const void *b,
                ga__type type_b, void *o, ga__type type_o);
} ga__merge_kernels;

/* A checked call: two results with o (B, H, N, e) and lse (1, B, H, N), or parts of one with o (1, P, N, e) and lse
 * (1, P, N, 1). */
typedef struct ga__merge_call {
    bool pair;
    ga__view o[2], lse[2], to_o, to_lse; /* to_lse without data: not wanted */
} ga__merge_call;
/* On the context's device. */
ga_status ga__merge_on_device(ga_context *context, const ga__merge_call *call);

extern const ga__merge_kernels ga__merge_scalar, ga__merge_avx2, ga__merge_avx512;

#endif
