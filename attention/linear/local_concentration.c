/* local_concentration.c - block local-concentration: tokens as an image between two depthwise convolutions
 * (attention-linear card 9). y = conv2(bn(gelu(conv1(x)))), bn with given mean and variance; zero border. */
#include "config.h"

#include <math.h>

#include "attention/blocks.h"

static const ga_parameter parameters[] = {
    { "shape", GA_PARAMETER_INT_LIST, NULL, "Y,X, each >= 1", "token grid, row-major", GA__FROM(1),
      .required = true },
    { "eps", GA_PARAMETER_REAL, "1e-5", "> 0", "batch norm", GA__ABOVE(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "x", "(B, N, C)", "tokens of an image", .optional = false },
    { "weight1", "(C, r, r)", "r odd, 7 in the paper", .optional = false },
    { "bias1", "(C)", "absent: 0", .optional = true },
    { "weight2", "(C, r, r)", "second convolution", .optional = false },
    { "bias2", "(C)", "absent: 0", .optional = true },
    { "bn_weight", "(C)", "scale of the batch norm", .optional = false },
    { "bn_bias", "(C)", "its shift", .optional = false },
    { "bn_mean", "(C)", "its running mean", .optional = false },
    { "bn_var", "(C)", "its running variance", .optional = false },
    { .name = NULL },
};

/* One depthwise convolution; x and y are (B, N, C). */
typedef struct filter {
    const DLTensor *x, *weight, *bias; /* bias: NULL = 0 */
    DLTensor *y;
    int64_t size; /* r */
} filter;

typedef struct image {
    int64_t batch, height, width, channels;
    double eps;
    filter first, second;
    const DLTensor *bn[4]; /* weight, bias, mean, var */
    bool behind_first;     /* GELU and batch norm follow */
} image;

/* Kernel and image without turning: y at (i, j) = sum over (a, b) of w(a, b) x(i + a - r/2, j + b - r/2). */
static double convolve(const image *m, const filter *f, int64_t b, int64_t i, int64_t j, int64_t c)
{
    int64_t half = f->size / 2;
    double sum = f->bias ? ga__element(f->bias, c) : 0;
    for (int64_t a = ga__max(0, half - i); a < ga__min(f->size, m->height + half - i); a++) {
        for (int64_t d = ga__max(0, half - j); d < ga__min(f->size, m->width + half - j); d++) {
            int64_t pixel = (b * m->height + i + a - half) * m->width + j + d - half;
            sum += ga__element(f->weight, (c * f->size + a) * f->size + d) *
                   ga__element(f->x, pixel * m->channels + c);
        }
    }
    return sum;
}

static double gelu(double x)
{
    return x * 0.5 * erfc(-x * sqrt(0.5));
}

static double batch_norm(const image *m, int64_t c, double x)
{
    return (x - ga__element(m->bn[2], c)) / sqrt(ga__element(m->bn[3], c) + m->eps) *
               ga__element(m->bn[0], c) +
           ga__element(m->bn[1], c);
}

/* A row of the image. */
static void convolve_row(void *user, int64_t unit, double *room)
{
    const image *m = user;
    const filter *f = m->behind_first ? &m->first : &m->second;
    (void)room;
    for (int64_t j = 0; j < m->width; j++) {
        for (int64_t c = 0; c < m->channels; c++) {
            double x = convolve(m, f, unit / m->height, unit % m->height, j, c);
            x = m->behind_first ? batch_norm(m, c, gelu(x)) : x;
            ga__set_element(f->y, (unit * m->width + j) * m->channels + c, x);
        }
    }
}

static ga_status measure_filter(ga__block_run *run, image *m, const char *weight, const char *bias, filter *f)
{
    ga_status status = GA_OK;
    f->weight = ga__block_tensor(run, weight);
    f->bias = ga__block_tensor(run, bias);
    f->size = ga__axis_from_last(f->weight, 0);
    const int64_t axes[] = { m->channels, f->size, f->size };
    GA_TRY(ga__block_fits(run, weight, 3, axes));
    GA_TRY(ga__block_fits(run, bias, 1, &m->channels));
    if (f->size % 2 != 1) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "%s: %lld x %lld, expected an odd size", weight,
                        (long long)f->size, (long long)f->size));
    }
done:
    return status;
}

static ga_status measure(ga__block_run *run, image *m)
{
    static const char *const bn[] = { "bn_weight", "bn_bias", "bn_mean", "bn_var" };
    ga_status status = GA_OK;
    const DLTensor *x = ga__block_tensor(run, "x");
    const ga__value *shape = ga__part_value(&run->part, "shape");
    int64_t tokens = ga__axis_from_last(x, 1), product;
    const int64_t axes[] = { -1, -1, -1 };
    GA_TRY(ga__block_fits(run, "x", 3, axes));
    if (shape->count != 2 || !ga__mul(shape->list[0], shape->list[1], &product) || product != tokens) {
        GA_TRY(ga__part_refuse(&run->part, "shape", "Y,X with Y*X = %lld tokens", (long long)tokens));
    }
    *m = (image){ .batch = ga__axis_from_last(x, 2),
                  .height = shape->list[0],
                  .width = shape->list[1],
                  .channels = ga__axis_from_last(x, 0),
                  .eps = ga__block_real(run, "eps") };
    m->first.x = x;
    GA_TRY(measure_filter(run, m, "weight1", "bias1", &m->first));
    GA_TRY(measure_filter(run, m, "weight2", "bias2", &m->second));
    for (int i = 0; i < 4; i++) {
        GA_TRY(ga__block_fits(run, bn[i], 1, &m->channels));
        m->bn[i] = ga__block_tensor(run, bn[i]);
    }
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    image *m = run->state;
    GA_TRY(measure(run, m));
    GA_TRY(ga__block_temp(run, m->batch * m->height * m->width, m->channels, &m->first.y));
    GA_TRY(ga__block_output_make(run, "y", m->first.x->ndim, m->first.x->shape, &m->second.y));
    m->second.x = m->first.y;
    for (int i = 0; i < 2; i++) {
        m->behind_first = i == 0;
        GA_TRY(ga__units(run->context, m->batch * m->height, 1, convolve_row, m));
    }
done:
    return status;
}

static const struct ga__block_ops ops = { .state = sizeof(image), .forward = forward };

const ga_block ga__block_local_concentration = {
    .name = "local-concentration",
    .summary = "depthwise convolution, GELU, batch norm, depthwise convolution",
    .source = "The Linear Attention Resurrection in Vision Transformer, 2501.16182",
    .plan = "image block with zero border; batch norm at inference",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
