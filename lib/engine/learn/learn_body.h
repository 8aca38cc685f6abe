/* learn_body.h - losses and steps, one body for all instruction sets. */
#include "lib/engine/learn/learn.h"
#include "lib/engine/simd.h"

/* Lanes of a row's vector that begins at i. */
GA__INLINE int lanes(int64_t i, int64_t count)
{
    return count - i < VF ? (int)(count - i) : VF;
}

GA__INLINE float largest(const float *x, int64_t count)
{
    vf most = vf_set(-INFINITY);
    for (int64_t i = 0; i < count; i += VF) {
        int n = lanes(i, count);
        most = vf_pick(vm_first(n), vf_max(vf_load_n(x + i, n), most), most);
    }
    return vf_most(most);
}

static double cross_entropy(const float *x, int64_t classes, int64_t label, float scale, float *grad)
{
    float most = largest(x, classes);
    vf sums = vf_zero();
    for (int64_t i = 0; i < classes; i += VF) {
        int n = lanes(i, classes);
        vf e = vf_exp(vf_sub(vf_load_n(x + i, n), vf_set(most)));
        sums = vf_add(sums, vf_pick(vm_first(n), e, vf_zero()));
        if (grad) {
            vf_store_n(grad + i, e, n);
        }
    }
    double sum = (double)vf_sum(sums), loss = log(sum) - ((double)x[label] - (double)most);
    if (grad) {
        vf factor = vf_set((float)((double)scale / sum));
        for (int64_t i = 0; i < classes; i += VF) {
            int n = lanes(i, classes);
            vf_store_n(grad + i, vf_mul(factor, vf_load_n(grad + i, n)), n);
        }
        grad[label] -= scale;
    }
    return loss;
}

static double binary(const float *x, const uint8_t *t, int64_t classes, float scale, float *grad)
{
    double loss = 0;
    for (int64_t i = 0; i < classes; i += VF) {
        int n = lanes(i, classes);
        float target[VF] = { 0 };
        for (int k = 0; k < n; k++) {
            target[k] = t[i + k];
        }
        vf at = vf_load_n(x + i, n), wanted = vf_load(target);
        vf each = vf_fnma(wanted, at, vf_softplus(at));
        loss += (double)vf_sum(vf_pick(vm_first(n), each, vf_zero()));
        if (grad) {
            vf_store_n(grad + i, vf_mul(vf_set(scale), vf_sub(vf_sigmoid(at), wanted)), n);
        }
    }
    return loss;
}

static void adam(const ga__adam *step, const float *grad, float *m, float *v, float *w, int64_t count)
{
    const vf beta1 = vf_set(step->beta1), beta2 = vf_set(step->beta2), rate = vf_set(step->rate),
             root = vf_set(step->root), eps = vf_set(step->eps), clip = vf_set(step->clip),
             l2 = vf_set(step->l2), shrink = vf_set(step->shrink), rest1 = vf_set(step->rest1),
             rest2 = vf_set(step->rest2);
    for (int64_t i = 0; i < count; i += VF) {
        int n = lanes(i, count);
        vf at = vf_load_n(w + i, n);
        vf g = vf_fma(clip, vf_load_n(grad + i, n), vf_mul(l2, at));
        vf first = vf_fma(beta1, vf_load_n(m + i, n), vf_mul(rest1, g));
        vf second = vf_fma(beta2, vf_load_n(v + i, n), vf_mul(rest2, vf_mul(g, g)));
        vf by = vf_fma(root, vf_sqrt(second), eps);
        vf_store_n(m + i, first, n);
        vf_store_n(v + i, second, n);
        vf_store_n(w + i, vf_sub(vf_mul(shrink, at), vf_div(vf_mul(rate, first), by)), n);
    }
}

static double squares(const float *x, int64_t count)
{
    enum { PIECE = 16 * VF };
    double sum = 0;
    for (int64_t from = 0; from < count; from += PIECE) {
        int64_t size = count - from < PIECE ? count - from : PIECE;
        vf part = vf_zero();
        for (int64_t i = 0; i < size; i += VF) {
            vf at = vf_load_n(x + from + i, lanes(i, size));
            part = vf_fma(at, at, part);
        }
        sum += (double)vf_sum(part);
    }
    return sum;
}

const ga__learn_kernels GA__NAME(ga__learn) = { cross_entropy, binary, adam, squares };
