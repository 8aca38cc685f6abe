/* scan_sweep.h - reading and updating one group of columns of the state. Part of the bodies. */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_SWEEP_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_SWEEP_H

#include "lib/engine/scan_attention/scan_chunk.h"

/* ---- sweeps over one group of columns of the state ---- */

/* out rows = q rows times S: `rows` is 1 or 4. */
GA__INLINE void sweep_read(const float *state, int64_t d, const float *q, int64_t dp, float *out,
                           int64_t stride, const int rows)
{
    vf acc[4][2];
    for (int r = 0; r < rows; r++) {
        acc[r][0] = acc[r][1] = vf_zero();
    }
    for (int64_t c = 0; c < d; c++) {
        vf s0 = vf_load(state + c * GW), s1 = vf_load(state + c * GW + VF);
        for (int r = 0; r < rows; r++) {
            vf x = vf_set(q[r * dp + c]);
            acc[r][0] = vf_fma(x, s0, acc[r][0]);
            acc[r][1] = vf_fma(x, s1, acc[r][1]);
        }
    }
    for (int r = 0; r < rows; r++) {
        vf_store(out + r * stride, acc[r][0]);
        vf_store(out + r * stride + VF, acc[r][1]);
    }
}

GA__INLINE vf decayed(vf s, vf rest, vf keep, const int kind)
{
    return kind == DECAY_NOT ? s : kind == DECAY_TIMES ? vf_mul(rest, s) : vf_fma(rest, s, vf_mul(keep, s));
}

/* The same for `rows` (0, 1, 4) query rows, and S <- decayed S + sum over `tokens` (1, 4) of k u'. */
GA__INLINE void sweep_both(float *restrict state, int64_t d, const float *restrict q, const float *restrict k,
                           int64_t dp, const float *restrict u, int64_t us, float *restrict out,
                           int64_t stride, const scan_space *space, const int rows, const int tokens,
                           const int kind)
{
    vf acc[4][2], w[4][2];
    for (int r = 0; r < rows; r++) {
        acc[r][0] = acc[r][1] = vf_zero();
    }
    for (int r = 0; r < tokens; r++) {
        w[r][0] = vf_load(u + r * us);
        w[r][1] = vf_load(u + r * us + VF);
    }
    vf rest = vf_set(space->rest[0]), keep = vf_zero();
    for (int64_t c = 0; c < d; c++) {
        vf s0 = vf_load(state + c * GW), s1 = vf_load(state + c * GW + VF);
        __builtin_prefetch((const void *)space->ahead[c]);
        for (int r = 0; r < rows; r++) {
            vf x = vf_set(q[r * dp + c]);
            acc[r][0] = vf_fma(x, s0, acc[r][0]);
            acc[r][1] = vf_fma(x, s1, acc[r][1]);
        }
        if (kind == DECAY_ROW) {
            rest = vf_set(space->rest[c]);
            keep = vf_set(space->keep[c]);
        }
        s0 = decayed(s0, rest, keep, kind);
        s1 = decayed(s1, rest, keep, kind);
        for (int r = 0; r < tokens; r++) {
            vf x = vf_set(k[r * dp + c]);
            s0 = vf_fma(x, w[r][0], s0);
            s1 = vf_fma(x, w[r][1], s1);
        }
        vf_store(state + c * GW, s0);
        vf_store(state + c * GW + VF, s1);
    }
    for (int r = 0; r < rows; r++) {
        vf_store(out + r * stride, acc[r][0]);
        vf_store(out + r * stride + VF, acc[r][1]);
    }
}

/* S <- decay S + K' U for `rows` (1, 4) rows of S. */
GA__INLINE void update_rows(float *restrict state, const float *restrict k, int64_t dp,
                            const float *restrict u, int64_t stride, int64_t count, const scan_space *space,
                            int64_t at, const int kind, const int rows)
{
    vf acc[4][2];
    for (int r = 0; r < rows; r++) {
        vf rest = vf_set(space->rest[kind == DECAY_ROW ? at + r : 0]);
        vf keep = vf_set(space->keep[kind == DECAY_ROW ? at + r : 0]);
        acc[r][0] = decayed(vf_load(state + r * GW), rest, keep, kind);
        acc[r][1] = decayed(vf_load(state + r * GW + VF), rest, keep, kind);
    }
    for (int64_t j = 0; j < count; j++) {
        vf u0 = vf_load(u + j * stride), u1 = vf_load(u + j * stride + VF);
        for (int r = 0; r < rows; r++) {
            vf x = vf_set(k[j * dp + r]);
            acc[r][0] = vf_fma(x, u0, acc[r][0]);
            acc[r][1] = vf_fma(x, u1, acc[r][1]);
        }
    }
    for (int r = 0; r < rows; r++) {
        vf_store(state + r * GW, acc[r][0]);
        vf_store(state + r * GW + VF, acc[r][1]);
    }
}

static void update_all(float *state, int64_t d, const float *k, int64_t dp, const float *u, int64_t stride,
                       int64_t count, const scan_space *space, const int kind)
{
    int64_t c = 0;
    for (; c + 4 <= d; c += 4) {
        update_rows(state + c * GW, k + c, dp, u, stride, count, space, c, kind, 4);
    }
    for (; c < d; c++) {
        update_rows(state + c * GW, k + c, dp, u, stride, count, space, c, kind, 1);
    }
}

#define BOTH(ROWS, TOKENS) \
    do { \
        if (kind == DECAY_NOT) { \
            sweep_both(state, d, q, k, dp, u, us, out, stride, space, ROWS, TOKENS, DECAY_NOT); \
        } else if (kind == DECAY_TIMES) { \
            sweep_both(state, d, q, k, dp, u, us, out, stride, space, ROWS, TOKENS, DECAY_TIMES); \
        } else { \
            sweep_both(state, d, q, k, dp, u, us, out, stride, space, ROWS, TOKENS, DECAY_ROW); \
        } \
    } while (0)

static void both_one(float *state, int64_t d, const float *q, int64_t rows, const float *k, int64_t dp,
                     const float *u, int64_t us, float *out, int64_t stride, const scan_space *space,
                     int kind)
{
    if (rows == 0) {
        BOTH(0, 1);
    } else if (rows == 1) {
        BOTH(1, 1);
    } else {
        BOTH(4, 1);
    }
}

static void both_four(float *state, int64_t d, const float *q, int64_t rows, const float *k, int64_t dp,
                      const float *u, int64_t us, float *out, int64_t stride, const scan_space *space,
                      int kind)
{
    if (rows == 0) {
        BOTH(0, 4);
    } else {
        BOTH(4, 4);
    }
}

#undef BOTH

#endif
