/* edge_body.h - passes over the edges of rows; one per instruction set.
 *
 * Softmax keeps the running maximum of every head: when a block brings a larger one, sums and accumulator are scaled
 * down, so that every row is read once. Nothing of the size of the edges is written but what the caller asked for.
 */
#include "lib/engine/edge_attention/edge_vectors.h"

enum { GROUPS = EB / VF };

/* Finished weights are multiplied by something. */
static bool has_mask(const ga__edge_run *run)
{
    return run->mask || run->keep_weights.bits;
}

/* ---- a block of edges ---- */

static void block_rows(const void *base, ga__type type, int64_t stride, int64_t columns, const int64_t *node,
                       int n, float *room, const float **rows)
{
    for (int e = 0; e < n; e++) {
        rows[e] = (const float *)base + node[e] * stride;
    }
    if (type != GA__F32) {
        int64_t step = ga__edge_round(columns);
        for (int e = 0; e < n; e++) {
            rows[e] = room + e * step;
            load_row(room + e * step, base, node[e] * stride, type, columns, 1);
        }
    }
    for (int e = n; e < EB; e++) {
        rows[e] = rows[n - 1];
    }
}

GA__INLINE void fetch_ahead(const void *base, ga__type type, int64_t stride, int64_t columns,
                            const uint32_t *ids, int n)
{
    int64_t size = type == GA__F32 ? 4 : 2, bytes = columns * size;
    bytes = bytes > 1024 ? 1024 : bytes;
    for (int e = 0; e < n; e++) {
        const char *row = (const char *)base + (int64_t)ids[e] * stride * size;
        for (int64_t b = 0; b < bytes; b += 64) {
            __builtin_prefetch(row + b, 0, 3);
        }
    }
}

/* Pointers to the rows of the edges 16 places on, or, where rows are not whole vectors, asks for them at once. */
static const float *const *next_rows(const void *base, ga__type type, int64_t stride, int64_t heads,
                                     int64_t width, const uint32_t *ids, int n, int ahead, const float **next)
{
    if (type != GA__F32 || width % VF != 0 || ahead < n) {
        fetch_ahead(base, type, stride, heads * width, ids, ahead);
        return NULL;
    }
    for (int e = 0; e < EB; e++) {
        next[e] = (const float *)base + (int64_t)ids[e < n ? e : 0] * stride;
    }
    return next;
}

/* Dropout of n numbers of a row whose bits start at `at`. */
static void drop_row(const ga__edge_keep *keep, int64_t at, int64_t n, const float *from, float *to)
{
    vf scale = vf_set(keep->scale);
    for (int64_t c = 0; c < n; c += VF) {
        int lanes = n - c < VF ? (int)(n - c) : VF;
        vm m = vm_bits((uint32_t)ga__keep_from(keep->bits, at + c) & ((1U << VF) - 1));
        vf_store_n(to + c, vf_pick(m, vf_mul(vf_load_n(from + c, lanes), scale), vf_zero()), lanes);
    }
}

/* Values as they are summed. */
static void drop_values(const ga__edge_run *run, ga__edge_scratch *s, int n)
{
    int64_t columns = run->heads * run->width_v, step = ga__edge_round(columns);
    for (int e = 0; e < n; e++) {
        float *to = s->other_y + e * step;
        drop_row(&run->keep_values, s->node[e] * columns, columns, s->y[e], to);
        s->y[e] = to;
    }
    for (int e = n; e < EB; e++) {
        s->y[e] = s->y[n - 1];
    }
}

