/* memory_body.h - the kernels of memory.h, one body for all instruction sets. */
#include "lib/engine/scan_attention/memory.h"
#include "lib/engine/simd_f64.h"

enum { SIDE = 8 }; /* vectors of y, or rows, side by side */

/* Columns that are left from c on, VD at most. */
GA__INLINE int lanes_at(int64_t c, int64_t columns)
{
    return columns - c < VD ? (int)ga__max(columns - c, 0) : VD;
}

/* n vectors of y from column c on; the last may be short. */
GA__INLINE void from_left_strip(int64_t rows, int64_t columns, const double *restrict x,
                                const double *restrict matrix, double *restrict y, int64_t c, const int n,
                                const bool whole)
{
    vd sum[SIDE];
    for (int v = 0; v < n; v++) {
        sum[v] = vd_zero();
    }
    for (int64_t i = 0; i < rows; i++) {
        const double *row = matrix + i * columns + c;
        vd f = vd_set(x[i]);
        for (int v = 0; v < n; v++) {
            vd at = whole ? vd_load(row + v * VD) : vd_load_n(row + v * VD, lanes_at(c + v * VD, columns));
            sum[v] = vd_fma(f, at, sum[v]);
        }
    }
    for (int v = 0; v < n; v++) {
        if (whole) {
            vd_store(y + c + v * VD, sum[v]);
        } else {
            vd_store_n(y + c + v * VD, sum[v], lanes_at(c + v * VD, columns));
        }
    }
}

static void from_left(int64_t rows, int64_t columns, const double *x, const double *matrix, double *y)
{
    int64_t c = 0;
    for (; c + SIDE * VD <= columns; c += SIDE * VD) {
        from_left_strip(rows, columns, x, matrix, y, c, SIDE, true);
    }
    for (; c + 2 * VD <= columns; c += 2 * VD) {
        from_left_strip(rows, columns, x, matrix, y, c, 2, true);
    }
    for (; c < columns; c += VD) {
        from_left_strip(rows, columns, x, matrix, y, c, 1, false);
    }
}

/* n rows of y. */
GA__INLINE void from_right_rows(int64_t columns, const double *restrict matrix, const double *restrict x,
                                double *restrict y, const int n)
{
    vd sum[SIDE];
    int64_t c = 0;
    for (int r = 0; r < n; r++) {
        sum[r] = vd_zero();
    }
    for (; c + VD <= columns; c += VD) {
        vd f = vd_load(x + c);
        for (int r = 0; r < n; r++) {
            sum[r] = vd_fma(f, vd_load(matrix + r * columns + c), sum[r]);
        }
    }
    if (c < columns) {
        int left = lanes_at(c, columns);
        vd f = vd_load_n(x + c, left);
        for (int r = 0; r < n; r++) {
            sum[r] = vd_fma(f, vd_load_n(matrix + r * columns + c, left), sum[r]);
        }
    }
    for (int r = 0; r < n; r++) {
        y[r] = vd_sum(sum[r]);
    }
}

static void from_right(int64_t rows, int64_t columns, const double *matrix, const double *x, double *y)
{
    int64_t i = 0;
    for (; i + SIDE <= rows; i += SIDE) {
        from_right_rows(columns, matrix + i * columns, x, y + i, SIDE);
    }
    for (; i < rows; i++) {
        from_right_rows(columns, matrix + i * columns, x, y + i, 1);
    }
}

static void descend(int64_t rows, int64_t columns, const double *restrict a, const double *restrict b,
                    const double rate[3], double *restrict m, double *restrict s)
{
    vd eta = vd_set(rate[1]), keep = vd_set(rate[2]);
    for (int64_t i = 0; i < rows; i++) {
        vd step = vd_set(-rate[0] * a[i]);
        double *m_row = m + i * columns, *s_row = s + i * columns;
        int64_t c = 0;
        for (; c + VD <= columns; c += VD) {
            vd next = vd_fma(step, vd_load(b + c), vd_mul(eta, vd_load(s_row + c)));
            vd_store(s_row + c, next);
            vd_store(m_row + c, vd_fma(keep, vd_load(m_row + c), next));
        }
        if (c < columns) {
            int left = lanes_at(c, columns);
            vd next = vd_fma(step, vd_load_n(b + c, left), vd_mul(eta, vd_load_n(s_row + c, left)));
            vd_store_n(s_row + c, next, left);
            vd_store_n(m_row + c, vd_fma(keep, vd_load_n(m_row + c, left), next), left);
        }
    }
}

const ga__memory_kernels GA__NAME(ga__memory_kernels) = { from_left, from_right, descend };
