/* forward_body.h - strips of queries times blocks of places, compiled for every instruction set. */
#include "lib/engine/normaliser.h"
#include "lib/engine/tile_attention/forward_pack.h"

/* ---- products ---- */

/* Columns from `at` of weights = q k, or of acc += weights v: R rows, W vectors, n terms. */
#if GA__TILE_BF16
#define MULTIPLY(f, b, s) _mm512_dpbf16_ps((s), (__m512bh)(f), (__m512bh)(b))
#else
#define MULTIPLY(f, b, s) vf_fma((f), (b), (s))
#endif
#define PRODUCT(R, W) \
    static void GA__NAME(product_##R##_##W)(int64_t n, const float *x, int64_t stride_x, const float *y, \
                                            int64_t stride_y, bool add, float *to, int64_t stride) \
    { \
        vf s[R][W]; \
        EACH(i, R) \
        { \
            EACH(j, W) \
            { \
                s[i][j] = add ? vf_load(to + i * stride + j * VF) : vf_zero(); \
            } \
        } \
        for (int64_t d = 0; d < n; d++) { \
            vf b[W]; \
            EACH(j, W) \
            { \
                b[j] = vf_load(y + d * stride_y + j * VF); \
            } \
            EACH(i, R) \
            { \
                vf f = vf_set(x[i * stride_x + d]); \
                EACH(j, W) \
                { \
                    s[i][j] = MULTIPLY(f, b[j], s[i][j]); \
                } \
            } \
        } \
        EACH(i, R) \
        { \
            EACH(j, W) \
            { \
                vf_store(to + i * stride + j * VF, s[i][j]); \
            } \
        } \
    }
#define PRODUCTS(W) PRODUCT(1, W) PRODUCT(2, W) PRODUCT(4, W) PRODUCT(6, W)
PRODUCTS(1)
PRODUCTS(2)
#if GA__ISA == 512
PRODUCTS(3)
PRODUCTS(4)
#endif

