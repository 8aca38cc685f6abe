/* calibrate_body.h - the kernels of calibrate.c in both precisions. */
#include "lib/engine/calibrate/calibrate.h"
#include "lib/engine/simd_f64.h"

/* What simd_f64.h leaves out. */
#if GA__ISA == 512
#define vd_sqrt(x) ((vd)_mm512_sqrt_pd((__m512d)(x)))
#elif GA__ISA == 2
#define vd_sqrt(x) ((vd)_mm256_sqrt_pd((__m256d)(x)))
#else
#define vd_sqrt(x) ((vd){ sqrt((x)[0]), sqrt((x)[1]) })
#endif

/* A product of any size in blocks, on this thread. */
static void product(const ga__gemm_kernels *kernels, ga__gemm gemm, const void *a, const void *b, void *c,
                    void *scratch)
{
    ga__block block;
    for (block.row = 0; block.row < gemm.m; block.row += GA__GEMM_ROWS) {
        block.end_row = ga__min(gemm.m, block.row + GA__GEMM_ROWS);
        for (block.column = 0; block.column < gemm.n; block.column += GA__GEMM_COLUMNS) {
            block.end_column = ga__min(gemm.n, block.column + GA__GEMM_COLUMNS);
            kernels->block[gemm.wide](&gemm, &block, a, b, c, scratch);
        }
    }
}

/* Head of a view that has as many heads as q or fewer. */
static int64_t head_of(const ga__calibration *c, const ga__view *view, int64_t head)
{
    return head / (c->q.heads / view->heads);
}

/* Keys that a query sees are the first so many. */
static int64_t seen_by(const ga__calibration *c, int64_t query)
{
    int64_t seen = query + c->k.rows - c->q.rows + 1;
    return c->causal ? ga__max(0, ga__min(seen, c->k.rows)) : c->k.rows;
}

static int64_t whole_lanes(int64_t columns)
{
    return (columns + GA__LANES - 1) / GA__LANES * GA__LANES;
}

/* The rows that a unit goes through at a time. */
typedef struct block {
    const ga__calibration *c;
    const ga__cut *cut;
    const ga__gemm_kernels *gemm;
    int64_t batch, head, first, count; /* queries [first, first + count) */
    int64_t keys, nodes;               /* that the last of them sees */
} block;

static block block_at(const ga__calibration *c, const ga__cut *cut, const ga__gemm_kernels *gemm,
                      int64_t unit, int64_t first, int64_t end)
{
    block b = { .c = c, .cut = cut, .gemm = gemm, .first = first };
    b.batch = unit / cut->slabs / c->q.heads;
    b.head = unit / cut->slabs % c->q.heads;
    b.count = ga__min(cut->rows, end - first);
    b.keys = b.count > 0 ? seen_by(c, first + b.count - 1) : 0;
    b.nodes = cut->pooled ? cut->nodes : b.keys;
    return b;
}

#define GA__REAL 32
#include "lib/engine/calibrate/step_body.h"
#include "lib/engine/calibrate/unit_body.h"
#undef GA__REAL
#define GA__REAL 64
#include "lib/engine/calibrate/step_body.h"
#include "lib/engine/calibrate/unit_body.h"

#define KERNELS(real_name) \
    { \
        GA__NAME(forward_##real_name), GA__NAME(backward_##real_name), GA__NAME(gather_##real_name) \
    }
const ga__calibrate_kernels GA__NAME(ga__calibrate)[2] = { KERNELS(f32), KERNELS(f64) };
