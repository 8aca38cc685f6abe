/* dots_body.h - dots along edges in one precision; included by sddmm_body.h for f32 and f64. */
#include "lib/engine/simd_real.h"

#define NAME(x) GA__REALNAME(x)

#if GA__REAL == 64
#define FETCH(row, at, type) vr_load((const double *)(row) + (at))
#define FETCH_N(row, at, type, n) vr_load_n((const double *)(row) + (at), (n))
#else
#define FETCH(row, at, type) vf_loads((row), (at), (type))
#define FETCH_N(row, at, type, n) vf_loads_n((row), (at), (type), (n))
#endif

/* <a, b> over width elements in four sums. */
GA__INLINE real NAME(dot)(const real *a, const void *b, int64_t from, int64_t width, ga__type type)
{
    (void)type;
    vr sum[4] = { vr_zero(), vr_zero(), vr_zero(), vr_zero() };
    int64_t c = 0;
    for (; c + 4 * VR <= width; c += 4 * VR) {
        for (int k = 0; k < 4; k++) {
            sum[k] = vr_fma(vr_load(a + c + k * VR), FETCH(b, from + c + k * VR, type), sum[k]);
        }
    }
    for (; c + VR <= width; c += VR) {
        sum[0] = vr_fma(vr_load(a + c), FETCH(b, from + c, type), sum[0]);
    }
    if (c < width) {
        int n = (int)(width - c);
        sum[1] = vr_fma(vr_load_n(a + c, n), FETCH_N(b, from + c, type, n), sum[1]);
    }
    return vr_sum(vr_add(vr_add(sum[0], sum[1]), vr_add(sum[2], sum[3])));
}

GA__INLINE void NAME(row)(const ga__dots *d, int64_t first, int64_t last, int64_t stop, const real *a,
                          real scale, ga__type type)
{
    const int64_t size = GA__REAL == 64 ? 8 : type == GA__F32 ? 4 : 2, stride = d->b->stride_row * size;
    const int64_t bytes = d->heads * d->width * size;
    const uint32_t *ids = d->edges->sources;
    const char *base = d->b->data;
    for (int64_t e = first; e < last; e++) {
        const char *b = base + ids[e] * stride,
                   *later = base + ids[e + AHEAD < stop ? e + AHEAD : e] * stride;
        for (int64_t byte = 0; byte < bytes; byte += 64) {
            __builtin_prefetch(later + byte);
        }
        for (int64_t h = 0; h < d->heads; h++) {
            real s = scale * NAME(dot)(a + h * d->width, b, h * d->width, d->width, type);
            if (d->s->type == GA__F64) {
                ((double *)d->s->data)[e * d->heads + h] = (double)s;
            } else {
                ((float *)d->s->data)[e * d->heads + h] = (float)s;
            }
        }
    }
}

/* Row i of a as real; its own memory where that is what it holds. */
static const real *NAME(target_row)(const ga__dots *d, int64_t i, real *scratch)
{
    const void *row = ga__view_row(d->a, 0, 0, i);
#if GA__REAL == 64
    (void)scratch;
    return row;
#else
    if (d->a->type == GA__F32) {
        return row;
    }
    for (int64_t c = 0; c < d->heads * d->width; c += VR) {
        int n = (int)ga__min(VR, d->heads * d->width - c);
        vr_store_n(scratch + c, vf_loads_n(row, c, d->a->type, n), n);
    }
    return scratch;
#endif
}

static void NAME(dots)(const ga__dots *d, const ga__piece *piece, void *scratch)
{
    for (int64_t i = piece->row; i < piece->end_row; i++) {
        const int64_t *offsets = d->edges->offsets;
        int64_t first = ga__max(piece->first, offsets[i]), last = ga__min(piece->last, offsets[i + 1]);
        real scale = d->mean && last > first ? 1 / (real)(offsets[i + 1] - offsets[i]) : 1;
        const real *a = NAME(target_row)(d, i, scratch);
#if GA__REAL == 64
        NAME(row)(d, first, last, piece->last, a, scale, GA__F64);
#else
        if (d->b->type == GA__F32) {
            NAME(row)(d, first, last, piece->last, a, scale, GA__F32);
        } else if (d->b->type == GA__BF16) {
            NAME(row)(d, first, last, piece->last, a, scale, GA__BF16);
        } else {
            NAME(row)(d, first, last, piece->last, a, scale, GA__F16);
        }
#endif
    }
}

#undef NAME
#undef FETCH
#undef FETCH_N
