/* kan.c - layer norm, an expansion into bumps, a linear map; one or two layers (attention-static section 19).
 *
 * s = LN(x),  t_cg = tanh((s_c - mu_g) / d),  phi_cg = 1 - t_cg^2,  y = W vec(phi). d phi / d s = -2 t (1 - t^2) / d.
 * phi has G times as many numbers as x and is made for a part of the rows at a time. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/blocks.h"

static const ga_parameter parameters[] = {
    { "grids", GA_PARAMETER_INT, "8", ">= 1", "bumps of a channel, G", GA__WITHIN(1, 1 << 20) },
    { "grid_min", GA_PARAMETER_REAL, "-2", NULL, "first centre", GA__ANY },
    { "grid_max", GA_PARAMETER_REAL, "2", "> grid_min", "last centre", GA__ANY },
    { "denominator", GA_PARAMETER_REAL, "0.33", "> 0", "width of a bump", GA__ABOVE(0) },
    { "ln_eps", GA_PARAMETER_REAL, "1e-5", "> 0", "eps of the layer norm", GA__ABOVE(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "x", "(n, C)", "input", .differentiable = true },
    { "ln1_w", "(C)", "weight of the layer norm", .differentiable = true },
    { "ln1_b", "(C)", "its bias", .differentiable = true },
    { "w1", "(out, C*G)", "column c*G + g", .differentiable = true },
    { "ln2_w", "(hidden)", "second layer: all three or none", .optional = true, .differentiable = true },
    { "ln2_b", "(hidden)", "its bias", .optional = true, .differentiable = true },
    { "w2", "(out, hidden*G)", "its map", .optional = true, .differentiable = true },
    { .name = NULL },
};

enum { PART_NUMBERS = 1 << 20, ROWS = 16 };

typedef struct layer {
    const char *w, *ln_w, *ln_b;
    int64_t rows, in, out;
    DLTensor x, y; /* matrices (rows, in), (rows, out); their shapes stand below */
    int64_t shape_x[2], shape_y[2];
} layer;

typedef struct kan {
    int64_t grids;
    double first, step, denominator, eps;
    int count; /* layers */
    layer layers[2];
} kan;

/* ---- rows ---- */

typedef struct part {
    const kan *k;
    int64_t first, rows, in;
    const DLTensor *x, *weight, *bias;
    DLTensor *phi; /* (rows, in G); backward: its gradient */
    DLTensor *dx;  /* backward, (all rows, in); may be NULL */
} part;

/* s of a row, and z before weight and bias; returns the factor of the norm. */
static double norm_row(const part *p, int64_t row, double *z, double *s)
{
    for (int64_t c = 0; c < p->in; c++) {
        z[c] = ga__element(p->x, (p->first + row) * p->in + c);
    }
    double inverse = ga__layer_norm(p->in, p->k->eps, z, z);
    for (int64_t c = 0; c < p->in; c++) {
        s[c] = ga__element(p->weight, c) * z[c] + ga__element(p->bias, c);
    }
    return inverse;
}

static double bump(const kan *k, double s, int64_t g)
{
    return tanh((s - (k->first + k->step * (double)g)) / k->denominator);
}

static void expand_rows(void *user, int64_t unit, double *room)
{
    const part *p = user;
    for (int64_t row = unit * ROWS; row < ga__min((unit + 1) * ROWS, p->rows); row++) {
        norm_row(p, row, room, room + p->in);
        for (int64_t i = 0; i < p->in * p->k->grids; i++) {
            double t = bump(p->k, room[p->in + i / p->k->grids], i % p->k->grids);
            ga__set_element(p->phi, row * p->in * p->k->grids + i, 1 - t * t);
        }
    }
}

/* sums: gradients of weight and bias. */
static void contract_rows(void *user, int64_t first, int64_t last, double *sums, double *room)
{
    const part *p = user;
    const kan *k = p->k;
    double *z = room, *s = z + p->in, *ds = s + p->in;
    for (int64_t row = first; row < last; row++) {
        double inverse = norm_row(p, row, z, s);
        for (int64_t c = 0; c < p->in; c++) {
            double sum = 0;
            for (int64_t g = 0; g < k->grids; g++) {
                double t = bump(k, s[c], g);
                sum -= 2 * t * (1 - t * t) * ga__element(p->phi, (row * p->in + c) * k->grids + g);
            }
            sum /= k->denominator;
            sums[c] += sum * z[c];
            sums[p->in + c] += sum;
            ds[c] = sum * ga__element(p->weight, c);
        }
        if (p->dx) {
            ga__layer_norm_back(p->in, inverse, z, ds, ds);
            for (int64_t c = 0; c < p->in; c++) {
                ga__set_element(p->dx, (p->first + row) * p->in + c, ds[c]);
            }
        }
    }
}

