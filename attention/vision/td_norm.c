/* td_norm.c - norms whose scale and shift move with the diffusion time (attention-static section 20).
 *
 * theta(u) = theta1 + s (theta0 - theta1), s = sigmoid(a u + c), u = log_snr / 4, elementwise.
 * ln:  y = gamma(u) (x - mean) / sqrt(var + eps) + beta(u)        rms: y = gamma(u) x / (|x| / sqrt(D) + eps) (+ beta(u))
 * With G the gradient of theta(u): d theta0 = s G, d theta1 = (1 - s) G, da = (theta0 - theta1) s (1 - s) u G, dc = the
 * same without u, du = the sum over columns of the same with a. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/blocks.h"

enum { MODE_LN, MODE_RMS };
static const char *const mode_words[] = { [MODE_LN] = "ln", [MODE_RMS] = "rms", NULL };

static const ga_parameter parameters[] = {
    { "mode", GA_PARAMETER_WORD, "ln", NULL, "layer norm or root mean square", mode_words, GA__ANY },
    { "eps", GA_PARAMETER_REAL, NULL, "> 0", "default: 1e-5 (ln), 1e-8 (rms)", GA__ABOVE(0) },
    { .name = NULL },
};

#define PARAMETER(name, help, is_optional) \
    { \
        name, "(D)", help, .optional = (is_optional), .differentiable = true \
    }
static const ga_tensor_slot tensors[] = {
    { "x", "(B, N, D)", "input", .differentiable = true },
    { "log_snr", "(B)", "u = log_snr/4", .differentiable = true },
    PARAMETER("gamma0", "scale at u -> inf", false),
    PARAMETER("gamma1", "scale at u -> -inf", false),
    PARAMETER("gamma_a", "slope of the sigmoid", false),
    PARAMETER("gamma_c", "its offset", false),
    PARAMETER("beta0", "shift; all four or none", true),
    PARAMETER("beta1", "likewise", true),
    PARAMETER("beta_a", "likewise", true),
    PARAMETER("beta_c", "likewise", true),
    { .name = NULL },
};

enum { SETS = 2, MEMBERS = 4, ROWS = 16 }; /* gamma and beta; theta0, theta1, a, c */
static const char *const names[SETS][MEMBERS] = { { "gamma0", "gamma1", "gamma_a", "gamma_c" },
                                                  { "beta0", "beta1", "beta_a", "beta_c" } };

typedef struct td_norm {
    int64_t batch, rows, columns;
    bool rms, shifted;
    double eps;
    const DLTensor *x, *log_snr, *of[SETS][MEMBERS];
    DLTensor *theta[SETS]; /* (B, D): gamma(u), beta(u) */
    DLTensor *y;
    const DLTensor *dy; /* backward */
    DLTensor *dx;       /* backward, may be NULL */
} td_norm;

static double sigmoid_at(const td_norm *t, int set, int64_t b, int64_t c)
{
    double u = ga__element(t->log_snr, b) / 4;
    return 1 / (1 + exp(-(ga__element(t->of[set][2], c) * u + ga__element(t->of[set][3], c))));
}

static double difference(const td_norm *t, int set, int64_t c)
{
    return ga__element(t->of[set][0], c) - ga__element(t->of[set][1], c);
}

static ga_status interpolate(ga__block_run *run, td_norm *t)
{
    ga_status status = GA_OK;
    for (int set = 0; set < (t->shifted ? 2 : 1); set++) {
        GA_TRY(ga__block_temp(run, t->batch, t->columns, &t->theta[set]));
        for (int64_t i = 0; i < t->batch * t->columns; i++) {
            int64_t b = i / t->columns, c = i % t->columns;
            ga__set_element(t->theta[set], i,
                            ga__element(t->of[set][1], c) + sigmoid_at(t, set, b, c) * difference(t, set, c));
        }
    }
done:
    return status;
}

/* z = the normed row before scale and shift; returns the factor, *size = |x| / sqrt(D) of rms. */
static double norm_row(const td_norm *t, int64_t row, double *z, double *size)
{
    double square = 0;
    for (int64_t c = 0; c < t->columns; c++) {
        z[c] = ga__element(t->x, row * t->columns + c);
        square += z[c] * z[c];
    }
    *size = sqrt(square / (double)ga__max(t->columns, 1));
    if (!t->rms) {
        return ga__layer_norm(t->columns, t->eps, z, z);
    }
    double inverse = 1 / (*size + t->eps);
    for (int64_t c = 0; c < t->columns; c++) {
        z[c] *= inverse;
    }
    return inverse;
}

static void forward_rows(void *user, int64_t unit, double *z)
{
    const td_norm *t = user;
    double size;
    for (int64_t row = unit * ROWS; row < ga__min((unit + 1) * ROWS, t->batch * t->rows); row++) {
        int64_t of = row / t->rows * t->columns;
        norm_row(t, row, z, &size);
        for (int64_t c = 0; c < t->columns; c++) {
            double shift = t->shifted ? ga__element(t->theta[1], of + c) : 0;
            ga__set_element(t->y, row * t->columns + c, ga__element(t->theta[0], of + c) * z[c] + shift);
        }
    }
}

