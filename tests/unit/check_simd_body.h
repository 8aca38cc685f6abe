/* check_simd_body.h - fills a simd_probe; included by check_simd_scalar.c, check_simd_avx2.c and check_simd_avx512.c. */
#include "lib/engine/simd_f64.h"
#include "tests/unit/check_simd.h"

static void unary(simd_unary which, const float *x, float *y)
{
    vf v = vf_load(x);
    switch (which) {
    case SIMD_EXP2: v = vf_exp2(v); break;
    case SIMD_EXP: v = vf_exp(v); break;
    case SIMD_SIGMOID: v = vf_sigmoid(v); break;
    case SIMD_SOFTPLUS: v = vf_softplus(v); break;
    case SIMD_TANH: v = vf_tanh(v); break;
    case SIMD_LOG1P: v = vf_log1p_unit(v); break;
    case SIMD_ROUND: v = vf_round(v); break;
    case SIMD_ABS: v = vf_abs(v); break;
    case SIMD_SQRT: v = vf_sqrt(v); break;
    case SIMD_UNARY: break;
    }
    vf_store(y, v);
}

static void binary(simd_binary which, const float *a, const float *b, float *y)
{
    vf v = vf_load(a), w = vf_load(b);
    switch (which) {
    case SIMD_ADD: v = vf_add(v, w); break;
    case SIMD_SUB: v = vf_sub(v, w); break;
    case SIMD_MUL: v = vf_mul(v, w); break;
    case SIMD_DIV: v = vf_div(v, w); break;
    case SIMD_MIN: v = vf_min(v, w); break;
    case SIMD_MAX: v = vf_max(v, w); break;
    case SIMD_LDEXP: v = vf_ldexp(v, w); break;
    case SIMD_BINARY: break;
    }
    vf_store(y, v);
}

static void fused(int minus, const float *a, const float *b, const float *c, float *y)
{
    vf u = vf_load(a), v = vf_load(b), w = vf_load(c);
    vf_store(y, minus ? vf_fnma(u, v, w) : vf_fma(u, v, w));
}

static uint32_t compare(int which, const float *a, const float *b)
{
    vf v = vf_load(a), w = vf_load(b);
    return which == 0   ? vm_to_bits(vm_gt(v, w))
           : which == 1 ? vm_to_bits(vm_ge(v, w))
                        : vm_to_bits(vm_eq(v, w));
}

static uint32_t mask(int which, uint32_t w, uint32_t v)
{
    switch (which) {
    case 0: return vm_to_bits(vm_first((int)w));
    case 1: return vm_to_bits(vm_bits(w));
    case 2: return vm_to_bits(vm_and(vm_bits(w), vm_bits(v)));
    default: return vm_to_bits(vm_not(vm_bits(w)));
    }
}

static void pick(uint32_t w, const float *a, const float *b, float *y)
{
    vf_store(y, vf_pick(vm_bits(w), vf_load(a), vf_load(b)));
}

static float reduce(int most, const float *x)
{
    return most ? vf_most(vf_load(x)) : vf_sum(vf_load(x));
}

static void load(simd_format format, const void *p, int n, void *y)
{
    static const ga__type types[] = { GA__F32, GA__BF16, GA__F16 };
    if (format == SIMD_F64) {
        vd_store(y, n < 0 ? vd_load(p) : vd_load_n((const double *)p, n));
    } else if (n == -2) {
        vf_store(y, vf_loads(p, 0, types[format]));
    } else if (format == SIMD_F32) {
        vf_store(y, n < 0 ? vf_load((const float *)p) : vf_load_n((const float *)p, n));
    } else if (format == SIMD_BF16) {
        vf_store(y, n < 0 ? vf_load_bf16((const uint16_t *)p) : vf_loads_n(p, 0, GA__BF16, n));
    } else {
        vf_store(y, n < 0 ? vf_load_f16((const uint16_t *)p) : vf_loads_n(p, 0, GA__F16, n));
    }
}

static void store(simd_format format, void *p, const void *x, int n)
{
    if (format == SIMD_F64) {
        if (n == -2) {
            vd_stream((double *)p, vd_load(x));
        } else if (n < 0) {
            vd_store(p, vd_load(x));
        } else {
            vd_store_n((double *)p, vd_load(x), n);
        }
        return;
    }
    vf v = vf_load((const float *)x);
    if (format == SIMD_F32) {
        if (n == -2) {
            vf_stream((float *)p, v);
            vf_fence();
        } else if (n < 0) {
            vf_store((float *)p, v);
        } else {
            vf_store_n((float *)p, v, n);
        }
    } else if (format == SIMD_BF16) {
        if (n < 0) {
            vf_store_bf16((uint16_t *)p, v);
        } else {
            vf_store_bf16_n((uint16_t *)p, v, n);
        }
    } else if (n < 0) {
        vf_store_f16((uint16_t *)p, v);
    } else {
        vf_store_f16_n((uint16_t *)p, v, n);
    }
}

static double sum_f64(const double *a, const double *b, double factor)
{
    vd v = vd_fma(vd_set(factor), vd_load(a), vd_mul(vd_load(a), vd_load(b)));
    return vd_sum(vd_add(v, vd_zero()));
}

#define PROBE_NAME(x) GA__NAME(x)
const simd_probe PROBE_NAME(simd_probe) = {
    PROBE_ISA, VF, unary, binary, fused, compare, mask, pick, reduce, load, store, sum_f64,
};
