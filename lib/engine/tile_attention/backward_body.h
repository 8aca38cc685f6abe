/* backward_body.h - the tiles of the backward pass on vectors; see backward_tile.h. */
#include "lib/engine/simd.h"
#include "lib/engine/tile_attention/backward_tile.h"

/* Vectors that a block of the matrix product is wide: 6 rows of them fill the registers. */
#if GA__ISA == 512
enum { WIDTH = 4 };
#else
enum { WIDTH = 2 };
#endif

/* ---- packing ---- */

typedef float four __attribute__((vector_size(16)));
typedef int32_t four_places __attribute__((vector_size(16)));

/* Four rows of four become four columns. */
GA__INLINE void turn_four(const float *from, int64_t stride, float *to)
{
    four row[4], low[2], high[2];
    for (int i = 0; i < 4; i++) {
        memcpy(&row[i], from + i * stride, sizeof row[i]);
    }
    for (int i = 0; i < 2; i++) {
        low[i] = __builtin_shuffle(row[i], row[i + 2], (four_places){ 0, 4, 1, 5 });
        high[i] = __builtin_shuffle(row[i], row[i + 2], (four_places){ 2, 6, 3, 7 });
    }
    row[0] = __builtin_shuffle(low[0], low[1], (four_places){ 0, 4, 1, 5 });
    row[1] = __builtin_shuffle(low[0], low[1], (four_places){ 2, 6, 3, 7 });
    row[2] = __builtin_shuffle(high[0], high[1], (four_places){ 0, 4, 1, 5 });
    row[3] = __builtin_shuffle(high[0], high[1], (four_places){ 2, 6, 3, 7 });
    for (int i = 0; i < 4; i++) {
        memcpy(to + i * GA__BACK, &row[i], sizeof row[i]);
    }
}

/* Both have room for a multiple of four columns. */
static void turn(const float *rows, int64_t stride, int64_t count, int64_t columns, float *across)
{
    int64_t whole = count - count % 4;
    for (int64_t c = 0; c < columns; c += 4) {
        for (int64_t j = 0; j < whole; j += 4) {
            turn_four(rows + j * stride + c, stride, across + c * GA__BACK + j);
        }
    }
    for (int64_t c = 0; c < columns; c++) {
        for (int64_t j = whole; j < GA__BACK; j++) {
            across[c * GA__BACK + j] = j < count ? rows[j * stride + c] : 0;
        }
    }
}

static bool GA__NAME(pack)(const ga__view *from, int64_t batch, int64_t head, int64_t first, int64_t rows,
                           float factor, int64_t stride, float *to, float *across)
{
    vf rest = vf_zero(); /* 0 x is not a number for an x that is not finite */
    for (int64_t i = 0; i < rows; i++) {
        const void *row = ga__view_row(from, batch, head, first + i);
        float *out = to + i * stride;
        for (int64_t c = 0; c < stride; c += VF) {
            int64_t left = ga__max(0, ga__min(VF, from->columns - c));
            vf x = left == VF ? vf_loads(row, c, from->type) : vf_loads_n(row, c, from->type, (int)left);
            x = vf_mul(x, vf_set(factor));
            rest = vf_fma(x, vf_zero(), rest);
            vf_store(out + c, x);
        }
    }
    if (across) {
        turn(to, stride, rows, from->columns, across);
    }
    return vf_sum(rest) == 0;
}

/* ---- matrix products: c (+)= a b, a(i, k) = a[i step + k stride_k], b's rows whole vectors ---- */

GA__INLINE void block(const int rows, const int width, const bool add, float *c, int64_t stride_c,
                      const float *a, int64_t step, int64_t stride_k, const float *b, int64_t stride_b,
                      int64_t depth)
{
    vf sum[6][WIDTH];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < width; j++) {
            sum[i][j] = add ? vf_load(c + i * stride_c + j * VF) : vf_zero();
        }
    }
    for (int64_t k = 0; k < depth; k++) {
        vf y[WIDTH];
#pragma GCC unroll 4
        for (int j = 0; j < width; j++) {
            y[j] = vf_load(b + k * stride_b + j * VF);
        }
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            vf x = vf_set(a[i * step + k * stride_k]);
#pragma GCC unroll 4
            for (int j = 0; j < width; j++) {
                sum[i][j] = vf_fma(x, y[j], sum[i][j]);
            }
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < width; j++) {
            vf_store(c + i * stride_c + j * VF, sum[i][j]);
        }
    }
}

