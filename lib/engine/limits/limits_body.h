/* limits_body.h - loops that do one thing as fast as it goes. */
#include "lib/engine/limits/limits.h"
#include "lib/engine/simd.h"

enum { AT_ONCE = 4 * VF, SUMS = 12, WIDE = 8 };

static float read_all(const float *a, int64_t from, int64_t to)
{
    vf sum[4] = { vf_zero(), vf_zero(), vf_zero(), vf_zero() };
    for (int64_t i = from; i < to; i += AT_ONCE) {
        for (int k = 0; k < 4; k++) {
            sum[k] = vf_add(sum[k], vf_load(a + i + k * VF));
        }
    }
    return vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3])));
}

static void copy_all(const float *a, float *b, int64_t from, int64_t to, bool streaming)
{
    if (streaming) {
        for (int64_t i = from; i < to; i += VF) {
            vf_stream(b + i, vf_load(a + i));
        }
        vf_fence();
        return;
    }
    for (int64_t i = from; i < to; i += AT_ONCE) {
        for (int k = 0; k < 4; k++) {
            vf_store(b + i + k * VF, vf_load(a + i + k * VF));
        }
        __asm__ volatile("" ::: "memory"); /* or it becomes a call of memcpy */
    }
}

static void triad_all(const float *a, const float *b, float *c, int64_t from, int64_t to, bool streaming)
{
    vf three = vf_set(3);
    if (streaming) {
        for (int64_t i = from; i < to; i += VF) {
            vf_stream(c + i, vf_fma(three, vf_load(b + i), vf_load(a + i)));
        }
        vf_fence();
        return;
    }
    for (int64_t i = from; i < to; i += VF) {
        vf_store(c + i, vf_fma(three, vf_load(b + i), vf_load(a + i)));
    }
}

/* Twelve sums: more than the latency of a product times the number of units. */
static float fma_all(int64_t rounds, double *operations)
{
    vf sum[SUMS], x = vf_set(0.999999f), y = vf_set(1e-9f);
#pragma GCC unroll 12
    for (int k = 0; k < SUMS; k++) {
        sum[k] = vf_set((float)k);
    }
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (int k = 0; k < SUMS; k++) {
            sum[k] = vf_fma(sum[k], x, y);
        }
        __asm__ volatile("" ::: "memory");
    }
#pragma GCC unroll 12
    for (int k = 1; k < SUMS; k++) {
        sum[0] = vf_add(sum[0], sum[k]);
    }
    *operations = 2.0 * SUMS * VF * (double)rounds;
    return vf_sum(sum[0]);
}

/* `vectors` of a row from column c on, a constant of every call. */
GA__INLINE void gather_tile(const ga_edges *edges, const float *x, float *y, int64_t width, int64_t ahead,
                            int64_t row, int vectors)
{
    vf sum[WIDE];
    for (int k = 0; k < vectors; k++) {
        sum[k] = vf_zero();
    }
    for (int64_t e = edges->offsets[row]; e < edges->offsets[row + 1]; e++) {
        const float *from = x + edges->sources[e] * width;
        if (ahead) {
            int64_t later = e + ahead < edges->count ? e + ahead : e;
            for (int k = 0; k < vectors * VF; k += 16) {
                __builtin_prefetch(x + edges->sources[later] * width + k);
            }
        }
        for (int k = 0; k < vectors; k++) {
            sum[k] = vf_add(sum[k], vf_load(from + k * VF));
        }
    }
    for (int k = 0; k < vectors; k++) {
        vf_store(y + row * width + k * VF, sum[k]);
    }
}

static void gather_all(const ga_edges *edges, const float *x, float *y, int64_t width, int64_t ahead,
                       int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        int64_t c = 0;
        for (; c + WIDE * VF <= width; c += WIDE * VF) {
            gather_tile(edges, x + c, y + c, width, ahead, i, WIDE);
        }
        for (; c + WIDE / 2 * VF <= width; c += WIDE / 2 * VF) {
            gather_tile(edges, x + c, y + c, width, ahead, i, WIDE / 2);
        }
        for (; c + VF <= width; c += VF) {
            gather_tile(edges, x + c, y + c, width, ahead, i, 1);
        }
        for (; c < width; c++) {
            float sum = 0;
            for (int64_t e = edges->offsets[i]; e < edges->offsets[i + 1]; e++) {
                sum += x[edges->sources[e] * width + c];
            }
            y[i * width + c] = sum;
        }
    }
}

const ga__limits_kernels GA__NAME(ga__limits) = { read_all, copy_all, triad_all, fma_all, gather_all };