/* Reads what the edges from .. from + n - 1 bring. */
static void begin_block(const ga__edge_run *run, ga__edge_scratch *s, int64_t from, int n)
{
    const uint32_t *ids = run->ids + from;
    for (int e = 0; e < n; e++) {
        s->node[e] = ids[e];
    }
    if (has_mask(run) || run->bias || run->map || run->edge_weight || run->dbias) {
        for (int e = 0; e < n; e++) {
            s->place[e] = run->edge ? run->edge[from + e] : from + e;
        }
    }
    int64_t heads = run->heads;
    const ga__edge_side *o = &run->other;
    int ahead = (int)ga__min(n, ga__max(0, run->count - from - EB));
    s->fetch_x = s->fetch_y = NULL;
    if (o->y && !(run->same && o->x)) {
        s->fetch_y =
            next_rows(o->y, o->y_type, o->y_stride, heads, run->width_v, ids + EB, n, ahead, s->next_y);
        block_rows(o->y, o->y_type, o->y_stride, heads * run->width_v, s->node, n, s->other_y, s->y);
        if (run->keep_values.bits && !run->swapped) {
            drop_values(run, s, n);
        }
    }
    if (o->x) {
        s->fetch_x =
            next_rows(o->x, o->x_type, o->x_stride, heads, run->width, ids + EB, n, ahead, s->next_x);
        block_rows(o->x, o->x_type, o->x_stride, heads * run->width, s->node, n, s->other_x, s->x);
        if (run->same) {
            memcpy(s->y, s->x, sizeof s->y);
        }
    }
    if (o->part) {
        for (int e = 0; e < ahead; e++) {
            __builtin_prefetch(o->part + (int64_t)ids[EB + e] * heads, 0, 3);
        }
    }
    if (run->swapped && run->record) {
        int64_t step = run->parameters * heads;
        for (int e = 0; e < ahead; e++) {
            __builtin_prefetch(run->record + (int64_t)ids[EB + e] * step, 0, 3);
        }
    }
    if (run->score == GA_EDGE_DISTANCE) {
        for (int e = 0; e < EB; e++) {
            s->scale[e] = o->scale && e < n ? o->scale[s->node[e]] : 1;
        }
    }
}

#if GA__ISA != 0
/* to[h][e .. e + 3] for four heads. */
GA__INLINE void spread_four(const float *from, const int64_t *index, int64_t row, float *to)
{
    __m128 a = _mm_loadu_ps(from + index[0] * row), b = _mm_loadu_ps(from + index[1] * row);
    __m128 c = _mm_loadu_ps(from + index[2] * row), d = _mm_loadu_ps(from + index[3] * row);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to, a);
    _mm_storeu_ps(to + EB, b);
    _mm_storeu_ps(to + 2 * EB, c);
    _mm_storeu_ps(to + 3 * EB, d);
}
#endif

