/* units.h - summaries of units of keys, and queries scored against them.
 *
 * A unit is a few keys that follow each other. Its summary is one row: the sum of its keys (columns numbers), or its
 * bounds, the largest value of every channel and behind them the smallest (2 columns numbers). With the query written as
 * [max(q, 0), min(q, 0)] Quest's bound sum_c max(q_c m_c, q_c M_c) is a dot product with the latter; a mean is a sum that
 * the caller divides.
 */
#ifndef GA_LIB_ENGINE_UNITS_H
#define GA_LIB_ENGINE_UNITS_H

#include "lib/engine/isa.h"
#include "lib/engine/view.h"

typedef struct ga__units_kernels {
    /* [0] f32 from f32, bf16 or f16; [1] f64 from f64. Rows of x, `stride` elements apart, are taken into one summary, in
     * their order: the same bits for any cut of the rows into calls. The bounds pass over NaN. */
    void (*add[2])(int64_t rows, int64_t columns, int64_t stride, const void *x, ga__type type, void *sums);
    void (*bound[2])(int64_t rows, int64_t columns, int64_t stride, const void *x, ga__type type,
                     void *bounds);
    /* out[i * ld + u] = <a_i, x_u>, i < rows, u < units; all of one type, rows of a and x one behind the other. x is read
     * once for all rows; each number has the same bits for any rows and units. */
    void (*dots[2])(int64_t rows, int64_t units, int64_t columns, const void *a, const void *x, void *out,
                    int64_t ld);
    /* The same, same bits, for rows of x where they lie: f32, bf16 or f16 by `type` in [0], f64 in [1]. */
    void (*dots_at[2])(int64_t rows, int64_t units, int64_t columns, const void *a, const void *const *x,
                       ga__type type, void *out, int64_t ld);
    /* out = x as f32, rows one behind the other, from rows of f32, bf16 or f16 that are `stride` elements apart. */
    void (*widen)(int64_t rows, int64_t columns, int64_t stride, const void *x, ga__type type, float *out);
    /* The way back for `count` numbers, to bf16 or f16, to nearest even. */
    void (*narrow)(int64_t count, const float *x, ga__type type, void *out);
    /* most_j = max(most_j, x_j); NaN of x is passed over. */
    void (*most[2])(int64_t count, const void *x, void *most);
} ga__units_kernels;

extern const ga__units_kernels ga__units_scalar, ga__units_avx2, ga__units_avx512;

#endif
