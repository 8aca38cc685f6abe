/* learn.h - losses of rows of logits with their gradients, and steps of Adam, on floats. */
#ifndef GA_LIB_ENGINE_LEARN_H
#define GA_LIB_ENGINE_LEARN_H

#include <stdint.h>

/* One step of Adam on some numbers, with g = clip grad + l2 w:
 *   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  w = shrink w - rate m / (root sqrt v + eps).
 * rate = lr / (1 - beta1^t), root = 1 / sqrt(1 - beta2^t). */
typedef struct ga__adam {
    float beta1, rest1, beta2, rest2; /* rest = 1 - beta, rounded once */
    float rate, root, eps, clip, l2, shrink;
} ga__adam;

typedef struct ga__learn_kernels {
    /* ln sum exp x - x_label, from the exact maximum; NaN when a logit is. grad (may be NULL) = scale (softmax - one). */
    double (*cross_entropy)(const float *x, int64_t classes, int64_t label, float scale, float *grad);
    /* Sum over the classes of ln(1 + e^x) - t x, t 0 or 1; grad (may be NULL) = scale (sigmoid x - t). */
    double (*binary)(const float *x, const uint8_t *t, int64_t classes, float scale, float *grad);
    void (*adam)(const ga__adam *step, const float *grad, float *m, float *v, float *w, int64_t count);
    double (*squares)(const float *x, int64_t count); /* sum of x^2 */
} ga__learn_kernels;

extern const ga__learn_kernels ga__learn_scalar, ga__learn_avx2, ga__learn_avx512;

#endif
