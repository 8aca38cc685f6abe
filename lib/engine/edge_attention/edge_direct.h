/* edge_direct.h - softmax of dot, gatv2 and additive scores without biases and masks, for common heads and widths.
 *
 * As many edges at a time as their heads fill a vector with: lane e H + h stands for head h of edge e. Heads H and
 * vectors of a head P are constants wherever these functions are inlined, accumulators stay in registers, and a row of
 * few edges costs little more than its edges.
 */
#if GA__ISA != 0

enum {
    DIRECT_AHEAD = 16, /* edges between the one that is read and the one that is asked for */
    DIRECT_MOST = 16   /* vectors of a row */
};

#if GA__ISA == 512
/* Lane i of the result is lane i + n of v, around the end. */
GA__INLINE vf vf_turn(vf v, int n)
{
    const __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_permutexvar_ps(_mm512_add_epi32(at, _mm512_set1_epi32(n)), v);
}
/* x = m 2^e with 1 <= m < 2 for positive x. */
GA__INLINE vf vf_exponent(vf x)
{
    return _mm512_getexp_ps(x);
}
GA__INLINE vf vf_mantissa(vf x)
{
    return _mm512_getmant_ps(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
}
GA__INLINE bool vm_any(vm m)
{
    return m != 0;
}
#else
GA__INLINE vf vf_turn(vf v, int n)
{
    const __m256i at = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_permutevar8x32_ps(v, _mm256_add_epi32(at, _mm256_set1_epi32(n)));
}
GA__INLINE vf vf_exponent(vf x)
{
    __m256i e = _mm256_srli_epi32(_mm256_castps_si256(x), 23);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(e, _mm256_set1_epi32(127)));
}
GA__INLINE vf vf_mantissa(vf x)
{
    __m256i m = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffff));
    return _mm256_castsi256_ps(_mm256_or_si256(m, _mm256_set1_epi32(0x3f800000)));
}
GA__INLINE bool vm_any(vm m)
{
    return vm_to_bits(m) != 0;
}
#endif

/* ln x of a sum of weights, 0 or normal: 2 atanh((m - 1) / (m + 1)) with m within 2^-1/2 .. 2^1/2; -infinity for 0. */
GA__INLINE vf vf_log_sum(vf x)
{
    vf m = vf_mantissa(x), e = vf_exponent(x);
    vm high = vm_gt(m, vf_set(1.41421356f));
    m = vf_pick(high, vf_mul(m, vf_set(0.5f)), m);
    e = vf_pick(high, vf_add(e, vf_set(1)), e);
    vf t = vf_div(vf_sub(m, vf_set(1)), vf_add(m, vf_set(1))), u = vf_mul(t, t);
    vf p = vf_fma(u, vf_set(2.0f / 9), vf_set(2.0f / 7));
    p = vf_fma(p, u, vf_set(2.0f / 5));
    p = vf_fma(p, u, vf_set(2.0f / 3));
    p = vf_fma(p, u, vf_set(2.0f));
    p = vf_fma(e, vf_set(0.693147181f), vf_mul(p, t));
    p = vf_pick(vm_eq(x, vf_zero()), vf_set(-INFINITY), p);
    return vf_pick(vm_eq(x, x), p, x);
}

/* Sum and maximum over the edges of a vector, in every lane of their head. */
GA__INLINE vf edges_sum(const int H, vf v)
{
    for (int step = H; step < VF; step *= 2) {
        v = vf_add(v, vf_turn(v, step));
    }
    return v;
}
GA__INLINE vf edges_most(const int H, vf v)
{
    for (int step = H; step < VF; step *= 2) {
        v = vf_max(v, vf_turn(v, step));
    }
    return v;
}

/* Lane e H + h: p[e][h]. */
GA__INLINE vf heads_of(const int H, const float *const *p)
{
#if GA__ISA == 512
    if (H == 8) {
        return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(p[0])), _mm256_loadu_ps(p[1]), 1);
    }
    if (H == 4) {
        vf v = _mm512_castps128_ps512(_mm_loadu_ps(p[0]));
        v = _mm512_insertf32x4(v, _mm_loadu_ps(p[1]), 1);
        v = _mm512_insertf32x4(v, _mm_loadu_ps(p[2]), 2);
        return _mm512_insertf32x4(v, _mm_loadu_ps(p[3]), 3);
    }
