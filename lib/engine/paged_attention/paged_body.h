/* paged_body.h - an item of keys: scores, online softmax, sums of values, a tile of keys at a time. */
#include "lib/engine/paged_attention/paged.h"
#include "lib/engine/simd.h"

enum { ROWS = VF / 4, WIDE = 4, LINE = 64 };

/* ---- the sums of VF vectors in one ---- */

#if GA__ISA == 512
#define unpack_ps(a, b) vf_add(_mm512_unpacklo_ps((a), (b)), _mm512_unpackhi_ps((a), (b)))
GA__INLINE vf unpack_pd(vf a, vf b)
{
    __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
    return vf_add(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
}
GA__INLINE vf sums_of(const vf *v)
{
    vf w[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        w[i] = unpack_pd(unpack_ps(v[4 * i], v[4 * i + 1]), unpack_ps(v[4 * i + 2], v[4 * i + 3]));
    }
    vf x = vf_add(_mm512_shuffle_f32x4(w[0], w[1], 0x44), _mm512_shuffle_f32x4(w[0], w[1], 0xee));
    vf y = vf_add(_mm512_shuffle_f32x4(w[2], w[3], 0x44), _mm512_shuffle_f32x4(w[2], w[3], 0xee));
    return vf_add(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xdd));
}
#elif GA__ISA == 2
#define unpack_ps(a, b) vf_add(_mm256_unpacklo_ps((a), (b)), _mm256_unpackhi_ps((a), (b)))
GA__INLINE vf unpack_pd(vf a, vf b)
{
    __m256d x = _mm256_castps_pd(a), y = _mm256_castps_pd(b);
    return vf_add(_mm256_castpd_ps(_mm256_unpacklo_pd(x, y)), _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
}
GA__INLINE vf sums_of(const vf *v)
{
    vf x = unpack_pd(unpack_ps(v[0], v[1]), unpack_ps(v[2], v[3]));
    vf y = unpack_pd(unpack_ps(v[4], v[5]), unpack_ps(v[6], v[7]));
    return vf_add(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
}
#else
GA__INLINE vf sums_of(const vf *v)
{
    vf sum;
    for (int i = 0; i < VF; i++) {
        sum[i] = (v[i][0] + v[i][2]) + (v[i][1] + v[i][3]);
    }
    return sum;
}
#endif

/* ---- scores ---- */

/* s of `rows` rows and VF / rows keys; both are constants of the call. */
GA__INLINE void score_some(const ga__paged_item *t, ga__type type, int rows, int at, const float *const *q,
                           float *const *s)
{
    const int keys = VF / rows;
    const void *k[VF];
    vf sum[VF];
    float out[VF];
    int64_t c = 0;
    for (int j = 0; j < keys; j++) {
        k[j] = t->k[at + j < t->count ? at + j : t->count - 1];
    }
#pragma GCC unroll 16
    for (int i = 0; i < VF; i++) {
        sum[i] = vf_zero();
    }
    for (; c + VF <= t->dim; c += VF) {
#pragma GCC unroll 16
        for (int j = 0; j < keys; j++) {
            vf x = vf_loads(k[j], c, type);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                sum[r * keys + j] = vf_fma(vf_load(q[r] + c), x, sum[r * keys + j]);
            }
        }
    }
    if (c < t->dim) {
        for (int j = 0; j < keys; j++) {
            vf x = vf_loads_n(k[j], c, type, (int)(t->dim - c));
            for (int r = 0; r < rows; r++) {
                sum[r * keys + j] = vf_fma(vf_load(q[r] + c), x, sum[r * keys + j]);
            }
        }
    }
    vf_store(out, sums_of(sum));
    for (int r = 0; r < rows; r++) {
        memcpy(s[r], out + r * keys, (size_t)keys * sizeof *out);
    }
}

/* Rows from .. to - 1 ahead, line by line, to the second cache: the first one waits for too few lines at once. */
GA__INLINE void fetch_rows(const void *const *rows, int from, int to, int64_t bytes)
{
    for (int j = from; j < to; j++) {
        for (int64_t i = 0; i < bytes; i += LINE) {
            __builtin_prefetch((const char *)rows[j] + i, 0, 2);
        }
    }
}

GA__INLINE int64_t bytes_of(int64_t columns, ga__type type)
{
    return columns * (type == GA__F32 ? 4 : 2);
}

/* Rows row .. row + n - 1 of the tile [from, to). While scores are computed, the values are on their way. */
GA__INLINE void score_rows(const ga__paged_item *t, ga__type type, int row, int n, int from, int to)
{
    const float *q[ROWS];
    float *s[ROWS], spare[GA__PAGED_TILE];
    int rows = n > 2 && ROWS > 2 ? ROWS : n > 1 && ROWS > 1 ? 2 : 1;
    for (int r = 0; r < rows; r++) {
        q[r] = t->q + (row + ga__min(r, n - 1)) * t->stride_q;
    }
    for (int at = from; at < to; at += VF / rows) {
        if (row == 0) {
            fetch_rows(t->v, at, (int)ga__min(to, at + VF / rows), bytes_of(t->dim_v, t->type_v));
        }
        for (int r = 0; r < rows; r++) {
            s[r] = r < n ? t->s + (row + r) * GA__PAGED_TILE + at - from : spare;
        }
        if (rows == 1) {
            score_some(t, type, 1, at, q, s);
        } else if (rows == 2) {
            score_some(t, type, ROWS > 1 ? 2 : 1, at, q, s);
        } else {
            score_some(t, type, ROWS, at, q, s);
        }
    }
}

GA__INLINE void score_tile(const ga__paged_item *t, ga__type type, int from, int to)
{
    for (int row = 0; row < t->rows; row += ROWS) {
        score_rows(t, type, row, (int)ga__min(ROWS, t->rows - row), from, to);
    }
}

/* ---- weights ---- */

/* Keys that a token does not see, and the places behind the last key. */
static void hide(const ga__paged_item *t, int row, int from, int to)
{
    float *s = t->s + row * GA__PAGED_TILE;
    uint8_t bit = (uint8_t)(1u << (row / t->heads));
    for (int j = from; j < to && t->tokens; j++) {
        if (!(t->tokens[j] & bit)) {
            s[j - from] = -INFINITY;
        }
    }
    for (int j = to - from; j < (to - from + VF - 1) / VF * VF; j++) {
        s[j] = -INFINITY;
    }
}

/* The row of weights when no score is above -inf: 0, or NaN where some score is none. */
static void no_weights(const ga__paged_item *t, int row, int n)
{
    float *s = t->s + row * GA__PAGED_TILE;
    bool lost = false;
    for (int j = 0; j < n; j++) {
        lost |= s[j] != s[j];
    }
    for (int j = 0; j < n; j++) {
        s[j] = lost ? NAN : 0;
    }
    if (lost) {
        t->z[row] = NAN;
    }
}

/* s becomes e^(s - m) with the new m; what was summed before is scaled to it. */
static void weigh(const ga__paged_item *t, int row, int from, int to)
{
    float *s = t->s + row * GA__PAGED_TILE, *acc = t->acc + row * t->stride_v;
    int n = (to - from + VF - 1) / VF * VF;
    vf most = vf_set(-INFINITY), sum = vf_zero();
    for (int j = 0; j < n; j += VF) {
        most = vf_max(vf_load(s + j), most);
    }
    float m = fmaxf(vf_most(most), t->m[row]);
    if (m == -INFINITY) {
        no_weights(t, row, n);
        return;
    }
    for (int j = 0; j < n; j += VF) {
        vf p = vf_exp(vf_sub(vf_load(s + j), vf_set(m)));
        sum = vf_add(sum, p);
        vf_store(s + j, p);
    }
    if (m > t->m[row]) {
        float factor = expf(t->m[row] - m);
        t->z[row] *= factor;
        for (int64_t c = 0; c < t->stride_v; c += VF) {
            vf_store(acc + c, vf_mul(vf_set(factor), vf_load(acc + c)));
        }
        t->m[row] = m;
    }
    t->z[row] += vf_sum(sum);
}

/* ---- sums of values ---- */

/* `rows` rows, `wide` vectors of columns from c on; both are constants of the call. n < VF: the last columns.
 * ahead: bytes of a row of keys, those of the next tile are fetched; 0 = not. */
GA__INLINE void sum_some(const ga__paged_item *t, ga__type type, int rows, int wide, int row, int64_t c,
                         int n, int64_t ahead, int from, int to)
{
    vf sum[ROWS * WIDE];
    const float *p = t->s + row * GA__PAGED_TILE;
    float *acc = t->acc + row * t->stride_v + c;
#pragma GCC unroll 16
    for (int i = 0; i < rows * wide; i++) {
        sum[i] = vf_load(acc + i / wide * t->stride_v + i % wide * VF);
    }
    for (int j = from; j < to; j++) {
        vf x[WIDE];
        if (ahead > 0 && j + GA__PAGED_TILE < t->count) {
            fetch_rows(t->k, j + GA__PAGED_TILE, j + GA__PAGED_TILE + 1, ahead);
        }
#pragma GCC unroll 4
        for (int w = 0; w < wide; w++) {
            x[w] = n < VF ? vf_loads_n(t->v[j], c, type, n) : vf_loads(t->v[j], c + w * VF, type);
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            vf weight = vf_set(p[r * GA__PAGED_TILE + j - from]);
#pragma GCC unroll 4
            for (int w = 0; w < wide; w++) {
                sum[r * wide + w] = vf_fma(weight, x[w], sum[r * wide + w]);
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows * wide; i++) {
        vf_store(acc + i / wide * t->stride_v + i % wide * VF, sum[i]);
    }
}

GA__INLINE void sum_rows(const ga__paged_item *t, ga__type type, int rows, int row, int from, int to)
{
    int64_t c = 0, ahead = row == 0 ? bytes_of(t->dim, t->type_k) : 0;
    for (; c + WIDE * VF <= t->dim_v; c += WIDE * VF) {
        sum_some(t, type, rows, WIDE, row, c, VF, c == 0 ? ahead : 0, from, to);
    }
    for (; c + VF <= t->dim_v; c += VF) {
        sum_some(t, type, rows, 1, row, c, VF, c == 0 ? ahead : 0, from, to);
    }
    if (c < t->dim_v) {
        sum_some(t, type, rows, 1, row, c, (int)(t->dim_v - c), c == 0 ? ahead : 0, from, to);
    }
}

GA__INLINE void sum_tile(const ga__paged_item *t, ga__type type, int from, int to)
{
    int row = 0;
    for (; row + ROWS <= t->rows; row += ROWS) {
        sum_rows(t, type, ROWS, row, from, to);
    }
    for (; row < t->rows; row++) {
        sum_rows(t, type, 1, row, from, to);
    }
}

/* ---- an item ---- */

static void scores_of(const ga__paged_item *t, int from, int to)
{
    if (t->type_k == GA__F32) {
        score_tile(t, GA__F32, from, to);
    } else if (t->type_k == GA__BF16) {
        score_tile(t, GA__BF16, from, to);
    } else {
        score_tile(t, GA__F16, from, to);
    }
    for (int row = 0; row < t->rows; row++) {
        hide(t, row, from, to);
        if (t->scores) {
            memcpy(t->scores + row * GA__PAGED_ITEM + from, t->s + row * GA__PAGED_TILE,
                   (size_t)(to - from) * sizeof *t->s);
        }
    }
}

static void run(const ga__paged_item *t)
{
    for (int row = 0; row < t->rows; row++) {
        t->m[row] = -INFINITY;
        t->z[row] = 0;
        memset(t->acc + row * t->stride_v, 0, (size_t)t->stride_v * sizeof *t->acc);
    }
    for (int from = 0; from < t->count; from += GA__PAGED_TILE) {
        int to = (int)ga__min(t->count, from + GA__PAGED_TILE);
        scores_of(t, from, to);
        for (int row = 0; row < t->rows; row++) {
            weigh(t, row, from, to);
        }
        if (t->type_v == GA__F32) {
            sum_tile(t, GA__F32, from, to);
        } else if (t->type_v == GA__BF16) {
            sum_tile(t, GA__BF16, from, to);
        } else {
            sum_tile(t, GA__F16, from, to);
        }
    }
}

const ga__paged_kernels GA__NAME(ga__paged) = { run };
