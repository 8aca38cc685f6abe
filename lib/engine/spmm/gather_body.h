/* gather_body.h - kernels over pieces in one precision; included by spmm_body.h for f32 and f64. */
#include "lib/engine/simd_real.h"

#define NAME(x) GA__REALNAME(x)

/* A feature tile: count vectors of one head of x, the last with `lanes` lanes. Edges [first, last) are summed; rows are
 * fetched ahead up to edge `stop`. Weights advance by step. */
typedef struct NAME(tile) {
    const char *x;
    int64_t stride; /* bytes */
    const uint32_t *ids;
    int64_t first, last, stop;
    const real *weights;
    int64_t step;
    int lanes;
} NAME(tile);

GA__INLINE vr NAME(fetch)(const char *row, int vector, ga__type type)
{
#if GA__REAL == 64
    (void)type;
    return vr_load((const double *)(const void *)row + vector * VR);
#else
    return vf_loads(row, vector * VR, type);
#endif
}

GA__INLINE vr NAME(fetch_n)(const char *row, int vector, ga__type type, int n)
{
#if GA__REAL == 64
    (void)type;
    return vr_load_n((const double *)(const void *)row + vector * VR, n);
#else
    return vf_loads_n(row, vector * VR, type, n);
#endif
}

/* count, part and type are constants of every call. */
GA__INLINE void NAME(sum_tile)(const NAME(tile) * t, ga__type type, int count, bool part, vr *sum)
{
    const int bytes = count * VR * (GA__REAL == 64 ? 8 : type == GA__F32 ? 4 : 2);
    vr a[MOST];
    for (int k = 0; k < count; k++) {
        a[k] = vr_zero();
    }
    const real *weight = t->weights;
    for (int64_t e = t->first; e < t->last; e++) {
        const char *row = t->x + t->ids[e] * t->stride;
        const char *later = t->x + t->ids[e + AHEAD < t->stop ? e + AHEAD : e] * t->stride;
        for (int b = 0; b < bytes; b += 64) {
            __builtin_prefetch(later + b);
        }
        vr w = vr_set(*weight);
        for (int k = 0; k < count - part; k++) {
            a[k] = vr_fma(w, NAME(fetch)(row, k, type), a[k]);
        }
        if (part) {
            a[count - 1] = vr_fma(w, NAME(fetch_n)(row, count - 1, type, t->lanes), a[count - 1]);
        }
        weight += t->step;
    }
    for (int k = 0; k < count; k++) {
        sum[k] = a[k];
    }
}

#define TILE(type, count) \
    case count: \
        if (part) { \
            NAME(sum_tile)(t, type, count, true, sum); \
        } else { \
            NAME(sum_tile)(t, type, count, false, sum); \
        } \
        break;
