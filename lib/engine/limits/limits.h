/* limits.h - what this machine can do at best, measured with the context's threads and instruction set: best of several
 * repetitions. What a kernel reaches is to be compared with these in the same process.
 */
#ifndef GA_LIB_ENGINE_LIMITS_H
#define GA_LIB_ENGINE_LIMITS_H

#include <graphattn/engine.h>

/* Memory: bytes of one array, far more than the caches hold; counted as read once and written once (what a store reads
 * to fill a cache line is not). streaming: stores past the caches. */
ga_status ga__limit_read(ga_context *context, int64_t bytes, double *bytes_per_second);
ga_status ga__limit_copy(ga_context *context, int64_t bytes, bool streaming, double *bytes_per_second);
/* c = a + 3 b */
ga_status ga__limit_triad(ga_context *context, int64_t bytes, bool streaming, double *bytes_per_second);

/* Multiplications and additions of f32, two for a fused one. */
ga_status ga__limit_fma(ga_context *context, double *operations_per_second);
/* Of dot products of bf16, accumulated in f32; GA_UNSUPPORTED (a message) without instructions for them. */
ga_status ga__limit_bf16(ga_context *context, double *operations_per_second);

/* Rows of `width` floats gathered and summed for every target, with nothing else to do: 4 width count / time. */
ga_status ga__limit_gather(ga_context *context, const ga_edges *edges, int64_t width,
                           double *bytes_per_second);

typedef struct ga__limits_kernels {
    /* [from, to) in elements, multiples of 64 */
    float (*read)(const float *a, int64_t from, int64_t to);
    void (*copy)(const float *a, float *b, int64_t from, int64_t to, bool streaming);
    void (*triad)(const float *a, const float *b, float *c, int64_t from, int64_t to, bool streaming);
    /* Returns a number that depends on all of it; *operations is what it did. */
    float (*fma)(int64_t rounds, double *operations);
    /* Rows [from, to) of y; x (sources, width); rows of x are fetched so many edges ahead, 0 = not. */
    void (*gather)(const ga_edges *edges, const float *x, float *y, int64_t width, int64_t ahead,
                   int64_t from, int64_t to);
} ga__limits_kernels;

extern const ga__limits_kernels ga__limits_scalar, ga__limits_avx2, ga__limits_avx512;

#endif