GA__INLINE void columns(const int width, const bool add, float *c, int64_t stride_c, const float *a,
                        int64_t step, int64_t stride_k, const float *b, int64_t stride_b, int64_t rows,
                        int64_t depth)
{
    int64_t i = 0;
    for (; i + 6 <= rows; i += 6) {
        block(6, width, add, c + i * stride_c, stride_c, a + i * step, step, stride_k, b, stride_b, depth);
    }
    if (i + 4 <= rows) {
        block(4, width, add, c + i * stride_c, stride_c, a + i * step, step, stride_k, b, stride_b, depth);
        i += 4;
    }
    for (; i < rows; i++) {
        block(1, width, add, c + i * stride_c, stride_c, a + i * step, step, stride_k, b, stride_b, depth);
    }
}

GA__INLINE void product(const bool add, float *c, int64_t stride_c, const float *a, int64_t step,
                        int64_t stride_k, const float *b, int64_t stride_b, int64_t rows, int64_t width,
                        int64_t depth)
{
    int64_t left = (width + VF - 1) / VF;
    for (; left >= WIDTH; left -= WIDTH, c += WIDTH * VF, b += WIDTH * VF) {
        columns(WIDTH, add, c, stride_c, a, step, stride_k, b, stride_b, rows, depth);
    }
#if GA__ISA == 512
    if (left == 3) {
        columns(3, add, c, stride_c, a, step, stride_k, b, stride_b, rows, depth);
    } else if (left == 2) {
        columns(2, add, c, stride_c, a, step, stride_k, b, stride_b, rows, depth);
    }
#endif
    if (left == 1) {
        columns(1, add, c, stride_c, a, step, stride_k, b, stride_b, rows, depth);
    }
}

/* scores = a b' for packed rows a and b with places across. */
static void scores_of(float *scores, const float *a, int64_t stride, const float *across, int64_t rows,
                      int64_t places, int64_t depth)
{
    product(false, scores, GA__BACK, a, stride, 1, across, GA__BACK, rows, places, depth);
}

/* to (rows) += tile b (places) */
static void add_rows(float *to, int64_t stride, const float *tile, const float *b, int64_t rows,
                     int64_t places, int64_t width)
{
    product(true, to, stride, tile, GA__BACK, 1, b, stride, rows, width, places);
}

/* to (places) += tile' b (rows) */
static void add_places(float *to, int64_t stride, const float *tile, const float *b, int64_t rows,
                       int64_t places, int64_t width)
{
    product(true, to, stride, tile, 1, GA__BACK, b, stride, places, width, rows);
}

/* ---- what is done to the products before they are scores ---- */

/* Bias and slopes where places are not simply keys, or a bias in double precision; ghosts have neither. */
static void add_by_key(const ga__back_tile *t, int64_t i, float *s, bool bias, bool slopes)
{
    const ga__attention *a = t->a;
    int64_t query = t->query + i, head = a->bias.heads == 1 ? 0 : t->head;
    for (int64_t j = 0; j < t->places; j++) {
        int64_t key = a->pattern->real ? a->pattern->real[t->place + j] : t->place + j;
        if (key < 0) {
            continue;
        }
        if (bias) {
            s[j] += (float)ga__view_get(&a->bias, 0, head, query, key);
        }
        if (slopes) {
            s[j] -= t->slope * fabsf((float)(query + a->shift - key));
        }
    }
}

static void add_table(const ga__back_tile *t, int64_t i, float *s)
{
    const ga__view *table = &t->a->table;
    int64_t row = table->rows == 1 ? 0 : t->head;
    const float *cells = table->type == GA__F32 ? ga__view_row(table, 0, 0, row) : NULL;
    for (int64_t j = 0; j < t->places; j++) {
        int64_t cell = ga__pattern_cell(t->a->pattern, t->query + i, t->place + j);
        if (cell >= 0) {
            s[j] += cells ? cells[cell] : (float)ga__view_get(table, 0, 0, row, cell);
        }
    }
}

