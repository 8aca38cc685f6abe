/* scan_chunk.h - what a chunk needs besides the state, by the algebra of scan_body.h: decays, q and k with
 * their decay, the products of rows. Part of the bodies. */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_CHUNK_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_CHUNK_H

#include "lib/engine/scan_attention/scan_space.h"

static bool one_number(const ga__scan_plan *p)
{
    return p->decay_kind == GA__DECAY_HEAD || p->decay_kind == GA__DECAY_TOKEN;
}

/* ---- rows of d, padded with zeros ---- */

GA__INLINE void load_row_of(float *row, const void *source, const ga__type type, int64_t first, int64_t count,
                            int64_t padded, vf scale)
{
    int64_t c = 0;
    for (; c + VF <= count; c += VF) {
        vf_store(row + c, vf_mul(vf_loads(source, first + c, type), scale));
    }
    if (c < count) {
        vf_store(row + c, vf_mul(vf_loads_n(source, first + c, type, (int)(count - c)), scale));
        c += VF;
    }
    for (; c < padded; c += VF) {
        vf_store(row + c, vf_zero());
    }
}

GA__INLINE void load_row(float *row, const void *source, ga__type type, int64_t first, int64_t count,
                         int64_t padded, float scale)
{
    if (type == GA__F32) {
        load_row_of(row, source, GA__F32, first, count, padded, vf_set(scale));
    } else if (type == GA__BF16) {
        load_row_of(row, source, GA__BF16, first, count, padded, vf_set(scale));
    } else {
        load_row_of(row, source, GA__F16, first, count, padded, vf_set(scale));
    }
}

/* Columns first .. first + count - 1 of an output's row. */
static void store_row(const ga__view *view, void *row, int64_t first, int64_t count, const float *values)
{
    if (view->type == GA__F64) {
        for (int64_t c = 0; c < count; c++) {
            ((double *)row)[first + c] = (double)values[c];
        }
        return;
    }
    float *to = (float *)row + first;
    int64_t c = 0;
    for (; c + VF <= count; c += VF) {
        vf_store(to + c, vf_load(values + c));
    }
    if (c < count) {
        vf_store_n(to + c, vf_load(values + c), (int)(count - c));
    }
}

GA__INLINE float row_dot(const float *a, const float *b, int64_t n)
{
    vf x = vf_zero(), y = vf_zero();
    int64_t c = 0;
    for (; c + 2 * VF <= n; c += 2 * VF) {
        x = vf_fma(vf_load(a + c), vf_load(b + c), x);
        y = vf_fma(vf_load(a + c + VF), vf_load(b + c + VF), y);
    }
    for (; c < n; c += VF) {
        x = vf_fma(vf_load(a + c), vf_load(b + c), x);
    }
    return vf_sum(vf_add(x, y));
}

GA__INLINE void row_times(float *row, const float *factors, int64_t n)
{
    for (int64_t c = 0; c < n; c += VF) {
        vf_store(row + c, vf_mul(vf_load(row + c), vf_load(factors + c)));
    }
}

GA__INLINE void row_scale(float *row, float factor, int64_t n)
{
    vf f = vf_set(factor);
    for (int64_t c = 0; c < n; c += VF) {
        vf_store(row + c, vf_mul(vf_load(row + c), f));
    }
}

/* row *= decay, which is one number or a row, or nothing. */
GA__INLINE void row_decay(const ga__scan_plan *p, const scan_space *s, float *row, const float *factors)
{
    if (p->decay_kind == GA__DECAY_VECTOR) {
        row_times(row, factors, s->dp);
    } else if (p->decay_kind != GA__DECAY_NONE) {
        row_scale(row, factors[0], s->dp);
    }
}

static void fill(float *x, int64_t n, float value)
{
    for (int64_t i = 0; i < n; i++) {
        x[i] = value;
    }
}

/* e^x - 1 for x <= 0: a series above -0.35, relative error below 2e-7. */
GA__INLINE vf minus_one(vf x, vf exponential)
{
    vf p = vf_set(1.0f / 7);
    for (int i = 6; i > 1; i--) {
        p = vf_mul(vf_fma(p, x, vf_set(1)), vf_set(1.0f / (float)i));
    }
    vf near = vf_fma(vf_mul(p, x), x, x);
    return vf_pick(vm_gt(x, vf_set(-0.35f)), near, vf_sub(exponential, vf_set(1)));
}

