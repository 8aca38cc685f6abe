/* rowwise.h - passes over the rows of contiguous matrices, all of one element type: [0] f32, [1] f64. */
#ifndef GA_LIB_ENGINE_ROWWISE_H
#define GA_LIB_ENGINE_ROWWISE_H

#include "lib/engine/isa.h"
#include "lib/engine/view.h"

typedef struct ga__rowwise_kernels {
    /* y = a x + b y; y may hold anything when b is 0 */
    void (*combine[2])(int64_t count, double a, const void *x, double b, void *y);
    /* y += row in every row */
    void (*add_row[2])(int64_t rows, int64_t columns, const void *row, void *y);
    /* sums += the sum of the rows */
    void (*sum_rows[2])(int64_t rows, int64_t columns, const void *x, double *sums);
    double (*dot[2])(int64_t count, const void *a, const void *b);
    /* out_i = <a_i, b_i> */
    void (*row_dots[2])(int64_t rows, int64_t columns, const void *a, const void *b, double *out);
    /* out_i = f_i x_i + g_i y_i, plus out_i where add; y and g may be NULL, out may be x or y */
    void (*mix[2])(int64_t rows, int64_t columns, const void *f, const void *x, const void *g, const void *y,
                   bool add, void *out);
    /* y = the mean of the heads of o */
    void (*mean_heads[2])(int64_t rows, int64_t heads, int64_t width, const void *o, void *y);
    /* o = g / heads for every head */
    void (*share_heads[2])(int64_t rows, int64_t heads, int64_t width, const void *g, void *o);
    /* out_ih = <z_ih, a_h> + shift_h; shift may be NULL */
    void (*scores[2])(int64_t rows, int64_t heads, int64_t width, const void *z, const void *a,
                      const void *shift, void *out);
    /* y = x scale where the bit is set, else 0; bit 0 of bits[0] is the first; x NULL = 1 everywhere; y may be x */
    void (*drop[2])(int64_t count, const uint32_t *bits, double scale, const void *x, void *y);
    /* out = g where value > 0, else g times 0 or, of elu, value + 1; out may be g or value */
    void (*slope[2])(int64_t count, bool elu, const void *value, const void *g, void *out);
    /* y = x where x > 0 or NaN, else 0; y may be x */
    void (*relu[2])(int64_t count, const void *x, void *y);
} ga__rowwise_kernels;

extern const ga__rowwise_kernels ga__rowwise_scalar, ga__rowwise_avx2, ga__rowwise_avx512;

#endif
