/* edge_direct.h - softmax of dot, gatv2 and additive scores, for common heads and widths: rows and groups of edges.
 *
 * As many edges at a time as their heads fill a vector with: lane e H + h stands for head h of edge e. Form, heads H and
 * vectors of a head P are constants wherever these functions are inlined, accumulators stay in registers, and a row of
 * few edges costs little more than its edges.
 */
#include "lib/engine/edge_attention/edge_direct_vectors.h"

#if GA__ISA != 0

enum {
    DIRECT_AHEAD = 16, /* edges between the one that is read and the one that is asked for */
    DIRECT_MOST = 16   /* vectors of a row */
};

/* How the columns of a row lie in vectors. */
typedef enum direct_form {
    DIRECT_WHOLE, /* a head is P vectors */
    DIRECT_TAIL, /* a head is P vectors, the last of them in part; the number of columns is known at run time alone */
    DIRECT_HALF /* two heads are a vector, P is 0; 16 lanes alone */
} direct_form;

/* What is known at run time: columns of a head, of which `rest` lie in the last vector. */
typedef struct direct_columns {
    int64_t width, all;
    int rest;
} direct_columns;

/* ---- rows ---- */

GA__INLINE int direct_vectors(const direct_form form, const int H, const int P)
{
    return form == DIRECT_HALF ? H / 2 : H * P;
}

GA__INLINE int64_t direct_at(const direct_form form, const int P, const direct_columns *c, const int k)
{
    return form == DIRECT_TAIL ? k / P * c->width + k % P * VF : k * VF;
}

GA__INLINE vf direct_vector(const direct_form form, const int P, const direct_columns *c, const float *row,
                            const int k)
{
    row += direct_at(form, P, c, k);
    return form == DIRECT_TAIL && k % P == P - 1 ? vf_load_n(row, c->rest) : vf_load(row);
}

GA__INLINE void direct_store(const direct_form form, const int P, const direct_columns *c, float *row,
                             const int k, vf v)
{
    row += direct_at(form, P, c, k);
    if (form == DIRECT_TAIL && k % P == P - 1) {
        vf_store_n(row, v, c->rest);
    } else {
        vf_store(row, v);
    }
}

GA__INLINE void direct_load(const direct_form form, const int H, const int P, const direct_columns *c,
                            const float *row, vf *to)
{
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        to[k] = direct_vector(form, P, c, row, k);
    }
}

/* The lanes of every vector of a row that dropout keeps; the row's bits start at `at`. */
GA__INLINE void direct_kept(const direct_form form, const int H, const int P, const direct_columns *c,
                            const uint32_t *bits, int64_t at, vm *kept)
{
    uint64_t word = 0;
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        if (form == DIRECT_TAIL || k * VF % 32 == 0) {
            word = ga__keep_from(bits, at + direct_at(form, P, c, k));
        }
        kept[k] = vm_bits((uint32_t)(form == DIRECT_TAIL ? word : word >> k * VF % 32));
    }
}

/* ---- numbers of heads ---- */

/* Numbers by lane e H + h, ready for lanes_of. */
typedef struct direct_lanes {
    vf v;
    float each[VF];
} direct_lanes;

GA__INLINE void direct_lanes_set(const direct_form form, vf v, direct_lanes *to)
{
    to->v = v;
    if (form != DIRECT_HALF) {
        vf_store(to->each, v);
    }
}

/* The number of edge e for the head of every lane of vector k. */
GA__INLINE vf direct_lanes_of(const direct_form form, const int H, const int P, const direct_lanes *l, int e,
                              const int k)
{
#if GA__ISA == 512
    if (form == DIRECT_HALF) {
        const __m512i high = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
        return _mm512_permutexvar_ps(_mm512_add_epi32(high, _mm512_set1_epi32(e * H + 2 * k)), l->v);
    }
#endif
    return vf_set(l->each[e * H + (form == DIRECT_HALF ? 0 : k / P)]);
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
#else
    if (H == 8) {
        return vf_load(p[0]);
    }
    if (H == 4) {
        return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p[0])), _mm_loadu_ps(p[1]), 1);
    }
#endif
    float lanes[VF];
    for (int e = 0; e < VF / H; e++) {
        memcpy(lanes + e * H, p[e], (size_t)H * sizeof *lanes);
    }
    return vf_load(lanes);
}

