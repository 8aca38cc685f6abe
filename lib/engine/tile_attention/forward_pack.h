/* forward_pack.h - rows to packed arrays and back, a part of forward_body.h. */
#ifndef GA_LIB_ENGINE_TILE_FORWARD_PACK_H
#define GA_LIB_ENGINE_TILE_FORWARD_PACK_H

#include "lib/engine/simd.h"
#include "lib/engine/tile_attention/tiles.h"

/* GA__TILE_BF16: q, k and v stay bf16; what is packed holds pairs (two of a row of q or k, two rows of v) in
 * the 32 bits of a float, which products of pairs multiply. */
#ifndef GA__TILE_BF16
#define GA__TILE_BF16 0
#endif

/* Vectors of a register tile: with six rows they leave room for what is loaded. */
#if GA__ISA == 512
enum { WIDE = 4 };
#else
enum { WIDE = 2 };
#endif
enum { ROW_VECTORS = GA__TILE / VF, PAIRED = GA__TILE_BF16 ? 2 : 1 };

/* Loops over registers, whatever the level of optimisation. */
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < n; i++)

#if GA__TILE_BF16
/* Pairs from pair `at` on. */
GA__INLINE vf load_part(const ga__view *from, const void *row, int64_t at)
{
    const uint16_t *p = (const uint16_t *)row + 2 * at;
    int64_t left = from->columns - 2 * at;
    return _mm512_castsi512_ps(left >= 2 * VF ? _mm512_loadu_si512(p)
                                              : _mm512_maskz_loadu_epi16((1u << left) - 1u, p));
}
#else
GA__INLINE vf load_part(const ga__view *from, const void *row, int64_t at)
{
    int64_t left = from->columns - at;
    return left >= VF ? vf_loads(row, at, from->type) : vf_loads_n(row, at, from->type, (int)left);
}
#endif

static inline const void *packed_row(const ga__view *from, int64_t batch, int64_t head, const int32_t *place,
                                     int64_t first, int64_t i)
{
    return ga__view_row(from, batch, head, place ? place[i] : first + i);
}

/* 0 x is 0 for finite x alone. */
GA__INLINE vf check_finite(vf check, vf x)
{
#if GA__TILE_BF16
    vf high =
        _mm512_castsi512_ps(_mm512_and_epi32(_mm512_castps_si512(x), _mm512_set1_epi32((int)0xffff0000)));
    vf low = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(x), 16));
    return vf_fma(low, vf_zero(), vf_fma(high, vf_zero(), check));
#else
    return vf_fma(x, vf_zero(), check);
#endif
}

static bool is_finite(const float *v, int64_t count)
{
    vf check[4] = { vf_zero(), vf_zero(), vf_zero(), vf_zero() };
    int64_t i = 0;
    for (; i + 4 * VF <= count; i += 4 * VF) {
        EACH(j, 4)
        {
            check[j] = check_finite(check[j], vf_load(v + i + j * VF));
        }
    }
    for (; i < count; i += VF) {
        check[0] = check_finite(check[0], vf_load(v + i));
    }
    float sum = vf_sum(vf_add(vf_add(check[0], check[1]), vf_add(check[2], check[3])));
    return sum == sum;
}

#if GA__TILE_BF16
/* The sign of the factor alone: its size meets the scores, so that nothing is rounded. */
static void pack(const ga__view *from, int64_t batch, int64_t head, int64_t first, int64_t rows, float factor,
                 int64_t stride, float *to)
{
    __m512i sign = _mm512_set1_epi32(factor < 0 ? (int)0x80008000 : 0);
    for (int64_t i = 0; i < rows; i++) {
        const void *row = ga__view_row(from, batch, head, first + i);
        for (int64_t d = 0; d < stride; d += VF) {
            __m512i x = 2 * d < from->columns ? _mm512_castps_si512(load_part(from, row, d)) : sign;
            vf_store(to + i * stride + d, _mm512_castsi512_ps(_mm512_xor_epi32(x, sign)));
        }
    }
}