#endif
    float lanes[VF];
    for (int e = 0; e < VF / H; e++) {
        memcpy(lanes + e * H, p[e], (size_t)H * sizeof *lanes);
    }
    return vf_load(lanes);
}

/* Lane e H + h: p[h]. */
GA__INLINE vf heads_same(const int H, const float *p)
{
    const float *all[VF];
    for (int e = 0; e < VF / H; e++) {
        all[e] = p;
    }
    return heads_of(H, all);
}

/* Some edges of a row: as many as a vector holds, or the n that are left; pointers behind those repeat the last. */
typedef struct direct_group {
    int n;
    const float *x[VF], *y[VF], *part[VF], *record[VF];
} direct_group;

GA__INLINE void fetch_row(const float *row, const int floats)
{
#pragma GCC unroll 16
    for (int c = 0; c < floats; c += 16) {
        __builtin_prefetch(row + c, 0, 3);
    }
}

GA__INLINE void direct_begin(const bool x, const bool y, const bool part, const bool record, const int H,
                             const int K, const ga__edge_run *run, int64_t from, int64_t to, direct_group *g)
{
    const ga__edge_side *o = &run->other;
    const float *bx = o->x, *by = o->y;
    const uint32_t *ids = run->ids + from;
    int64_t step = (int64_t)run->parameters * H, left = run->count - from;
    g->n = (int)ga__min(VF / H, to - from);
    for (int e = 0; e < g->n; e++) {
        int64_t later = ids[e + DIRECT_AHEAD < left ? e + DIRECT_AHEAD : e];
        if (x) {
            fetch_row(bx + later * o->x_stride, K * VF);
        }
        if (y) {
            fetch_row(by + later * o->y_stride, K * VF);
        }
        if (part) {
            __builtin_prefetch(o->part + later * H, 0, 3);
        }
        if (record) {
            fetch_row(run->record + later * step, 3 * H);
        }
    }
#pragma GCC unroll 16
    for (int e = 0; e < VF / H; e++) {
        int64_t node = ids[e < g->n ? e : g->n - 1];
        g->x[e] = x ? bx + node * o->x_stride : NULL;
        g->y[e] = y ? by + node * o->y_stride : g->x[e];
        g->part[e] = part ? o->part + node * H : NULL;
        g->record[e] = record ? run->record + node * step : NULL;
    }
}

/* Sum i of a group: its lanes are to be added up. */
GA__INLINE vf direct_pair(const pair_op op, const int H, const int P, const vf *own, const float *att,
                          vf slope, const float *const *rows, const int i)
{
    vf s = vf_zero();
#pragma GCC unroll 16
    for (int p = 0; p < P; p++) {
        const int c = i % H * P + p;
        vf a = op == PAIR_GATV2 ? vf_load(att + c * VF) : own[c], x = vf_load(rows[i / H] + c * VF);
        s = p == 0 && op == PAIR_DOT ? vf_mul(own[c], x) : pair_term(op, s, own[c], x, a, slope, a);
    }
    return s;
}

/* Scores of a group by its rows; own lies in registers. Four sums at a time, which are added up before the next. */
GA__INLINE vf direct_pairs(const pair_op op, const int H, const int P, const vf *own, const float *att,
                           float slope, const float *const *rows)
{
    vf sum[VF / 4], by = vf_set(slope);
#pragma GCC unroll 4
    for (int i = 0; i < VF / 4; i++) {
        sum[i] = vf_quad(direct_pair(op, H, P, own, att, by, rows, 4 * i),
                         direct_pair(op, H, P, own, att, by, rows, 4 * i + 1),
                         direct_pair(op, H, P, own, att, by, rows, 4 * i + 2),
                         direct_pair(op, H, P, own, att, by, rows, 4 * i + 3));
    }
    return vf_quads(sum);
}

