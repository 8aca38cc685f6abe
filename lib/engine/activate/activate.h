/* activate.h - activations of floats that need an exponential. */
#ifndef GA_LIB_ENGINE_ACTIVATE_H
#define GA_LIB_ENGINE_ACTIVATE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ga__activate_kernels {
    /* In place: y, or e^y - 1 where y is not above 0; absolute error below 2e-7. NaN stays. */
    void (*elu)(float *y, int64_t count);
    /* y = x + 1, or e^x where x is not above 0; x / (1 + e^-x); e^(gain x). Relative error below 4e-7; y may be x. */
    void (*elu1)(const float *x, float *y, int64_t count);
    void (*silu)(const float *x, float *y, int64_t count);
    void (*exponential)(float gain, const float *x, float *y, int64_t count);
    /* y = x / |x|; false, and nothing written, where squares of x might leave the range of a float. NaN anywhere gives NaN
     * everywhere. */
    bool (*unit)(const float *x, float *y, int64_t count);
} ga__activate_kernels;

extern const ga__activate_kernels ga__activate_scalar, ga__activate_avx2, ga__activate_avx512;

#endif
