/* scan_block.h - blocks of four tokens, by the algebra of scan_body.h: all that does not depend on the columns. Part of
 * the bodies.
 *
 * The state is kept divided by gamma, which holds the decays since the state was last multiplied: one number, or one a
 * channel. Queries take gamma, keys 1 / gamma. Where gamma falls below LEAST the state takes those gammas that are
 * below one half; what is stored exceeds the state by 1 / LEAST at most. The decay of a channel is summed up in two
 * floats, so that a slow one keeps its digits: exp of a sum, never a product of many factors that are nearly 1.
 *
 * A block that has fewer tokens goes on with rows of zeros that do not decay.
 */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_BLOCK_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_BLOCK_H

#include "lib/engine/scan_attention/scan_block_pairs.h"

#define LEAST 0x1p-10f

/* ---- decays ---- */

/* weight: A_ij without its products, scale times the decay from j to i; T_ji without the scale. */
static void weigh_pairs(const ga__scan_plan *p, scan_space *s, const float *factor)
{
    bool exclusive = p->bonus.data != NULL;
    for (int i = 0; i < BLOCK; i++) {
        float decay = factor[i], until = 1; /* of key j's token: with the query's, and without it */
        s->weight[(BLOCK + 1) * i] = (float)p->scale;
        for (int j = i - 1; j >= 0; j--) {
            s->weight[BLOCK * i + j] = (float)p->scale * (exclusive ? until : decay);
            s->weight[BLOCK * j + i] = decay;
            decay *= factor[j];
            until *= factor[j];
        }
    }
}

/* One number for all channels, or none. */
static void weigh_numbers(const ga__scan_plan *p, scan_space *s, const chunk *x, block *m)
{
    float factor[BLOCK], product = 1, gamma = (float)s->gamma;
    double drift = 0;
    bool exclusive = p->bonus.data != NULL;
    for (int i = 0; i < BLOCK; i++) {
        bool there = i < x->count && p->decay_kind != GA__DECAY_NONE;
        double shift = there ? (double)s->one_shift[i] : 0;
        factor[i] = there ? s->one_factor[i] : 1;
        m->row[i] = (float)p->scale * gamma * (exclusive ? product : product * factor[i]);
        product *= factor[i];
        m->past[i] = gamma * product;
        drift += shift + drift * shift;
    }
    double next = s->gamma * (product > 0.5f ? 1 + drift : (double)product);
    bool times = !(next >= (double)LEAST);
    s->kind = times ? DECAY_TIMES : DECAY_NOT;
    s->rest[0] = times ? (float)next : 1;
    s->gamma = times ? 1 : next;
    m->key[BLOCK - 1] = (float)(1 / s->gamma);
    for (int j = BLOCK - 1; j > 0; j--) {
        m->key[j - 1] = m->key[j] * factor[j];
    }
    if (p->decay_kind != GA__DECAY_NONE) {
        weigh_pairs(p, s, factor);
    }
}

GA__INLINE vf load_decay(const ga__scan_plan *p, const chunk *x, int64_t i, int64_t c, const ga__type type)
{
    const void *row = ga__view_row(&p->decay, x->b, x->g, x->first + i);
    int64_t left = p->d - c;
    return left >= VF ? vf_loads(row, c, type) : left > 0 ? vf_loads_n(row, c, type, (int)left) : vf_zero();
}

/* exp g of VF channels of the block's tokens, and their sum, where a reset counts as far below all others. */
GA__INLINE vf load_factors(const ga__scan_plan *p, const scan_space *s, const chunk *x, int64_t c,
                           const ga__type type, vf *most)
{
    vf total = vf_zero(), least = vf_zero(), g[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        g[i] = i < x->count ? load_decay(p, x, i, c, type) : vf_zero();
        *most = vf_max(g[i], *most);
        least = vf_min(g[i], least);
        total = vf_add(total, g[i]);
        vf_store(s->factors + i * s->dp + c, vf_exp(g[i]));
    }
    vf reset = vf_set((float)GA__SCAN_RESET);
    if (vm_to_bits(vm_gt(reset, least)) != 0) {
        total = vf_zero();
        for (int i = 0; i < BLOCK; i++) {
            vm none = vm_gt(reset, g[i]);
            vf_store(s->factors + i * s->dp + c, vf_pick(none, vf_zero(), vf_exp(g[i])));
            total = vf_add(total, vf_pick(none, vf_set(-1e4f), g[i]));
        }
    }
    return total;
}