static vf distance(float position, int64_t place)
{
    static const float lanes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    return vf_abs(vf_sub(vf_set(position - (float)place), vf_load(lanes)));
}

/* x = factor y, then x + gain |x|, for row i; slack holds dy / d product. */
GA__INLINE vf add_terms(const ga__back_tile *t, int64_t i, int64_t j, vf y)
{
    int64_t at = i * GA__BACK + j;
    vf one = vf_set(1), factor = t->key_factor ? vf_load(t->key_factor + j) : one, x = vf_mul(factor, y),
       bend = one;
    if (t->key_gain && i >= t->gain_row) {
        vf gain = vf_load(t->key_gain + j);
        bend = vf_pick(vm_gt(vf_zero(), x), vf_sub(one, gain), vf_add(one, gain));
        x = vf_fma(gain, vf_abs(x), x);
    }
    vf slope = vf_mul(bend, factor);
    vf_store(t->slack + at, t->softcap > 0 ? vf_mul(slope, vf_load(t->slack + at)) : slope);
    if (t->bare) {
        vf_store(t->bare + at, vf_mul(bend, y));
    }
    return x;
}

static void dress(const ga__back_tile *t)
{
    const ga__attention *a = t->a;
    bool plain = !a->pattern->real, bias = a->bias.data != NULL, slopes = a->slopes.data != NULL;
    bool quick = plain && bias && a->bias.type != GA__F64;
    for (int64_t i = 0; i < t->rows; i++) {
        float *s = t->scores + i * GA__BACK;
        const void *extra =
            quick ? ga__view_row(&a->bias, 0, a->bias.heads == 1 ? 0 : t->head, t->query + i) : NULL;
        for (int64_t j = 0; j < t->places; j += VF) {
            vf x = vf_mul(vf_set(t->scale), vf_load(s + j));
            if (t->softcap > 0) {
                vf y = vf_tanh(vf_mul(x, vf_set(1 / t->softcap)));
                x = vf_mul(y, vf_set(t->softcap));
                vf_store(t->slack + i * GA__BACK + j, vf_fnma(y, y, vf_set(1)));
            }
            if (t->key_factor || t->key_gain) {
                x = add_terms(t, i, j, x);
            }
            if (t->key_bias) {
                x = vf_add(x, vf_load(t->key_bias + j));
            }
            if (extra) {
                int n = (int)ga__min(VF, t->places - j);
                x = vf_add(x, vf_loads_n(extra, t->place + j, a->bias.type, n));
            }
            if (slopes && plain) {
                vf far = distance((float)(t->query + i + a->shift - t->place), j);
                x = vf_fnma(vf_set(t->slope), far, x);
            }
            vf_store(s + j, x);
        }
        if ((bias && !extra) || (slopes && !plain)) {
            add_by_key(t, i, s, bias && !extra, slopes && !plain);
        }
        if (a->table.data) {
            add_table(t, i, s);
        }
    }
}

/* Scores (a factor short of it where nothing is added) and D. */
static void multiply(const ga__back_tile *t)
{
    scores_of(t->scores, t->q, t->stride, t->k_across, t->rows, t->places, t->dim);
    scores_of(t->pulls, t->grad_o, t->stride_v, t->v_across, t->rows, t->places, t->dim_v);
    if (t->dressed) {
        dress(t);
    }
}

/* y^p for y >= 0. */
static vf raise(vf y, double p)
{
    if (p >= 0 && p <= 64 && p == floor(p)) {
        vf result = vf_set(1);
        for (int n = (int)p; n > 0; n >>= 1, y = vf_mul(y, y)) {
            result = n & 1 ? vf_mul(result, y) : result;
        }
        return result;
    }
    float lanes[VF];
    vf_store(lanes, y);
    for (int i = 0; i < VF; i++) {
        lanes[i] = powf(lanes[i], (float)p);
    }
    return vf_load(lanes);
}

/* ---- sweeps that gather row constants ---- */

GA__INLINE vm seen(const ga__back_tile *t, int64_t i, int64_t j)
{
    uint64_t bits = t->mask ? t->mask[i] : ~UINT64_C(0);
    return vm_bits((uint32_t)(bits >> j));
}

