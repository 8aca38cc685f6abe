/* scan_block_sweep.h - a block of four tokens on one group of columns of the state. Part of the bodies.
 *
 * What rows of q S and of k S are multiplied by and the triangles A and T are numbers by then (scan_block.h), so that
 * sums stay in registers from the state to the output.
 */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_BLOCK_SWEEP_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_BLOCK_SWEEP_H

#include "lib/engine/scan_attention/scan_space.h"

/* Rows are four, `..._row` floats apart. */
typedef struct block {
    const float *q, *k, *read,
        *u; /* queries; keys as they come in; keys as they read, delta rule only; values */
    int64_t q_row, q_head, k_row, read_row, u_row;
    float *out;
    int64_t out_row, out_head;
    float row[BLOCK], key[BLOCK], past[BLOCK], beta[BLOCK]; /* factors of rows of q S, k' U, k S */
    bool dead;                                              /* some row is */
} block;

/* acc = four rows times S. */
GA__INLINE void block_sums(const float *restrict state, int64_t d, const float *restrict x, int64_t row,
                           vf acc[BLOCK][2])
{
    for (int r = 0; r < BLOCK; r++) {
        acc[r][0] = acc[r][1] = vf_zero();
    }
    for (int64_t c = 0; c < d; c++) {
        vf s0 = vf_load(state + c * GW), s1 = vf_load(state + c * GW + VF);
        for (int r = 0; r < BLOCK; r++) {
            vf y = vf_set(x[r * row + c]);
            acc[r][0] = vf_fma(y, s0, acc[r][0]);
            acc[r][1] = vf_fma(y, s1, acc[r][1]);
        }
    }
}

/* The same, and S <- decayed S + K' W, the sums being of S before it; without them where `reads` is false. */
GA__INLINE void block_both(float *restrict state, int64_t d, const float *restrict q, int64_t q_row,
                           const float *restrict k, int64_t k_row, vf w[BLOCK][2], vf acc[BLOCK][2],
                           const scan_space *s, const bool reads, const int kind)
{
    vf rest = vf_set(s->rest[0]);
    for (int r = 0; r < BLOCK; r++) {
        acc[r][0] = acc[r][1] = vf_zero();
    }
    for (int64_t c = 0; c < d; c++) {
        vf s0 = vf_load(state + c * GW), s1 = vf_load(state + c * GW + VF);
        __builtin_prefetch((const void *)s->ahead[c]);
        for (int r = 0; r < BLOCK && reads; r++) {
            vf y = vf_set(q[r * q_row + c]);
            acc[r][0] = vf_fma(y, s0, acc[r][0]);
            acc[r][1] = vf_fma(y, s1, acc[r][1]);
        }
        if (kind != DECAY_NOT) {
            rest = kind == DECAY_ROW ? vf_set(s->rest[c]) : rest;
            s0 = vf_mul(s0, rest);
            s1 = vf_mul(s1, rest);
        }
        for (int r = 0; r < BLOCK; r++) {
            vf y = vf_set(k[r * k_row + c]);
            s0 = vf_fma(y, w[r][0], s0);
            s1 = vf_fma(y, w[r][1], s1);
        }
        vf_store(state + c * GW, s0);
        vf_store(state + c * GW + VF, s1);
    }
}

/* out_i = row_i acc_i + sum_{j<=i} A_ij u_j */
GA__INLINE void block_out(const block_head *head, vf acc[BLOCK][2], const float *u, int64_t u_row, float *out,
                          int64_t out_row)
{
    for (int i = 0; i < BLOCK; i++) {
        vf f = vf_set(head->row[i]), x = vf_mul(f, acc[i][0]), y = vf_mul(f, acc[i][1]);
        for (int j = 0; j <= i; j++) {
            vf a = vf_set(head->pair[BLOCK * i + j]);
            x = vf_fma(a, vf_load(u + j * u_row), x);
            y = vf_fma(a, vf_load(u + j * u_row + VF), y);
        }
        vf_store(out + i * out_row, x);
        vf_store(out + i * out_row + VF, y);
    }
}

