/* units_body.h - the kernels of units.h in both precisions. */
#include "lib/engine/simd_f64.h"
#include "lib/engine/units/units.h"

/* v, or w where v is NaN or not larger (smaller). */
#define larger_f32(v, w) vf_max((v), (w))
#define smaller_f32(v, w) vf_min((v), (w))
GA__INLINE vd larger_f64(vd v, vd w)
{
    for (int i = 0; i < VD; i++) {
        w[i] = v[i] > w[i] ? v[i] : w[i];
    }
    return w;
}
GA__INLINE vd smaller_f64(vd v, vd w)
{
    for (int i = 0; i < VD; i++) {
        w[i] = v[i] < w[i] ? v[i] : w[i];
    }
    return w;
}

#define GA__REAL 32
#include "lib/engine/simd_real.h"

#include "lib/engine/units/units_loops.h"
#undef GA__REAL
#define GA__REAL 64
#include "lib/engine/simd_real.h"

#include "lib/engine/units/units_loops.h"

GA__INLINE void widen_typed(int64_t rows, int64_t columns, int64_t stride, const void *x, ga__type type,
                            float *out)
{
    for (int64_t r = 0; r < rows; r++, out += columns) {
        int64_t c = 0;
        for (; c + VF <= columns; c += VF) {
            vf_store(out + c, vf_loads(x, r * stride + c, type));
        }
        if (c < columns) {
            vf_store_n(out + c, vf_loads_n(x, r * stride + c, type, (int)(columns - c)), (int)(columns - c));
        }
    }
}

static void GA__NAME(widen)(int64_t rows, int64_t columns, int64_t stride, const void *x, ga__type type,
                            float *out)
{
    switch (type) {
    case GA__BF16: widen_typed(rows, columns, stride, x, GA__BF16, out); break;
    case GA__F16: widen_typed(rows, columns, stride, x, GA__F16, out); break;
    default: widen_typed(rows, columns, stride, x, GA__F32, out); break;
    }
}

static void GA__NAME(narrow)(int64_t count, const float *x, ga__type type, void *out)
{
    uint16_t *to = out;
    for (int64_t c = 0; c < count; c += VF) {
        int n = (int)ga__min(VF, count - c);
        if (type == GA__BF16) {
            vf_store_bf16_n(to + c, vf_load_n(x + c, n), n);
        } else {
            vf_store_f16_n(to + c, vf_load_n(x + c, n), n);
        }
    }
}

#define BOTH(x) \
    { \
        GA__NAME(x##_f32), GA__NAME(x##_f64) \
    }

const ga__units_kernels GA__NAME(ga__units) = {
    .add = BOTH(add),
    .bound = BOTH(bound),
    .dots = BOTH(dots),
    .dots_at = BOTH(dots_at),
    .widen = GA__NAME(widen),
    .narrow = GA__NAME(narrow),
    .most = BOTH(most),
};
