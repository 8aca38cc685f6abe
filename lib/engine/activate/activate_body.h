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

const ga__activate_kernels GA__NAME(ga__activate) = { elu };