GA__INLINE vf direct_scores(const ga_edge_score score, const int H, const int P, const ga__edge_run *run,
                            const vf *own, vf own_part, const direct_group *g, vf *raw)
{
    if (score == GA_EDGE_ADDITIVE) {
        *raw = vf_add(heads_of(H, g->part), own_part);
        return leaky(*raw, vf_set(run->slope));
    }
    if (score == GA_EDGE_GATV2) {
        return direct_pairs(PAIR_GATV2, H, P, own, run->att, run->slope, g->x);
    }
    return vf_mul(direct_pairs(PAIR_DOT, H, P, own, NULL, 0, g->x), vf_set(run->scale));
}

/* acc[k] += w of its head times the row, for the edges that are there. */
GA__INLINE void direct_add(const int H, const int P, const direct_group *g, const float *const *rows, vf w,
                           vf *acc)
{
    float lanes[VF];
    vf_store(lanes, w);
    for (int e = 0; e < g->n; e++) {
        const float *row = rows[e], *we = lanes + e * H;
#pragma GCC unroll 16
        for (int k = 0; k < H * P; k++) {
            acc[k] = vf_fma(vf_set(we[k / P]), vf_load(row + k * VF), acc[k]);
        }
    }
}

GA__INLINE void direct_load(const int K, const float *from, vf *to)
{
#pragma GCC unroll 16
    for (int k = 0; k < K; k++) {
        to[k] = vf_load(from + k * VF);
    }
}

/* to = by[head] from, by in lane h. */
GA__INLINE void direct_scaled(const int H, const int P, const vf *from, vf by, vf *to)
{
    float lanes[VF];
    vf_store(lanes, by);
#pragma GCC unroll 16
    for (int k = 0; k < H * P; k++) {
        to[k] = vf_mul(from[k], vf_set(lanes[k / P]));
    }
}

/* ---- forward ---- */

/* Whether rows of y are written past the caches. */
static bool direct_streams(const ga__edge_run *run)
{
    return (uintptr_t)run->y % 64 == 0 && run->y_out_stride % 16 == 0 &&
           run->rows > ((int64_t)8 << 20) / (int64_t)sizeof(float) / run->y_out_stride;
}

GA__INLINE void direct_forward_row(const ga_edge_score score, const int H, const int P,
                                   const ga__edge_run *run, int64_t row, int64_t from, int64_t to,
                                   float *state, bool stream)
{
    const int K = H * P;
    vf own[DIRECT_MOST], acc[DIRECT_MOST], own_part = vf_zero(), raw;
    vf most = vf_set(-INFINITY), sum = vf_zero();
    if (score == GA_EDGE_ADDITIVE) {
        own_part = heads_same(H, run->own.part + row * H);
    } else {
        direct_load(K, (const float *)run->own.x + row * run->own.x_stride, own);
    }
#pragma GCC unroll 16
    for (int k = 0; k < K; k++) {
        acc[k] = vf_zero();
    }
    bool pairs = score != GA_EDGE_ADDITIVE, apart = !pairs || !run->same;
    for (int64_t e = from; e < to; e += VF / H) {
        direct_group g;
        if (apart) {
            direct_begin(pairs, true, !pairs, false, H, K, run, e, to, &g);
        } else {
            direct_begin(pairs, false, !pairs, false, H, K, run, e, to, &g);
        }
        vf s = direct_scores(score, H, P, run, own, own_part, &g, &raw);
        s = vf_pick(vm_first(g.n * H), s, vf_set(-INFINITY));
        if (vm_any(vm_gt(s, most))) {
            vf before = most;
            most = vf_max(edges_most(H, vf_max(s, before)), before); /* what is not a number is no maximum */
            if (e > from) {
                vf by = vf_pick(vm_eq(before, most), vf_set(1), vf_exp(vf_sub(before, most)));
                sum = vf_mul(sum, by);
                direct_scaled(H, P, acc, by, acc);
            }
        }
        vf shift = vf_pick(vm_eq(most, vf_set(-INFINITY)), vf_zero(), most);
        vf w = vf_exp(vf_sub(s, shift));
        sum = vf_add(sum, w);
        direct_add(H, P, &g, g.y, w, acc);
    }
    sum = edges_sum(H, sum);
    if (state) {
        forward_state f = forward_state_at(run, state);
        float lanes[VF];
        vf_store_n(f.most, most, H);
        vf_store(lanes, sum);
        memset(f.sum, 0, (size_t)(H * EB) * sizeof *f.sum);
        for (int h = 0; h < H; h++) {
            f.sum[h * EB] = lanes[h];
        }
#pragma GCC unroll 16
        for (int k = 0; k < K; k++) {
            vf_store(f.acc + k * VF, acc[k]);
        }
        return;
    }
    if (run->lse) {
        vf_store_n(run->lse + row * run->lse_stride, vf_add(most, vf_log_sum(sum)), H);
    }
    if (!run->y) {
        return;
    }
    float *y = (float *)run->y + row * run->y_out_stride;
    vf by = vf_pick(vm_eq(sum, vf_zero()), vf_zero(), vf_div(vf_set(1), sum));
    direct_scaled(H, P, acc, by, acc);
#pragma GCC unroll 16
    for (int k = 0; k < K; k++) {
        if (stream) {
            vf_stream(y + k * VF, acc[k]);
        } else {
            vf_store(y + k * VF, acc[k]);
        }
    }
}