/* Rows 2 i and 2 i + 1 side by side. */
static void pack_values(const ga__view *from, int64_t batch, int64_t head, const int32_t *place,
                        int64_t first, int64_t rows, int64_t stride, float *to)
{
    for (int64_t i = 0; i < GA__TILE; i += 2, to += stride) {
        const uint16_t *a = packed_row(from, batch, head, place, first, ga__min(i, rows - 1)),
                       *b = packed_row(from, batch, head, place, first, ga__min(i + 1, rows - 1));
        for (int64_t c = 0; c < stride; c += VF) {
            int64_t left = from->columns - c;
            uint32_t m = left >= VF ? 0xffffu : left > 0 ? (1u << left) - 1u : 0;
            __mmask16 first_row = (__mmask16)(i < rows ? m : 0), second = (__mmask16)(i + 1 < rows ? m : 0);
            __m512i x = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_row, a + c));
            __m512i y = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(second, b + c));
            vf_store(to + c, _mm512_castsi512_ps(_mm512_or_epi32(x, _mm512_slli_epi32(y, 16))));
        }
    }
}
#else
/* Rows of whole vectors in f32: nothing to convert, nothing to cut off. */
static bool is_plain(const ga__view *from, int64_t stride)
{
    return from->type == GA__F32 && from->columns == stride;
}

static void pack(const ga__view *from, int64_t batch, int64_t head, int64_t first, int64_t rows, float factor,
                 int64_t stride, float *to)
{
    bool plain = is_plain(from, stride);
    for (int64_t i = 0; i < rows; i++) {
        const void *row = ga__view_row(from, batch, head, first + i);
        int64_t d = 0;
        for (; plain && d < stride; d += VF) {
            vf_store(to + i * stride + d, vf_mul(vf_load((const float *)row + d), vf_set(factor)));
        }
        for (; d < from->columns; d += VF) {
            vf_store(to + i * stride + d, vf_mul(load_part(from, row, d), vf_set(factor)));
        }
        for (; d < stride; d += VF) {
            vf_store(to + i * stride + d, vf_zero());
        }
    }
}

static void pack_values(const ga__view *from, int64_t batch, int64_t head, const int32_t *place,
                        int64_t first, int64_t rows, int64_t stride, float *to)
{
    bool plain = is_plain(from, stride);
    for (int64_t i = 0; i < rows; i++) {
        const void *row = packed_row(from, batch, head, place, first, i);
        int64_t d = 0;
        for (; plain && d < stride; d += VF) {
            vf_store(to + i * stride + d, vf_load((const float *)row + d));
        }
        for (; d < from->columns; d += VF) {
            vf_store(to + i * stride + d, load_part(from, row, d));
        }
        for (; d < stride; d += VF) {
            vf_store(to + i * stride + d, vf_zero());
        }
    }
    memset(to + rows * stride, 0, (size_t)((GA__TILE - rows) * stride) * sizeof *to);
}
#endif