GA__INLINE bool sees_none(const ga__back_tile *t, int64_t i)
{
    return t->mask && t->mask[i] == 0;
}

GA__INLINE vf score(const ga__back_tile *t, int64_t i, int64_t j)
{
    vf s = vf_load(t->scores + i * GA__BACK + j);
    return t->dressed ? s : vf_mul(vf_set(t->scale), s);
}

static float largest_score(const ga__back_tile *t, int64_t i)
{
    vf most = vf_set(-INFINITY);
    for (int64_t j = 0; j < t->places; j += VF) {
        most = vf_max(vf_pick(seen(t, i, j), score(t, i, j), most), most);
    }
    return vf_most(most);
}

/* Softmax: the sums so far are measured against the new maximum. */
static void lift(ga__back_row *row, float most)
{
    if (most > row->max) {
        double down = exp(row->max - most);
        row->sum *= down;
        row->dot *= down;
        row->max = most;
    }
    row->shift = row->max == -INFINITY ? 0 : (float)-row->max;
}

GA__INLINE void gather_row(ga_normaliser_kind kind, const ga__back_tile *t, int64_t i)
{
    ga__back_row *row = t->row + i;
    vf sum = vf_zero(), dot = vf_zero(), factor = vf_set(row->factor), most = vf_zero();
    if (kind == GA_SOFTMAX) {
        lift(row, largest_score(t, i));
    }
    vf shift = vf_set(row->shift);
    for (int64_t j = 0; j < t->places; j += VF) {
        vm on = seen(t, i, j);
        vf s = score(t, i, j), pull = vf_load(t->pulls + i * GA__BACK + j), w = s;
        switch (kind) {
        case GA_SOFTMAX: w = vf_exp(vf_add(s, shift)); break;
        case GA_SOFTPLUS:
        case GA_SOFTPLUS_REWEIGHT: w = vf_softplus(vf_mul(factor, s)); break;
        case GA_RELU_L1: w = vf_pick(vm_gt(vf_zero(), s), vf_zero(), s); break;
        default: break;
        }
        w = vf_pick(on, w, vf_zero());
        sum = vf_add(sum, w);
        dot = vf_add(dot, kind == GA_INLINE ? vf_pick(on, pull, vf_zero())
                                            : vf_pick(on, vf_mul(w, pull), vf_zero()));
        most = vf_max(w, most);
    }
    row->sum += (double)vf_sum(sum);
    row->dot += (double)vf_sum(dot);
    if (kind == GA_SOFTPLUS_REWEIGHT) {
        row->max = fmax(row->max, (double)vf_most(most));
    }
}

GA__INLINE void gather(ga_normaliser_kind kind, const ga__back_tile *t)
{
    for (int64_t i = 0; i < t->rows; i++) {
        if (!sees_none(t, i)) {
            gather_row(kind, t, i);
        }
    }
}

static void GA__NAME(first_sweep)(const ga__back_tile *t)
{
    multiply(t);
    switch (t->kind) {
    case GA_SOFTMAX: gather(GA_SOFTMAX, t); break;
    case GA_SOFTPLUS: gather(GA_SOFTPLUS, t); break;
    case GA_SOFTPLUS_REWEIGHT: gather(GA_SOFTPLUS_REWEIGHT, t); break;
    case GA_RELU_L1: gather(GA_RELU_L1, t); break;
    case GA_INLINE: gather(GA_INLINE, t); break;
    default: gather(GA_IDENTITY, t); break;
    }
}

/* P of softplus-reweight and y / ymax; y = max(0, n P - off). */
typedef struct share {
    vf p, y;
    vm on;
} share;

GA__INLINE share share_of(const ga__back_row *row, vf s)
{
    share result;
    result.p = vf_mul(vf_softplus(vf_mul(vf_set(row->factor), s)), vf_set(row->inverse));
    vf y = vf_sub(vf_mul(vf_set(row->length), result.p), vf_set(row->offset));
    result.y = vf_mul(y, vf_set(row->peak));
    result.on = vm_not(vm_ge(vf_zero(), result.y)); /* NaN counts as seen */
    return result;
}

