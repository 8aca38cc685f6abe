/* scan_block_pairs.h - the products of a block's queries and keys. Part of the bodies. */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_BLOCK_PAIRS_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_BLOCK_PAIRS_H

#include "lib/engine/scan_attention/scan_block_sweep.h"
#include "lib/engine/scan_attention/scan_chunk.h"

/* out_i = weight_i times the sum of acc_i. */
GA__INLINE void sum_block(const vf acc[BLOCK * BLOCK], const float *weight, float *out)
{
#if GA__ISA == 512
    __m512 y[4];
    for (int i = 0; i < 4; i++) {
        const vf *a = acc + 4 * i;
        __m512 low = _mm512_add_ps(_mm512_unpacklo_ps(a[0], a[1]), _mm512_unpackhi_ps(a[0], a[1]));
        __m512 high = _mm512_add_ps(_mm512_unpacklo_ps(a[2], a[3]), _mm512_unpackhi_ps(a[2], a[3]));
        __m512d l = _mm512_castps_pd(low), h = _mm512_castps_pd(high);
        y[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(l, h)),
                             _mm512_castpd_ps(_mm512_unpackhi_pd(l, h)));
    }
    __m512 first =
        _mm512_add_ps(_mm512_shuffle_f32x4(y[0], y[1], 0x88), _mm512_shuffle_f32x4(y[0], y[1], 0xdd));
    __m512 second =
        _mm512_add_ps(_mm512_shuffle_f32x4(y[2], y[3], 0x88), _mm512_shuffle_f32x4(y[2], y[3], 0xdd));
    __m512 all =
        _mm512_add_ps(_mm512_shuffle_f32x4(first, second, 0x88), _mm512_shuffle_f32x4(first, second, 0xdd));
    vf_store(out, vf_mul(all, vf_load(weight)));
#else
    for (int i = 0; i < BLOCK * BLOCK; i++) {
        out[i] = weight[i] * vf_sum(acc[i]);
    }
#endif
}

/* What one step of 16 channels adds to the sums: rows of q with those of k as they stand at the query's token, and rows
 * of k with those before. */
GA__INLINE void add_pairs(vf acc[BLOCK * BLOCK], const vf q[BLOCK], const vf k[BLOCK], const vf own[BLOCK],
                          const vf before[BLOCK][BLOCK], const vf read[BLOCK][BLOCK], const bool delta)
{
    for (int i = 0; i < BLOCK; i++) {
        for (int j = 0; j < i; j++) {
            acc[BLOCK * i + j] = vf_fma(q[i], read[i][j], acc[BLOCK * i + j]);
            if (delta) {
                acc[BLOCK * j + i] = vf_fma(k[i], before[i][j], acc[BLOCK * j + i]);
            }
        }
        acc[(BLOCK + 1) * i] = vf_fma(q[i], own[i], acc[(BLOCK + 1) * i]);
    }
}

/* Without a decay of their own. */
GA__INLINE void plain_pairs(const scan_space *s, const block *m, const float *q, float *out, const bool delta,
                            const bool exclusive)
{
    vf acc[BLOCK * BLOCK];
    for (int i = 0; i < BLOCK * BLOCK; i++) {
        acc[i] = vf_zero();
    }
    for (int64_t c = 0; c < s->dp; c += VF) {
        vf x[BLOCK], k[BLOCK], own[BLOCK], all[BLOCK][BLOCK];
        vf u = exclusive ? vf_load(s->bonus + c) : vf_set(1);
        for (int i = 0; i < BLOCK; i++) {
            x[i] = vf_load(q + i * m->q_row + c);
            k[i] = vf_load(m->k + i * m->k_row + c);
            own[i] = exclusive ? vf_mul(u, k[i]) : k[i];
            for (int j = 0; j < BLOCK; j++) {
                all[j][i] = k[i];
            }
        }
        add_pairs(acc, x, k, own, (const vf(*)[BLOCK])all, (const vf(*)[BLOCK])all, delta);
    }
    sum_block(acc, s->weight, out);
}

/* With a number a channel: also q and k as they read the state, and k as it comes into it. */
GA__INLINE void decayed_pairs(const scan_space *s, const block *m, const float *q, float *to, float *out,
                              const bool first, const bool delta, const bool exclusive)
{
    vf acc[BLOCK * BLOCK];
    for (int i = 0; i < BLOCK * BLOCK; i++) {
        acc[i] = vf_zero();
    }
    for (int64_t c = 0; c < s->dp; c += VF) {
        vf x[BLOCK], y[BLOCK], own[BLOCK], f[BLOCK], at[BLOCK][BLOCK], after[BLOCK][BLOCK];
        vf u = exclusive ? vf_load(s->bonus + c) : vf_set(1), product = vf_load(s->gammas + c);
        for (int i = 0; i < BLOCK; i++) {
            x[i] = vf_load(q + i * m->q_row + c);
            y[i] = vf_load(m->k + i * m->k_row + c);
            own[i] = exclusive ? vf_mul(u, y[i]) : y[i];
            f[i] = vf_load(s->factors + i * s->dp + c);
            vf old = product;
            product = vf_mul(product, f[i]);
            vf_store(to + i * s->dp + c, vf_mul(x[i], exclusive ? old : product));
            if (delta && first) {
                vf_store(s->read + i * s->dp + c, vf_mul(y[i], product));
            }
        }
        vf inverse = vf_div(vf_set(1), vf_load(s->gammas_next + c));
        /* key j at token i: before its factor, and with it */
        for (int j = 0; j < BLOCK; j++) {
            vf key = y[j];
            for (int i = j + 1; i < BLOCK; i++) {
                at[i][j] = key;
                key = vf_mul(key, f[i]);
                after[i][j] = key;
            }
            if (first) {
                vf_store(s->ends + j * s->dp + c, vf_mul(key, inverse));
            }
        }
        add_pairs(acc, x, y, own, (const vf(*)[BLOCK])after,
                  exclusive ? (const vf(*)[BLOCK])at : (const vf(*)[BLOCK])after, delta);
    }
    sum_block(acc, s->weight, out);
}

static void find_pairs(const ga__scan_plan *p, scan_space *s, const block *m, int64_t r)
{
    const float *q = m->q + r * m->q_head;
    float *out = s->head[r].pair;
    if (p->delta) {
        plain_pairs(s, m, q, out, true, false);
    } else if (p->bonus.data) {
        plain_pairs(s, m, q, out, false, true);
    } else {
        plain_pairs(s, m, q, out, false, false);
    }
}

static void find_decayed_pairs(const ga__scan_plan *p, scan_space *s, const block *m, int64_t r)
{
    const float *q = m->q + r * m->q_head;
    float *to = s->q + r * BLOCK * s->dp, *out = s->head[r].pair;
    if (p->delta) {
        decayed_pairs(s, m, q, to, out, r == 0, true, false);
    } else if (p->bonus.data) {
        decayed_pairs(s, m, q, to, out, r == 0, false, true);
    } else {
        decayed_pairs(s, m, q, to, out, r == 0, false, false);
    }
}

#endif