/* Lane e: the number of node ids[e]; 0 behind the n-th. */
GA__INLINE vf direct_numbers(const float *from, const uint32_t *ids, int n)
{
#if GA__ISA == 512
    /* Places of gathered numbers are signed. */
    const float *middle = (const float *)((uintptr_t)from + ((uintptr_t)1 << 33));
    __m512i at = _mm512_maskz_loadu_epi32(vm_first(n), ids);
    at = _mm512_xor_epi32(at, _mm512_set1_epi32(INT32_MIN));
    return _mm512_mask_i32gather_ps(vf_zero(), vm_first(n), at, middle, 4);
#else
    float lanes[VF] = { 0 };
    for (int e = 0; e < n; e++) {
        lanes[e] = from[ids[e]];
    }
    return vf_load(lanes);
#endif
}

/* Lane e H + h: p[h]. */
GA__INLINE vf heads_same(const int H, const float *p)
{
    if (H == 1) {
        return vf_set(p[0]);
    }
    const float *all[VF];
    for (int e = 0; e < VF / H; e++) {
        all[e] = p;
    }
    return heads_of(H, all);
}

/* ---- groups of edges ---- */

/* Some edges of a row: as many as a vector holds, or the n that are left; pointers behind those repeat the last. */
typedef struct direct_group {
    int n;
    const uint32_t *ids, *ahead; /* ahead: of edges further on, whose rows are asked for */
    const float *x[VF], *y[VF], *part[VF], *record[VF];
} direct_group;

/* What is read of the other rows. */
enum { READ_X = 1, READ_Y = 2, READ_PART = 4, READ_RECORD = 8 };

/* Asks for what the edges ahead need beside their rows, which are asked for where those of this group are read: requests
 * for memory come evenly. */
GA__INLINE void direct_ahead(const int what, const int H, const direct_columns *c, const ga__edge_run *run,
                             int64_t from, const direct_group *g)
{
    int64_t step = (int64_t)run->parameters * H;
    const uint32_t *values = run->keep_values.bits, *weights = run->keep_weights.bits;
    const int most = H == 1 ? g->n : VF / H; /* short rows of one head fill a vector in part */
#pragma GCC unroll 4
    for (int e = 0; e < most; e++) {
        if (what & READ_PART) {
            __builtin_prefetch(run->other.part + (int64_t)g->ahead[e] * H, 0, 2);
        }
        if (what & READ_RECORD) {
            __builtin_prefetch(run->record + g->ahead[e] * step, 0, 2);
            if (H == 8) {
                __builtin_prefetch(run->record + g->ahead[e] * step + 16, 0, 2);
            }
        }
    }
    for (int e = 0; values && !run->swapped && e < most; e++) {
        __builtin_prefetch(values + (g->ahead[e] * c->all >> 5), 0, 2);
    }
    for (int e = 0; weights && run->edge && e < most; e++) {
        __builtin_prefetch(weights + (run->edge[from + (g->ahead - g->ids) + e] * H >> 5), 0, 2);
    }
}

GA__INLINE void direct_begin(const int what, const int H, const direct_columns *c, const ga__edge_run *run,
                             int64_t from, int64_t to, direct_group *g)
{
    const ga__edge_side *o = &run->other;
    const float *bx = o->x, *by = o->y;
    int64_t step = (int64_t)run->parameters * H;
    g->n = (int)ga__min(VF / H, to - from);
    g->ids = run->ids + from;
    g->ahead = NULL;
    if (run->count - from >= DIRECT_AHEAD + VF / H) {
        g->ahead = g->ids + DIRECT_AHEAD;
        direct_ahead(what, H, c, run, from, g);
    }
#pragma GCC unroll 16
    for (int e = 0; e < VF / H; e++) {
        int64_t node = g->ids[e < g->n ? e : g->n - 1];
        g->x[e] = what & READ_X ? bx + node * o->x_stride : NULL;
        g->y[e] = what & READ_Y ? by + node * o->y_stride : g->x[e];
        g->part[e] = what & READ_PART ? o->part + node * H : NULL;
        g->record[e] = what & READ_RECORD ? run->record + node * step : NULL;
    }
}

/* Rows of which those of the edges ahead are to be asked for; base NULL = none. */
typedef struct direct_fetch {
    const float *base;
    int64_t stride;
} direct_fetch;

GA__INLINE void direct_fetch_row(const direct_form form, const int H, const int P, const direct_fetch *f,
                                 const direct_group *g, const int e)
{
    const int floats = direct_vectors(form, H, P) * VF; /* and a little more, where vectors are not full */
    if (f->base && g->ahead) {
        const float *row = f->base + g->ahead[e] * f->stride;
#pragma GCC unroll 16
        for (int at = 0; at < floats; at += 16) {
            __builtin_prefetch(row + at, 0, 2);
        }
    }
}

