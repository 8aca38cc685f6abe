/* activate.h - activations of floats that need an exponential. */
#ifndef GA_LIB_ENGINE_ACTIVATE_H
#define GA_LIB_ENGINE_ACTIVATE_H

#include <stdint.h>

typedef struct ga__activate_kernels {
    /* In place: y, or e^y - 1 where y is not above 0; absolute error below 2e-7. NaN stays. */
    void (*elu)(float *y, int64_t count);
} ga__activate_kernels;

extern const ga__activate_kernels ga__activate_scalar, ga__activate_avx2, ga__activate_avx512;

#endif
