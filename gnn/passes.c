/* passes.c - passes over rows: units of rows on several threads, sums in the order of the units. */
#include "config.h"

#include <string.h>

#include "gnn/passes.h"
#include "lib/base/workers.h"
#include "lib/engine/rowwise/rowwise.h"

enum {
    UNIT = 1 << 14,   /* numbers of a unit of rows, about; rows a multiple of 32, so that bits begin a word */
    SMALL = 1 << 16,  /* numbers that one thread alone passes over sooner */
    MOST_UNITS = 256, /* of passes with sums */
    OPERANDS = 4
};

typedef struct pass {
    ga_context *context;
    const ga__rowwise_kernels *kernels;
    void (*body)(const struct pass *pass, int64_t from, int64_t rows, double *sums);
    char *at[OPERANDS];      /* first elements; NULL = none */
    int64_t width[OPERANDS]; /* bytes of a row */
    int64_t rows, columns;   /* of the widest */
    bool wide;
    /* what bodies need beside */
    double a, b;
    bool flag;
    int64_t heads;
    const void *vector[3];
    const uint32_t *bits;
    ga__activation activation;
    double *out;
    /* of the run */
    int64_t unit, units, next, sum_count;
    double *sums;
    int status;
} pass;

static int64_t elements_of(const DLTensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->ndim; i++) {
        count *= t->shape[i];
    }
    return count;
}

/* rows: of a tensor with several axes the first one. */
static pass open_pass(ga_context *context, const DLTensor *shape,
                      void (*body)(const pass *pass, int64_t from, int64_t rows, double *sums))
{
    int64_t rows = shape->ndim ? shape->shape[0] : 1, count = elements_of(shape);
    return (pass){ .context = context,
                   .kernels = GA__CHOOSE(context, ga__rowwise),
                   .body = body,
                   .rows = rows,
                   .columns = rows ? count / rows : 0,
                   .wide = shape->dtype.bits == 64 };
}

static void set(pass *p, int i, const DLTensor *t)
{
    if (t) {
        int64_t rows = t->ndim ? t->shape[0] : 1;
        p->at[i] = ga__data_of(t);
        p->width[i] = rows ? elements_of(t) / rows * (t->dtype.bits / 8) : 0;
    }
}

static void *row_of(const pass *p, int i, int64_t row)
{
    return p->at[i] ? p->at[i] + row * p->width[i] : NULL;
}

static void worker(void *user, int number)
{
    pass *p = user;
    (void)number;
    for (int64_t u; (u = ga__claim(&p->next)) < p->units && !ga__stopped(p->context, &p->status);) {
        int64_t from = u * p->unit;
        p->body(p, from, ga__min(p->unit, p->rows - from), p->sums ? p->sums + u * p->sum_count : NULL);
    }
}

/* sums (sum_count numbers, may be NULL) are set. */
static ga_status run(pass *p, int64_t sum_count, double *sums)
{
    ga_status status = GA_OK;
    int64_t numbers = p->rows * p->columns, room = 0;
    p->unit = ga__max(1, UNIT / ga__max(1, p->columns));
    p->unit = sums ? ga__max(p->unit, p->rows / MOST_UNITS + 1) : p->unit;
    p->unit = (p->unit + 31) / 32 * 32;
    p->units = (p->rows + p->unit - 1) / p->unit;
    p->sum_count = sum_count;
    if (sums) {
        memset(sums, 0, (size_t)sum_count * sizeof *sums);
        if (!ga__mul(p->units, sum_count, &room)) {
            GA_TRY(ga__fail(p->context, GA_OVERFLOW, "rows are too long"));
        }
        GA_TRY(GA_NEW_ZERO(p->context, room, &p->sums));
    }
    ga__workers(p->context, numbers < SMALL ? 1 : ga__threads_for(p->context, p->units), worker, p);
    GA_TRY(ga__noted_status(&p->status));
    for (int64_t u = 0; u < (sums ? p->units : 0); u++) {
        for (int64_t i = 0; i < sum_count; i++) {
            sums[i] += p->sums[u * sum_count + i];
        }
    }
done:
    ga_free(p->context, p->sums);
    return status;
}