/* factor = exp g and shift = expm1 g of n logarithms standing in factor, 0 and -1 for a reset. False for
 * one above 0. */
static bool find_factors(float *factor, float *shift, int64_t n)
{
    uint32_t bad = 0;
    for (int64_t c = 0; c < n; c += VF) {
        vf x = vf_load(factor + c);
        bad |= vm_to_bits(vm_gt(x, vf_zero()));
        vm reset = vm_gt(vf_set((float)GA__SCAN_RESET), x);
        vf exponential = vf_pick(reset, vf_zero(), vf_exp(x));
        vf_store(factor + c, exponential);
        vf_store(shift + c, minus_one(x, exponential));
    }
    return bad == 0;
}

/* One number a token: for all tokens of a chunk at once, to one_factor and one_shift. */
static bool load_numbers(const ga__scan_plan *p, scan_space *s, int64_t b, int64_t g, int64_t t,
                         int64_t count)
{
    int64_t padded = (count + 15) & ~(int64_t)15;
    for (int64_t i = 0; i < count; i++) {
        s->one_factor[i] = p->decay.type == GA__F32 ? *(const float *)ga__view_row(&p->decay, b, g, t + i)
                                                    : (float)ga__view_get(&p->decay, b, g, t + i, 0);
    }
    fill(s->one_factor + count, padded - count, 0);
    return find_factors(s->one_factor, s->one_shift, padded);
}

/* The same number for all tokens, once. */
static void load_number(const ga__scan_plan *p, scan_space *s, int64_t g)
{
    int64_t padded = (p->chunk + 15) & ~(int64_t)15;
    fill(s->one_factor, padded, (float)ga__view_get(&p->decay, 0, 0, 0, g));
    (void)find_factors(s->one_factor, s->one_shift, padded);
}

/* factor and shift of token i of a chunk. False for a log decay above 0. */
static bool load_factor(const ga__scan_plan *p, scan_space *s, int64_t b, int64_t g, int64_t first, int64_t i)
{
    if (p->decay_kind != GA__DECAY_VECTOR) {
        s->factor[0] = s->one_factor[i];
        s->shift[0] = s->one_shift[i];
        return true;
    }
    load_row(s->factor, ga__view_row(&p->decay, b, g, first + i), p->decay.type, 0, p->d, s->dp, 1);
    return find_factors(s->factor, s->shift, s->dp);
}

/* (1 + drift) <- (1 + drift)(1 + shift) */
static void add_drift(const ga__scan_plan *p, scan_space *s)
{
    if (one_number(p)) {
        s->drift[0] += s->shift[0] + s->drift[0] * s->shift[0];
    }
    for (int64_t c = 0; p->decay_kind == GA__DECAY_VECTOR && c < s->dp; c += VF) {
        vf drift = vf_load(s->drift + c), shift = vf_load(s->shift + c);
        vf_store(s->drift + c, vf_add(drift, vf_fma(drift, shift, shift)));
    }
}

/* A product as keep + rest, by its shift (product - 1); rows of n, or one number. */
static void split_rows(float *keep, float *rest, const float *product, const float *shift, int64_t n)
{
    if (n == 1) {
        bool slow = product[0] > 0.5f;
        keep[0] = slow ? 1 : 0;
        rest[0] = slow ? shift[0] : product[0];
        return;
    }
    for (int64_t c = 0; c < n; c += VF) {
        vf x = vf_load(product + c);
        vm slow = vm_gt(x, vf_set(0.5f));
        vf_store(keep + c, vf_pick(slow, vf_set(1), vf_zero()));
        vf_store(rest + c, vf_pick(slow, vf_load(shift + c), x));
    }
}

/* What the state is multiplied by: keep + rest. */
static void split(const ga__scan_plan *p, scan_space *s, const float *product, const float *shift)
{
    split_rows(s->keep, s->rest, product, shift, p->decay_kind == GA__DECAY_VECTOR ? s->dp : 1);
}

/* ---- what a chunk needs besides the state ---- */

