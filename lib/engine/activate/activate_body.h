/* activate_body.h - activations, one body for all instruction sets. */
#include "lib/engine/activate/activate.h"
#include "lib/engine/simd.h"

GA__INLINE vf elu_of(vf x)
{
    return vf_pick(vm_gt(x, vf_zero()), x, vf_sub(vf_exp(x), vf_set(1)));
}

static void elu(float *y, int64_t count)
{
    int64_t i = 0;
    for (; i + VF <= count; i += VF) {
        vf_store(y + i, elu_of(vf_load(y + i)));
    }
    if (i < count) {
        int left = (int)(count - i);
        vf_store_n(y + i, elu_of(vf_load_n(y + i, left)), left);
    }
}

GA__INLINE vf load_some(const float *x, int64_t i, int64_t count)
{
    return count - i >= VF ? vf_load(x + i) : vf_load_n(x + i, (int)(count - i));
}

GA__INLINE void store_some(float *y, int64_t i, int64_t count, vf v)
{
    if (count - i >= VF) {
        vf_store(y + i, v);
    } else {
        vf_store_n(y + i, v, (int)(count - i));
    }
}

static void elu1(const float *x, float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i += VF) {
        vf v = load_some(x, i, count);
        store_some(y, i, count, vf_pick(vm_gt(v, vf_zero()), vf_add(v, vf_set(1)), vf_exp(v)));
    }
}

static void silu(const float *x, float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i += VF) {
        vf v = load_some(x, i, count);
        store_some(y, i, count, vf_mul(v, vf_sigmoid(v)));
    }
}

static void exponential(float gain, const float *x, float *y, int64_t count)
{
    vf g = vf_set(gain);
    for (int64_t i = 0; i < count; i += VF) {
        store_some(y, i, count, vf_exp(vf_mul(g, load_some(x, i, count))));
    }
}

static bool unit(const float *x, float *y, int64_t count)
{
    vf sum = vf_zero(), most = vf_zero();
    for (int64_t i = 0; i < count; i += VF) {
        vf v = load_some(x, i, count);
        most = vf_max(vf_abs(v), most);
        sum = vf_fma(v, v, sum);
    }
    float largest = vf_most(most);
    if (!(largest > 1e-15f && largest < 1e15f) || count > 1 << 24) {
        return false;
    }
    vf inverse = vf_set(1 / sqrtf(vf_sum(sum)));
    for (int64_t i = 0; i < count; i += VF) {
        store_some(y, i, count, vf_mul(inverse, load_some(x, i, count)));
    }
    return true;
}

const ga__activate_kernels GA__NAME(ga__activate) = { elu, elu1, silu, exponential, unit };