/* sum, sum_low and gammas_next. Returns whether a gamma is below LEAST. */
GA__INLINE bool sum_decays(const ga__scan_plan *p, const scan_space *s, const chunk *x, const ga__type type,
                           bool *bad)
{
    uint32_t low = 0;
    vf most = vf_zero();
    for (int64_t c = 0; c < s->dp; c += VF) {
        vf add = load_factors(p, s, x, c, type, &most), old = vf_load(s->sum + c);
        vf sum = vf_add(old, add), part = vf_sub(sum, old);
        vf error = vf_add(vf_sub(old, vf_sub(sum, part)), vf_sub(add, part));
        vf rest = vf_add(vf_load(s->sum_low + c), error);
        vf gamma = vf_exp(vf_add(sum, rest));
        vf_store(s->sum + c, sum);
        vf_store(s->sum_low + c, rest);
        vf_store(s->gammas_next + c, gamma);
        low |= vm_to_bits(vm_gt(vf_set(LEAST), gamma));
    }
    *bad = vm_to_bits(vm_gt(most, vf_zero())) != 0;
    return low != 0;
}

/* The state takes the gammas below one half. */
static void move_decays(scan_space *s)
{
    for (int64_t c = 0; c < s->dp; c += VF) {
        vf gamma = vf_load(s->gammas_next + c);
        vm taken = vm_gt(vf_set(0.5f), gamma);
        vf_store(s->rest + c, vf_pick(taken, gamma, vf_set(1)));
        vf_store(s->gammas_next + c, vf_pick(taken, vf_set(1), gamma));
        vf_store(s->sum + c, vf_pick(taken, vf_zero(), vf_load(s->sum + c)));
        vf_store(s->sum_low + c, vf_pick(taken, vf_zero(), vf_load(s->sum_low + c)));
    }
}

/* A number a channel. False for a log decay above 0. */
static bool weigh_rows(const ga__scan_plan *p, scan_space *s, const chunk *x, block *m)
{
    bool bad = false;
    bool low = p->decay.type == GA__F32    ? sum_decays(p, s, x, GA__F32, &bad)
               : p->decay.type == GA__BF16 ? sum_decays(p, s, x, GA__BF16, &bad)
                                           : sum_decays(p, s, x, GA__F16, &bad);
    s->kind = low ? DECAY_ROW : DECAY_NOT;
    if (low) {
        move_decays(s);
    }
    for (int i = 0; i < BLOCK; i++) {
        m->row[i] = (float)p->scale;
        m->past[i] = m->key[i] = 1;
    }
    return !bad;
}

/* ---- row sums ---- */

/* x_i = row_i . z */
static void dot_block(const float *rows, int64_t stride, const scan_space *s, float x[BLOCK])
{
    for (int i = 0; i < BLOCK; i++) {
        x[i] = row_dot(rows + i * stride, s->z, s->dp);
    }
}

/* The rows of a head are divided by their sums, which z, a column of the state, and u = unit give. */
static void divide_rows(const ga__scan_plan *p, const scan_space *s, block *m, int64_t r, const float *unit)
{
    block_head *head = &s->head[r];
    float read[BLOCK];
    dot_block(m->q + r * m->q_head, m->q_row, s, read);
    for (int i = 0; i < BLOCK; i++) {
        float sum = head->row[i] * read[i];
        for (int j = 0; j <= i; j++) {
            sum += head->pair[BLOCK * i + j] * unit[j];
        }
        bool dead = fabs((double)sum) <= p->eps;
        float inverse = dead ? 0 : 1 / sum;
        m->dead = m->dead || dead;
        head->dead[i] = dead ? 1 : 0;
        head->row[i] *= inverse;
        for (int j = 0; j <= i; j++) {
            head->pair[BLOCK * i + j] *= inverse;
        }
    }
}

