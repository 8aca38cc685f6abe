/* gemm.c - ga_gemm: the arguments, and blocks of the product on several threads. */
#include "config.h"

#include "lib/engine/gemm/gemm.h"

typedef struct run {
    ga_context *context;
    const ga__gemm_kernels *kernels;
    ga__gemm gemm;
    ga__view a, b, c;
    bool blas;
    int64_t rows, columns; /* of a block */
    int64_t row_blocks, column_blocks, blocks, next;
    int64_t parts; /* of k, 1 = not cut */
    char *sums;    /* (parts, m, n): products of the parts */
    char *scratch;
    int64_t scratch_bytes; /* of a worker */
    int status;
} run;

enum {
    SMALL = 1 << 20,     /* multiplications that are not worth another thread */
    PART = 1 << 14,      /* of k, where few rows and columns leave too little to share */
    MOST_SUMS = 1 << 16, /* elements of c in that case */
    FEW = 16             /* blocks */
};

int64_t ga__gemm_scratch(const ga__gemm *gemm, int64_t rows)
{
    enum { TALLEST = 6, WIDEST = 64 };
    int64_t columns = ga__min(GA__GEMM_COLUMNS, (gemm->n + WIDEST - 1) / WIDEST * WIDEST);
    return (ga__min(gemm->m, rows) + TALLEST + columns) * ga__min(gemm->k, GA__GEMM_DEPTH);
}

static void scale_rows(const run *r, const ga__block *block, char *c)
{
    for (int64_t i = block->row; i < block->end_row; i++) {
        for (int64_t j = block->column; j < block->end_column; j++) {
            int64_t at = i * r->gemm.ldc + j;
            if (r->gemm.wide) {
                double *to = (double *)(void *)c + at;
                *to = r->gemm.beta == 0 ? 0 : r->gemm.beta * *to;
            } else {
                float *to = (float *)(void *)c + at;
                *to = r->gemm.beta == 0 ? 0 : (float)r->gemm.beta * *to;
            }
        }
    }
}

static const void *moved(const run *r, const void *from, int64_t elements)
{
    return (const char *)from + elements * (r->gemm.wide ? 8 : 4);
}

/* The product of a part of k, without what is in c. */
static void multiply_part(const run *r, const ga__block *block, int64_t part, const void *a, const void *b,
                          void *scratch)
{
    ga__gemm g = r->gemm;
    int64_t from = part * PART;
    g.k = ga__min(PART, g.k - from);
    g.beta = 0;
    r->kernels->block[g.wide](&g, block, moved(r, a, from * (g.transpose_a ? g.lda : 1)),
                              moved(r, b, from * (g.transpose_b ? 1 : g.ldb)),
                              r->sums + part * g.m * g.n * (g.wide ? 8 : 4), scratch);
}

/* c = the sum of the parts, in their order, + beta c. */
static void add_parts(const run *r)
{
    const ga__gemm *g = &r->gemm;
    void *c = ga__view_row(&r->c, 0, 0, 0);
    int64_t size = g->m * g->n;
    for (int64_t i = 0; i < size; i++) {
        double sum = 0;
        for (int64_t p = 0; p < r->parts; p++) {
            sum += g->wide ? ((const double *)(const void *)r->sums)[p * size + i]
                           : (double)((const float *)(const void *)r->sums)[p * size + i];
        }
        if (g->wide) {
            ((double *)c)[i] = g->beta == 0 ? sum : sum + g->beta * ((double *)c)[i];
        } else {
            ((float *)c)[i] = (float)(g->beta == 0 ? sum : sum + g->beta * (double)((float *)c)[i]);
        }
    }
}

static void part_worker(void *user, int worker)
{
    run *r = user;
    void *scratch = r->scratch + worker * r->scratch_bytes;
    const void *a = ga__view_row(&r->a, 0, 0, 0), *b = ga__view_row(&r->b, 0, 0, 0);
    for (int64_t w;
         (w = ga__claim(&r->next)) < r->blocks * r->parts && !ga__stopped(r->context, &r->status);) {
        int64_t part = w / r->blocks, at = w % r->blocks;
        int64_t column = at % r->column_blocks * r->columns, row = at / r->column_blocks * r->rows;
        ga__block block = { row, ga__min(r->gemm.m, row + r->rows), column,
                            ga__min(r->gemm.n, column + r->columns) };
        multiply_part(r, &block, part, a, b, scratch);
    }
}