/* ---- sums of matrices ---- */

static void combine_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    (void)sums;
    p->kernels->combine[p->wide](rows * p->columns, p->a, row_of(p, 0, from), p->b, row_of(p, 1, from));
}

ga_status ga__axpby(ga_context *context, double a, const DLTensor *x, double b, DLTensor *y)
{
    pass p = open_pass(context, y, combine_body);
    p.a = a;
    p.b = b;
    set(&p, 0, x);
    set(&p, 1, y);
    return run(&p, 0, NULL);
}

static void add_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    (void)sums;
    p->kernels->add_row[p->wide](rows, p->columns, p->vector[0], row_of(p, 0, from));
}

ga_status ga__add_row(ga_context *context, const DLTensor *row, DLTensor *y)
{
    pass p = open_pass(context, y, add_body);
    p.vector[0] = ga__data_of(row);
    set(&p, 0, y);
    return run(&p, 0, NULL);
}

static void sum_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    p->kernels->sum_rows[p->wide](rows, p->columns, row_of(p, 0, from), sums);
}

ga_status ga__sum_rows(ga_context *context, double factor, const DLTensor *x, DLTensor *out)
{
    ga_status status = GA_OK;
    double *sums = NULL;
    int64_t columns = x->shape[1];
    pass p = open_pass(context, x, sum_body);
    set(&p, 0, x);
    GA_TRY(GA_NEW(context, columns, &sums));
    GA_TRY(run(&p, columns, sums));
    for (int64_t i = 0; i < columns; i++) {
        sums[i] *= factor;
    }
    status = ga__store(context, sums, out);
done:
    ga_free(context, sums);
    return status;
}

static void dot_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    sums[0] += p->kernels->dot[p->wide](rows * p->columns, row_of(p, 0, from), row_of(p, 1, from));
}

ga_status ga__dot(ga_context *context, const DLTensor *a, const DLTensor *b, double *sum)
{
    pass p = open_pass(context, a, dot_body);
    set(&p, 0, a);
    set(&p, 1, b);
    return run(&p, 1, sum);
}

static void dots_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    (void)sums;
    p->kernels->row_dots[p->wide](rows, p->columns, row_of(p, 0, from), row_of(p, 1, from), p->out + from);
}

ga_status ga__pass_dots(ga_context *context, const DLTensor *a, const DLTensor *b, double *out)
{
    pass p = open_pass(context, a, dots_body);
    set(&p, 0, a);
    set(&p, 1, b);
    p.out = out;
    return run(&p, 0, NULL);
}

static void mix_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    int64_t size = p->wide ? 8 : 4;
    (void)sums;
    p->kernels->mix[p->wide](rows, p->columns, (const char *)p->vector[0] + from * size, row_of(p, 0, from),
                             p->vector[1] ? (const char *)p->vector[1] + from * size : NULL,
                             row_of(p, 1, from), p->flag, row_of(p, 2, from));
}

ga_status ga__pass_mix(ga_context *context, const DLTensor *f, const DLTensor *x, const DLTensor *g,
                       const DLTensor *y, bool add, DLTensor *out)
{
    pass p = open_pass(context, out, mix_body);
    p.vector[0] = ga__data_of(f);
    p.vector[1] = g ? ga__data_of(g) : NULL;
    p.flag = add;
    set(&p, 0, x);
    set(&p, 1, y);
    set(&p, 2, out);
    return run(&p, 0, NULL);
}

/* ---- dropout and activations ---- */

static void drop_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    (void)sums;
    p->kernels->drop[p->wide](rows * p->columns, p->bits + from * p->columns / 32, p->a, row_of(p, 0, from),
                              row_of(p, 1, from));
}

ga_status ga__pass_drop(ga_context *context, const ga_keep *keep, int64_t first, const DLTensor *from,
                        DLTensor *to)
{
    pass p = open_pass(context, to, drop_body);
    p.a = keep->scale;
    p.bits = keep->bits + first / 32;
    set(&p, 0, from);
    set(&p, 1, to);
    return run(&p, 0, NULL);
}