/* ---- a layer ---- */

static int64_t rows_of_part(const kan *k, const layer *l)
{
    int64_t width = 0;
    return ga__mul(l->in, k->grids, &width) ? ga__max(ROWS, PART_NUMBERS / ga__max(width, 1) / ROWS * ROWS)
                                            : ROWS;
}

static part part_of(const ga__block_run *run, const kan *k, const layer *l, int64_t first, DLTensor *phi)
{
    return (part){ .k = k,
                   .first = first,
                   .rows = ga__min(rows_of_part(k, l), l->rows - first),
                   .in = l->in,
                   .x = &l->x,
                   .weight = ga__block_tensor(run, l->ln_w),
                   .bias = ga__block_tensor(run, l->ln_b),
                   .phi = phi };
}

static ga_status expand(ga__block_run *run, part *p)
{
    return ga__units(run->context, (p->rows + ROWS - 1) / ROWS, 2 * p->in, expand_rows, p);
}

static ga_status layer_forward(ga__block_run *run, const kan *k, layer *l)
{
    ga_status status = GA_OK;
    DLTensor *phi = NULL;
    const int64_t width = l->in * k->grids, room[] = { ga__min(rows_of_part(k, l), l->rows), width };
    int64_t shape[3][2];
    DLTensor w = ga__as_matrix(ga__block_tensor(run, l->w), l->out, width, shape[0]);
    GA_TRY(ga_tensor_create(run->context, run->working, 2, room, &phi));
    for (int64_t first = 0; first < l->rows; first += room[0]) {
        part p = part_of(run, k, l, first, phi);
        DLTensor some = ga__some_rows(phi, 0, p.rows, shape[1]);
        DLTensor y = ga__some_rows(&l->y, first, p.rows, shape[2]);
        GA_TRY(expand(run, &p));
        GA_TRY(ga_gemm(run->context, false, true, 1, &some, &w, 0, &y));
    }
done:
    ga_tensor_destroy(run->context, phi);
    return status;
}

static ga_status part_backward(ga__block_run *run, part *p, const layer *l, const DLTensor *dy, DLTensor *dw,
                               DLTensor *phi, double *sums)
{
    ga_status status = GA_OK;
    int64_t width = p->in * p->k->grids, shape[3][2];
    double *more = NULL;
    DLTensor w = ga__as_matrix(ga__block_tensor(run, l->w), l->out, width, shape[0]);
    DLTensor some = ga__some_rows(phi, 0, p->rows, shape[1]);
    DLTensor of_dy = ga__some_rows(dy, p->first, p->rows, shape[2]);
    if (dw) {
        GA_TRY(expand(run, p));
        GA_TRY(ga_gemm(run->context, true, false, 1, &of_dy, &some, p->first > 0, dw));
    }
    GA_TRY(ga_gemm(run->context, false, false, 1, &of_dy, &w, 0, &some));
    GA_TRY(GA_NEW(run->context, 2 * p->in, &more));
    GA_TRY(ga__sum_ranges(run->context, p->rows, 2 * p->in, 3 * p->in, contract_rows, p, more));
    for (int64_t i = 0; i < 2 * p->in; i++) {
        sums[i] += more[i];
    }
done:
    ga_free(run->context, more);
    return status;
}

/* dy (rows, out) to dx (rows, in), which may be NULL. */
static ga_status layer_backward(ga__block_run *run, const kan *k, const layer *l, const DLTensor *dy,
                                DLTensor *dx)
{
    ga_status status = GA_OK;
    DLTensor *phi = NULL, *dw = ga__block_grad(run, l->w), of_dw = { .data = NULL };
    DLTensor *d_weight = ga__block_grad(run, l->ln_w), *d_bias = ga__block_grad(run, l->ln_b);
    double *sums = NULL;
    const int64_t width = l->in * k->grids, room[] = { ga__min(rows_of_part(k, l), l->rows), width };
    int64_t shape[2];
    if (dw) {
        of_dw = ga__as_matrix(dw, l->out, width, shape);
        memset(dw->data, 0, (size_t)(l->out * width) * (dw->dtype.bits / 8)); /* without rows it stays so */
    }
    GA_TRY(ga_tensor_create(run->context, run->working, 2, room, &phi));
    GA_TRY(GA_NEW_ZERO(run->context, 2 * l->in, &sums));
    for (int64_t first = 0; first < l->rows; first += room[0]) {
        part p = part_of(run, k, l, first, phi);
        p.dx = dx;
        GA_TRY(part_backward(run, &p, l, dy, dw ? &of_dw : NULL, phi, sums));
    }
    if (d_weight) {
        ga__store_numbers(sums, l->in, d_weight);
    }
    if (d_bias) {
        ga__store_numbers(sums + l->in, l->in, d_bias);
    }
done:
    ga_tensor_destroy(run->context, phi);
    ga_free(run->context, sums);
    return status;
}