static void block_worker(void *user, int worker)
{
    run *r = user;
    void *scratch = r->scratch + worker * r->scratch_bytes;
    for (int64_t w; (w = ga__claim(&r->next)) < r->blocks && !ga__stopped(r->context, &r->status);) {
        int64_t column = w % r->column_blocks * r->columns,
                row = w / r->column_blocks % r->row_blocks * r->rows;
        int64_t matrix = w / r->column_blocks / r->row_blocks;
        int64_t batch = matrix / r->c.heads, head = matrix % r->c.heads;
        ga__block block = { row, ga__min(r->gemm.m, row + r->rows), column,
                            ga__min(r->gemm.n, column + r->columns) };
        const void *a = ga__view_row(&r->a, batch, head, 0), *b = ga__view_row(&r->b, batch, head, 0);
        void *c = ga__view_row(&r->c, batch, head, 0);
        if (r->gemm.alpha == 0 || r->gemm.k == 0) {
            scale_rows(r, &block, c);
        } else if (r->blas) {
            ga__gemm_blas(&r->gemm, &block, a, b, c);
        } else {
            r->kernels->block[r->gemm.wide](&r->gemm, &block, a, b, c, scratch);
        }
    }
}

static ga_status read_views(ga_context *context, bool transpose_a, bool transpose_b, const DLTensor *a,
                            const DLTensor *b, const DLTensor *c, run *r)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_of(context, "a", a, true, &r->a));
    GA_TRY(ga__view_of(context, "b", b, true, &r->b));
    GA_TRY(ga__view_of(context, "c", c, true, &r->c));
    GA_TRY(ga__view_expect(context, "c", &r->c, -1, -1, -1, -1));
    GA_TRY(ga__view_output(context, "c", &r->c, GA__F32, GA__F64));
    int64_t m = r->c.rows, n = r->c.columns, k = transpose_a ? r->a.rows : r->a.columns;
    GA_TRY(ga__view_expect(context, "a", &r->a, r->c.batch, r->c.heads, transpose_a ? k : m,
                           transpose_a ? m : k));
    GA_TRY(ga__view_expect(context, "b", &r->b, r->c.batch, r->c.heads, transpose_b ? n : k,
                           transpose_b ? k : n));
    if (r->a.type != r->c.type || r->b.type != r->c.type) {
        status = ga__fail(context, GA_INVALID, "%s: the element type of c (%s) expected",
                          r->a.type != r->c.type ? "a" : "b", r->c.type == GA__F64 ? "f64" : "f32");
    }
    r->gemm = (ga__gemm){
        .transpose_a = transpose_a,
        .transpose_b = transpose_b,
        .wide = r->c.type == GA__F64,
        .m = m,
        .n = n,
        .k = k,
        /* the stride of a single row says nothing */
        .lda = r->a.rows > 1 ? r->a.stride_row : r->a.columns,
        .ldb = r->b.rows > 1 ? r->b.stride_row : r->b.columns,
        .ldc = n,
    };
done:
    return status;
}

/* OpenBLAS works on the calling thread alone (gemm_blas.c). That pays for products too small for a second thread, and for
 * narrow ones, of which our tiles leave most columns empty. By the sizes alone. */
static bool suits_blas(const run *r, int64_t matrices)
{
    enum { NARROW = 32 };
    double work = (double)r->gemm.m * (double)r->gemm.n * (double)r->gemm.k * (double)matrices;
    return ga__gemm_has_blas(&r->gemm) && (r->gemm.n <= NARROW || work <= 4.0 * SMALL);
}

