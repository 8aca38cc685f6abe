/* reverse_sweep.h - sweeps over a state or its gradient for one token, for the backward pass. Part of the
 * bodies.
 *
 * A matrix lies in groups of nv vectors of columns: group, row, column; rows come in fours. What is added
 * over columns is added to what stands there, group by group.
 */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_REVERSE_SWEEP_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_REVERSE_SWEEP_H

#include "lib/engine/scan_attention/scan_chunk.h"

/* A token as the sweeps see it; rows of d and of columns. */
typedef struct token {
    const float *k, *keep, *rest; /* exp g = keep + rest */
    const float *u;               /* what was added: S += k u' */
} token;

static const float ones[4] = { 1, 1, 1, 1 };

GA__INLINE void add_four(const vf acc[4], float *dots)
{
    float sums[4];
    sum_four(acc, ones, sums);
    for (int r = 0; r < 4; r++) {
        dots[r] += sums[r];
    }
}

/* How a sweep decays: not; all rows by 1 + rest; by rest; each by its own keep + rest. */
enum { FADE_NOT, FADE_SLOW, FADE_FAST, FADE_ROW };

GA__INLINE vf faded(vf s, vf keep, vf rest, const int fade)
{
    return fade == FADE_NOT    ? s
           : fade == FADE_SLOW ? vf_fma(rest, s, s)
           : fade == FADE_FAST ? vf_mul(rest, s)
                               : vf_fma(rest, s, vf_mul(keep, s));
}

/* When a sweep forwards takes the products of its rows with x. */
enum { DOT_NONE, DOT_BEFORE, DOT_AFTER };

/* S <- (keep + rest) S + k u'; dots += S x. */
GA__INLINE void forward_rows(float *restrict state, int64_t rows, const token *t, const float *restrict x,
                             float *restrict dots, const int nv, const int when, const int fade)
{
    vf u[4], y[4];
    for (int n = 0; n < nv; n++) {
        u[n] = vf_load(t->u + n * VF);
        y[n] = when == DOT_NONE ? vf_zero() : vf_load(x + n * VF);
    }
    for (int64_t c = 0; c < rows; c += 4) {
        vf acc[4] = { vf_zero(), vf_zero(), vf_zero(), vf_zero() };
        for (int r = 0; r < 4; r++) {
            float *row = state + (c + r) * nv * VF;
            vf k = vf_set(t->k[c + r]), keep = vf_set(t->keep[c + r]), rest = vf_set(t->rest[c + r]);
            for (int n = 0; n < nv; n++) {
                vf s = vf_load(row + n * VF);
                acc[r] = when == DOT_BEFORE ? vf_fma(s, y[n], acc[r]) : acc[r];
                s = vf_fma(k, u[n], faded(s, keep, rest, fade));
                vf_store(row + n * VF, s);
                acc[r] = when == DOT_AFTER ? vf_fma(s, y[n], acc[r]) : acc[r];
            }
        }
        if (when != DOT_NONE) {
            add_four(acc, dots + c);
        }
    }
}

/* dots += S x. */
GA__INLINE void dot_rows(const float *restrict state, int64_t rows, const float *restrict x,
                         float *restrict dots, const int nv)
{
    for (int64_t c = 0; c < rows; c += 4) {
        vf acc[4] = { vf_zero(), vf_zero(), vf_zero(), vf_zero() };
        for (int r = 0; r < 4; r++) {
            for (int n = 0; n < nv; n++) {
                acc[r] = vf_fma(vf_load(state + ((c + r) * nv + n) * VF), vf_load(x + n * VF), acc[r]);
            }
        }
        add_four(acc, dots + c);
    }
}

/* out = q' S. */
GA__INLINE void read_rows_of(const float *restrict state, int64_t rows, const float *restrict q,
                             float *restrict out, const int nv)
{
    vf acc[2][4];
    for (int n = 0; n < nv; n++) {
        acc[0][n] = acc[1][n] = vf_zero();
    }
    for (int64_t c = 0; c < rows; c += 2) {
        for (int n = 0; n < nv; n++) {
            acc[0][n] = vf_fma(vf_set(q[c]), vf_load(state + (c * nv + n) * VF), acc[0][n]);
            acc[1][n] = vf_fma(vf_set(q[c + 1]), vf_load(state + ((c + 1) * nv + n) * VF), acc[1][n]);
        }
    }
    for (int n = 0; n < nv; n++) {
        vf_store(out + n * VF, vf_add(acc[0][n], acc[1][n]));
    }
}

/* The parts of a sweep backwards over the gradient E of the state. */
enum { ADD_READ = 1, SUM_VALUES = 2, SUM_KEYS = 4, TAKE_ERROR = 8 };