static void GA__NAME(second_sweep)(const ga__back_tile *t)
{
    multiply(t);
    for (int64_t i = 0; i < t->rows; i++) {
        ga__back_row *row = t->row + i;
        vf sum = vf_zero(), dot = vf_zero(), pull = vf_zero(), pull_dot = vf_zero();
        if (sees_none(t, i) || row->peak == 0) {
            continue;
        }
        for (int64_t j = 0; j < t->places; j += VF) {
            share x = share_of(row, score(t, i, j));
            vm on = vm_and(seen(t, i, j), x.on);
            vf d = vf_pick(on, vf_load(t->pulls + i * GA__BACK + j), vf_zero());
            vf u = vf_pick(on, raise(x.y, t->power - 1), vf_zero());
            vf r = vf_pick(on, vf_mul(u, x.y), vf_zero()), p = vf_pick(on, vf_mul(u, x.p), vf_zero());
            sum = vf_add(sum, r);
            dot = vf_fma(r, d, dot);
            pull = vf_add(pull, p);
            pull_dot = vf_fma(p, d, pull_dot);
        }
        row->power_sum += (double)vf_sum(sum);
        row->power_dot += (double)vf_sum(dot);
        row->pull += (double)vf_sum(pull);
        row->pull_dot += (double)vf_sum(pull_dot);
    }
}

/* ---- gradients ---- */

/* Weight and gradient of a score; d = D - delta. */
typedef struct pair {
    vf w, ds;
} pair;

GA__INLINE pair reweight(const ga__back_tile *t, const ga__back_row *row, vf s, vf d)
{
    share x = share_of(row, s);
    vf u = vf_mul(raise(x.y, t->power - 1), vf_set(row->power_inverse));
    vf w = vf_pick(x.on, vf_mul(u, x.y), vf_zero());
    vf steep = vf_set((float)t->power * row->length * row->peak);
    vf dp = vf_pick(x.on, vf_mul(vf_mul(u, steep), d), vf_zero());
    vf slope = vf_mul(vf_set(row->factor * row->inverse), vf_sigmoid(vf_mul(vf_set(row->factor), s)));
    return (pair){ w, vf_mul(vf_sub(dp, vf_set(row->lean)), slope) };
}

GA__INLINE pair weigh(ga_normaliser_kind kind, const ga__back_tile *t, const ga__back_row *row, vf s, vf d)
{
    vf inverse = vf_set(row->inverse), factor = vf_set(row->factor), shift = vf_set(row->shift);
    vm off;
    vf w;
    switch (kind) {
    case GA_SOFTMAX: w = vf_exp(vf_add(s, shift)); return (pair){ w, vf_mul(w, d) };
    case GA_SIGMOID:
        w = vf_sigmoid(vf_add(s, shift));
        return (pair){ w, vf_mul(vf_mul(w, vf_sub(vf_set(1), w)), d) };
    case GA_SOFTPLUS:
        s = vf_mul(factor, s);
        w = vf_mul(vf_softplus(s), inverse);
        return (pair){ w, vf_mul(vf_mul(d, vf_mul(inverse, factor)), vf_sigmoid(s)) };
    case GA_SOFTPLUS_REWEIGHT: return reweight(t, row, s, d);
    case GA_RELU_L1:
        off = vm_ge(vf_zero(), s);
        return (pair){ vf_pick(off, vf_zero(), vf_mul(s, inverse)),
                       vf_pick(off, vf_zero(), vf_mul(d, inverse)) };
    case GA_INLINE: return (pair){ vf_add(s, shift), d };
    default: return (pair){ vf_mul(s, inverse), vf_mul(d, inverse) };
    }
}

/* Leaves w in pulls and scale ds in scores. */
GA__INLINE void differentiate(ga_normaliser_kind kind, const ga__back_tile *t)
{
    for (int64_t i = 0; i < t->rows; i++) {
        const ga__back_row *row = t->row + i;
        vf delta = vf_set(row->delta);
        for (int64_t j = 0; j < t->places; j += VF) {
            int64_t at = i * GA__BACK + j;
            vf d = vf_sub(vf_load(t->pulls + at), delta);
            pair x = weigh(kind, t, row, score(t, i, j), d);
            if (t->mask) {
                vm on = seen(t, i, j);
                x.w = vf_pick(on, x.w, vf_zero());
                x.ds = vf_pick(on, x.ds, vf_zero());
            }
            vf_store(t->pulls + at, x.w);
            if (t->raw) {
                vf_store(t->raw + at, x.ds);
            }
            if (t->slack) {
                x.ds = vf_mul(x.ds, vf_load(t->slack + at));
            }
            vf_store(t->scores + at, vf_mul(x.ds, vf_set(t->scale)));
        }
    }
}