/* The lanes of the edges of a group whose weights dropout keeps; from: the first of them. */
GA__INLINE vm direct_kept_edges(const int H, const ga__edge_run *run, const direct_group *g, int64_t from)
{
    const uint32_t *bits = run->keep_weights.bits;
    if (!run->edge) {
        return vm_bits((uint32_t)ga__keep_from(bits, from * H));
    }
    uint32_t lanes = 0;
    for (int e = 0; e < VF / H && e < g->n; e++) {
        uint32_t heads = (uint32_t)ga__keep_from(bits, run->edge[from + e] * H) & ((1U << H) - 1);
        lanes |= heads << e * H;
    }
    return vm_bits(lanes);
}

/* leaky for slopes from 0 to 1; what is not a number stays. */
GA__INLINE vf direct_leaky(vf u, vf slope)
{
    return vf_max(vf_mul(slope, u), u);
}

/* Products by lane of vector k of edge e. */
GA__INLINE vf direct_term(const pair_op op, const direct_form form, const int P, const direct_columns *c,
                          vf sum, const vf *own, const float *att, vf slope, const float *row, const vm *kept,
                          const int k, const bool first)
{
    vf x = direct_vector(form, P, c, row, k);
    x = kept ? vf_where(kept[k], x) : x;
    if (op == PAIR_DOT) {
        return first ? vf_mul(own[k], x) : vf_fma(own[k], x, sum);
    }
    vf u = vf_add(own[k], x), a = direct_vector(form, P, c, att, k);
    u = direct_leaky(u, slope);
    return first ? vf_mul(a, u) : vf_fma(a, u, sum);
}

/* Sum i of a group, whose lanes are to be added up: edge i / H, head i % H. */
GA__INLINE vf direct_pair(const pair_op op, const direct_form form, const int H, const int P,
                          const direct_columns *c, const vf *own, const float *att, vf slope,
                          const float *const *rows, const vm (*kept)[DIRECT_MOST], const int i)
{
    vf s = vf_zero();
#pragma GCC unroll 16
    for (int p = 0; p < P; p++) {
        s = direct_term(op, form, P, c, s, own, att, slope, rows[i / H], kept ? kept[i / H] : NULL,
                        i % H * P + p, p == 0);
    }
    return s;
}