#define TILES(suffix, type) \
    static void NAME(tiles_##suffix)(const NAME(tile) * t, int count, vr *sum) \
    { \
        bool part = t->lanes < VR; \
        switch (count) { \
            TILE(type, 1) \
            TILE(type, 2) \
            TILE(type, 3) \
            TILE(type, 4) \
            TILE(type, 5) \
            TILE(type, 6) \
            TILE(type, 7) \
            TILE(type, 8) \
        } \
    }
#if GA__REAL == 64
TILES(same, GA__F64)
#else
TILES(same, GA__F32)
TILES(bf16, GA__BF16)
TILES(f16, GA__F16)
#endif

/* The weights of edges [first, last) as real, head by head; step is set to the distance between edges. */
static const real *NAME(weights)(const ga__gather *g, int64_t first, int64_t last, real *scratch,
                                 int64_t *step)
{
    static const real one = 1;
    bool same = g->weights_type == (GA__REAL == 64 ? GA__F64 : GA__F32);
    int64_t heads = g->weights ? g->heads : 1;
    if (!g->weights && !g->degrees) {
        *step = 0;
        return &one;
    }
    if (same && !g->edge && !g->degrees) {
        *step = g->weight_stride;
        return (const real *)g->weights + first * g->weight_stride;
    }
    if (same && g->edge && !g->degrees && heads == 1) {
        const real *from = g->weights;
        for (int64_t e = first; e < last; e++) {
            scratch[e - first] = from[g->edge[e] * g->weight_stride];
        }
        *step = 1;
        return scratch;
    }
    for (int64_t e = first; e < last; e++) {
        int64_t at = (g->edge ? g->edge[e] : e) * g->weight_stride;
        real *out = scratch + (e - first) * heads;
        for (int64_t h = 0; h < heads; h++) {
            out[h] = !g->weights                  ? 1
                     : g->weights_type == GA__F64 ? (real)((const double *)g->weights)[at + h]
                                                  : (real)((const float *)g->weights)[at + h];
        }
        if (g->degrees) {
            int64_t degree = g->degrees[g->ids[e] + (int64_t)1] - g->degrees[g->ids[e]];
            for (int64_t h = 0; h < heads; h++) {
                out[h] /= (real)degree;
            }
        }
    }
    *step = heads;
    return scratch;
}

/* One row, or a chunk of it, all heads. */
static void NAME(sum_row)(const ga__gather *g, int64_t first, int64_t last, int64_t stop, real scale,
                          real *out, real *scratch, bool stream)
{
    const int64_t size = GA__REAL == 64 ? 8 : g->x_type == GA__F32 ? 4 : 2;
    NAME(tile)
    t = {
        .stride = g->x_stride * size, .ids = g->ids, .first = first, .last = last, .stop = stop, .lanes = VR
    };
    const real *weights = NAME(weights)(g, first, last, scratch, &t.step);
    for (int64_t h = 0; h < g->heads; h++, out += g->width) {
        t.weights = weights + (g->weights ? h : 0);
        for (int64_t c = 0; c < g->width; c += MOST * VR) {
            int64_t left = ga__min(g->width - c, MOST * VR);
            int count = (int)((left + VR - 1) / VR);
            vr sum[MOST];
            t.x = (const char *)g->x + (h * g->width + c) * size;
            t.lanes = (int)(left - (count - 1) * VR);
#if GA__REAL == 64
            NAME(tiles_same)(&t, count, sum);
#else
            if (g->x_type == GA__F32) {
                NAME(tiles_same)(&t, count, sum);
            } else if (g->x_type == GA__BF16) {
                NAME(tiles_bf16)(&t, count, sum);
            } else {
                NAME(tiles_f16)(&t, count, sum);
            }
#endif
            for (int k = 0; k < count; k++) {
                vr y = vr_mul(sum[k], vr_set(scale));
                real *to = out + c + k * VR;
                if (k == count - 1 && t.lanes < VR) {
                    vr_store_n(to, y, t.lanes);
                } else if (stream) {
                    vr_stream(to, y);
                } else {
                    vr_store(to, y);
                }
            }
        }
    }
}

static void NAME(sum)(const ga__gather *g, const ga__piece *piece, void *out, void *scratch)
{
    int64_t columns = g->heads * g->width;
    if (piece->slot >= 0) {
        NAME(sum_row)(g, piece->first, piece->last, piece->last, 1, out, scratch, false);
        return;
    }
    for (int64_t i = piece->row; i < piece->end_row; i++) {
        int64_t first = g->offsets[i], last = g->offsets[i + 1];
        real scale = g->mean && last > first ? 1 / (real)(last - first) : 1;
        NAME(sum_row)
        (g, first, last, piece->last, scale, (real *)out + (i - piece->row) * columns, scratch, g->stream);
    }
    if (g->stream) {
        vf_fence();
    }
}

/* ---- maxima: the largest message, where it came from, and from which source ---- */

enum { NAME(BLOCK) = 64 };

typedef struct NAME(best) {
    real value[NAME(BLOCK)], message[NAME(BLOCK)];
    int32_t edge[NAME(BLOCK)];
    uint32_t source[NAME(BLOCK)];
} NAME(best);

static void NAME(messages)(const ga__gather *g, int64_t at, real weight, int64_t n, real *out)
{
    for (int64_t c = 0; c < n; c += VR) {
        int lanes = (int)ga__min(VR, n - c);
#if GA__REAL == 64
        vr x = vr_load_n((const double *)g->x + at + c, lanes);
#else
        vr x = vf_loads_n(g->x, at + c, g->x_type, lanes);
#endif
        vr_store_n(out + c, vr_mul(vr_set(weight), x), lanes);
    }
}

/* Keeps the larger message; of equal ones that of the lower source; a message that is no number stays. */
static void NAME(keep)(NAME(best) * b, int64_t n, int32_t edge, uint32_t source)
{
    for (int64_t c = 0; c < n; c++) {
        real m = b->message[c], v = b->value[c];
        int take = (m > v) | ((m == v) & (source < b->source[c])) | ((m != m) & (v == v));
        b->value[c] = take ? m : v;
        b->edge[c] = take ? edge : b->edge[c];
        b->source[c] = take ? source : b->source[c];
    }
}

static void NAME(max_row)(const ga__gather *g, int64_t first, int64_t last, real *out, int64_t *at,
                          real *scratch)
{
    int64_t step = 0;
    const real *weights = NAME(weights)(g, first, last, scratch, &step);
    NAME(best) b;
    for (int64_t c = 0; c < g->width; c += NAME(BLOCK)) {
        int64_t n = ga__min(NAME(BLOCK), g->width - c);
        for (int64_t i = 0; i < n; i++) {
            b.value[i] = -(real)INFINITY;
            b.edge[i] = -1;
            b.source[i] = UINT32_MAX;
        }
        for (int64_t e = first; e < last; e++) {
            NAME(messages)(g, g->ids[e] * g->x_stride + c, weights[(e - first) * step], n, b.message);
            NAME(keep)(&b, n, (int32_t)(e - first), g->ids[e]);
        }
        for (int64_t i = 0; i < n; i++) {
            out[c + i] = b.edge[i] < 0 ? 0 : b.value[i];
            if (at) {
                at[c + i] = b.edge[i] < 0 ? -1 : first + b.edge[i];
            }
        }
    }
}

static void NAME(max)(const ga__gather *g, const ga__piece *piece, void *out, int64_t *at, void *scratch)
{
    if (piece->slot >= 0) {
        NAME(max_row)(g, piece->first, piece->last, out, at, scratch);
        return;
    }
    for (int64_t i = piece->row; i < piece->end_row; i++) {
        int64_t row = (i - piece->row) * g->width;
        NAME(max_row)(g, g->offsets[i], g->offsets[i + 1], (real *)out + row, at ? at + row : NULL, scratch);
    }
}

#undef NAME
#undef TILE
#undef TILES