/* ---- backward ---- */

GA__INLINE void direct_backward_row(const ga_edge_score score, const bool swapped, const int H, const int P,
                                    const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from,
                                    int64_t to, float *state)
{
    const int K = H * P;
    const bool pairs = score != GA_EDGE_ADDITIVE;
    vf own[DIRECT_MOST], own_y[DIRECT_MOST], dx[DIRECT_MOST], dy[DIRECT_MOST], datt[DIRECT_MOST];
    vf own_part = vf_zero(), raw = vf_zero(), first = vf_zero(), third = vf_zero(), part = vf_zero();
    direct_load(K, (const float *)run->own.y + row * run->own.y_stride, own_y);
    if (pairs) {
        direct_load(K, (const float *)run->own.x + row * run->own.x_stride, own);
    } else {
        own_part = heads_same(H, run->own.part + row * H);
    }
    if (!swapped) {
        first = heads_same(H, record_of(run, row) + GA__EDGE_FIRST * H);
        third = heads_same(H, record_of(run, row) + GA__EDGE_THIRD * H);
    }
#pragma GCC unroll 16
    for (int k = 0; k < K; k++) {
        dx[k] = dy[k] = datt[k] = vf_zero();
    }
    for (int64_t e = from; e < to; e += VF / H) {
        direct_group g;
        if (!pairs || swapped || !run->same) {
            direct_begin(pairs, true, !pairs, swapped, H, K, run, e, to, &g);
        } else {
            direct_begin(pairs, false, !pairs, swapped, H, K, run, e, to, &g);
        }
        vf score_of = direct_scores(score, H, P, run, own, own_part, &g, &raw);
        vf product = direct_pairs(PAIR_DOT, H, P, own_y, NULL, 0, g.y);
        if (swapped) {
            const float *thirds[VF];
            for (int i = 0; i < VF / H; i++) {
                thirds[i] = g.record[i] + GA__EDGE_THIRD * H;
            }
            first = heads_of(H, g.record);
            third = heads_of(H, thirds);
        }
        vf a = vf_exp(vf_add(score_of, first)), ds = vf_mul(a, vf_sub(product, third));
        if (swapped) {
            direct_add(H, P, &g, g.y, a, dy);
        }
        if (score == GA_EDGE_ADDITIVE) {
            ds = vf_mul(ds, vf_pick(vm_gt(raw, vf_zero()), vf_set(1), vf_set(run->slope)));
            part = vf_add(part, vf_pick(vm_first(g.n * H), ds, vf_zero()));
        } else if (score == GA_EDGE_DOT) {
            direct_add(H, P, &g, g.x, ds, dx);
        } else {
            float lanes[VF];
            vf_store(lanes, ds);
            for (int i = 0; i < g.n; i++) {
#pragma GCC unroll 16
                for (int k = 0; k < K; k++) {
                    vf u = vf_add(own[k], vf_load(g.x[i] + k * VF)), w = vf_set(lanes[i * H + k / P]);
                    w = vf_pick(vm_gt(u, vf_zero()), w, vf_mul(w, vf_set(run->slope)));
                    dx[k] = vf_add(dx[k], w);
                    if (!swapped) {
                        datt[k] = vf_fma(w, u, datt[k]);
                    }
                }
            }
        }
    }
    if (score == GA_EDGE_GATV2 && !swapped && run->want_att) {
#pragma GCC unroll 16
        for (int k = 0; k < K; k++) {
            vf_store(s->att + k * VF, vf_add(vf_load(s->att + k * VF), datt[k]));
        }
    }
    backward_state b = backward_state_at(run, state ? state : s->state);
    float lanes[VF];
    vf_store(lanes, edges_sum(H, part));
    memset(b.part, 0, (size_t)(H * EB) * sizeof *b.part);
    for (int h = 0; h < H; h++) {
        b.part[h * EB] = lanes[h];
    }
#pragma GCC unroll 16
    for (int k = 0; k < K; k++) {
        if (pairs) {
            vf_store(b.dx + k * VF, score == GA_EDGE_DOT ? vf_mul(dx[k], vf_set(run->scale)) : dx[k]);
        }
        vf_store(b.dy + k * VF, dy[k]);
    }
    if (!state) {
        backward_finish(run, s, row);
    }
}

