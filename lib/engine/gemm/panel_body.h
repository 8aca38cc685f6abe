/* panel_body.h - packing, and the product of packed panels, in one precision; included by gemm_body.h. */
#include "lib/engine/simd_real.h"

#define NAME(x) GA__REALNAME(x)
#define COLUMNS (WIDE * VR)

/* Rows [row, end) of op(a), depth [k, k_end), in tiles of TALL rows: TALL numbers for every k. Rows beyond are 0. */
static void NAME(pack_a)(const ga__gemm *g, const real *a, int64_t row, int64_t end, int64_t k, int64_t k_end,
                         real *out)
{
    int64_t step_row = g->transpose_a ? 1 : g->lda, step_k = g->transpose_a ? g->lda : 1;
    for (int64_t i = row; i < end; i += TALL) {
        int64_t rows = ga__min(TALL, end - i);
        const real *from = a + i * step_row;
        if (rows == TALL) {
            for (int64_t p = k; p < k_end; p++, out += TALL) {
                for (int r = 0; r < TALL; r++) {
                    out[r] = from[r * step_row + p * step_k];
                }
            }
            continue;
        }
        for (int64_t p = k; p < k_end; p++, out += TALL) {
            for (int r = 0; r < TALL; r++) {
                out[r] = r < rows ? from[r * step_row + p * step_k] : 0;
            }
        }
    }
}

/* out[p][c] = b[c][p], c < width; a few p at a time, so that what is read stays in the first cache. */
static void NAME(pack_turned)(const real *b, int64_t ldb, int64_t columns, int64_t width, int64_t k,
                              int64_t k_end, real *out)
{
    enum { AT_ONCE = 16 };
    for (int64_t p = k; p < k_end; p += AT_ONCE) {
        int64_t end = ga__min(k_end, p + AT_ONCE);
        for (int64_t c = 0; c < width; c++) {
            real *to = out + (p - k) * width + c;
            const real *from = b + c * ldb;
            if (c >= columns) {
                for (int64_t q = p; q < end; q++, to += width) {
                    *to = 0;
                }
            } else if (end == p + AT_ONCE) {
                for (int64_t q = 0; q < AT_ONCE; q++) {
                    to[q * width] = from[p + q];
                }
            } else {
                for (int64_t q = p; q < end; q++, to += width) {
                    *to = from[q];
                }
            }
        }
    }
}

/* Columns [column, end) of op(b) in tiles of COLUMNS, the last of as many vectors as it takes; zeros fill up. */
static void NAME(pack_b)(const ga__gemm *g, const real *b, int64_t column, int64_t end, int64_t k,
                         int64_t k_end, real *out)
{
    for (int64_t j = column; j < end; j += COLUMNS) {
        int64_t columns = ga__min(COLUMNS, end - j), width = (columns + VR - 1) / VR * VR;
        if (g->transpose_b) {
            NAME(pack_turned)(b + j * g->ldb, g->ldb, columns, width, k, k_end, out);
        } else {
            for (int64_t p = k; p < k_end; p++) {
                const real *from = b + p * g->ldb + j;
                real *to = out + (p - k) * width;
                int64_t c = 0;
                for (; c + VR <= columns; c += VR) {
                    vr_store(to + c, vr_load(from + c));
                }
                if (c < columns) {
                    vr_store(to + c, vr_load_n(from + c, (int)(columns - c)));
                }
            }
        }
        out += (k_end - k) * width;
    }
}

/* c = alpha sum + beta c, or alpha sum without looking at c when beta is 0. */
GA__INLINE void NAME(finish)(const vr *sum, real alpha, real beta, real *c, int columns)
{
    for (int v = 0; v * VR < columns; v++) {
        int n = columns - v * VR < VR ? columns - v * VR : VR;
        vr y = vr_mul(sum[v], vr_set(alpha));
        if (n == VR) {
            vr_store(c + v * VR, beta == 0 ? y : vr_fma(vr_set(beta), vr_load(c + v * VR), y));
        } else {
            vr_store_n(c + v * VR, beta == 0 ? y : vr_fma(vr_set(beta), vr_load_n(c + v * VR, n), y), n);
        }
    }
}

/* vectors is a constant of every call. */
GA__INLINE void NAME(tile)(const real *a, const real *b, int64_t depth, int vectors, real alpha, real beta,
                           real *c, int64_t ldc, int rows, int columns)
{
    vr sum[TALL][WIDE];
    for (int r = 0; r < TALL; r++) {
        for (int v = 0; v < vectors; v++) {
            sum[r][v] = vr_zero();
        }
    }
    for (int64_t p = 0; p < depth; p++, a += TALL, b += vectors * VR) {
        vr right[WIDE];
        for (int v = 0; v < vectors; v++) {
            right[v] = vr_load(b + v * VR);
        }
        for (int r = 0; r < TALL; r++) {
            vr left = vr_set(a[r]);
            for (int v = 0; v < vectors; v++) {
                sum[r][v] = vr_fma(left, right[v], sum[r][v]);
            }
        }
    }
    for (int r = 0; r < TALL; r++) { /* constant bounds keep the sums in registers */
        if (r < rows) {
            NAME(finish)(sum[r], alpha, beta, c + r * ldc, columns);
        }
    }
}

static void NAME(tiles)(const real *a, const real *b, int64_t depth, real alpha, real beta, real *c,
                        int64_t ldc, int rows, int columns)
{
    switch ((columns + VR - 1) / VR) {
    case 1: NAME(tile)(a, b, depth, 1, alpha, beta, c, ldc, rows, columns); break;
    case 2: NAME(tile)(a, b, depth, 2, alpha, beta, c, ldc, rows, columns); break;
#if GA__ISA == 512
    case 3: NAME(tile)(a, b, depth, 3, alpha, beta, c, ldc, rows, columns); break;
    case 4: NAME(tile)(a, b, depth, 4, alpha, beta, c, ldc, rows, columns); break;
#endif
    default: break;
    }
}

static void NAME(block)(const ga__gemm *g, const ga__block *block, const void *a, const void *b, void *c,
                        void *scratch)
{
    int64_t rows = (block->end_row - block->row + TALL - 1) / TALL * TALL;
    real *left = scratch, *right = left + rows * ga__min(g->k, GA__GEMM_DEPTH);
    for (int64_t k = 0; k < g->k; k += GA__GEMM_DEPTH) {
        int64_t k_end = ga__min(g->k, k + GA__GEMM_DEPTH), depth = k_end - k;
        real beta = k == 0 ? (real)g->beta : 1;
        NAME(pack_a)(g, a, block->row, block->end_row, k, k_end, left);
        NAME(pack_b)(g, b, block->column, block->end_column, k, k_end, right);
        for (int64_t j = block->column; j < block->end_column; j += COLUMNS) {
            const real *b_tile = right + (j - block->column) * depth;
            int columns = (int)ga__min(COLUMNS, block->end_column - j);
            for (int64_t i = block->row; i < block->end_row; i += TALL) {
                NAME(tiles)
                (left + (i - block->row) * depth, b_tile, depth, (real)g->alpha, beta,
                 (real *)c + i * g->ldc + j, g->ldc, (int)ga__min(TALL, block->end_row - i), columns);
            }
        }
    }
}

#undef NAME
#undef COLUMNS
