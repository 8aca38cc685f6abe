/* simd_real.h - one body for both precisions: with GA__REAL 32 or 64 defined, `real` is float or double and vr_ names
 * are simd.h's vf_ or simd_f64.h's vd_. Included again for each precision; GA__REALNAME(x) gives functions a suffix. */
#include "lib/engine/simd_f64.h"

#undef real
#undef vr
#undef VR
#undef GA__REALNAME
#undef vr_zero
#undef vr_set
#undef vr_load
#undef vr_store
#undef vr_load_n
#undef vr_store_n
#undef vr_stream
#undef vr_add
#undef vr_mul
#undef vr_fma
#undef vr_sum

#if GA__REAL == 64
#define real double
#define vr vd
#define VR VD
#define GA__REALNAME(x) GA__NAME(x##_f64)
#define vr_zero() vd_zero()
#define vr_set(x) vd_set(x)
#define vr_load(p) vd_load(p)
#define vr_store(p, v) vd_store((p), (v))
#define vr_load_n(p, n) vd_load_n((p), (n))
#define vr_store_n(p, v, n) vd_store_n((p), (v), (n))
#define vr_stream(p, v) vd_stream((p), (v))
#define vr_add(a, b) vd_add((a), (b))
#define vr_mul(a, b) vd_mul((a), (b))
#define vr_fma(a, b, c) vd_fma((a), (b), (c))
#define vr_sum(v) vd_sum(v)
#else
#define real float
#define vr vf
#define VR VF
#define GA__REALNAME(x) GA__NAME(x##_f32)
#define vr_zero() vf_zero()
#define vr_set(x) vf_set(x)
#define vr_load(p) vf_load(p)
#define vr_store(p, v) vf_store((p), (v))
#define vr_load_n(p, n) vf_load_n((p), (n))
#define vr_store_n(p, v, n) vf_store_n((p), (v), (n))
#define vr_stream(p, v) vf_stream((p), (v))
#define vr_add(a, b) vf_add((a), (b))
#define vr_mul(a, b) vf_mul((a), (b))
#define vr_fma(a, b, c) vf_fma((a), (b), (c))
#define vr_sum(v) vf_sum(v)
#endif