typedef struct chunk {
    int64_t b, g, first, count; /* tokens first .. first + count - 1 */
    bool read;                  /* its tokens are read by queries */
    const float *u;             /* values, or what the delta rule made of them */
    int64_t u_stride;
    int64_t rows; /* query rows: token-major, then head */
} chunk;

static void *query_row(const ga__scan_plan *p, const chunk *x, int64_t row)
{
    return ga__view_row(&p->q, x->b, x->g * p->ratio + row % p->ratio,
                        x->first + row / p->ratio - ga__scan_offset(p));
}

/* out_j = age_j sum acc_j; all four places of out are written. */
GA__INLINE void sum_four(const vf acc[4], const float *age, float *out)
{
#if GA__ISA == 512
    __m512 low = _mm512_add_ps(_mm512_unpacklo_ps(acc[0], acc[1]), _mm512_unpackhi_ps(acc[0], acc[1]));
    __m512 high = _mm512_add_ps(_mm512_unpacklo_ps(acc[2], acc[3]), _mm512_unpackhi_ps(acc[2], acc[3]));
    __m512d first = _mm512_unpacklo_pd(_mm512_castps_pd(low), _mm512_castps_pd(high));
    __m512d second = _mm512_unpackhi_pd(_mm512_castps_pd(low), _mm512_castps_pd(high));
    __m512 four = _mm512_add_ps(_mm512_castpd_ps(first), _mm512_castpd_ps(second));
    __m256 two = _mm256_add_ps(_mm512_castps512_ps256(four), _mm512_extractf32x8_ps(four, 1));
    __m128 one = _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
    _mm_storeu_ps(out, _mm_mul_ps(one, _mm_loadu_ps(age)));
#else
    for (int j = 0; j < 4; j++) {
        out[j] = age[j] * vf_sum(acc[j]);
    }
#endif
}

/* sums_j = age_j x . k_j for `count` rows k_j, and row = x times the factors, x = scale times d floats of
 * source. */
GA__INLINE void row_pass(const scan_space *s, float *row, const float *source, int64_t d, float scale,
                         const float *k, const float *factors, const ga__scan_decay kind, float *sums,
                         const int count)
{
    vf acc[4] = { vf_zero(), vf_zero(), vf_zero(), vf_zero() };
    vf f = vf_set(kind == GA__DECAY_NONE ? 1 : factors[0]);
    for (int64_t c = 0; c < s->dp; c += VF) {
        int64_t left = d - c;
        vf x = left >= VF ? vf_load(source + c) : left > 0 ? vf_load_n(source + c, (int)left) : vf_zero();
        x = vf_mul(x, vf_set(scale));
        for (int j = 0; j < count; j++) {
            acc[j] = vf_fma(x, vf_load(k + j * s->dp + c), acc[j]);
        }
        f = kind == GA__DECAY_VECTOR ? vf_load(factors + c) : f;
        vf_store(row + c, kind == GA__DECAY_NONE ? x : vf_mul(x, f));
    }
    sum_four(acc, s->age, sums);
}

/* The products of a row with the keys of its block, count of them, decayed to its token; the row decays by
 * `local`. */
static void block_products(const ga__scan_plan *p, const scan_space *s, float *row, const float *source,
                           float scale, int64_t start, int64_t count, float *sums)
{
    const float *k = s->k + start * s->dp;
    float enter = s->local[0] * (start == 0 ? (float)s->gamma : 1);
#define PASS(COUNT) \
    if (p->decay_kind == GA__DECAY_NONE) { \
        row_pass(s, row, source, p->d, scale, k, &enter, GA__DECAY_NONE, sums, COUNT); \
    } else if (p->decay_kind == GA__DECAY_VECTOR) { \
        row_pass(s, row, source, p->d, scale, k, s->local, GA__DECAY_VECTOR, sums, COUNT); \
    } else { \
        row_pass(s, row, source, p->d, scale, k, &enter, GA__DECAY_TOKEN, sums, COUNT); \
    }
    switch (count) {
    case 0: PASS(0) break;
    case 1: PASS(1) break;
    case 2: PASS(2) break;
    case 3: PASS(3) break;
    default: PASS(4) break;
    }
#undef PASS
}