/* ---- which ---- */

/* A part of a row where state is given, else all rows first .. last - 1 that are no hubs. */
typedef struct direct_range {
    int64_t first, last, hub, from, to;
    float *state;
} direct_range;

typedef enum direct_way { DIRECT_FORWARD, DIRECT_TARGETS, DIRECT_SOURCES } direct_way;

GA__INLINE void direct_rows(const direct_way way, const ga_edge_score score, const int H, const int P,
                            const ga__edge_run *run, ga__edge_scratch *s, const direct_range *r)
{
    bool stream = way == DIRECT_FORWARD && run->y && direct_streams(run);
    for (int64_t row = r->first; row < r->last; row++) {
        int64_t from = r->state ? r->from : run->offsets[row], to = r->state ? r->to : run->offsets[row + 1];
        if (to - from > r->hub) {
            continue;
        }
        if (from == to) {
            if (way == DIRECT_FORWARD) {
                forward_empty(run, s, row);
            } else {
                backward_empty(run, s, row);
            }
            continue;
        }
        if (way == DIRECT_FORWARD) {
            direct_forward_row(score, H, P, run, row, from, to, r->state, stream);
            continue;
        }
        begin_own(run, s, row);
        direct_backward_row(score, way == DIRECT_SOURCES, H, P, run, s, row, from, to, r->state);
    }
    if (stream) {
        vf_fence();
    }
}

typedef void (*direct_kernel)(const ga__edge_run *run, ga__edge_scratch *s, const direct_range *r);

/* Heads and widths that have kernels of their own, as far as a vector divides the width. */
#define DIRECT_SHAPES(X) X(1, 16) X(1, 64) X(4, 8) X(4, 16) X(8, 8) X(8, 16)

#define DIRECT_KERNEL(H, D, way, score) \
    static void direct_##H##_##D##_##way##_##score(const ga__edge_run *run, ga__edge_scratch *s, \
                                                   const direct_range *r) \
    { \
        direct_rows(way, score, H, D >= VF ? D / VF : 1, run, s, r); \
    }
#define DIRECT_KERNELS(H, D) \
    DIRECT_KERNEL(H, D, DIRECT_FORWARD, GA_EDGE_DOT) \
    DIRECT_KERNEL(H, D, DIRECT_TARGETS, GA_EDGE_DOT) \
    DIRECT_KERNEL(H, D, DIRECT_SOURCES, GA_EDGE_DOT) \
    DIRECT_KERNEL(H, D, DIRECT_FORWARD, GA_EDGE_GATV2) \
    DIRECT_KERNEL(H, D, DIRECT_TARGETS, GA_EDGE_GATV2) \
    DIRECT_KERNEL(H, D, DIRECT_SOURCES, GA_EDGE_GATV2) \
    DIRECT_KERNEL(H, D, DIRECT_FORWARD, GA_EDGE_ADDITIVE) \
    DIRECT_KERNEL(H, D, DIRECT_TARGETS, GA_EDGE_ADDITIVE) \
    DIRECT_KERNEL(H, D, DIRECT_SOURCES, GA_EDGE_ADDITIVE)
