/* edge_vectors.h - what the passes over edges do with vectors: sums of pairs of rows, sums of weighted rows. */
#ifndef GA_LIB_ENGINE_EDGE_VECTORS_H
#define GA_LIB_ENGINE_EDGE_VECTORS_H

#include "lib/engine/edge_attention/edge.h"
#include "lib/engine/normaliser.h"

enum { EB = GA__EDGE_BLOCK };

/* vf_sums: lane e of the result is the sum of v[e]. vf_sum_same: the sum of one, in the order of vf_sums, so that an edge
 * gets the same score whichever way it is computed. */
#if GA__ISA == 512
GA__INLINE float vf_sum_same(vf v)
{
    v = vf_add(v, _mm512_permute_ps(v, 0x4e));
    v = vf_add(v, _mm512_permute_ps(v, 0xb1));
    v = vf_add(v, _mm512_shuffle_f32x4(v, v, 0x4e));
    return _mm512_cvtss_f32(vf_add(v, _mm512_shuffle_f32x4(v, v, 0xb1)));
}
/* Lane k of every four: the sum of four lanes of the k-th. */
GA__INLINE vf vf_quad(vf p, vf q, vf r, vf s)
{
    vf a = vf_add(_mm512_unpacklo_ps(p, q), _mm512_unpackhi_ps(p, q));
    vf b = vf_add(_mm512_unpacklo_ps(r, s), _mm512_unpackhi_ps(r, s));
    __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
    return vf_add(_mm512_castpd_ps(_mm512_unpacklo_pd(c, d)), _mm512_castpd_ps(_mm512_unpackhi_pd(c, d)));
}
GA__INLINE vf vf_quads(const vf four[VF / 4])
{
    vf a = vf_add(_mm512_shuffle_f32x4(four[0], four[1], 0x44), _mm512_shuffle_f32x4(four[0], four[1], 0xee));
    vf b = vf_add(_mm512_shuffle_f32x4(four[2], four[3], 0x44), _mm512_shuffle_f32x4(four[2], four[3], 0xee));
    return vf_add(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}
#elif GA__ISA == 2
GA__INLINE float vf_sum_same(vf v)
{
    v = _mm256_hadd_ps(v, v);
    v = _mm256_hadd_ps(v, v);
    return _mm_cvtss_f32(_mm_add_ss(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
}
GA__INLINE vf vf_quad(vf p, vf q, vf r, vf s)
{
    return _mm256_hadd_ps(_mm256_hadd_ps(p, q), _mm256_hadd_ps(r, s));
}
GA__INLINE vf vf_quads(const vf two[VF / 4])
{
    return vf_add(_mm256_permute2f128_ps(two[0], two[1], 0x20), _mm256_permute2f128_ps(two[0], two[1], 0x31));
}
#else
GA__INLINE float vf_sum_same(vf v)
{
    return vf_sum(v);
}
GA__INLINE vf vf_quad(vf p, vf q, vf r, vf s)
{
    return (vf){ vf_sum(p), vf_sum(q), vf_sum(r), vf_sum(s) };
}
GA__INLINE vf vf_quads(const vf one[VF / 4])
{
    return one[0];
}
#endif
GA__INLINE vf vf_sums(const vf v[VF])
{
    vf quads[VF / 4];
    for (int i = 0; i < VF / 4; i++) {
        quads[i] = vf_quad(v[4 * i], v[4 * i + 1], v[4 * i + 2], v[4 * i + 3]);
    }
    return vf_quads(quads);
}

/* The lanes of group g of a block that stand for its first n edges. */
GA__INLINE vm block_lanes(int n, int g)
{
    int left = n - g * VF;
    return vm_first(left < 0 ? 0 : left > VF ? VF : left);
}

/* own: the row of the target or source; t: scales of the other rows. */
typedef enum pair_op {
    PAIR_DOT,     /* sum of x o */
    PAIR_GATV2,   /* sum of att leaky(x + o) */
    PAIR_DISTANCE /* sum of (t o - x)^2 */
} pair_op;

GA__INLINE vf leaky(vf u, vf slope)
{
    return vf_mul(u, vf_pick(vm_gt(u, vf_zero()), vf_set(1), slope));
}

GA__INLINE vf pair_term(pair_op op, vf sum, vf x, vf o, vf att, vf slope, vf t)
{
    if (op == PAIR_DOT) {
        return vf_fma(x, o, sum);
    }
    if (op == PAIR_GATV2) {
        return vf_fma(att, leaky(vf_add(x, o), slope), sum);
    }
    vf d = vf_sub(vf_mul(t, o), x);
    return vf_fma(d, d, sum);
}

/* VF edges at once: out[e] for columns at .. at + width - 1. */
GA__INLINE void pair_group(pair_op op, const float *x, const float *att, float slope, const float *t,
                           const float *const *rows, const float *const *next, int64_t at, int64_t width,
                           float *out)
{
    vf sum[VF], s = vf_set(slope);
    for (int e = 0; e < VF; e++) {
        sum[e] = vf_zero();
    }
    int64_t c = at, end = at + width;
    for (; c + VF <= end; c += VF) {
        vf own = vf_load(x + c), a = op == PAIR_GATV2 ? vf_load(att + c) : own;
        for (int e = 0; e < VF; e++) {
            vf te = op == PAIR_DISTANCE ? vf_set(t[e]) : own;
            if (next && (VF == 16 || c % 16 == 0)) {
                __builtin_prefetch(next[e] + c, 0, 3);
            }
            sum[e] = pair_term(op, sum[e], own, vf_load(rows[e] + c), a, s, te);
        }
    }
    if (c < end) {
        int n = (int)(end - c);
        vf own = vf_load_n(x + c, n), a = op == PAIR_GATV2 ? vf_load_n(att + c, n) : own;
        for (int e = 0; e < VF; e++) {
            vf te = op == PAIR_DISTANCE ? vf_set(t[e]) : own;
            sum[e] = pair_term(op, sum[e], own, vf_load_n(rows[e] + c, n), a, s, te);
        }
    }
    vf_store(out, vf_sums(sum));
}

GA__INLINE float pair_one(pair_op op, const float *x, const float *att, float slope, float t,
                          const float *row, int64_t at, int64_t width)
{
    vf sum = vf_zero(), s = vf_set(slope), te = vf_set(t);
    int64_t c = at, end = at + width;
    for (; c + VF <= end; c += VF) {
        vf a = op == PAIR_GATV2 ? vf_load(att + c) : s;
        sum = pair_term(op, sum, vf_load(x + c), vf_load(row + c), a, s, te);
    }
    if (c < end) {
        int n = (int)(end - c);
        vf a = op == PAIR_GATV2 ? vf_load_n(att + c, n) : s;
        sum = pair_term(op, sum, vf_load_n(x + c, n), vf_load_n(row + c, n), a, s, te);
    }
    return vf_sum_same(sum);
}

/* out[h][e] for the n edges of a block; what stands behind the n-th is unspecified. rows has 16 valid pointers. */
GA__INLINE void pair_block(pair_op op, const float *x, const float *att, float slope, const float *t,
                           const float *const *rows, const float *const *next, int64_t heads, int64_t width,
                           int n, float *out)
{
    enum { FEW = VF / 4 };
    for (int64_t h = 0; h < heads; h++) {
        for (int g = 0; g < n; g += VF) {
            float *to = out + h * EB + g;
            if (n - g > FEW) {
                if (next) {
                    pair_group(op, x, att, slope, t + g, rows + g, next + g, h * width, width, to);
                } else {
                    pair_group(op, x, att, slope, t + g, rows + g, NULL, h * width, width, to);
                }
                continue;
            }
            for (int e = g; e < n; e++) {
                for (int64_t c = h * width; next && c < (h + 1) * width; c += 16) {
                    __builtin_prefetch(next[e] + c, 0, 3);
                }
                to[e - g] = pair_one(op, x, att, slope, t[e], rows[e], h * width, width);
            }
        }
    }
}

/* acc[at + t VF ..] += sum over e of w[t][e] rows[e][..] for count vectors. */
GA__INLINE void add_vectors(const int count, float *acc, const float *const *w, const float *const *rows,
                            const float *const *next, int64_t at, int n)
{
    vf a[8];
    for (int t = 0; t < count; t++) {
        a[t] = vf_load(acc + at + t * VF);
    }
    for (int e = 0; e < n; e++) {
        const float *row = rows[e] + at;
        for (int t = 0; t < count; t++) {
            if (next && t * VF % 16 == 0) {
                __builtin_prefetch(next[e] + at + t * VF, 0, 3);
            }
            a[t] = vf_fma(vf_set(w[t][e]), vf_load(row + t * VF), a[t]);
        }
    }
    for (int t = 0; t < count; t++) {
        vf_store(acc + at + t * VF, a[t]);
    }
}

GA__INLINE void add_step(int64_t step, float *acc, const float *const *w, const float *const *rows,
                         const float *const *next, int64_t at, int n)
{
    switch (step) {
    case 8: add_vectors(8, acc, w, rows, next, at, n); break;
    case 4: add_vectors(4, acc, w, rows, next, at, n); break;
    case 2: add_vectors(2, acc, w, rows, next, at, n); break;
    default: add_vectors(1, acc, w, rows, next, at, n); break;
    }
}

GA__INLINE void add_tail(float *acc, const float *w, const float *const *rows, int64_t at, int lanes, int n)
{
    vf a = vf_load_n(acc + at, lanes);
    for (int e = 0; e < n; e++) {
        a = vf_fma(vf_set(w[e]), vf_load_n(rows[e] + at, lanes), a);
    }
    vf_store_n(acc + at, a, lanes);
}

/* acc[h][..] += sum over the n edges of w[h][e] rows[e][h][..]. */
GA__INLINE void add_block(float *acc, const float *w, const float *const *rows, const float *const *next,
                          int64_t heads, int64_t width, int n)
{
    const float *of[8];
    if (width % VF == 0) {
        int64_t per = width / VF, total = heads * per;
        for (int64_t t = 0, step; t < total; t += step) {
            step = total - t >= 8 ? 8 : total - t >= 4 ? 4 : total - t >= 2 ? 2 : 1;
            int64_t h = t / per, left = per - t % per;
            for (int64_t k = 0; k < step; k++) {
                of[k] = w + h * EB;
                if (--left == 0) {
                    h++;
                    left = per;
                }
            }
            if (next) {
                add_step(step, acc, of, rows, next, t * VF, n);
            } else {
                add_step(step, acc, of, rows, NULL, t * VF, n);
            }
        }
        return;
    }
    for (int64_t h = 0; h < heads; h++) {
        int64_t c = h * width, end = c + width;
        for (int k = 0; k < 4; k++) {
            of[k] = w + h * EB;
        }
        for (; c + 4 * VF <= end; c += 4 * VF) {
            add_vectors(4, acc, of, rows, NULL, c, n);
        }
        for (; c + VF <= end; c += VF) {
            add_vectors(1, acc, of, rows, NULL, c, n);
        }
        if (c < end) {
            add_tail(acc, w + h * EB, rows, c, (int)(end - c), n);
        }
    }
}

/* Gradient of the row x of a score: gatv2 acc += w leaky'(x + o) (times att at the end) and datt += w leaky(x + o);
 * distance acc += w (t o - x). */
GA__INLINE void add_lanes(pair_op op, float *acc, float *datt, const float *x, const float *w, float slope,
                          const float *t, const float *const *rows, int64_t at, int lanes, int n)
{
    vf a = vf_load_n(acc + at, lanes), own = vf_load_n(x + at, lanes), s = vf_set(slope);
    vf b = datt ? vf_load_n(datt + at, lanes) : vf_zero();
    for (int e = 0; e < n; e++) {
        vf o = vf_load_n(rows[e] + at, lanes), we = vf_set(w[e]);
        if (op == PAIR_GATV2) {
            vf u = vf_add(own, o), g = vf_mul(we, vf_pick(vm_gt(u, vf_zero()), vf_set(1), s));
            a = vf_add(a, g);
            b = vf_fma(g, u, b);
        } else {
            a = vf_fma(we, vf_sub(vf_mul(vf_set(t[e]), o), own), a);
        }
    }
    vf_store_n(acc + at, a, lanes);
    if (datt) {
        vf_store_n(datt + at, b, lanes);
    }
}

GA__INLINE void add_pairs(pair_op op, float *acc, float *datt, const float *x, const float *w, float slope,
                          const float *t, const float *const *rows, int64_t heads, int64_t width, int n)
{
    for (int64_t h = 0; h < heads; h++) {
        int64_t c = h * width, end = c + width;
        for (; c + VF <= end; c += VF) {
            add_lanes(op, acc, datt, x, w + h * EB, slope, t, rows, c, VF, n);
        }
        if (c < end) {
            add_lanes(op, acc, datt, x, w + h * EB, slope, t, rows, c, (int)(end - c), n);
        }
    }
}

/* to[0 .. count - 1] = factor times a row of the given storage. */
GA__INLINE void load_row(float *to, const void *base, int64_t at, ga__type type, int64_t count, float factor)
{
    vf f = vf_set(factor);
    int64_t c = 0;
    for (; c + VF <= count; c += VF) {
        vf_store(to + c, vf_mul(f, vf_loads(base, at + c, type)));
    }
    if (c < count) {
        int n = (int)(count - c);
        vf_store_n(to + c, vf_mul(f, vf_loads_n(base, at + c, type, n)), n);
    }
}

/* to (+)= factor from, any storage. */
GA__INLINE void store_row(void *base, int64_t at, ga__type type, const float *from, int64_t count)
{
    int64_t c = 0;
    for (; c < count; c += VF) {
        int n = count - c < VF ? (int)(count - c) : VF;
        vf v = vf_load_n(from + c, n);
        if (type == GA__F32) {
            vf_store_n((float *)base + at + c, v, n);
        } else if (type == GA__BF16) {
            vf_store_bf16_n((uint16_t *)base + at + c, v, n);
        } else {
            vf_store_f16_n((uint16_t *)base + at + c, v, n);
        }
    }
}

#endif