/* With the keys of earlier blocks, and the decay since the chunk's start. */
static void chunk_products(const ga__scan_plan *p, const scan_space *s, float *row, int64_t start,
                           float *sums)
{
    for (int64_t j = 0; j < start; j++) {
        sums[j] = row_dot(row, s->k + j * s->dp, s->dp);
    }
    if (start > 0) {
        if (one_number(p)) {
            row_scale(row, s->total[0] * (float)s->gamma, s->dp);
        } else {
            row_decay(p, s, row, s->total);
        }
    }
}

static const float *query_source(const ga__scan_plan *p, const scan_space *s, const chunk *x, int64_t row)
{
    const void *source = query_row(p, x, row);
    if (p->q.type == GA__F32) {
        return source;
    }
    load_row(s->q + row * s->dp, source, p->q.type, 0, p->d, s->dp, 1);
    return s->q + row * s->dp;
}

/* The rows of A of token i, whose block starts at `start`, and q exp G. */
static void prepare_queries(const ga__scan_plan *p, scan_space *s, const chunk *x, int64_t i, int64_t start)
{
    int64_t dp = s->dp, stride = (p->chunk + 3) & ~(int64_t)3;
    bool exclusive = p->bonus.data != NULL;
    for (int64_t row = i * p->ratio; row < (i + 1) * p->ratio; row++) {
        float *q = s->q + row * dp, *a = s->a + row * stride, own = 0;
        if (exclusive || p->normalise) {
            load_row(q, query_row(p, x, row), p->q.type, 0, p->d, dp, (float)p->scale);
            own = exclusive ? row_dot(q, s->own, dp) : 0;
            s->divisor[row] = p->normalise ? row_dot(q, s->z, dp) + own : 1;
        }
        block_products(p, s, q, query_source(p, s, x, row), (float)p->scale, start, i - start + !exclusive,
                       a + start);
        a[i] = exclusive ? own : a[i];
        chunk_products(p, s, q, start, a);
    }
}

/* The rows of T of token i and k exp G. */
static void prepare_delta(const ga__scan_plan *p, scan_space *s, const chunk *x, int64_t i, int64_t start)
{
    float *k = s->read + i * s->dp, *t = s->t + i * ((p->chunk + 3) & ~(int64_t)3);
    block_products(p, s, k, s->k + i * s->dp, 1, start, i - start, t + start);
    chunk_products(p, s, k, start, t);
    s->beta[i] = (float)ga__view_get(&p->beta, 0, x->b, x->g, x->first + i);
}

/* z <- a z + u k, u the column of ones after the delta rule. */
static void advance_z(const ga__scan_plan *p, scan_space *s, int64_t i)
{
    const float *k = s->k + i * s->dp;
    bool vector = p->decay_kind == GA__DECAY_VECTOR;
    if (p->decay_kind != GA__DECAY_NONE) {
        split(p, s, s->factor, s->shift);
    }
    for (int64_t c = 0; p->decay_kind != GA__DECAY_NONE && c < s->dp; c += VF) {
        vf keep = vector ? vf_load(s->keep + c) : vf_set(s->keep[0]);
        vf rest = vector ? vf_load(s->rest + c) : vf_set(s->rest[0]), z = vf_load(s->z + c);
        vf_store(s->z + c, vf_fma(rest, z, vf_mul(keep, z)));
    }
    vf u = vf_set(p->delta ? s->beta[i] * (1 - row_dot(s->z, k, s->dp)) : 1);
    for (int64_t c = 0; c < s->dp; c += VF) {
        vf_store(s->z + c, vf_fma(u, vf_load(k + c), vf_load(s->z + c)));
    }
}

/* Token i comes in: keys of its block decay by its factor. One number for all channels is kept beside
 * them. */
static void decay_block(const ga__scan_plan *p, scan_space *s, int64_t i, int64_t start)
{
    if (p->decay_kind == GA__DECAY_VECTOR) {
        for (int64_t j = start; j < i; j++) {
            row_times(s->k + j * s->dp, s->factor, s->dp);
        }
        row_times(s->local, s->factor, s->dp);
    } else if (p->decay_kind != GA__DECAY_NONE) {
        for (int64_t j = start; j < i; j++) {
            s->age[j - start] *= s->factor[0];
        }
        s->age[i - start] = 1;
        s->local[0] *= s->factor[0];
    }
}

