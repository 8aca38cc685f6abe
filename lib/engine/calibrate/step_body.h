/* step_body.h - rows of a block in one precision: softmax, distances, weights and their gradients.
 *
 * Rows have a multiple of GA__LANES columns. Where a column is not visible A is 0, and everything else a finite number. */
#include "lib/engine/simd_real.h"

#undef vr_sqrt
#undef vr_div
#if GA__REAL == 64
#define vr_sqrt(x) vd_sqrt(x)
#define vr_div(a, b) ((a) / (b))
#else
#define vr_sqrt(x) vf_sqrt(x)
#define vr_div(a, b) vf_div((a), (b))
#endif
#define NAME(x) GA__REALNAME(x)

/* s[j] = exp(s[j] - shift) for j < columns, a multiple of GA__LANES. */
static void NAME(exp_row)(int64_t columns, real shift, real *s)
{
#if GA__REAL == 64
    for (int64_t j = 0; j < columns; j++) {
        s[j] = exp(s[j] - shift);
    }
#else
    for (int64_t j = 0; j < columns; j += VF) {
        vf_store(s + j, vf_exp(vf_sub(vf_load(s + j), vf_set(shift))));
    }
#endif
}

static real NAME(row_sum)(int64_t columns, const real *x)
{
    vr sum = vr_zero();
    for (int64_t j = 0; j < columns; j += VR) {
        sum = vr_add(sum, vr_load(x + j));
    }
    return vr_sum(sum);
}

static real NAME(row_dot)(int64_t columns, const real *x, const real *y)
{
    vr sum = vr_zero();
    for (int64_t j = 0; j < columns; j += VR) {
        sum = vr_fma(vr_load(x + j), vr_load(y + j), sum);
    }
    return vr_sum(sum);
}

/* Scores of the first `seen` columns to weights, the rest 0; returns ln sum exp. */
static double NAME(softmax_row)(int64_t seen, int64_t columns, real *s)
{
    real most[VR];
    for (int l = 0; l < VR; l++) {
        most[l] = -(real)INFINITY;
    }
    for (int64_t j = seen; j < columns; j++) {
        s[j] = -(real)INFINITY;
    }
    for (int64_t j = 0; j < columns; j += VR) {
        for (int l = 0; l < VR; l++) {
            most[l] = s[j + l] > most[l] ? s[j + l] : most[l];
        }
    }
    for (int l = 1; l < VR; l++) {
        most[0] = most[l] > most[0] ? most[l] : most[0];
    }
    NAME(exp_row)(columns, most[0], s);
    for (int64_t j = seen; j < columns; j++) {
        s[j] = 0;
    }
    real sum = NAME(row_sum)(columns, s);
    vr share = vr_set(1 / sum);
    for (int64_t j = 0; j < columns; j += VR) {
        vr_store(s + j, vr_mul(vr_load(s + j), share));
    }
    return (double)most[0] + log((double)sum);
}

static void NAME(root_row)(int64_t columns, real eps, const real *a, real *root)
{
    for (int64_t j = 0; j < columns; j += VR) {
        vr_store(root + j, vr_sqrt(vr_add(vr_load(a + j), vr_set(eps))));
    }
}

/* t^2 of `rows` queries (a constant of every call) against the nodes of one panel, which holds GA__LANES numbers for
 * every component; and, if asked, along = <V, F^v - F^q>. Differences are formed as such: the expanded square would
 * cancel. */
GA__INLINE void NAME(distances)(int rows, bool with_along, const real *panel, int64_t width, const real *fq,
                                int64_t fq_ld, const real *root, real *square, real *along, int64_t ld,
                                real eps)
{
    enum { PAIR = 2 * VR < GA__LANES ? 2 : 1 };
    for (int u = 0; u < GA__LANES; u += PAIR * VR) {
        vr r[4][PAIR], t[4][PAIR], m[4][PAIR];
        for (int i = 0; i < rows; i++) {
            for (int v = 0; v < PAIR; v++) {
                r[i][v] = vr_load(root + i * ld + u + v * VR);
                t[i][v] = m[i][v] = vr_zero();
            }
        }
        for (int64_t c = 0; c < width; c++) {
            vr x[PAIR];
            for (int v = 0; v < PAIR; v++) {
                x[v] = vr_load(panel + c * GA__LANES + u + v * VR);
            }
            for (int i = 0; i < rows; i++) {
                vr y = vr_set(-fq[i * fq_ld + c]);
                for (int v = 0; v < PAIR; v++) {
                    vr d = vr_add(x[v], y), w = vr_fma(r[i][v], d, vr_set(eps));
                    t[i][v] = vr_fma(w, w, t[i][v]);
                    if (with_along) {
                        m[i][v] = vr_fma(w, d, m[i][v]);
                    }
                }
            }
        }
        for (int i = 0; i < rows; i++) {
            for (int v = 0; v < PAIR; v++) {
                vr_store(square + i * ld + u + v * VR, t[i][v]);
                if (with_along) {
                    vr_store(along + i * ld + u + v * VR, m[i][v]);
                }
            }
        }
    }
}

/* All rows of a block (a multiple of 4) against all panels. along NULL: not wanted. */
static void NAME(all_distances)(int64_t rows, int64_t columns, const real *panels, int64_t width,
                                const real *fq, int64_t fq_ld, const real *root, real *square, real *along,
                                int64_t ld, real eps)
{
    for (int64_t j = 0; j < columns; j += GA__LANES, panels += width * GA__LANES) {
        for (int64_t i = 0; i < rows; i += 4) {
            int64_t at = i * ld + j;
            if (along) {
                NAME(distances)
                (4, true, panels, width, fq + i * fq_ld, fq_ld, root + at, square + at, along + at, ld, eps);
            } else {
                NAME(distances)
                (4, false, panels, width, fq + i * fq_ld, fq_ld, root + at, square + at, NULL, ld, eps);
            }
        }
    }
}