#if GA__ISA == 512
/* Two heads a vector: eight vectors of edges, sums of their halves in the order of the lanes. */
GA__INLINE vf direct_half_pairs(const pair_op op, const int H, const direct_columns *c, const vf *own,
                                const float *att, vf slope, const float *const *rows,
                                const vm (*kept)[DIRECT_MOST], const direct_fetch *f, const direct_group *g)
{
    const int K = H / 2;
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    vf quad[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const int e = 2 * i / K, k = 2 * i % K;
        const vm *m = kept ? kept[e] : NULL;
        if (k == 0) {
            direct_fetch_row(DIRECT_HALF, H, 0, f, g, e);
        }
        vf a = direct_term(op, DIRECT_HALF, 0, c, vf_zero(), own, att, slope, rows[e], m, k, true);
        vf b = direct_term(op, DIRECT_HALF, 0, c, vf_zero(), own, att, slope, rows[e], m, k + 1, true);
        quad[i] = vf_add(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
    }
    return _mm512_permutexvar_ps(order, vf_quad(quad[0], quad[1], quad[2], quad[3]));
}
#endif

/* Sums of a group by its rows; own lies in registers. Four sums at a time, which are added up before the next. */
GA__INLINE vf direct_pairs_kept(const pair_op op, const direct_form form, const int H, const int P,
                                const direct_columns *c, const vf *own, const float *att, float slope,
                                const float *const *rows, const vm (*kept)[DIRECT_MOST],
                                const direct_fetch *f, const direct_group *g)
{
    vf sum[VF / 4], by = vf_set(slope);
#if GA__ISA == 512
    if (form == DIRECT_HALF) {
        return direct_half_pairs(op, H, c, own, att, by, rows, kept, f, g);
    }
#endif
#pragma GCC unroll 4
    for (int i = 0; i < VF / 4; i++) {
        if (H < 4 && 4 * i >= g->n * H) {
            sum[i] = vf_zero();
            continue;
        }
#pragma GCC unroll 4
        for (int e = (4 * i + H - 1) / H; e * H < 4 * i + 4; e++) { /* the edges that begin here */
            direct_fetch_row(form, H, P, f, g, e);
        }
        sum[i] = vf_quad(direct_pair(op, form, H, P, c, own, att, by, rows, kept, 4 * i),
                         direct_pair(op, form, H, P, c, own, att, by, rows, kept, 4 * i + 1),
                         direct_pair(op, form, H, P, c, own, att, by, rows, kept, 4 * i + 2),
                         direct_pair(op, form, H, P, c, own, att, by, rows, kept, 4 * i + 3));
    }
    return vf_quads(sum);
}

/* <own, row> of the values of a group, dropout included where the rows are values. */
GA__INLINE vf direct_products(const bool values, const direct_form form, const int H, const int P,
                              const direct_columns *c, const ga__edge_run *run, const vf *own,
                              const direct_group *g)
{
    const direct_fetch f = { run->same && !run->swapped ? NULL : run->other.y, run->other.y_stride };
    if (!values || !run->keep_values.bits) {
        return direct_pairs_kept(PAIR_DOT, form, H, P, c, own, NULL, 0, g->y, NULL, &f, g);
    }
    vm kept[VF][DIRECT_MOST];
#pragma GCC unroll 16
    for (int e = 0; e < VF / H; e++) {
        int64_t node = g->ids[e < g->n ? e : g->n - 1];
        direct_kept(form, H, P, c, run->keep_values.bits, node * c->all, kept[e]);
    }
    return direct_pairs_kept(PAIR_DOT, form, H, P, c, own, NULL, 0, g->y, kept, &f, g);
}

GA__INLINE vf direct_scores(const ga_edge_score score, const direct_form form, const int H, const int P,
                            const direct_columns *c, const ga__edge_run *run, const vf *own, vf own_part,
                            vf other_part, const direct_group *g, vf *raw)
{
    if (score == GA_EDGE_ADDITIVE) {
        *raw = vf_add(other_part, own_part);
        return leaky(*raw, vf_set(run->slope));
    }
    const direct_fetch f = { run->other.x, run->other.x_stride };
    if (score == GA_EDGE_GATV2) {
        return direct_pairs_kept(PAIR_GATV2, form, H, P, c, own, run->att, run->slope, g->x, NULL, &f, g);
    }
    return vf_mul(direct_pairs_kept(PAIR_DOT, form, H, P, c, own, NULL, 0, g->x, NULL, &f, g),
                  vf_set(run->scale));
}

/* acc[k] += w of its head times vector k of every edge's row; w of edges that are not there is 0. */
GA__INLINE void direct_add(const direct_form form, const int H, const int P, const direct_columns *c,
                           const direct_group *g, const float *const *rows, const direct_fetch *f, vf w,
                           vf *acc)
{
    direct_lanes lanes;
    direct_lanes_set(form, w, &lanes);
    if (form == DIRECT_HALF) {
#pragma GCC unroll 8
        for (int e = 0; e < VF / H; e++) {
            direct_fetch_row(form, H, P, f, g, e);
#pragma GCC unroll 16
            for (int k = 0; k < direct_vectors(form, H, P); k++) {
                acc[k] = vf_fma(direct_lanes_of(form, H, P, &lanes, e, k),
                                direct_vector(form, P, c, rows[e], k), acc[k]);
            }
        }
        return;
    }
    for (int e = 0; e < VF / H && e < g->n; e++) {
        direct_fetch_row(form, H, P, f, g, e);
#pragma GCC unroll 16
        for (int k = 0; k < direct_vectors(form, H, P); k++) {
            acc[k] = vf_fma(direct_lanes_of(form, H, P, &lanes, e, k), direct_vector(form, P, c, rows[e], k),
                            acc[k]);
        }
    }
}

/* The same with dropout of the rows, which are values. */
GA__INLINE void direct_add_kept(const direct_form form, const int H, const int P, const direct_columns *c,
                                const uint32_t *bits, const direct_group *g, const direct_fetch *f, vf w,
                                vf *acc)
{
    direct_lanes lanes;
    direct_lanes_set(form, w, &lanes);
    for (int e = 0; e < VF / H && e < g->n; e++) {
        vm kept[DIRECT_MOST];
        direct_kept(form, H, P, c, bits, g->ids[e] * c->all, kept);
        direct_fetch_row(form, H, P, f, g, e);
#pragma GCC unroll 16
        for (int k = 0; k < direct_vectors(form, H, P); k++) {
            acc[k] = vf_fma_where(kept[k], direct_lanes_of(form, H, P, &lanes, e, k),
                                  direct_vector(form, P, c, g->y[e], k), acc[k]);
        }
    }
}

/* v by[head], by in lane h. */
GA__INLINE void direct_scale(const direct_form form, const int H, const int P, vf by, vf *v)
{
    direct_lanes lanes;
    direct_lanes_set(form, by, &lanes);
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        v[k] = vf_mul(v[k], direct_lanes_of(form, H, P, &lanes, 0, k));
    }
}

#endif
