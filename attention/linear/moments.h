/* moments.h - linear attention without a row sum that reads four moments of the keys (inline, mala).
 *
 * With phi the features, phi~ the rotated ones (phi without rotation), and sums over the visible keys: S = sum phi~ v',
 * k1 = sum phi, v1 = sum v, n. One scan over keys [phi~, 1] and values [v, 1] has all of them in its state; queries
 * [phi~(q), 0] read phi~(q) S and phi(q) k1, and one query [0, 1] for all heads of a group reads v1 and n. With rotation
 * the keys are [phi~, phi, 1] and a further query [0, phi(q), 0] reads phi(q) k1. */
#ifndef GA_ATTENTION_MOMENTS_H
#define GA_ATTENTION_MOMENTS_H

#include "attention/linear/rows.h"

/* What a row is made of: a = phi~(q) S, z = phi(q) k1. */
typedef struct ga__moments_row {
    double z, n, scale; /* c = scale / n or 1 */
    double c;
    int64_t e;
    const double *a, *v1;
} ga__moments_row;

/* The formula of a variant. */
typedef struct ga__moments_form {
    /* o = factor_a a + factor_v v1 */
    void (*factors)(const ga__moments_row *row, double eps, double *factor_a, double *factor_v);
    /* d z from <a, do> and <v1, do>; the gradients of a and v1 are factors times do. */
    double (*grad_z)(const ga__moments_row *row, double eps, double along_a, double along_v);
} ga__moments_form;

/* Features, steps and state. width: X of the token grid when the features are rotated, else 0. */
ga_status ga__moments_plan(ga__job *run, const ga__moments_form *form, ga__feature feature, double gain,
                           double eps, int64_t width);
/* For ops. */
ga_status ga__moments_state(ga__job *run, DLTensor **state);
ga_status ga__moments_map(ga__job *run, DLTensor *map);

/* Y, X of the parameter "shape"; their product must be tokens. */
ga_status ga__image_shape(ga__job *run, int64_t tokens, int64_t shape[2]);
/* Behind the engine: adds the depthwise convolution of v, seen as an image behind the first `prefix` tokens, by the
 * kernels in a slot (1 or B, H e, size, size) and the bias (H e) in another, -1 = none. Needs as many heads in v as in
 * q. */
ga_status ga__image_step(ga__job *run, int kernel, int bias, int64_t prefix);

#endif