static ga_status measure(ga__block_run *run, td_norm *t)
{
    static const char *const shift[] = { "beta0", "beta1", "beta_a", "beta_c", NULL };
    ga_status status = GA_OK;
    t->x = ga__block_tensor(run, "x");
    t->log_snr = ga__block_tensor(run, "log_snr");
    if (t->x->ndim < 2 || t->x->ndim > 3) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "x: %d axes, expected 3: (B, N, D)", t->x->ndim));
    }
    t->batch = ga__axis_from_last(t->x, 2);
    t->rows = ga__axis_from_last(t->x, 1);
    t->columns = ga__axis_from_last(t->x, 0);
    GA_TRY(ga__block_fits(run, "log_snr", 1, &t->batch));
    GA_TRY(ga__block_together(run, shift, &t->shifted));
    for (int i = 0; i < SETS * MEMBERS; i++) {
        const char *name = names[i / MEMBERS][i % MEMBERS];
        GA_TRY(ga__block_fits(run, name, 1, &t->columns));
        t->of[i / MEMBERS][i % MEMBERS] = ga__block_tensor(run, name);
    }
    t->rms = ga__block_integer(run, "mode") == MODE_RMS;
    const ga__value *eps = ga__part_value(&run->part, "eps");
    t->eps = eps->given ? eps->real : t->rms ? 1e-8 : 1e-5;
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    td_norm *t = run->state;
    GA_TRY(measure(run, t));
    GA_TRY(interpolate(run, t));
    if (ga__block_wants(run, "y")) {
        int64_t units = (t->batch * t->rows + ROWS - 1) / ROWS;
        GA_TRY(ga__block_output_make(run, "y", t->x->ndim, t->x->shape, &t->y));
        GA_TRY(ga__units(run->context, units, t->columns, forward_rows, t));
    }
done:
    return status;
}

/* ---- backward ---- */

/* dz = gamma dy. ln: as ever; rms: dx = (dz - x <x, dz> / (D size (size + eps))) / (size + eps). */
static void row_back(const td_norm *t, int64_t row, double inverse, double size, const double *z, double *dz)
{
    if (!t->rms) {
        ga__layer_norm_back(t->columns, inverse, z, dz, dz);
    } else {
        double along = 0;
        for (int64_t c = 0; c < t->columns; c++) {
            along += z[c] * dz[c];
        }
        /* z = x / (size + eps): x <x, dz> / (size (size + eps)) = z <z, dz> (size + eps) / size */
        along = size > 0 ? along / (inverse * size * (double)t->columns) : 0;
        for (int64_t c = 0; c < t->columns; c++) {
            dz[c] = (dz[c] - z[c] * along) * inverse;
        }
    }
    for (int64_t c = 0; c < t->columns; c++) {
        ga__set_element(t->dx, row * t->columns + c, dz[c]);
    }
}

typedef struct one_batch {
    const td_norm *t;
    int64_t b;
} one_batch;

/* sums: gradients of gamma(u) and beta(u) of one batch entry. */
static void backward_rows(void *user, int64_t first, int64_t last, double *sums, double *room)
{
    const one_batch *one = user;
    const td_norm *t = one->t;
    double *z = room, *dz = z + t->columns, size;
    for (int64_t r = first; r < last; r++) {
        int64_t row = one->b * t->rows + r;
        double inverse = norm_row(t, row, z, &size);
        for (int64_t c = 0; c < t->columns; c++) {
            double dy = ga__element(t->dy, row * t->columns + c);
            sums[c] += dy * z[c];
            sums[t->columns + c] += dy;
            dz[c] = dy * ga__element(t->theta[0], one->b * t->columns + c);
        }
        if (t->dx) {
            row_back(t, row, inverse, size, z, dz);
        }
    }
}

/* Adds what the gradient of theta(u) of one batch entry gives: to grads (set, member, D) and to *du. */
static void spread(const td_norm *t, int64_t b, const double *sums, double *grads, double *du)
{
    double u = ga__element(t->log_snr, b) / 4;
    for (int set = 0; set < (t->shifted ? 2 : 1); set++) {
        for (int64_t c = 0; c < t->columns; c++) {
            double g = sums[set * t->columns + c], s = sigmoid_at(t, set, b, c);
            double slope = difference(t, set, c) * s * (1 - s) * g;
            double *to = grads + set * MEMBERS * t->columns + c;
            to[0] += s * g;
            to[t->columns] += (1 - s) * g;
            to[2 * t->columns] += slope * u;
            to[3 * t->columns] += slope;
            *du += slope * ga__element(t->of[set][2], c);
        }
    }
}

static ga_status backward(ga__block_run *run)
{
    ga_status status = GA_OK;
    td_norm *t = run->state;
    double *sums = NULL, *grads = NULL;
    DLTensor *d_snr = ga__block_grad(run, "log_snr");
    t->dy = run->grad_y;
    t->dx = ga__block_grad(run, "x");
    GA_TRY(GA_NEW(run->context, 2 * t->columns, &sums));
    GA_TRY(GA_NEW_ZERO(run->context, SETS * MEMBERS * t->columns, &grads));
    for (int64_t b = 0; b < t->batch; b++) {
        one_batch one = { t, b };
        double du = 0;
        GA_TRY(
            ga__sum_ranges(run->context, t->rows, 2 * t->columns, 2 * t->columns, backward_rows, &one, sums));
        spread(t, b, sums, grads, &du);
        if (d_snr) {
            ga__set_element(d_snr, b, du / 4);
        }
    }
    for (int i = 0; i < SETS * MEMBERS; i++) {
        DLTensor *grad = ga__block_grad(run, names[i / MEMBERS][i % MEMBERS]);
        if (grad) {
            ga__store_numbers(grads + i * t->columns, t->columns, grad);
        }
    }
done:
    ga_free(run->context, sums);
    ga_free(run->context, grads);
    return status;
}

static const ga__block_ops ops = { .state = sizeof(td_norm), .forward = forward, .backward = backward };

const ga_block ga__block_td_norm = {
    .name = "td-norm",
    .summary = "layer norm or root mean square norm whose parameters move with the diffusion time",
    .source = "DiMR, 2406.09416",
    .plan = "norm of every row, interpolated scale and shift",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