typedef void (*product_fn)(int64_t, const float *, int64_t, const float *, int64_t, bool, float *, int64_t);
#define PRODUCT_ROW(W) \
    { \
        GA__NAME(product_1_##W), GA__NAME(product_2_##W), GA__NAME(product_4_##W), GA__NAME(product_4_##W), \
            GA__NAME(product_6_##W), GA__NAME(product_6_##W) \
    }
static const product_fn product[WIDE][GA__STRIP] = {
    PRODUCT_ROW(1),
    PRODUCT_ROW(2),
#if GA__ISA == 512
    PRODUCT_ROW(3),
    PRODUCT_ROW(4),
#endif
};

static void scores(const ga__strip *strip)
{
    int from = strip->low / VF, to = (strip->high + VF - 1) / VF;
    for (int at = from; at < to; at += WIDE) {
        int width = to - at < WIDE ? to - at : WIDE;
        product[width - 1][strip->rows - 1](strip->depth, strip->q, strip->stride, strip->k + at * VF,
                                            GA__TILE, false, strip->weights + at * VF, GA__TILE);
    }
}

/* Row j of the values of a block, 16 bits of a pair made a float. */
GA__INLINE vf value(const ga__strip *strip, int j, int64_t c)
{
    vf v = vf_load(strip->v + j / PAIRED * strip->stride_v + c);
#if GA__TILE_BF16
    __m512i bits = _mm512_castps_si512(v);
    bits = j % 2 ? _mm512_and_epi32(bits, _mm512_set1_epi32((int)0xffff0000)) : _mm512_slli_epi32(bits, 16);
    v = _mm512_castsi512_ps(bits);
#endif
    return v;
}

static void apply_careful(const ga__strip *strip)
{
    for (int i = 0; i < strip->rows; i++) {
        float *acc = strip->acc + i * strip->stride_acc;
        for (uint64_t bits = strip->mask[i]; bits; bits &= bits - 1) {
            int j = __builtin_ctzll(bits);
            vf w = vf_set(strip->weights[i * GA__TILE + j]);
            for (int64_t c = 0; c < strip->stride_v; c += VF) {
                vf_store(acc + c, vf_fma(w, value(strip, j, c), vf_load(acc + c)));
            }
        }
    }
}

#if GA__TILE_BF16
/* Pairs of weights of neighbouring places, in the first half of each row. */
static void pair_weights(const ga__strip *strip)
{
    for (int i = 0; i < strip->rows; i++) {
        float *w = strip->weights + i * GA__TILE;
        __m512bh first = _mm512_cvtne2ps_pbh(vf_load(w + VF), vf_load(w));
        __m512bh second = _mm512_cvtne2ps_pbh(vf_load(w + 3 * VF), vf_load(w + 2 * VF));
        vf_store(w, (vf)first);
        vf_store(w + VF, (vf)second);
    }
}
#endif

static void apply_all(const ga__strip *strip)
{
    if (strip->careful && strip->mask) {
        apply_careful(strip);
        return;
    }
#if GA__TILE_BF16
    pair_weights(strip);
#endif
    int64_t vectors = strip->stride_v / VF;
    int low = strip->low / PAIRED, high = (strip->high + PAIRED - 1) / PAIRED;
    for (int64_t at = 0; at < vectors; at += WIDE) {
        int64_t width = vectors - at < WIDE ? vectors - at : WIDE;
        product[width - 1][strip->rows - 1](high - low, strip->weights + low, GA__TILE,
                                            strip->v + low * strip->stride_v + at * VF, strip->stride_v, true,
                                            strip->acc + at * VF, strip->stride_acc);
    }
}

GA__INLINE vm chosen(uint64_t bits, int at)
{
    return vm_bits((uint32_t)(bits >> at) & (uint32_t)((UINT64_C(1) << VF) - 1));
}

/* The weights of one class, 0 elsewhere, and their sums. */
static void take_class(const ga__strip *strip, int class, const uint64_t *mask, float *weights)
{
    int64_t behind = strip->classes * strip->stride_v + class * GA__LANES;
    int from = strip->low / VF * VF, to = (strip->high + VF - 1) / VF * VF;
    for (int i = 0; i < strip->rows; i++) {
        float *sums = strip->acc + i * strip->stride_acc + behind;
        vf sum = vf_load(sums);
        for (int at = from; at < to; at += VF) {
            vf w = vf_pick(chosen(mask[i], at), vf_load(strip->weights + i * GA__TILE + at), vf_zero());
            sum = vf_add(sum, w);
            vf_store(weights + i * GA__TILE + at, w);
        }
        vf_store(sums, sum);
    }
}

/* Class by class, over the places of the class alone. */
static void apply_classes(const ga__strip *strip)
{
    float weights[GA__STRIP * GA__TILE];
    uint64_t mask[GA__STRIP];
    for (int c = 0; c < strip->classes; c++) {
        uint64_t any = 0;
        for (int i = 0; i < strip->rows; i++) {
            mask[i] = (strip->mask ? strip->mask[i] : ~UINT64_C(0)) & strip->label[i][c];
            any |= mask[i];
        }
        if (any) {
            ga__strip part = *strip;
            part.low = __builtin_ctzll(any);
            part.high = GA__TILE - __builtin_clzll(any);
            take_class(&part, c, mask, weights);
            part.weights = weights;
            part.mask = mask;
            part.acc += c * strip->stride_v;
            apply_all(&part);
        }
    }
}

static void apply(const ga__strip *strip)
{
    if (strip->classes > 0) {
        apply_classes(strip);
    } else {
        apply_all(strip);
    }
}

/* ---- scores to weights ---- */

/* What scores are still to be multiplied with. */
GA__INLINE vf scale_of(const ga__strip *strip)
{
    return vf_set(GA__TILE_BF16 && !strip->dressed ? strip->scale : 1);
}

GA__INLINE vf score(const float *w, vf scale)
{
    return GA__TILE_BF16 ? vf_mul(vf_load(w), scale) : vf_load(w);
}

GA__INLINE vf add_terms(const ga__tile_terms *terms, vf s, int i, int at)
{
    if (terms->factor[i]) {
        s = vf_mul(s, vf_load(terms->factor[i] + at));
    }
    if (terms->gain[i]) {
        s = vf_fma(vf_load(terms->gain[i] + at), vf_abs(s), s);
    }
    return terms->bias[i] ? vf_add(s, vf_load(terms->bias[i] + at)) : s;
}

GA__INLINE vf dress(const ga__strip *strip, vf s, int i, int at)
{
    if (strip->softcap > 0) {
        s = vf_mul(vf_set(strip->softcap), vf_tanh(vf_mul(s, vf_set(1 / strip->softcap))));
    }
    if (strip->terms) {
        s = add_terms(strip->terms, s, i, at);
    }
    if (strip->bias) {
        s = vf_add(s, vf_load(strip->bias + i * GA__TILE + at));
    }
    return strip->kind == GA_SOFTMAX ? vf_mul(s, vf_set(1.44269504f)) : s;
}

GA__INLINE vm sees(const ga__strip *strip, int i, int at)
{
    return vm_bits((uint32_t)(strip->mask[i] >> at) & (uint32_t)((UINT64_C(1) << VF) - 1));
}

static void dress_all(const ga__strip *strip, int from, int to)
{
    for (int i = 0; i < strip->rows; i++) {
        for (int at = from; at < to; at += VF) {
            float *w = strip->weights + i * GA__TILE + at;
            vf_store(w, dress(strip, score(w, vf_set(strip->scale)), i, at));
        }
    }
}

/* 2^x for x <= SLACK: relative error below 2.5e-7. */
GA__INLINE vf exp2_below(vf x)
{
#if GA__ISA == 512
    /* On [0, 1), minimax of degree 5 with 2^0 = 1; the instruction that scales takes the floor itself, and
     * both take minus infinity to 0. */
    vf r = _mm512_reduce_ps(x, 9), p = vf_set(1.8671354e-3f);
    p = vf_fma(p, r, vf_set(9.0170186e-3f));
    p = vf_fma(p, r, vf_set(5.57999201e-2f));
    p = vf_fma(p, r, vf_set(2.40164444e-1f));
    p = vf_fma(p, r, vf_set(6.93151295e-1f));
    p = vf_fma(p, r, vf_set(1.0f));
    return _mm512_scalef_ps(p, x);
#else
    x = vf_max(vf_set(-151), x);
    vf n = vf_round(x), r = vf_sub(x, n), p = vf_set(1.32647273e-3f);
    p = vf_fma(p, r, vf_set(9.67151299e-3f));
    p = vf_fma(p, r, vf_set(5.55073358e-2f));
    p = vf_fma(p, r, vf_set(2.40222424e-1f));
    p = vf_fma(p, r, vf_set(6.93147004e-1f));
    p = vf_fma(p, r, vf_set(1.0f));
    return vf_ldexp(p, n);
#endif
}

/* Powers of two that a score may lie above what the weights of its row are relative to: floats lose nothing
 * by it, and few blocks raise the maximum by more. */
enum { SLACK = 6 };

static __attribute__((noinline)) void rescale(const ga__strip *strip, int i, vf largest)
{
    float most = vf_most(largest);
    vf c = exp2_below(vf_set(strip->row.max[i] - most));
    float *sums = strip->row.sums + i * GA__LANES;
    bool first = strip->row.max[i] == -INFINITY;
    strip->row.max[i] = most;
    if (first) { /* all that was added is 0, or not a number */
        return;
    }
    for (int at = 0; at < GA__LANES; at += VF) {
        vf_store(sums + at, vf_mul(c, vf_load(sums + at)));
    }
    if (strip->acc) {
        float *acc = strip->acc + i * strip->stride_acc;
        for (int64_t at = 0; at < strip->stride_acc; at += VF) {
            vf_store(acc + at, vf_mul(c, vf_load(acc + at)));
        }
    }
}

/* A row all of whose places are seen, under the running maximum. */
GA__INLINE void softmax_whole(const ga__strip *strip, int i, vf scale)
{
    float *w = strip->weights + i * GA__TILE, *sums = strip->row.sums + i * GA__LANES;
    vf s[ROW_VECTORS], most = vf_set(-INFINITY);
    EACH(j, ROW_VECTORS)
    {
        s[j] = score(w + j * VF, scale);
        most = vf_max(s[j], most);
    }
    if (__builtin_expect(vm_to_bits(vm_gt(most, vf_set(strip->row.max[i] + SLACK))) != 0, 0)) {
        rescale(strip, i, most);
        EACH(j, ROW_VECTORS)
        {
            s[j] = score(w + j * VF, scale);
        }
    }
    vf max = vf_set(strip->row.max[i] == -INFINITY ? 0 : strip->row.max[i]), sum = vf_zero();
    EACH(j, ROW_VECTORS)
    {
        vf a = exp2_below(vf_sub(s[j], max));
        sum = vf_add(sum, a);
        vf_store(w + j * VF, a);
    }
    vf_store(sums, vf_add(sum, vf_load(sums)));
}

/* Vectors of the row that some of the strip sees; those that it does not see become 0. */
GA__INLINE void softmax_row(const ga__strip *strip, int i, int from, int to, bool masked)
{
    float *w = strip->weights + i * GA__TILE;
    vf most = vf_set(-INFINITY), sums = vf_load(strip->row.sums + i * GA__LANES), scale = scale_of(strip);
    if (strip->pass != GA__TILE_FINAL) {
        for (int at = from; at < to; at += VF) {
            vf s = score(w + at, scale);
            most = vf_max(masked ? vf_pick(sees(strip, i, at), s, vf_set(-INFINITY)) : s, most);
        }
        if (vm_to_bits(vm_gt(most, vf_set(strip->row.max[i] + SLACK)))) {
            rescale(strip, i, most);
            sums = vf_load(strip->row.sums + i * GA__LANES);
        }
    }
    vf max = vf_set(strip->row.max[i] == -INFINITY ? 0 : strip->row.max[i]);
    vf inverse = vf_set(strip->pass == GA__TILE_FINAL ? strip->row.inverse[i] : 1);
    for (int at = from; at < to; at += VF) {
        vf a = exp2_below(vf_sub(score(w + at, scale), max));
        if (strip->pass == GA__TILE_FINAL) {
            a = vf_mul(a, inverse);
        }
        a = masked ? vf_pick(sees(strip, i, at), a, vf_zero()) : a;
        sums = vf_add(sums, a);
        vf_store(w + at, a);
    }
    vf_store(strip->row.sums + i * GA__LANES, sums);
}

static void softmax(const ga__strip *strip, int from, int to)
{
    if (!strip->mask && strip->pass != GA__TILE_FINAL) {
        for (int i = 0; i < strip->rows; i++) {
            softmax_whole(strip, i, scale_of(strip));
        }
        return;
    }
    for (int i = 0; i < strip->rows; i++) {
        softmax_row(strip, i, from, to, strip->mask != NULL);
    }
}

#if GA__ISA == 512
/* What rows above the maximum of their row have to do. */
static __attribute__((noinline)) void raise_rows(const ga__strip *strip, const vf most[GA__STRIP])
{
    for (int i = 0; i < strip->rows; i++) {
        if (vm_to_bits(vm_gt(most[i], vf_set(strip->row.max[i] + SLACK)))) {
            rescale(strip, i, most[i]);
        }
    }
}

/* Scores and weights of `rows` rows and `width` vectors of a block, without a way through memory. Rows behind the last of
 * the strip cost nothing beside the others; what they come to is not used. */
GA__INLINE void at_once(const ga__strip *strip, int from, const int rows, const int width, const bool masked,
                        const bool ahead)
{
    vf s[GA__STRIP][ROW_VECTORS], most[GA__STRIP];
    const float *q = strip->q, *k = strip->k + from * VF;
    float *weights = strip->weights + from * VF;
    vm above = 0;
    EACH(i, rows)
    {
        EACH(j, width)
        {
            s[i][j] = vf_zero();
        }
    }
    for (int64_t d = 0; d < strip->depth; d++) {
        vf b[ROW_VECTORS];
        EACH(j, width)
        {
            b[j] = vf_load(k + d * GA__TILE + j * VF);
        }
        if (ahead && d < 4 * GA__AHEAD) {
            __builtin_prefetch(strip->ahead[d / 4] + d % 4 * 64, 0, 3);
        }
        EACH(i, rows)
        {
            vf f = vf_set(q[i * strip->stride + d]);
            EACH(j, width)
            {
                s[i][j] = MULTIPLY(f, b[j], s[i][j]);
            }
        }
    }
    for (int64_t d = strip->depth; ahead && d < 4 * GA__AHEAD; d++) {
        __builtin_prefetch(strip->ahead[d / 4] + d % 4 * 64, 0, 3);
    }
    EACH(i, rows)
    {
        most[i] = vf_set(-INFINITY);
        EACH(j, width)
        {
            s[i][j] = GA__TILE_BF16 ? vf_mul(s[i][j], vf_set(strip->scale)) : s[i][j];
            s[i][j] = masked ? vf_pick(sees(strip, i, (from + j) * VF), s[i][j], vf_set(-INFINITY)) : s[i][j];
            most[i] = vf_max(s[i][j], most[i]);
        }
        above |= i < strip->rows ? vm_gt(most[i], vf_set(strip->row.max[i] + SLACK)) : 0;
    }
    if (__builtin_expect(above != 0, 0)) {
        raise_rows(strip, most);
    }
    EACH(i, rows)
    {
        float base = strip->row.max[i];
        vf max = vf_set(base == -INFINITY ? 0 : base), sum = vf_load(strip->row.sums + i * GA__LANES);
        EACH(j, width)
        {
            vf a = exp2_below(vf_sub(s[i][j], max));
            sum = vf_add(sum, a);
            vf_store(weights + i * GA__TILE + j * VF, a);
        }
        vf_store(strip->row.sums + i * GA__LANES, sum);
    }
}

#define AT_ONCE(W, MASKED) \
    static void GA__NAME(at_once_##W##_##MASKED)(const ga__strip *strip, int from) \
    { \
        at_once(strip, from, GA__STRIP, W, MASKED, false); \
    }
#define AT_ONCE_WHOLE(R, AHEAD) \
    static void GA__NAME(at_once_rows_##R##_##AHEAD)(const ga__strip *strip) \
    { \
        at_once(strip, 0, R, ROW_VECTORS, false, AHEAD); \
    }
AT_ONCE_WHOLE(4, false)
AT_ONCE_WHOLE(4, true)
AT_ONCE_WHOLE(6, false)
AT_ONCE_WHOLE(6, true)
AT_ONCE(1, true)
AT_ONCE(2, true)
AT_ONCE(3, true)
AT_ONCE(4, true)

/* Five rows cost what six do. */
static bool softmax_at_once(const ga__strip *strip)
{
    static void (*const masked[])(const ga__strip *,
                                  int) = { GA__NAME(at_once_1_true), GA__NAME(at_once_2_true),
                                           GA__NAME(at_once_3_true), GA__NAME(at_once_4_true) };
    static void (*const whole[2][2])(
        const ga__strip *) = { { GA__NAME(at_once_rows_4_false), GA__NAME(at_once_rows_4_true) },
                               { GA__NAME(at_once_rows_6_false), GA__NAME(at_once_rows_6_true) } };
    int from = strip->low / VF, to = (strip->high + VF - 1) / VF;
    if (strip->kind != GA_SOFTMAX || strip->dressed || strip->pass == GA__TILE_FINAL || strip->rows < 4) {
        return false;
    }
    if (strip->mask) {
        masked[to - from - 1](strip, from);
    } else {
        whole[strip->rows > 4][strip->ahead != NULL](strip);
    }
    return true;
}
#endif

GA__INLINE vf power_of(vf x, float power)
{
    int whole = (int)power;
    if ((float)whole == power && whole <= 64) {
        vf result = vf_set(1);
        for (int bits = whole; bits; bits >>= 1, x = vf_mul(x, x)) {
            result = bits & 1 ? vf_mul(result, x) : result;
        }
        return result;
    }
    float part[VF];
    vf_store(part, x);
    for (int i = 0; i < VF; i++) {
        part[i] = powf(part[i], power);
    }
    return vf_load(part);
}

/* (max(0, n a / sum a - offset) / its maximum)^power. */
GA__INLINE vf reweigh(const ga__strip *strip, vf a, int i)
{
    vf y = vf_sub(vf_mul(a, vf_set(strip->row.share[i])), vf_set(strip->row.offset[i]));
    y = vf_mul(vf_max(vf_zero(), y), vf_set(strip->row.peak[i]));
    return power_of(y, strip->power);
}

GA__INLINE void other_rows(const ga__strip *strip, ga_normaliser_kind kind, int from, int to)
{
    vf scale = scale_of(strip);
    for (int i = 0; i < strip->rows; i++) {
        float *w = strip->weights + i * GA__TILE;
        vf sums = vf_load(strip->row.sums + i * GA__LANES), most = vf_set(strip->row.max[i]);
        vf shift = vf_set(strip->row.shift[i]), factor = vf_set(strip->row.factor[i]);
        for (int at = from; at < to; at += VF) {
            vf s = score(w + at, scale);
            vf a = kind == GA_RELU_L1 ? vf_max(vf_zero(), s) : vf_weight(kind, s, shift, factor);
            if (kind == GA_SOFTPLUS_REWEIGHT && strip->second) {
                a = reweigh(strip, a, i);
            }
            if (strip->pass == GA__TILE_FINAL) {
                a = vf_fma(a, vf_set(strip->row.inverse[i]), vf_set(strip->row.lift[i]));
            }
            a = strip->mask ? vf_pick(sees(strip, i, at), a, vf_zero()) : a;
            most = kind == GA_SOFTPLUS_REWEIGHT ? vf_max(a, most) : most;
            sums = vf_add(sums, a);
            vf_store(w + at, a);
        }
        vf_store(strip->row.sums + i * GA__LANES, sums);
        if (kind == GA_SOFTPLUS_REWEIGHT && !strip->second) {
            strip->row.max[i] = vf_most(most);
        }
    }
}

static void weigh(const ga__strip *strip)
{
    int from = strip->low / VF * VF, to = (strip->high + VF - 1) / VF * VF;
#if GA__ISA == 512
    if (softmax_at_once(strip)) {
        return;
    }
#endif
    scores(strip);
    if (strip->dressed) {
        dress_all(strip, from, to);
    }
    switch (strip->kind) {
    case GA_SOFTMAX: softmax(strip, from, to); break;
    case GA_SIGMOID: other_rows(strip, GA_SIGMOID, from, to); break;
    case GA_SOFTPLUS: other_rows(strip, GA_SOFTPLUS, from, to); break;
    case GA_SOFTPLUS_REWEIGHT: other_rows(strip, GA_SOFTPLUS_REWEIGHT, from, to); break;
    case GA_RELU_L1: other_rows(strip, GA_RELU_L1, from, to); break;
    default: other_rows(strip, GA_IDENTITY, from, to); break;
    }
}

#if GA__TILE_BF16
const ga__tile_ops ga__tile_ops_bf16 = {
#else
const ga__tile_ops GA__NAME(ga__tile_ops) = {
#endif
    .pack = pack,
    .pack_across = pack_across,
    .pack_values = pack_values,
    .is_finite = is_finite,
    .weigh = weigh,
    .apply = apply,
    .total = total,
    .store_row = store_row,
    .stream_row = stream_row,
    .fence = fence,
    .paired = PAIRED
};