/* Behind a block: all keys decayed to its end, and behind the last one divided by gamma. */
static void close_block(const ga__scan_plan *p, scan_space *s, int64_t start, int64_t end, float inverse)
{
    if (one_number(p)) {
        float factor = s->local[0] * inverse;
        for (int64_t j = 0; j < start; j++) {
            row_scale(s->k + j * s->dp, factor, s->dp);
        }
        for (int64_t j = start; j < end; j++) {
            factor = s->age[j - start] * inverse;
            row_scale(s->k + j * s->dp, factor, s->dp);
        }
        s->total[0] *= s->local[0];
        return;
    }
    for (int64_t j = 0; j < start; j++) {
        row_decay(p, s, s->k + j * s->dp, s->local);
    }
    row_decay(p, s, s->total, s->local);
}

/* Chooses how the chunk's decay reaches the state. Returns what the keys are multiplied by. */
static float settle(const ga__scan_plan *p, scan_space *s)
{
    if (!one_number(p)) {
        s->kind = p->decay_kind == GA__DECAY_NONE ? DECAY_NOT : DECAY_ROW;
        return 1;
    }
    double product = (double)s->total[0] * (double)s->local[0];
    double gamma = s->gamma * (product > 0.5 ? 1 + (double)s->drift[0] : product);
    bool keep = gamma > 0.5; /* what is stored exceeds the state by little */
    s->kind = keep ? DECAY_NOT : DECAY_TIMES;
    s->rest[0] = (float)gamma;
    s->gamma = keep ? gamma : 1;
    return (float)(1 / s->gamma);
}

static bool prepare_token(const ga__scan_plan *p, scan_space *s, const chunk *x, int64_t i, int64_t start)
{
    bool exclusive = p->bonus.data != NULL;
    const void *key = ga__view_row(&p->k, x->b, x->g, x->first + i);
    load_row(s->k + i * s->dp, key, p->k.type, 0, p->d, s->dp, 1);
    bool good = load_factor(p, s, x->b, x->g, x->first, i);
    if (exclusive && x->read) {
        memcpy(s->own, s->k + i * s->dp, (size_t)s->dp * sizeof *s->own);
        row_times(s->own, s->bonus, s->dp);
        prepare_queries(p, s, x, i, start);
    }
    decay_block(p, s, i, start);
    add_drift(p, s);
    if (p->delta) {
        prepare_delta(p, s, x, i, start);
    }
    if (p->normalise) {
        advance_z(p, s, i);
    }
    if (!exclusive && x->read) {
        prepare_queries(p, s, x, i, start);
    }
    return good;
}

/* Rows behind the last up to a multiple of four are zeros, for the kernels that take four. */
static void clear_tail(float *rows, int64_t count, int64_t width)
{
    int64_t full = (count + 3) & ~(int64_t)3;
    if (full > count) {
        memset(rows + count * width, 0, (size_t)((full - count) * width) * sizeof *rows);
    }
}

static bool prepare(const ga__scan_plan *p, scan_space *s, const chunk *x)
{
    bool good = p->decay_kind != GA__DECAY_TOKEN || load_numbers(p, s, x->b, x->g, x->first, x->count);
    int64_t n = p->decay_kind == GA__DECAY_VECTOR ? s->dp : 1;
    fill(s->total, n, 1);
    fill(s->drift, n, 0);
    for (int64_t start = 0; start < x->count; start += 4) {
        int64_t end = ga__min(start + 4, x->count);
        fill(s->local, n, 1);
        for (int64_t i = start; i < end; i++) {
            good = prepare_token(p, s, x, i, start) && good;
        }
        close_block(p, s, start, end, end == x->count ? settle(p, s) : 1);
    }
    if (p->decay_kind == GA__DECAY_VECTOR) {
        split(p, s, s->total, s->drift);
    }
    clear_tail(s->k, x->count, s->dp);
    clear_tail(s->q, x->rows, s->dp);
    if (p->delta) {
        clear_tail(s->read, x->count, s->dp);
    }
    return good;
}

#endif