DIRECT_SHAPES(DIRECT_KERNELS)

#define DIRECT_CHOICE(H, D, way) \
    (run->score == GA_EDGE_DOT     ? direct_##H##_##D##_##way##_GA_EDGE_DOT \
     : run->score == GA_EDGE_GATV2 ? direct_##H##_##D##_##way##_GA_EDGE_GATV2 \
                                   : direct_##H##_##D##_##way##_GA_EDGE_ADDITIVE)
#define DIRECT_SHAPE(H, D) \
    if (run->heads == H && run->width_v == D && D % VF == 0) { \
        return way == DIRECT_FORWARD   ? DIRECT_CHOICE(H, D, DIRECT_FORWARD) \
               : way == DIRECT_TARGETS ? DIRECT_CHOICE(H, D, DIRECT_TARGETS) \
                                       : DIRECT_CHOICE(H, D, DIRECT_SOURCES); \
    }

/* The kernel for a run, or NULL. */
static direct_kernel direct_of(const ga__edge_run *run, direct_way way)
{
    bool pairs = run->score == GA_EDGE_DOT || run->score == GA_EDGE_GATV2;
    const ga__edge_side *own = &run->own, *other = &run->other;
    bool floats = other->y && other->y_type == GA__F32 &&
                  (!pairs || (own->x_type == GA__F32 && other->x_type == GA__F32));
    bool plain = !run->bias && !run->mask && !run->map && !run->dense.data && !run->distance_bias &&
                 run->softcap == 0 && run->y_factor == 1;
    if (run->kind != GA_SOFTMAX || (!pairs && run->score != GA_EDGE_ADDITIVE) || !floats || !plain ||
        (pairs && run->width != run->width_v)) {
        return NULL;
    }
    if (way == DIRECT_FORWARD
            ? run->sums || run->y_out_type != GA__F32
            : own->y_type != GA__F32 || run->dbias || run->ddense.data || run->want_totals) {
        return NULL;
    }
    DIRECT_SHAPES(DIRECT_SHAPE)
    return NULL;
}

#else
typedef struct direct_range {
    int64_t first, last, hub, from, to;
    float *state;
} direct_range;
typedef enum direct_way { DIRECT_FORWARD, DIRECT_TARGETS, DIRECT_SOURCES } direct_way;
typedef void (*direct_kernel)(const ga__edge_run *run, ga__edge_scratch *s, const direct_range *r);
static direct_kernel direct_of(const ga__edge_run *run, direct_way way)
{
    (void)run;
    (void)way;
    return NULL;
}
#endif

/* Does the work if there is a kernel for it. */
static bool direct(const ga__edge_run *run, ga__edge_scratch *s, bool backward, direct_range r)
{
    direct_way way = !backward ? DIRECT_FORWARD : run->swapped ? DIRECT_SOURCES : DIRECT_TARGETS;
    direct_kernel kernel = direct_of(run, way);
    if (kernel) {
        kernel(run, s, &r);
    }
    return kernel != NULL;
}

static void forward_rows(const ga__edge_run *run, ga__edge_scratch *s, int64_t first, int64_t last,
                         int64_t hub)
{
    if (!direct(run, s, false, (direct_range){ .first = first, .last = last, .hub = hub })) {
        forward_blocks(run, s, first, last, hub);
    }
}

static void forward_part(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from, int64_t to,
                         float *state)
{
    direct_range r = { row, row + 1, INT64_MAX, from, to, state };
    if (!direct(run, s, false, r)) {
        forward_part_blocks(run, s, row, from, to, state);
    }
}

static void backward_rows(const ga__edge_run *run, ga__edge_scratch *s, int64_t first, int64_t last,
                          int64_t hub)
{
    if (!direct(run, s, true, (direct_range){ .first = first, .last = last, .hub = hub })) {
        backward_blocks(run, s, first, last, hub);
    }
}

static void backward_part(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from, int64_t to,
                          float *state)
{
    direct_range r = { row, row + 1, INT64_MAX, from, to, state };
    if (!direct(run, s, true, r)) {
        backward_part_blocks(run, s, row, from, to, state);
    }
}
