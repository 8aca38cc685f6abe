/* simd_scalar.h - simd.h's names in plain C, four lanes. */
#ifndef GA_LIB_ENGINE_SIMD_SCALAR_H
#define GA_LIB_ENGINE_SIMD_SCALAR_H

#define VF 4
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vm __attribute__((vector_size(16))); /* -1 or 0 */

#define vf_zero() ((vf){ 0, 0, 0, 0 })
GA__INLINE vf vf_set(float x)
{
    return (vf){ x, x, x, x };
}
GA__INLINE vf vf_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
GA__INLINE void vf_store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}
#define vf_stream(p, v) vf_store((p), (v))
#define vf_fence() ((void)0)
GA__INLINE vf vf_load_n(const float *p, int n)
{
    vf v = vf_zero();
    for (int i = 0; i < n; i++) {
        v[i] = p[i];
    }
    return v;
}
GA__INLINE void vf_store_n(float *p, vf v, int n)
{
    for (int i = 0; i < n; i++) {
        p[i] = v[i];
    }
}
#define vf_add(a, b) ((a) + (b))
#define vf_sub(a, b) ((a) - (b))
#define vf_mul(a, b) ((a) * (b))
#define vf_div(a, b) ((a) / (b))
#define vf_fma(a, b, c) ((a) * (b) + (c))
#define vf_fnma(a, b, c) ((c) - (a) * (b))
#define vm_gt(a, b) ((vm)((a) > (b)))
#define vm_ge(a, b) ((vm)((a) >= (b)))
#define vm_eq(a, b) ((vm)((a) == (b)))
#define vm_and(a, b) ((a) & (b))
#define vm_not(a) (~(a))
GA__INLINE vf vf_pick(vm m, vf a, vf b)
{
    return (vf)((m & (vm)a) | (~m & (vm)b));
}
GA__INLINE vf vf_max(vf a, vf b)
{
    return vf_pick(vm_gt(a, b), a, b);
}
GA__INLINE vf vf_min(vf a, vf b)
{
    return vf_pick(vm_gt(b, a), a, b);
}
GA__INLINE vf vf_abs(vf a)
{
    return (vf)((vm)a & 0x7fffffff);
}
GA__INLINE vf vf_sqrt(vf a)
{
    return (vf){ sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3]) };
}
/* Adding 2^23 leaves no bits behind the point; from there on all numbers are integers. */
GA__INLINE vf vf_round(vf a)
{
    vf size = vf_abs(a), r = (size + 8388608.0f) - 8388608.0f;
    r = (vf)((vm)r | ((vm)a & INT32_MIN));
    return vf_pick(vm_gt(vf_set(8388608.0f), size), r, a);
}
GA__INLINE vf vf_ldexp(vf v, vf n)
{
    for (int i = 0; i < VF; i++) {
        float far = n[i] > 400 ? 400 : n[i] < -400 ? -400 : n[i];
        v[i] = far == far ? ldexpf(v[i], (int)far) : far;
    }
    return v;
}
GA__INLINE vm vm_first(int n)
{
    return (vm){ -(0 < n), -(1 < n), -(2 < n), -(3 < n) };
}
GA__INLINE vm vm_bits(uint32_t w)
{
    return (vm){ -(int)(w & 1), -(int)(w >> 1 & 1), -(int)(w >> 2 & 1), -(int)(w >> 3 & 1) };
}
GA__INLINE uint32_t vm_to_bits(vm m)
{
    return (uint32_t)((m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8));
}
GA__INLINE float vf_sum(vf v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}
GA__INLINE float vf_most(vf v)
{
    float a = v[0] > v[2] ? v[0] : v[2], b = v[1] > v[3] ? v[1] : v[3];
    return a > b ? a : b;
}
GA__INLINE vf vf_load_bf16_n(const uint16_t *p, int n)
{
    vf v = vf_zero();
    for (int i = 0; i < n; i++) {
        v[i] = ga__from_bf16(p[i]);
    }
    return v;
}
GA__INLINE vf vf_load_f16_n(const uint16_t *p, int n)
{
    vf v = vf_zero();
    for (int i = 0; i < n; i++) {
        v[i] = ga__from_f16(p[i]);
    }
    return v;
}
GA__INLINE void vf_store_bf16_n(uint16_t *p, vf v, int n)
{
    for (int i = 0; i < n; i++) {
        p[i] = ga__to_bf16(v[i]);
    }
}
GA__INLINE void vf_store_f16_n(uint16_t *p, vf v, int n)
{
    for (int i = 0; i < n; i++) {
        p[i] = ga__to_f16(v[i]);
    }
}
#define vf_load_bf16(p) vf_load_bf16_n((p), VF)
#define vf_load_f16(p) vf_load_f16_n((p), VF)
#define vf_store_bf16(p, v) vf_store_bf16_n((p), (v), VF)
#define vf_store_f16(p, v) vf_store_f16_n((p), (v), VF)

#endif