/* u_i = beta_i (v_i - past_i acc_i - sum_{j<i} T_ij u_j) */
GA__INLINE void block_solve(const block *m, const block_head *head, vf acc[BLOCK][2], const float *v,
                            float *u, int64_t u_row, vf w[BLOCK][2])
{
    for (int i = 0; i < BLOCK; i++) {
        vf f = vf_set(m->past[i]), beta = vf_set(m->beta[i]);
        vf x = vf_fnma(f, acc[i][0], vf_load(v + i * m->u_row));
        vf y = vf_fnma(f, acc[i][1], vf_load(v + i * m->u_row + VF));
        for (int j = 0; j < i; j++) {
            vf t = vf_set(head->pair[BLOCK * j + i]);
            x = vf_fnma(t, w[j][0], x);
            y = vf_fnma(t, w[j][1], y);
        }
        w[i][0] = vf_mul(beta, x);
        w[i][1] = vf_mul(beta, y);
        vf_store(u + i * u_row, w[i][0]);
        vf_store(u + i * u_row + VF, w[i][1]);
    }
}

GA__INLINE void block_group(const ga__scan_plan *p, scan_space *s, const block *m, int64_t column,
                            const bool delta, const bool reads, const int kind)
{
    float *state = s->state + column * s->dp, *out = m->out + column;
    const float *u = m->u + column;
    int64_t u_row = m->u_row, heads = reads ? p->ratio : 1;
    vf acc[BLOCK][2], w[BLOCK][2];
    s->ahead = s->line + column / GW * p->d;
    if (delta) {
        block_sums(state, p->d, m->read, m->read_row, acc);
        block_solve(m, s->head, acc, u, s->u + column, p->columns, w);
        u = s->u + column;
        u_row = p->columns;
    }
    for (int64_t r = 0; r < heads - 1; r++) {
        block_sums(state, p->d, m->q + r * m->q_head, m->q_row, acc);
        block_out(&s->head[r], acc, u, u_row, out + r * m->out_head, m->out_row);
    }
    for (int i = 0; i < BLOCK; i++) {
        vf f = vf_set(m->key[i]);
        w[i][0] = vf_mul(f, delta ? w[i][0] : vf_load(u + i * u_row));
        w[i][1] = vf_mul(f, delta ? w[i][1] : vf_load(u + i * u_row + VF));
    }
    block_both(state, p->d, m->q + (heads - 1) * m->q_head, m->q_row, m->k, m->k_row, w, acc, s, reads, kind);
    if (reads) {
        block_out(&s->head[heads - 1], acc, u, u_row, out + (heads - 1) * m->out_head, m->out_row);
    }
}

#define GROUPS(NAME, DELTA, READS) \
    static void NAME(const ga__scan_plan *p, scan_space *s, const block *m) \
    { \
        for (int64_t column = 0; column < p->columns; column += GW) { \
            if (s->kind == DECAY_NOT) { \
                block_group(p, s, m, column, DELTA, READS, DECAY_NOT); \
            } else if (s->kind == DECAY_TIMES) { \
                block_group(p, s, m, column, DELTA, READS, DECAY_TIMES); \
            } else { \
                block_group(p, s, m, column, DELTA, READS, DECAY_ROW); \
            } \
        } \
    }
GROUPS(add_and_read, false, true)
GROUPS(add_only, false, false)
GROUPS(delta_and_read, true, true)
GROUPS(delta_only, true, false)
#undef GROUPS

static void block_groups(const ga__scan_plan *p, scan_space *s, const block *m, bool reads)
{
    if (p->delta) {
        (reads ? delta_and_read : delta_only)(p, s, m);
    } else {
        (reads ? add_and_read : add_only)(p, s, m);
    }
}

#endif