/* ---- the block ---- */

static ga_status measure_layer(ga__block_run *run, const kan *k, layer *l)
{
    ga_status status = GA_OK;
    int64_t width = 0, size = 0;
    if (!ga__mul(l->in, k->grids, &width) || !ga__mul(width, ROWS, &size)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "x: too many columns"));
    }
    const int64_t of_w[] = { -1, width };
    GA_TRY(ga__block_fits(run, l->ln_w, 1, &l->in));
    GA_TRY(ga__block_fits(run, l->ln_b, 1, &l->in));
    GA_TRY(ga__block_fits(run, l->w, 2, of_w));
    l->out = ga__axis_from_last(ga__block_given(run, l->w), 1);
done:
    return status;
}

static ga_status measure(ga__block_run *run, kan *k)
{
    static const char *const second[] = { "ln2_w", "ln2_b", "w2", NULL };
    ga_status status = GA_OK;
    bool two = false;
    const DLTensor *x = ga__block_tensor(run, "x");
    double last = ga__block_real(run, "grid_max");
    k->grids = ga__block_integer(run, "grids");
    k->first = ga__block_real(run, "grid_min");
    k->denominator = ga__block_real(run, "denominator");
    k->eps = ga__block_real(run, "ln_eps");
    k->step = k->grids > 1 ? (last - k->first) / (double)(k->grids - 1) : 0;
    if (!(last > k->first)) {
        GA_TRY(ga__part_refuse(&run->part, "grid_max", "more than grid_min, %g", k->first));
    }
    if (x->ndim != 2) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "x: %d axes, expected 2: (n, C)", x->ndim));
    }
    GA_TRY(ga__block_together(run, second, &two));
    k->count = two ? 2 : 1;
    for (int i = 0; i < k->count; i++) {
        layer *l = &k->layers[i];
        l->w = i ? "w2" : "w1";
        l->ln_w = i ? "ln2_w" : "ln1_w";
        l->ln_b = i ? "ln2_b" : "ln1_b";
        l->rows = x->shape[0];
        l->in = i ? k->layers[0].out : x->shape[1];
        GA_TRY(measure_layer(run, k, l));
    }
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    kan *k = run->state;
    const DLTensor *x = ga__block_tensor(run, "x");
    DLTensor *y = NULL;
    GA_TRY(measure(run, k));
    if (!ga__block_wants(run, "y")) {
        goto done;
    }
    for (int i = 0; i < k->count; i++) {
        layer *l = &k->layers[i];
        const int64_t shape[] = { l->rows, l->out };
        l->x = ga__as_matrix(x, l->rows, l->in, l->shape_x);
        GA_TRY(i + 1 < k->count ? ga__block_temp(run, l->rows, l->out, &y)
                                : ga__block_output_make(run, "y", 2, shape, &y));
        l->y = ga__as_matrix(y, l->rows, l->out, l->shape_y);
        GA_TRY(layer_forward(run, k, l));
        x = y;
    }
done:
    return status;
}

static ga_status backward(ga__block_run *run)
{
    ga_status status = GA_OK;
    kan *k = run->state;
    int64_t shape[2];
    DLTensor dy = ga__as_matrix(run->grad_y, k->layers[0].rows, k->layers[k->count - 1].out, shape);
    DLTensor *dx = NULL;
    if (k->count == 2) {
        GA_TRY(ga__block_temp(run, k->layers[1].rows, k->layers[1].in, &dx));
        GA_TRY(layer_backward(run, k, &k->layers[1], &dy, dx));
        dy = *dx;
    }
    status = layer_backward(run, k, &k->layers[0], &dy, ga__block_grad(run, "x"));
done:
    return status;
}

static const ga__block_ops ops = { .state = sizeof(kan), .forward = forward, .backward = backward };

const ga_block ga__block_kan = {
    .name = "kan",
    .summary = "layer norm, expansion into bumps, linear map; one or two layers",
    .source = "MedViTV2, 2502.13693 (FasterKAN)",
    .plan = "expansion of every channel by `grids`, then a dense product",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
