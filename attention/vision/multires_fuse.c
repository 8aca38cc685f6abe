/* multires_fuse.c - features of a lower resolution handed up (attention-static section 21).
 *
 * y = x + LN2(shuffle(W LN1(low) + b)): output pixel (Y, X), channel c reads token (Y / r, X / r) of low and row
 * ((Y mod r) r + (X mod r)) D + c of W. */
#include "config.h"

#include "attention/blocks.h"

static const ga_parameter parameters[] = {
    { "shape", GA_PARAMETER_INT_LIST, NULL, "h,w", "grid of low", GA__FROM(1), .required = true },
    { "ratio", GA_PARAMETER_INT, "2", ">= 1", "r", GA__WITHIN(1, 1 << 15) },
    { "ln_eps", GA_PARAMETER_REAL, "1e-5", "> 0", "eps of the layer norms", GA__ABOVE(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "x", "(B, r h r w, D)", "input", .optional = false },
    { "low", "(B, h w, C)", "lower stage", .optional = false },
    { "ln1_w", "(C)", "norm of low", .optional = false },
    { "ln1_b", "(C)", "its bias", .optional = false },
    { "w", "(D r^2, C)", "linear map", .optional = false },
    { "b", "(D r^2)", "its bias", .optional = false },
    { "ln2_w", "(D)", "norm of what it made", .optional = false },
    { "ln2_b", "(D)", "its bias", .optional = false },
    { .name = NULL },
};

enum { ROWS = 16 };

typedef struct fuse {
    int64_t batch, height, width, ratio, columns, low_columns; /* D and C */
    double eps;
    const DLTensor *x, *low, *ln1_w, *ln1_b, *b, *ln2_w, *ln2_b;
    DLTensor *normed, *mapped, *y; /* (B h w, C), (B h w, r^2 D), like x */
} fuse;

static int64_t pixels_of(const fuse *f)
{
    return f->height * f->width * f->ratio * f->ratio;
}

static void norm_low(void *user, int64_t unit, double *z)
{
    const fuse *f = user;
    int64_t n = f->low_columns, rows = f->batch * f->height * f->width;
    for (int64_t row = unit * ROWS; row < ga__min((unit + 1) * ROWS, rows); row++) {
        for (int64_t c = 0; c < n; c++) {
            z[c] = ga__element(f->low, row * n + c);
        }
        ga__layer_norm(n, f->eps, z, z);
        for (int64_t c = 0; c < n; c++) {
            ga__set_element(f->normed, row * n + c,
                            z[c] * ga__element(f->ln1_w, c) + ga__element(f->ln1_b, c));
        }
    }
}

/* First element in `mapped`, and in b, of what an output pixel reads. */
static void source_of(const fuse *f, int64_t pixel, int64_t *mapped, int64_t *bias)
{
    int64_t r = f->ratio, wide = f->width * r, image = pixel / pixels_of(f), at = pixel % pixels_of(f);
    int64_t y = at / wide, x = at % wide, token = (image * f->height + y / r) * f->width + x / r;
    *bias = (y % r * r + x % r) * f->columns;
    *mapped = token * r * r * f->columns + *bias;
}

static void add_pixels(void *user, int64_t unit, double *z)
{
    const fuse *f = user;
    int64_t n = f->columns;
    for (int64_t pixel = unit * ROWS; pixel < ga__min((unit + 1) * ROWS, f->batch * pixels_of(f)); pixel++) {
        int64_t mapped, bias;
        source_of(f, pixel, &mapped, &bias);
        for (int64_t c = 0; c < n; c++) {
            z[c] = ga__element(f->mapped, mapped + c) + ga__element(f->b, bias + c);
        }
        ga__layer_norm(n, f->eps, z, z);
        for (int64_t c = 0; c < n; c++) {
            double add = z[c] * ga__element(f->ln2_w, c) + ga__element(f->ln2_b, c);
            ga__set_element(f->y, pixel * n + c, ga__element(f->x, pixel * n + c) + add);
        }
    }
}

static ga_status measure(ga__block_run *run, fuse *f)
{
    ga_status status = GA_OK;
    const ga__value *shape = ga__part_value(&run->part, "shape");
    int64_t tokens = 0, places = 0, rows = 0;
    if (shape->count != 2) {
        GA_TRY(ga__part_refuse(&run->part, "shape", "2 numbers, h,w"));
    }
    f->height = shape->list[0];
    f->width = shape->list[1];
    f->ratio = ga__block_integer(run, "ratio");
    f->eps = ga__block_real(run, "ln_eps");
    f->x = ga__block_tensor(run, "x");
    f->low = ga__block_tensor(run, "low");
    f->batch = ga__axis_from_last(f->x, 2);
    f->columns = ga__axis_from_last(f->x, 0);
    f->low_columns = ga__axis_from_last(f->low, 0);
    if (!ga__mul(f->height, f->width, &tokens) || !ga__mul(tokens, f->ratio * f->ratio, &places) ||
        !ga__mul(f->columns, f->ratio * f->ratio, &rows)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "multires-fuse: the grid is too large"));
    }
    const int64_t of_x[] = { -1, places, -1 }, of_low[] = { f->batch, tokens, -1 };
    const int64_t of_w[] = { rows, f->low_columns };
    GA_TRY(ga__block_fits(run, "x", 3, of_x));
    GA_TRY(ga__block_fits(run, "low", 3, of_low));
    GA_TRY(ga__block_fits(run, "ln1_w", 1, &f->low_columns));
    GA_TRY(ga__block_fits(run, "ln1_b", 1, &f->low_columns));
    GA_TRY(ga__block_fits(run, "w", 2, of_w));
    GA_TRY(ga__block_fits(run, "b", 1, &rows));
    GA_TRY(ga__block_fits(run, "ln2_w", 1, &f->columns));
    GA_TRY(ga__block_fits(run, "ln2_b", 1, &f->columns));
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    fuse f = { .ln1_w = ga__block_tensor(run, "ln1_w"),
               .ln1_b = ga__block_tensor(run, "ln1_b"),
               .b = ga__block_tensor(run, "b"),
               .ln2_w = ga__block_tensor(run, "ln2_w"),
               .ln2_b = ga__block_tensor(run, "ln2_b") };
    int64_t shape[2];
    GA_TRY(measure(run, &f));
    if (!ga__block_wants(run, "y")) {
        goto done;
    }
    int64_t tokens = f.batch * f.height * f.width, width = f.columns * f.ratio * f.ratio;
    GA_TRY(ga__block_output_make(run, "y", f.x->ndim, f.x->shape, &f.y));
    GA_TRY(ga__block_temp(run, tokens, f.low_columns, &f.normed));
    GA_TRY(ga__block_temp(run, tokens, width, &f.mapped));
    GA_TRY(ga__units(run->context, (tokens + ROWS - 1) / ROWS, f.low_columns, norm_low, &f));
    DLTensor w = ga__as_matrix(ga__block_tensor(run, "w"), width, f.low_columns, shape);
    GA_TRY(ga_gemm(run->context, false, true, 1, f.normed, &w, 0, f.mapped));
    status = ga__units(run->context, (f.batch * pixels_of(&f) + ROWS - 1) / ROWS, f.columns, add_pixels, &f);
done:
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__block_multires_fuse = {
    .name = "multires-fuse",
    .summary = "norm, linear map, pixel shuffle, norm, addition: features of a lower resolution handed up",
    .source = "DiMR, 2406.09416",
    .plan = "two norms, a matrix product, a permutation, an addition",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