#if GA__ISA == 512
/* 16 x 16: pairs of lanes, pairs of pairs, then quarters of the vectors. */
GA__INLINE void transpose(vf x[16])
{
    vf t[16];
    EACH(h, 8)
    {
        t[2 * h] = _mm512_unpacklo_ps(x[2 * h], x[2 * h + 1]);
        t[2 * h + 1] = _mm512_unpackhi_ps(x[2 * h], x[2 * h + 1]);
    }
    EACH(f, 4)
    {
        int i = 4 * f;
        x[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        x[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        x[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        x[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    EACH(i, 4)
    {
        t[i] = _mm512_shuffle_f32x4(x[i], x[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(x[i], x[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(x[i + 8], x[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(x[i + 8], x[i + 12], 0xdd);
    }
    EACH(i, 4)
    {
        x[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        x[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        x[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        x[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}
#elif GA__ISA == 2
/* 8 x 8, likewise. */
GA__INLINE void transpose(vf x[8])
{
    vf t[8];
    EACH(h, 4)
    {
        t[2 * h] = _mm256_unpacklo_ps(x[2 * h], x[2 * h + 1]);
        t[2 * h + 1] = _mm256_unpackhi_ps(x[2 * h], x[2 * h + 1]);
    }
    EACH(f, 2)
    {
        int i = 4 * f;
        x[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        x[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        x[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        x[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    EACH(i, 4)
    {
        t[i] = _mm256_permute2f128_ps(x[i], x[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(x[i], x[i + 4], 0x31);
    }
    EACH(i, 8)
    {
        x[i] = t[i];
    }
}
#else
GA__INLINE void transpose(vf x[VF])
{
    float t[VF][VF], u[VF][VF];
    for (int i = 0; i < VF; i++) {
        vf_store(t[i], x[i]);
    }
    for (int i = 0; i < VF; i++) {
        for (int j = 0; j < VF; j++) {
            u[i][j] = t[j][i];
        }
    }
    for (int i = 0; i < VF; i++) {
        x[i] = vf_load(u[i]);
    }
}
#endif

/* VF rows and as many of their columns, all there, of 32 bits. */
static void pack_square(const void *const *row, int64_t d, float *to)
{
    vf x[VF];
    EACH(i, VF)
    {
        x[i] = vf_load((const float *)row[i] + d);
    }
    transpose(x);
    EACH(i, VF)
    {
        vf_store(to + (d + i) * GA__TILE, x[i]);
    }
}

static void pack_edge(const ga__view *from, const void *const *row, int64_t rows, int64_t d, int64_t depth,
                      float *to)
{
    vf x[VF];
    for (int i = 0; i < VF; i++) {
        x[i] = i < rows ? load_part(from, row[i], d) : vf_zero();
    }
    transpose(x);
    for (int i = 0; i < VF && d + i < depth; i++) {
        vf_store(to + (d + i) * GA__TILE, x[i]);
    }
}

static void pack_across(const ga__view *from, int64_t batch, int64_t head, const int32_t *place,
                        int64_t first, int64_t rows, float *to)
{
    int64_t depth = (from->columns + PAIRED - 1) / PAIRED, whole = from->columns / PAIRED;
    bool plain = GA__TILE_BF16 || from->type == GA__F32;
    for (int64_t j = 0; j < GA__TILE; j += VF) {
        const void *row[VF];
        for (int i = 0; i < VF; i++) {
            row[i] = packed_row(from, batch, head, place, first, ga__min(j + i, rows - 1));
        }
        for (int64_t d = 0; d < depth; d += VF) {
            if (plain && j + VF <= rows && d + VF <= whole) {
                pack_square(row, d, to + j);
            } else {
                pack_edge(from, row, rows - j, d, depth, to + j);
            }
        }
    }
}

/* ---- unpacking ---- */

static double total(const float *sums)
{
    double part[4] = { 0 };
    for (int i = 0; i < GA__LANES; i += 4) {
        EACH(j, 4)
        {
            part[j] += (double)sums[i + j];
        }
    }
    return part[0] + part[1] + (part[2] + part[3]);
}

static void store_row(const float *acc, int64_t count, float factor, ga__type type, void *to)
{
    vf f = vf_set(factor);
    for (int64_t c = 0; c < count; c += VF) {
        int n = (int)ga__min(VF, count - c);
        vf x = vf_mul(vf_load(acc + c), f);
        switch (type) {
        case GA__F32:
            if (n == VF) {
                vf_store((float *)to + c, x);
            } else {
                vf_store_n((float *)to + c, x, n);
            }
            break;
        case GA__BF16: vf_store_bf16_n((uint16_t *)to + c, x, n); break;
        default: vf_store_f16_n((uint16_t *)to + c, x, n); break;
        }
    }
}

static void stream_row(const float *acc, int64_t count, float factor, float *to)
{
    vf f = vf_set(factor);
    for (int64_t c = 0; c < count; c += VF) {
        vf_stream(to + c, vf_mul(vf_load(acc + c), f));
    }
}

static void fence(void)
{
    vf_fence();
}

#endif