#if GA__ISA == 512
/* Sixteen edges of four heads, without a way through memory. */
GA__INLINE void spread_block(const float *from, const int64_t *index, int64_t row, float *to)
{
    vf quad[4], half[4];
    for (int i = 0; i < 4; i++) {
        vf v = _mm512_castps128_ps512(_mm_loadu_ps(from + index[i] * row));
        v = _mm512_insertf32x4(v, _mm_loadu_ps(from + index[i + 4] * row), 1);
        v = _mm512_insertf32x4(v, _mm_loadu_ps(from + index[i + 8] * row), 2);
        quad[i] = _mm512_insertf32x4(v, _mm_loadu_ps(from + index[i + 12] * row), 3);
    }
    half[0] = _mm512_unpacklo_ps(quad[0], quad[1]);
    half[1] = _mm512_unpackhi_ps(quad[0], quad[1]);
    half[2] = _mm512_unpacklo_ps(quad[2], quad[3]);
    half[3] = _mm512_unpackhi_ps(quad[2], quad[3]);
    for (int i = 0; i < 2; i++) {
        __m512d a = _mm512_castps_pd(half[i]), b = _mm512_castps_pd(half[2 + i]);
        vf_store(to + (2 * i) * EB, _mm512_castpd_ps(_mm512_unpacklo_pd(a, b)));
        vf_store(to + (2 * i + 1) * EB, _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
    }
}
#endif

/* to[h][e] = from[index[e]][h], 0 behind the n-th. */
static void spread(const float *from, const int64_t *index, int64_t heads, int64_t row, int n, float *to)
{
    int e = 0;
#if GA__ISA == 512
    for (int64_t h = 0; n == EB && heads % 4 == 0 && h < heads; h += 4) {
        spread_block(from + h, index, row, to + h * EB);
        e = EB;
    }
#endif
#if GA__ISA != 0
    for (; heads % 4 == 0 && e + 4 <= n; e += 4) {
        for (int64_t h = 0; h < heads; h += 4) {
            spread_four(from + h, index + e, row, to + h * EB + e);
        }
    }
#endif
    for (; e < n; e++) {
        const float *p = from + index[e] * row;
        for (int64_t h = 0; h < heads; h++) {
            to[h * EB + e] = p[h];
        }
    }
    for (int64_t h = 0; h < heads && n < EB; h++) {
        memset(to + h * EB + n, 0, (size_t)(EB - n) * sizeof *to);
    }
}

/* to[h][e]: edge scale and dropout of the weights, 0 behind the n-th. */
static void block_mask(const ga__edge_run *run, const ga__edge_scratch *s, int n, float *to)
{
    int64_t heads = run->heads;
    const ga__edge_keep *keep = &run->keep_weights;
    if (run->mask) {
        spread(run->mask, s->place, heads, heads, n, to);
    } else {
        for (int64_t i = 0; i < heads * EB; i++) {
            to[i] = i % EB < n;
        }
    }
    for (int e = 0; keep->bits && e < n; e++) {
        for (int64_t h = 0; h < heads; h++) {
            float *w = to + h * EB + e;
            *w = ga__kept(keep->bits, s->place[e] * heads + h) ? *w * keep->scale : 0;
        }
    }
}

/* score += bias of the edge. */
static void add_bias(const ga__edge_run *run, ga__edge_scratch *s, float *score, int n)
{
    for (int64_t h = 0; h < run->heads; h++) {
        for (int e = 0; e < n; e++) {
            score[h * EB + e] += run->bias[s->place[e] * run->bias_heads + (run->bias_heads == 1 ? 0 : h)];
        }
    }
}

GA__INLINE double line_distance(const ga__edge_run *run, int64_t row, int64_t node)
{
    int64_t target = run->swapped ? node : row, source = run->swapped ? row : node;
    int64_t d = target + run->shift - source;
    return (double)(d < 0 ? -d : d);
}

/* Biases by target and source; one head. */
static void add_place_bias(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int n)
{
    for (int e = 0; e < n; e++) {
        int64_t target = run->swapped ? s->node[e] : row, source = run->swapped ? row : s->node[e];
        if (run->dense.data) {
            s->score[e] += run->dense.type == GA__F32
                               ? ((const float *)ga__view_row(&run->dense, 0, 0, target))[source]
                               : (float)ga__view_get(&run->dense, 0, 0, target, source);
        }
        if (run->distance_bias) {
            s->score[e] -= run->distance_slope * (float)line_distance(run, row, s->node[e]);
        }
    }
}

/* score[h][e] and raw[h][e], which tells the slope of what follows the sum: leaky's input, the capped score. */
static void block_scores(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int n)
{
    int64_t heads = run->heads;
    float factor = run->scale;
    switch (run->score) {
    case GA_EDGE_DOT:
    case GA_EDGE_COSINE:
        pair_block(PAIR_DOT, s->own_x, NULL, 0, s->scale, s->x, s->fetch_x, heads, run->width, n, s->score);
        break;
    case GA_EDGE_GATV2:
        pair_block(PAIR_GATV2, s->own_x, run->att, run->slope, s->scale, s->x, s->fetch_x, heads, run->width,
                   n, s->score);
        factor = 1;
        break;
    case GA_EDGE_DISTANCE:
        pair_block(PAIR_DISTANCE, s->own_x, NULL, 0, s->scale, s->x, s->fetch_x, heads, run->width, n,
                   s->score);
        factor = 1;
        break;
    case GA_EDGE_ADDITIVE: spread(run->other.part, s->node, heads, heads, n, s->score); break;
    case GA_EDGE_CONSTANT: memset(s->score, 0, (size_t)(heads * EB) * sizeof *s->score); break;
    }
    if (run->score == GA_EDGE_ADDITIVE) {
        const float *part = run->own.part + row * heads;
        for (int64_t h = 0; h < heads; h++) {
            for (int g = 0; g < GROUPS; g++) {
                float *p = s->score + h * EB + g * VF;
                vf_store(p, vf_add(vf_load(p), vf_set(part[h])));
            }
        }
        if (run->bias) {
            add_bias(run, s, s->score, n);
        }
        for (int64_t i = 0; i < heads * EB; i += VF) {
            vf u = vf_load(s->score + i);
            vf_store(s->raw + i, u);
            vf_store(s->score + i, leaky(u, vf_set(run->slope)));
        }
        return;
    }
    if (run->score == GA_EDGE_COSINE) {
        const float *part = run->own.part + row * heads;
        spread(run->other.part, s->node, heads, heads, n, s->raw);
        for (int64_t h = 0; h < heads; h++) {
            for (int e = 0; e < EB; e++) {
                s->score[h * EB + e] *= part[h] * s->raw[h * EB + e];
            }
        }
    }
    if (factor != 1) {
        for (int64_t i = 0; i < heads * EB; i += VF) {
            vf_store(s->score + i, vf_mul(vf_load(s->score + i), vf_set(factor)));
        }
    }
    if (run->softcap > 0) {
        for (int64_t i = 0; i < heads * EB; i += VF) {
            vf u = vf_tanh(vf_div(vf_load(s->score + i), vf_set(run->softcap)));
            vf_store(s->raw + i, u);
            vf_store(s->score + i, vf_mul(u, vf_set(run->softcap)));
        }
    }
    if (run->bias) {
        add_bias(run, s, s->score, n);
    }
    if (run->dense.data || run->distance_bias) {
        add_place_bias(run, s, row, n);
    }
}

/* ---- weights ---- */

/* x^e for x >= 0. */
GA__INLINE vf vf_power(vf x, double e)
{
    if (e == 0) {
        return vf_set(1);
    }
    if (e == -0.5 || e == 0.5 || e == -0.25 || e == 0.25) {
        vf r = vf_sqrt(x);
        r = e == 0.25 || e == -0.25 ? vf_sqrt(r) : r;
        return e < 0 ? vf_div(vf_set(1), r) : r;
    }
    if (e == floor(e) && e > 0 && e < 64) {
        vf r = vf_set(1), square = x;
        for (unsigned k = (unsigned)e; k; k >>= 1) {
            r = k & 1 ? vf_mul(r, square) : r;
            square = vf_mul(square, square);
        }
        return r;
    }
    float lanes[VF];
    vf_store(lanes, x);
    for (int i = 0; i < VF; i++) {
        lanes[i] = (float)pow(lanes[i], e);
    }
    return vf_load(lanes);
}

/* M of the p-Laplacian from the squared distance; *tau is w distance plus the guard. */
GA__INLINE vf p_weight(const ga__edge_run *run, vf distance, vf w, vf *tau)
{
    float guard = (float)(run->guard * run->guard);
    *tau = vf_fma(w, distance, vf_set(guard));
    if (run->p == 2) {
        return w;
    }
    vf m = vf_mul(w, vf_power(*tau, (run->p - 2) / 2));
    vm none = vm_eq(vf_abs(m), vf_set(INFINITY));
    m = vf_pick(none, vf_zero(), m);
    return vf_pick(vm_eq(*tau, vf_zero()), vf_zero(), m);
}

static void edge_weights(const ga__edge_run *run, const ga__edge_scratch *s, int n, float *w)
{
    for (int e = 0; e < EB; e++) {
        w[e] = run->edge_weight && e < n ? run->edge_weight[s->place[e]] : 1;
    }
}

/* Positive part that keeps what is not a number. */
GA__INLINE vf positive(vf x)
{
    return vf_pick(vm_ge(vf_zero(), x), vf_zero(), x);
}

GA__INLINE vf plain_weight(ga_normaliser_kind kind, vf score, vf first)
{
    switch (kind) {
    case GA_SOFTMAX: return vf_exp(vf_add(score, first));
    case GA_SIGMOID: return vf_sigmoid(vf_add(score, first));
    case GA_SOFTPLUS:
    case GA_SOFTPLUS_REWEIGHT: return vf_softplus(vf_mul(score, first));
    case GA_RELU_L1: return positive(score);
    case GA_INLINE: return vf_add(score, first);
    case GA_NORM_ATTENTION:
    case GA_IDENTITY:
    case GA_P_LAPLACIAN: break;
    }
    return score;
}

GA__INLINE vf plain_slope(ga_normaliser_kind kind, vf score, vf first, vf a)
{
    switch (kind) {
    case GA_SOFTMAX: return a;
    case GA_SIGMOID: return vf_mul(a, vf_sub(vf_set(1), a));
    case GA_SOFTPLUS:
    case GA_SOFTPLUS_REWEIGHT: return vf_mul(first, vf_sigmoid(vf_mul(score, first)));
    case GA_RELU_L1: return vf_pick(vm_gt(score, vf_zero()), vf_set(1), vf_zero());
    case GA_NORM_ATTENTION:
    case GA_IDENTITY:
    case GA_INLINE:
    case GA_P_LAPLACIAN: break;
    }
    return vf_set(1);
}

#include "lib/engine/edge_attention/edge_forward.h"

#include "lib/engine/edge_attention/edge_backward.h"

#include "lib/engine/edge_attention/edge_direct.h"

#include "lib/engine/edge_attention/edge_direct_forward.h"

#include "lib/engine/edge_attention/edge_direct_backward.h"

#include "lib/engine/edge_attention/edge_direct_distance.h"

#include "lib/engine/edge_attention/edge_direct_kernels.h"

const ga__edge_ops GA__NAME(ga__edge_ops) = {
    .direct_backward = direct_backward,
    .forward_rows = forward_rows,
    .forward_part = forward_part,
    .forward_merge = forward_merge,
    .records = records,
    .backward_rows = backward_rows,
    .backward_part = backward_part,
    .backward_merge = backward_merge,
};