/* What the delta rule makes of a column of ones. */
static void solve_ones(const scan_space *s, const block *m, float *unit)
{
    float read[BLOCK];
    dot_block(m->read, m->read_row, s, read);
    for (int i = 0; i < BLOCK; i++) {
        unit[i] = 1 - m->past[i] * read[i];
        for (int j = 0; j < i; j++) {
            unit[i] -= s->head[0].pair[BLOCK * j + i] * unit[j];
        }
        unit[i] *= m->beta[i];
    }
}

/* z <- decayed z + K' unit */
static void block_z(scan_space *s, const block *m, const float *unit)
{
    for (int64_t c = 0; c < s->dp; c += VF) {
        vf rest =
            s->kind == DECAY_ROW ? vf_load(s->rest + c) : vf_set(s->kind == DECAY_TIMES ? s->rest[0] : 1);
        vf z = vf_mul(rest, vf_load(s->z + c));
        for (int j = 0; j < BLOCK; j++) {
            z = vf_fma(vf_set(m->key[j] * unit[j]), vf_load(m->k + j * m->k_row + c), z);
        }
        vf_store(s->z + c, z);
    }
}

static void block_row_sums(const ga__scan_plan *p, scan_space *s, const chunk *x, block *m)
{
    float unit[BLOCK] = { 1, 1, 1, 1 };
    if (p->delta) {
        solve_ones(s, m, unit);
    }
    for (int64_t r = 0; r < p->ratio && x->read; r++) {
        divide_rows(p, s, m, r, unit);
    }
    block_z(s, m, unit);
}

/* ---- rows in and out ---- */

/* Four rows of `width` floats from column `first` on, read where they lie or else copied, with zeros behind. */
static const float *block_rows(const ga__view *view, int64_t b, int64_t h, int64_t row, int64_t count,
                               int64_t first, int64_t columns, float *copy, int64_t width, int64_t *stride)
{
    if (view->type == GA__F32 && count == BLOCK && columns == width) {
        *stride = view->stride_row;
        return (const float *)ga__view_row(view, b, h, row) + first;
    }
    for (int64_t i = 0; i < count; i++) {
        load_row(copy + i * width, ga__view_row(view, b, h, row + i), view->type, first, columns, width, 1);
    }
    memset(copy + count * width, 0, (size_t)((BLOCK - count) * width) * sizeof *copy);
    *stride = width;
    return copy;
}

/* The queries of all heads: where they lie, or copies. */
static void load_queries(const ga__scan_plan *p, scan_space *s, const chunk *x, block *m)
{
    int64_t row = x->first - ga__scan_offset(p);
    for (int64_t r = 0; r < p->ratio; r++) {
        float *copy = s->q + r * BLOCK * s->dp;
        const float *q =
            block_rows(&p->q, x->b, x->g * p->ratio + r, row, x->count, 0, p->d, copy, s->dp, &m->q_row);
        m->q = r == 0 ? q : m->q;
        m->q_head = q == copy ? BLOCK * s->dp : p->q.stride_head;
    }
}

/* Rows of the output where they can be written as they come. */
static void place_output(const ga__scan_plan *p, scan_space *s, const chunk *x, block *m, int64_t first,
                         int64_t count)
{
    if (p->o.type == GA__F32 && x->count == BLOCK && count == p->columns) {
        m->out = (float *)ga__view_row(&p->o, x->b, x->g * p->ratio, x->first - ga__scan_offset(p)) + first;
        m->out_row = p->o.stride_row;
        m->out_head = p->o.stride_head;
        return;
    }
    m->out = s->out;
    m->out_row = p->columns;
    m->out_head = BLOCK * p->columns;
}

static void block_store(const ga__scan_plan *p, const scan_space *s, const chunk *x, const block *m,
                        int64_t first, int64_t count)
{
    for (int64_t i = 0; i < x->count * p->ratio; i++) {
        int64_t r = i / x->count, t = i % x->count;
        float *out = m->out + r * m->out_head + t * m->out_row;
        if (p->normalise && s->head[r].dead[t] > 0) {
            fill(out, count, 0);
        }
        if (m->out == s->out) {
            void *row = ga__view_row(&p->o, x->b, x->g * p->ratio + r, x->first - ga__scan_offset(p) + t);
            store_row(&p->o, row, first, count, out);
        }
    }
}

