/* sddmm.h - dots of rows along edges, for ga_sddmm and the gradients of weights. Ids are not checked (spmm.h). */
#ifndef GA_LIB_ENGINE_SDDMM_H
#define GA_LIB_ENGINE_SDDMM_H

#include "lib/engine/spmm/spmm.h"

/* s[e][h] = c_i <a_i[h], b_s(e)[h]>, i the target of e, c_i = 1 or 1 / n_i. f64 when a and b are; else in single
 * precision. s: (count, heads), contiguous, f32 or f64. */
typedef struct ga__dots {
    const ga_edges *edges;
    int64_t heads, width;
    const ga__view *a, *b;
    bool mean;
    const ga__view *s;
    /* On devices alone, of one head: columns count where chosen, (targets, width), is the edge; NULL = everywhere. */
    const ga__view *chosen;
} ga__dots;

ga_status ga__dots_run(ga_context *context, const ga__dots *dots);
/* The part of it that runs on a device. */
ga_status ga__dots_on_device(ga_context *context, const ga__dots *dots, const ga__split *split);

typedef struct ga__dots_kernels {
    /* scratch: heads * width elements. */
    void (*dots[2])(const ga__dots *dots, const ga__piece *piece, void *scratch);
} ga__dots_kernels; /* [0] f32, [1] f64 */

extern const ga__dots_kernels ga__dots_scalar, ga__dots_avx2, ga__dots_avx512;

#endif