/* x^(eighths / 8) by square roots, |eighths| <= 15. */
GA__INLINE vr NAME(power_of)(vr x, int eighths)
{
    int n = eighths < 0 ? -eighths : eighths;
    vr y = n & 8 ? x : vr_set(1), s = x;
    for (int bit = 4; n & (2 * bit - 1) && bit > 0; bit /= 2) {
        s = vr_sqrt(s);
        y = n & bit ? vr_mul(y, s) : y;
    }
    return eighths < 0 ? vr_div(vr_set(1), y) : y;
}

/* weight[j] = t^(p-2) from t^2. */
static void NAME(weight_row)(int64_t columns, double p, const real *square, real *weight)
{
    double eighths = 4 * (p - 2);
    if (fabs(eighths) <= 15 && eighths == rint(eighths)) {
        int n = (int)eighths;
        for (int64_t j = 0; j < columns; j += VR) {
            vr_store(weight + j, NAME(power_of)(vr_load(square + j), n));
        }
        return;
    }
    const real half = (real)(0.5 * (p - 2));
    for (int64_t j = 0; j < columns; j++) {
#if GA__REAL == 64
        weight[j] = half * log(square[j]);
#else
        weight[j] = half * logf(square[j]);
#endif
    }
    NAME(exp_row)(columns, 0, weight);
}

/* bar = a weight; returns its sum. */
static real NAME(bar_row)(int64_t columns, const real *a, const real *weight, real *bar)
{
    vr sum = vr_zero();
    for (int64_t j = 0; j < columns; j += VR) {
        vr x = vr_mul(vr_load(a + j), vr_load(weight + j));
        vr_store(bar + j, x);
        sum = vr_add(sum, x);
    }
    return vr_sum(sum);
}

/* What a row of the backward pass reads and changes. */
typedef struct NAME(back) {
    real alpha, less, eps, power; /* less = <g, F+>; power = p - 2 */
    const real *weight, *square;
    real *dots;  /* in: <g, F^v_j>; out: dA */
    real *along; /* in: <V, F^v - F^q>; out: kappa (A + eps), which multiplies F^v - F^q */
    real *root;  /* out: kappa sqrt(A + eps) eps */
    real *bar;   /* out: alpha Abar */
} NAME(back);

/* dAbar = alpha (<g, F^v_j> - <g, F+>), kappa = (p-2) Abar dAbar / t^2,
 * dA = t^(p-2) dAbar + kappa along / (2 root). */
static void NAME(back_row)(int64_t columns, const NAME(back) * r)
{
    vr alpha = vr_set(r->alpha), less = vr_set(-r->less), power = vr_set(r->power), eps = vr_set(r->eps),
       half = vr_set((real)0.5);
    for (int64_t j = 0; j < columns; j += VR) {
        vr bar = vr_load(r->bar + j), root = vr_load(r->root + j);
        vr d = vr_mul(alpha, vr_add(vr_load(r->dots + j), less));
        vr kappa = vr_div(vr_mul(power, vr_mul(bar, d)), vr_load(r->square + j));
        vr through = vr_div(vr_mul(kappa, vr_mul(half, vr_load(r->along + j))), root);
        vr_store(r->dots + j, vr_fma(vr_load(r->weight + j), d, through));
        vr k = vr_mul(kappa, root);
        vr_store(r->along + j, vr_mul(k, root));
        vr_store(r->root + j, vr_mul(k, eps));
        vr_store(r->bar + j, vr_mul(alpha, bar));
    }
}

/* sum_j dAbar Abar ln t^2 of a row, before back_row. */
static double NAME(log_sum)(int64_t columns, const NAME(back) * r)
{
    double sum = 0;
    for (int64_t j = 0; j < columns; j++) {
        if (r->bar[j] != 0) {
            double d = (double)r->alpha * ((double)r->dots[j] - (double)r->less);
            sum += d * (double)r->bar[j] * log((double)r->square[j]);
        }
    }
    return sum;
}

/* For rows [first, rows) and node j: much_ij (F^v_j - F^q_i) + more_ij is added to dF^v_j and taken from dF^q_i. */
static void NAME(spread_node)(int64_t first, int64_t rows, int64_t width, int64_t pitch, int64_t ld,
                              const real *much, const real *more, const real *node, const real *fq,
                              real *d_node, real *d_fq)
{
    for (int64_t c = 0; c < width; c += VR) {
        vr x = vr_load(node + c), sum = vr_zero();
        for (int64_t i = first; i < rows; i++) {
            vr d = vr_fma(vr_set(much[i * ld]), vr_add(x, vr_mul(vr_set(-1), vr_load(fq + i * pitch + c))),
                          vr_set(more[i * ld]));
            sum = vr_add(sum, d);
            real *to = d_fq + i * pitch + c;
            vr_store(to, vr_fma(vr_set(-1), d, vr_load(to)));
        }
        vr_store(d_node + c, vr_add(vr_load(d_node + c), sum));
    }
}

/* ds = P (dP - <P, dP>), in the place of dP. */
static void NAME(softmax_back)(int64_t columns, const real *p, real *dp)
{
    vr mean = vr_set(-NAME(row_dot)(columns, p, dp));
    for (int64_t j = 0; j < columns; j += VR) {
        vr_store(dp + j, vr_mul(vr_load(p + j), vr_add(vr_load(dp + j), mean)));
    }
}

#undef NAME