/* Sums over the rows of what the terms of a key get; raw is 0 where a row does not see the place. */
static void sum_terms(const ga__back_tile *t)
{
    for (int64_t j = 0; j < t->places; j += VF) {
        vf sum = vf_zero(), with = vf_zero();
        for (int64_t i = 0; i < t->rows; i++) {
            vf ds = vf_load(t->raw + i * GA__BACK + j);
            sum = vf_add(sum, ds);
            if (t->factor_sums) {
                vf part = vf_mul(ds, vf_load(t->bare + i * GA__BACK + j));
                with = vf_add(with, vf_pick(seen(t, i, j), part, vf_zero()));
            }
        }
        if (t->bias_sums) {
            vf_store(t->bias_sums + j, sum);
        }
        if (t->factor_sums) {
            vf_store(t->factor_sums + j, with);
        }
    }
}

GA__INLINE void add_scaled(float *to, float factor, const float *from, int64_t stride)
{
    for (int64_t c = 0; c < stride; c += VF) {
        vf_store(to + c, vf_fma(vf_set(factor), vf_load(from + c), vf_load(to + c)));
    }
}

/* Pair by pair, so that what a row does not see cannot reach it as 0 times NaN. */
static void spread_contained(const ga__back_tile *t)
{
    for (int64_t i = 0; i < t->rows; i++) {
        for (uint64_t bits = t->mask[i]; bits; bits &= bits - 1) {
            int64_t j = __builtin_ctzll(bits);
            float ds = t->scores[i * GA__BACK + j], w = t->pulls[i * GA__BACK + j];
            if (t->dq) {
                add_scaled(t->dq + i * t->stride, ds, t->k + j * t->stride, t->stride);
            }
            if (t->dk) {
                add_scaled(t->dk + j * t->stride, ds, t->q + i * t->stride, t->stride);
            }
            if (t->dv) {
                add_scaled(t->dv + j * t->stride_v, w, t->grad_o + i * t->stride_v, t->stride_v);
            }
        }
    }
}

static void spread(const ga__back_tile *t)
{
    if (t->dv) {
        add_places(t->dv, t->stride_v, t->pulls, t->grad_o, t->rows, t->places, t->dim_v);
    }
    if (t->dq) {
        add_rows(t->dq, t->stride, t->scores, t->k, t->rows, t->places, t->dim);
    }
    if (t->dk) {
        add_places(t->dk, t->stride, t->scores, t->q, t->rows, t->places, t->dim);
    }
}

static void GA__NAME(gradients)(const ga__back_tile *t)
{
    multiply(t);
    switch (t->kind) {
    case GA_SOFTMAX: differentiate(GA_SOFTMAX, t); break;
    case GA_SIGMOID: differentiate(GA_SIGMOID, t); break;
    case GA_SOFTPLUS: differentiate(GA_SOFTPLUS, t); break;
    case GA_SOFTPLUS_REWEIGHT: differentiate(GA_SOFTPLUS_REWEIGHT, t); break;
    case GA_RELU_L1: differentiate(GA_RELU_L1, t); break;
    case GA_INLINE: differentiate(GA_INLINE, t); break;
    default: differentiate(GA_IDENTITY, t); break;
    }
    if (t->bias_sums || t->factor_sums) {
        sum_terms(t);
    }
    if (t->contained) {
        spread(t);
    } else {
        spread_contained(t);
    }
}

const ga__back_ops GA__NAME(ga__back_ops) = {
    .pack = GA__NAME(pack),
    .first_sweep = GA__NAME(first_sweep),
    .second_sweep = GA__NAME(second_sweep),
    .gradients = GA__NAME(gradients),
};