/* In this order: E += q dn'; values += k' E; dots += E u; E -= k w'; E <- (keep + rest) E. */
GA__INLINE void reverse_rows(float *restrict grad, int64_t rows, const token *t, const float *restrict q,
                             const float *restrict dn, const float *restrict w, float *restrict values,
                             float *restrict dots, const int nv, const int parts, const int fade)
{
    vf read[4], u[4], error[4], value[4];
    for (int n = 0; n < nv; n++) {
        read[n] = parts & ADD_READ ? vf_load(dn + n * VF) : vf_zero();
        u[n] = parts & SUM_KEYS ? vf_load(t->u + n * VF) : vf_zero();
        error[n] = parts & TAKE_ERROR ? vf_load(w + n * VF) : vf_zero();
        value[n] = parts & SUM_VALUES ? vf_load(values + n * VF) : vf_zero();
    }
    for (int64_t c = 0; c < rows; c += 4) {
        vf acc[4] = { vf_zero(), vf_zero(), vf_zero(), vf_zero() };
        for (int r = 0; r < 4; r++) {
            float *row = grad + (c + r) * nv * VF;
            vf x = vf_set(parts & ADD_READ ? q[c + r] : 0), k = vf_set(t->k[c + r]);
            vf keep = vf_set(t->keep[c + r]), rest = vf_set(t->rest[c + r]);
            for (int n = 0; n < nv; n++) {
                vf g = vf_load(row + n * VF);
                g = parts & ADD_READ ? vf_fma(x, read[n], g) : g;
                value[n] = parts & SUM_VALUES ? vf_fma(k, g, value[n]) : value[n];
                acc[r] = parts & SUM_KEYS ? vf_fma(g, u[n], acc[r]) : acc[r];
                g = parts & TAKE_ERROR ? vf_fnma(k, error[n], g) : g;
                vf_store(row + n * VF, faded(g, keep, rest, fade));
            }
        }
        if (parts & SUM_KEYS) {
            add_four(acc, dots + c);
        }
    }
    for (int n = 0; n < nv && (parts & SUM_VALUES); n++) {
        vf_store(values + n * VF, value[n]);
    }
}

/* ---- over all groups, nv 2 or 4 ---- */

typedef struct extent {
    int64_t rows, padded; /* rows in fours; columns up to whole groups */
    int nv;
} extent;

#define BY_WIDTH(CALL) \
    for (int64_t x = 0; x < size->padded; x += size->nv * VF) { \
        float *matrix = state + x * size->rows; \
        if (size->nv == 2) { \
            CALL(2); \
        } else { \
            CALL(4); \
        } \
    }
#define BY_FADE(CALL, ...) \
    do { \
        switch (fade) { \
        case FADE_NOT: CALL(__VA_ARGS__, FADE_NOT); break; \
        case FADE_SLOW: CALL(__VA_ARGS__, FADE_SLOW); break; \
        case FADE_FAST: CALL(__VA_ARGS__, FADE_FAST); break; \
        default: CALL(__VA_ARGS__, FADE_ROW); break; \
        } \
    } while (0)

static void forward_sweep(const extent *size, float *state, const token *t, const float *y, float *dots,
                          int when, int fade)
{
#define ONE(NV, WHEN, FADE) forward_rows(matrix, size->rows, &part, y + x, dots, NV, WHEN, FADE)
#define CHOSEN(NV) \
    part.u = t->u + x; \
    if (when == DOT_NONE) { \
        BY_FADE(ONE, NV, DOT_NONE); \
    } else if (when == DOT_BEFORE) { \
        BY_FADE(ONE, NV, DOT_BEFORE); \
    } else { \
        BY_FADE(ONE, NV, DOT_AFTER); \
    }
    token part = *t;
    BY_WIDTH(CHOSEN)
#undef CHOSEN
#undef ONE
}

static void dot_sweep(const extent *size, float *state, const float *y, float *dots)
{
#define CHOSEN(NV) dot_rows(matrix, size->rows, y + x, dots, NV)
    BY_WIDTH(CHOSEN)
#undef CHOSEN
}

static void read_sweep(const extent *size, float *state, const float *q, float *out)
{
#define CHOSEN(NV) read_rows_of(matrix, size->rows, q, out + x, NV)
    BY_WIDTH(CHOSEN)
#undef CHOSEN
}

/* E += q dn'. */
static void add_sweep(const extent *size, float *state, const token *t, const float *q, const float *dn)
{
#define CHOSEN(NV) reverse_rows(matrix, size->rows, t, q, dn + x, NULL, NULL, NULL, NV, ADD_READ, FADE_NOT)
    BY_WIDTH(CHOSEN)
#undef CHOSEN
}

/* E += q dn' unless dn is NULL, values += k' E, and by the additive rule dots += E u and the decay. */
static void reverse_sweep(const extent *size, float *state, const token *t, const float *q, const float *dn,
                          float *values, float *dots, int fade)
{
#define ONE(NV, PARTS, FADE) \
    reverse_rows(matrix, size->rows, &part, q, read, NULL, values + x, dots, NV, PARTS, FADE)
#define CHOSEN(NV) \
    part.u = t->u + x; \
    const float *read = dn ? dn + x : NULL; \
    if (!dots && dn) { \
        ONE(NV, ADD_READ | SUM_VALUES, FADE_NOT); \
    } else if (!dots) { \
        ONE(NV, SUM_VALUES, FADE_NOT); \
    } else if (dn) { \
        BY_FADE(ONE, NV, ADD_READ | SUM_VALUES | SUM_KEYS); \
    } else { \
        BY_FADE(ONE, NV, SUM_VALUES | SUM_KEYS); \
    }
    token part = *t;
    BY_WIDTH(CHOSEN)
#undef CHOSEN
#undef ONE
}

/* dots += E u, E -= k w', and the decay. */
static void error_sweep(const extent *size, float *state, const token *t, const float *w, float *dots,
                        int fade)
{
#define ONE(NV, FADE) \
    reverse_rows(matrix, size->rows, &part, NULL, NULL, w + x, NULL, dots, NV, SUM_KEYS | TAKE_ERROR, FADE)
#define CHOSEN(NV) \
    part.u = t->u + x; \
    BY_FADE(ONE, NV);
    token part = *t;
    BY_WIDTH(CHOSEN)
#undef CHOSEN
#undef ONE
}

#undef BY_FADE
#undef BY_WIDTH

#endif