/* By the sizes alone: few blocks are cut smaller, so that there is work for several threads. */
static ga_status cut(ga_context *context, run *r)
{
    int64_t matrices = r->c.batch * r->c.heads, k = r->gemm.alpha == 0 ? 0 : r->gemm.k;
    bool small = r->gemm.m <= MOST_SUMS && r->gemm.n <= MOST_SUMS && r->gemm.m * r->gemm.n <= MOST_SUMS;
    r->parts = matrices == 1 && small && k >= 2 * PART ? (k + PART - 1) / PART : 1;
    r->blas = r->blas && r->parts == 1 && suits_blas(r, matrices);
    r->rows = r->blas ? r->gemm.m : GA__GEMM_ROWS;
    r->columns = r->blas ? r->gemm.n : GA__GEMM_COLUMNS;
    for (;; r->rows /= 2) {
        r->row_blocks = (r->gemm.m + r->rows - 1) / r->rows;
        r->column_blocks = (r->gemm.n + r->columns - 1) / r->columns;
        if (!ga__mul(r->row_blocks, r->column_blocks, &r->blocks) ||
            !ga__mul(r->blocks, matrices, &r->blocks)) {
            return ga__fail(context, GA_OVERFLOW, "c: too large");
        }
        double work =
            (double)ga__min(r->rows, r->gemm.m) * (double)ga__min(r->columns, r->gemm.n) * (double)r->gemm.k;
        if (r->blas || r->parts > 1 || r->blocks >= FEW || r->rows <= 60 || work < 2.0 * SMALL) {
            return GA_OK;
        }
    }
}

/* OpenBLAS chooses its instruction set itself: a context that was pinned to a lesser one does not get it. */
static bool unpinned(const ga_context *context)
{
    for (int b = ga_context_backend(context) + 1; b <= GA_BACKEND_AVX512; b++) {
        if (ga_backend_available((ga_backend)b)) {
            return false;
        }
    }
    return true;
}

ga_status ga_gemm(ga_context *context, bool transpose_a, bool transpose_b, double alpha, const DLTensor *a,
                  const DLTensor *b, double beta, DLTensor *c)
{
    return ga__gemm_run(context, unpinned(context), transpose_a, transpose_b, alpha, a, b, beta, c);
}

ga_status ga__gemm_run(ga_context *context, bool blas, bool transpose_a, bool transpose_b, double alpha,
                       const DLTensor *a, const DLTensor *b, double beta, DLTensor *c)
{
    ga_status status = GA_OK;
    int64_t scratch = 0;
    run r = { .context = context, .kernels = GA__CHOOSE(context, ga__gemm), .blas = blas };
    ga__begin(context);
    GA_TRY(read_views(context, transpose_a, transpose_b, a, b, c, &r));
    r.gemm.alpha = alpha;
    r.gemm.beta = beta;
    if (r.gemm.m == 0 || r.gemm.n == 0 || r.c.batch == 0 || r.c.heads == 0) {
        goto done;
    }
    GA_TRY(cut(context, &r));
    int64_t sums = r.parts > 1 ? r.parts * r.gemm.m * r.gemm.n : 0; /* m n is small then */
    int threads = r.blas ? 1 : ga__threads_for(context, r.blocks * r.parts);
    if (!r.blas) {
        r.scratch_bytes = (ga__gemm_scratch(&r.gemm, r.rows) * (r.gemm.wide ? 8 : 4) + 63) / 64 * 64;
    }
    if (!ga__mul(r.scratch_bytes, threads, &scratch)) {
        status = ga__fail(context, GA_OVERFLOW, "c: too large");
        goto done;
    }
    GA_TRY(GA_NEW(context, scratch, &r.scratch));
    GA_TRY(ga_alloc(context, sums, r.gemm.wide ? 8 : 4, &r.sums));
    ga__workers(context, threads, r.parts > 1 ? part_worker : block_worker, &r);
    GA_TRY(ga__noted_status(&r.status));
    if (r.parts > 1) {
        add_parts(&r);
    }
done:
    ga_free(context, r.scratch);
    ga_free(context, r.sums);
    return status;
}
