/* norm_block.c - block norm: SRMS, RMS, layer and group norm over the last axis (attention-linear card 16).
 *
 * y = z weight + bias, z the normed slice: the whole row, or one of `groups` equal parts of it. Backward, with
 * dz = dy weight: d weight = sum dy z, d bias = sum dy, and dx by ga__norm_row_back. */
#include "config.h"

#include "attention/blocks.h"
#include "attention/linear/rows.h"

enum { KIND_SRMS, KIND_RMS, KIND_LAYER, KIND_GROUP };
static const char *const kind_words[] = {
    [KIND_SRMS] = "srms", [KIND_RMS] = "rms", [KIND_LAYER] = "layer", [KIND_GROUP] = "group", NULL
};

static const ga_parameter parameters[] = {
    { "kind", GA_PARAMETER_WORD, "rms", NULL, "norm", kind_words, GA__ANY },
    { "eps", GA_PARAMETER_REAL, NULL, "> 0", "default: 1e-6; layer and group 1e-5", GA__ABOVE(0) },
    { "groups", GA_PARAMETER_INT, "1", ">= 1, divides C", "slices of group", NULL, GA__FROM(1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "x", "(..., C)", "input", .differentiable = true },
    { "weight", "(C)", "not srms", .optional = true, .differentiable = true },
    { "bias", "(C)", "layer, group", .optional = true, .differentiable = true },
    { .name = NULL },
};

enum { ROWS = 16 };

typedef struct norm {
    ga__norm kind;
    double eps;
    int64_t rows, columns, groups;
    const DLTensor *x, *weight, *bias; /* weight and bias: NULL = absent */
    const DLTensor *dy;
    DLTensor *y, *dx; /* dx: NULL = not wanted */
} norm;

static double weight_at(const norm *n, int64_t c)
{
    return n->weight ? ga__element(n->weight, c) : 1;
}

/* z = the normed row; r: the factor of every group. */
static void norm_row(const norm *n, int64_t row, double *z, double *r)
{
    int64_t width = n->columns / n->groups;
    for (int64_t c = 0; c < n->columns; c++) {
        z[c] = ga__element(n->x, row * n->columns + c);
    }
    for (int64_t g = 0; g < n->groups; g++) {
        r[g] = ga__norm_row(n->kind, n->eps, width, z + g * width, z + g * width);
    }
}

static void forward_rows(void *user, int64_t unit, double *room)
{
    const norm *n = user;
    double *z = room, *r = z + n->columns;
    for (int64_t row = unit * ROWS; row < ga__min((unit + 1) * ROWS, n->rows); row++) {
        norm_row(n, row, z, r);
        for (int64_t c = 0; c < n->columns; c++) {
            double shift = n->bias ? ga__element(n->bias, c) : 0;
            ga__set_element(n->y, row * n->columns + c, z[c] * weight_at(n, c) + shift);
        }
    }
}

/* sums: of dy z, then of dy. */
static void backward_rows(void *user, int64_t first, int64_t last, double *sums, double *room)
{
    const norm *n = user;
    int64_t width = n->columns / n->groups;
    double *z = room, *dz = z + n->columns, *r = dz + n->columns;
    for (int64_t row = first; row < last; row++) {
        norm_row(n, row, z, r);
        for (int64_t c = 0; c < n->columns; c++) {
            double dy = ga__element(n->dy, row * n->columns + c);
            sums[c] += dy * z[c];
            sums[n->columns + c] += dy;
            dz[c] = dy * weight_at(n, c);
        }
        for (int64_t g = 0; g < n->groups && n->dx; g++) {
            double *slice = dz + g * width;
            ga__norm_row_back(n->kind, r[g], width, z + g * width, slice, slice);
        }
        for (int64_t c = 0; c < n->columns && n->dx; c++) {
            ga__set_element(n->dx, row * n->columns + c, dz[c]);
        }
    }
}

static ga_status check_kind(ga__block_run *run, norm *n, int64_t kind)
{
    ga_status status = GA_OK;
    const ga__value *eps = ga__part_value(&run->part, "eps");
    bool centred = kind == KIND_LAYER || kind == KIND_GROUP;
    n->kind = centred ? GA__NORM_LAYER : kind == KIND_RMS ? GA__NORM_RMS : GA__NORM_SRMS;
    n->eps = eps->given ? eps->real : centred ? 1e-5 : 1e-6;
    if ((n->weight && kind == KIND_SRMS) || (n->bias && !centred)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "norm: kind=%s takes no %s", kind_words[kind],
                        n->weight && kind == KIND_SRMS ? "weight" : "bias"));
    }
    if (n->groups > 1 && kind != KIND_GROUP) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "norm: kind=%s takes no groups", kind_words[kind]));
    }
    if (n->columns % n->groups != 0) {
        GA_TRY(ga__part_refuse(&run->part, "groups", "a divisor of the %lld columns of x",
                               (long long)n->columns));
    }
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    norm *n = run->state;
    n->x = ga__block_tensor(run, "x");
    n->weight = ga__block_tensor(run, "weight");
    n->bias = ga__block_tensor(run, "bias");
    n->groups = ga__block_integer(run, "groups");
    n->columns = ga__axis_from_last(n->x, 0);
    n->rows = ga__axis_from_last(n->x, 1) * ga__axis_from_last(n->x, 2) * ga__axis_from_last(n->x, 3);
    GA_TRY(ga__block_fits(run, "weight", 1, &n->columns));
    GA_TRY(ga__block_fits(run, "bias", 1, &n->columns));
    GA_TRY(check_kind(run, n, ga__block_integer(run, "kind")));
    if (ga__block_wants(run, "y")) {
        GA_TRY(ga__block_output_make(run, "y", n->x->ndim, n->x->shape, &n->y));
        GA_TRY(ga__units(run->context, (n->rows + ROWS - 1) / ROWS, n->columns + n->groups, forward_rows, n));
    }
done:
    return status;
}

static ga_status backward(ga__block_run *run)
{
    ga_status status = GA_OK;
    norm *n = run->state;
    double *sums = NULL;
    DLTensor *d_weight = ga__block_grad(run, "weight"), *d_bias = ga__block_grad(run, "bias");
    n->dy = run->grad_y;
    n->dx = ga__block_grad(run, "x");
    GA_TRY(GA_NEW(run->context, 2 * n->columns, &sums));
    GA_TRY(ga__sum_ranges(run->context, n->rows, 2 * n->columns, 2 * n->columns + n->groups, backward_rows, n,
                          sums));
    if (d_weight) {
        ga__store_numbers(sums, n->columns, d_weight);
    }
    if (d_bias) {
        ga__store_numbers(sums + n->columns, n->columns, d_bias);
    }
done:
    ga_free(run->context, sums);
    return status;
}

static const struct ga__block_ops ops = { .state = sizeof(norm), .forward = forward, .backward = backward };

const ga_block ga__block_norm = {
    .name = "norm",
    .summary = "RMS, SRMS, layer and group norm over the last axis",
    .source =
        "SRMS: Scaling TransNormer to 175 Billion Parameters, 2307.14995; the others are the usual norms",
    .plan = "norm of every row or slice, scale and shift",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
