/* check_simd.h - the vectors of one instruction set, behind plain pointers. */
#ifndef TESTS_CHECK_SIMD_H
#define TESTS_CHECK_SIMD_H

#include <stdint.h>

enum { SIMD_MOST = 16 }; /* lanes of the widest vector */

typedef enum simd_unary {
    SIMD_EXP2,
    SIMD_EXP,
    SIMD_SIGMOID,
    SIMD_SOFTPLUS,
    SIMD_TANH,
    SIMD_LOG1P,
    SIMD_ROUND,
    SIMD_ABS,
    SIMD_SQRT,
    SIMD_UNARY
} simd_unary;

typedef enum simd_binary {
    SIMD_ADD,
    SIMD_SUB,
    SIMD_MUL,
    SIMD_DIV,
    SIMD_MIN,
    SIMD_MAX,
    SIMD_LDEXP,
    SIMD_BINARY
} simd_binary;

typedef enum simd_format { SIMD_F32, SIMD_BF16, SIMD_F16, SIMD_F64 } simd_format;

typedef struct simd_probe {
    const char *name;
    int lanes;
    void (*unary)(simd_unary which, const float *x, float *y);
    void (*binary)(simd_binary which, const float *a, const float *b, float *y);
    void (*fused)(int minus, const float *a, const float *b, const float *c, float *y);
    /* gt, ge, eq */
    uint32_t (*compare)(int which, const float *a, const float *b);
    /* first n; bits w; w and v; not w */
    uint32_t (*mask)(int which, uint32_t w, uint32_t v);
    void (*pick)(uint32_t w, const float *a, const float *b, float *y);
    float (*reduce)(int most, const float *x);
    /* n < 0: the whole vector, n = -2: by vf_loads, past the caches for f32 stores. f64 has lanes / 2 of them. */
    void (*load)(simd_format format, const void *p, int n, void *y);
    void (*store)(simd_format format, void *p, const void *x, int n);
    double (*sum_f64)(const double *a, const double *b, double factor);
} simd_probe;

extern const simd_probe simd_probe_scalar, simd_probe_avx2, simd_probe_avx512;

#endif