/* ---- a block ---- */

/* The rows that decayed_pairs left behind take the place of those it was given. */
static void take_decayed(scan_space *s, block *m)
{
    float *next = s->gammas_next;
    s->gammas_next = s->gammas;
    s->gammas = next;
    m->k = s->ends;
    m->q = s->q;
    m->read = s->read;
    m->k_row = m->q_row = m->read_row = s->dp;
    m->q_head = BLOCK * s->dp;
}

/* Pairs of all heads; for absent queries the keys stand in. */
static void prepare_pairs(const ga__scan_plan *p, scan_space *s, const chunk *x, block *m)
{
    bool rows = p->decay_kind == GA__DECAY_VECTOR;
    m->q = m->read = m->k;
    m->q_row = m->read_row = m->k_row;
    if (x->read) {
        load_queries(p, s, x, m);
    }
    for (int64_t r = 0; r < (x->read ? p->ratio : 1); r++) {
        memcpy(s->head[r].row, m->row, sizeof m->row);
        if (rows) {
            find_decayed_pairs(p, s, m, r);
        } else if (x->read || p->delta) {
            find_pairs(p, s, m, r);
        }
    }
    if (rows) {
        take_decayed(s, m);
    }
}

static void load_beta(const ga__scan_plan *p, const chunk *x, block *m)
{
    for (int64_t i = 0; i < BLOCK; i++) {
        m->beta[i] =
            p->delta && i < x->count ? (float)ga__view_get(&p->beta, 0, x->b, x->g, x->first + i) : 0;
    }
}

/* The state behind x->count tokens and, where they are read, the outputs. False for a log decay above 0. */
static bool block_advance(const ga__scan_plan *p, scan_space *s, const chunk *x, int64_t first, int64_t count)
{
    block m = { .dead = false };
    bool good = true;
    m.k = block_rows(&p->k, x->b, x->g, x->first, x->count, 0, p->d, s->k, s->dp, &m.k_row);
    m.u = block_rows(&p->v, x->b, x->g, x->first, x->count, first, count, s->u, p->columns, &m.u_row);
    load_beta(p, x, &m);
    if (p->decay_kind == GA__DECAY_VECTOR) {
        good = weigh_rows(p, s, x, &m);
    } else {
        good = p->decay_kind != GA__DECAY_TOKEN || load_numbers(p, s, x->b, x->g, x->first, x->count);
        weigh_numbers(p, s, x, &m);
    }
    prepare_pairs(p, s, x, &m);
    if (p->normalise) {
        block_row_sums(p, s, x, &m);
    }
    if (x->read) {
        place_output(p, s, x, &m, first, count);
    }
    block_groups(p, s, &m, x->read);
    if (x->read && (m.dead || m.out == s->out)) {
        block_store(p, s, x, &m, first, count);
    }
    return good;
}

/* ---- around the blocks of an item ---- */

static bool in_blocks(const ga__scan_plan *p)
{
    return p->chunk == BLOCK && p->causal;
}

static void block_open(const ga__scan_plan *p, scan_space *s)
{
    int64_t n = p->decay_kind == GA__DECAY_VECTOR ? s->dp : 0;
    static const float one[BLOCK] = { 1, 1, 1, 1 };
    fill(s->gammas, n, 1);
    fill(s->sum, n, 0);
    fill(s->sum_low, n, 0);
    weigh_pairs(p, s, one);
}

/* The state as it is, with all decays in it. */
static void block_close(const ga__scan_plan *p, scan_space *s)
{
    for (int64_t c = 0; c < p->d; c++) {
        float gamma = p->decay_kind == GA__DECAY_VECTOR ? s->gammas[c] : (float)s->gamma;
        s->z[c] *= gamma;
        for (int64_t x = 0; gamma < 1 && x < p->columns; x += GW) {
            row_scale(s->state + x * s->dp + c * GW, gamma, GW);
        }
    }
    s->gamma = 1;
}

#endif