static void finish_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    int64_t count = rows * p->columns;
    const void *grad = row_of(p, 1, from);
    void *out = row_of(p, 2, from);
    (void)sums;
    if (p->activation == GA__ACTIVATION_NONE) {
        p->kernels->drop[p->wide](count, p->bits + from * p->columns / 32, p->a, grad, out);
        return;
    }
    p->kernels->slope[p->wide](count, p->activation == GA__ACTIVATION_ELU, row_of(p, 0, from), grad, out);
    if (p->bits) {
        p->kernels->drop[p->wide](count, p->bits + from * p->columns / 32, p->a, out, out);
    }
}

ga_status ga__pass_finish(ga_context *context, const ga_keep *keep, int64_t first, ga__activation activation,
                          const DLTensor *value, const DLTensor *from, DLTensor *grad)
{
    pass p = open_pass(context, grad, finish_body);
    if (!keep->bits && activation == GA__ACTIVATION_NONE) {
        return from->data == grad->data && from->byte_offset == grad->byte_offset
                   ? GA_OK
                   : ga__axpby(context, 1, from, 0, grad);
    }
    p.a = keep->scale;
    p.bits = keep->bits ? keep->bits + first / 32 : NULL;
    p.activation = activation;
    set(&p, 0, value);
    set(&p, 1, from);
    set(&p, 2, grad);
    return run(&p, 0, NULL);
}

static void relu_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    (void)sums;
    p->kernels->relu[p->wide](rows * p->columns, row_of(p, 0, from), row_of(p, 1, from));
}

ga_status ga__pass_relu(ga_context *context, const DLTensor *x, DLTensor *y)
{
    pass p = open_pass(context, y, relu_body);
    set(&p, 0, x);
    set(&p, 1, y);
    return run(&p, 0, NULL);
}

/* ---- heads ---- */

static void mean_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    (void)sums;
    p->kernels->mean_heads[p->wide](rows, p->heads, p->columns / p->heads, row_of(p, 0, from),
                                    row_of(p, 1, from));
}

ga_status ga__pass_mean_heads(ga_context *context, int64_t heads, const DLTensor *o, DLTensor *y)
{
    pass p = open_pass(context, o, mean_body);
    p.heads = heads;
    set(&p, 0, o);
    set(&p, 1, y);
    return run(&p, 0, NULL);
}

static void share_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    (void)sums;
    p->kernels->share_heads[p->wide](rows, p->heads, p->columns / p->heads, row_of(p, 0, from),
                                     row_of(p, 1, from));
}

ga_status ga__pass_share_heads(ga_context *context, int64_t heads, const DLTensor *g, DLTensor *o)
{
    pass p = open_pass(context, o, share_body);
    p.heads = heads;
    set(&p, 0, g);
    set(&p, 1, o);
    return run(&p, 0, NULL);
}

static void score_body(const pass *p, int64_t from, int64_t rows, double *sums)
{
    int64_t width = p->columns / p->heads;
    (void)sums;
    p->kernels->scores[p->wide](rows, p->heads, width, row_of(p, 0, from), p->vector[0], NULL,
                                row_of(p, 1, from));
    p->kernels->scores[p->wide](rows, p->heads, width, row_of(p, 0, from), p->vector[1], p->vector[2],
                                row_of(p, 2, from));
}

ga_status ga__pass_scores(ga_context *context, const DLTensor *z, const DLTensor *a, const DLTensor *b,
                          const DLTensor *shift, DLTensor *l, DLTensor *r)
{
    pass p = open_pass(context, z, score_body);
    p.heads = l->shape[1];
    p.vector[0] = ga__data_of(a);
    p.vector[1] = ga__data_of(b);
    p.vector[2] = shift ? ga__data_of(shift) : NULL;
    set(&p, 0, z);
    set(&p, 1, l);
    set(&p, 2, r);
    return run(&p, 0, NULL);
}
