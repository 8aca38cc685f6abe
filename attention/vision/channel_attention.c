/* channel_attention.c - channels gated by their means (attention-static section 18).
 *
 * y = x g,  g = sigmoid(W2 h + b2),  h = relu(W1 t + b1),  t the mean of every channel over its group: an image, or a
 * segment of rows. HAT's block convolves first: x <- conv2(gelu(conv1(x))). Backward: d2 = (sum dy x) g (1 - g),
 * d1 = (W2' d2) [h > 0], dx = g dy + W1' d1 / members of the group. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/vision/convolution.h"
#include "attention/vision/segments.h"

static const ga_tensor_slot tensors[] = {
    { "x", "(B, C, H, W) or (N, C)", "input", .differentiable = true },
    { "w1", "(Cr, C)", "squeeze", .differentiable = true },
    { "b1", "(Cr)", "bias of w1", .differentiable = true },
    { "w2", "(C, Cr)", "excite", .differentiable = true },
    { "b2", "(C)", "bias of w2", .differentiable = true },
    { "conv1_w", "(Cm, C, 3, 3)", "first convolution; all four or none", .optional = true,
      .differentiable = true },
    { "conv1_b", "(Cm)", "its bias", .optional = true, .differentiable = true },
    { "conv2_w", "(C, Cm, 3, 3)", "second convolution", .optional = true, .differentiable = true },
    { "conv2_b", "(C)", "its bias", .optional = true, .differentiable = true },
    { "segments", "i64 (N)", "segment of every row of x (N, C)", .optional = true },
    { .name = NULL },
};

typedef struct gating {
    int64_t groups, channels, squeezed, middle; /* groups: images or segments */
    ga__image size;                             /* images alone */
    int64_t rows;                               /* segments alone */
    bool segmented, convolved;
    ga__segments segments;     /* owned by the call of forward or backward */
    const DLTensor *x;         /* what is gated */
    DLTensor *before, *active; /* between the convolutions: before and behind gelu */
    DLTensor *t, *h, *g;       /* (groups, C), (groups, Cr), (groups, C) */
    DLTensor *sums;            /* (groups, C): of dy x */
} gating;

static int64_t pixels_of(const gating *a)
{
    return a->size.height * a->size.width;
}

/* ---- sums over groups ---- */

typedef struct pass {
    const gating *a;
    const DLTensor *x, *y, *g,
        *mean; /* y: factor of the sum; mean: what a group adds to each of its members */
    DLTensor *out;
    bool average;
} pass;

static void sum_plane(void *user, int64_t unit, double *room)
{
    const pass *p = user;
    int64_t pixels = pixels_of(p->a);
    double sum = 0;
    (void)room;
    for (int64_t i = unit * pixels; i < (unit + 1) * pixels; i++) {
        sum += ga__element(p->x, i) * (p->y ? ga__element(p->y, i) : 1);
    }
    ga__set_element(p->out, unit, p->average ? sum / (double)ga__max(pixels, 1) : sum);
}

static void sum_segment(void *user, int64_t segment, double *room)
{
    const pass *p = user;
    const gating *a = p->a;
    int64_t first = a->segments.offsets[segment], last = a->segments.offsets[segment + 1];
    memset(room, 0, (size_t)a->channels * sizeof *room);
    for (int64_t m = first; m < last; m++) {
        int64_t at = a->segments.order[m] * a->channels;
        for (int64_t c = 0; c < a->channels; c++) {
            room[c] += ga__element(p->x, at + c) * (p->y ? ga__element(p->y, at + c) : 1);
        }
    }
    for (int64_t c = 0; c < a->channels; c++) {
        double value = p->average ? room[c] / (double)ga__max(last - first, 1) : room[c];
        ga__set_element(p->out, segment * a->channels + c, value);
    }
}

/* out (groups, C) = sum, or mean, of x y over the members of a group. */
static ga_status sum_groups(ga__block_run *run, const gating *a, const DLTensor *x, const DLTensor *y,
                            bool average, DLTensor *out)
{
    pass p = { .a = a, .x = x, .y = y, .out = out, .average = average };
    return a->segmented ? ga__units(run->context, a->groups, a->channels, sum_segment, &p)
                        : ga__units(run->context, a->groups * a->channels, 0, sum_plane, &p);
}

static void scale_plane(void *user, int64_t unit, double *room)
{
    const pass *p = user;
    int64_t pixels = pixels_of(p->a);
    double g = ga__element(p->g, unit);
    double more = p->mean ? ga__element(p->mean, unit) / (double)ga__max(pixels, 1) : 0;
    (void)room;
    for (int64_t i = unit * pixels; i < (unit + 1) * pixels; i++) {
        ga__set_element(p->out, i, ga__element(p->x, i) * g + more);
    }
}

static void scale_segment(void *user, int64_t segment, double *room)
{
    const pass *p = user;
    const gating *a = p->a;
    int64_t first = a->segments.offsets[segment], last = a->segments.offsets[segment + 1];
    (void)room;
    for (int64_t m = first; m < last; m++) {
        for (int64_t c = 0; c < a->channels; c++) {
            int64_t at = a->segments.order[m] * a->channels + c, of = segment * a->channels + c;
            double more = p->mean ? ga__element(p->mean, of) / (double)(last - first) : 0;
            ga__set_element(p->out, at, ga__element(p->x, at) * ga__element(p->g, of) + more);
        }
    }
}

/* out = x g, plus an equal share of mean for every member. */
static ga_status scale_groups(ga__block_run *run, const gating *a, const DLTensor *x, const DLTensor *mean,
                              DLTensor *out)
{
    pass p = { .a = a, .x = x, .g = a->g, .mean = mean, .out = out };
    return a->segmented ? ga__units(run->context, a->groups, 0, scale_segment, &p)
                        : ga__units(run->context, a->groups * a->channels, 0, scale_plane, &p);
}

/* ---- gelu(x) = x Phi(x) ---- */

enum { ELEMENTS = 1 << 12 };

typedef struct elements {
    int64_t count;
    const DLTensor *x, *dy; /* dy NULL: forward */
    DLTensor *out;
} elements;

static void gelu(void *user, int64_t unit, double *room)
{
    const elements *e = user;
    const double root = sqrt(0.5), density = 0.3989422804014326779; /* 1 / sqrt(2 pi) */
    (void)room;
    for (int64_t i = unit * ELEMENTS; i < ga__min((unit + 1) * ELEMENTS, e->count); i++) {
        double x = ga__element(e->x, i), phi = 0.5 * erfc(-x * root);
        double slope = phi + x * density * exp(-x * x / 2);
        ga__set_element(e->out, i, e->dy ? ga__element(e->dy, i) * slope : x * phi);
    }
}

static ga_status apply_gelu(ga__block_run *run, const gating *a, const DLTensor *x, const DLTensor *dy,
                            DLTensor *out)
{
    elements e = { .count = a->size.images * a->middle * pixels_of(a), .x = x, .dy = dy, .out = out };
    return ga__units(run->context, (e.count + ELEMENTS - 1) / ELEMENTS, 0, gelu, &e);
}

/* ---- the two maps of the means: small ---- */

/* z (rows, columns) <- relu or sigmoid of z + b. */
static void activate(DLTensor *z, const DLTensor *b, bool sigmoid)
{
    int64_t columns = z->shape[1];
    for (int64_t i = 0; i < z->shape[0] * columns; i++) {
        double value = ga__element(z, i) + ga__element(b, i % columns);
        ga__set_element(z, i, sigmoid ? 1 / (1 + exp(-value)) : value < 0 ? 0 : value); /* NaN stays */
    }
}

static ga_status make_gate(ga__block_run *run, gating *a)
{
    ga_status status = GA_OK;
    const DLTensor *w1 = ga__block_tensor(run, "w1"), *w2 = ga__block_tensor(run, "w2");
    GA_TRY(ga__block_temp(run, a->groups, a->channels, &a->t));
    GA_TRY(ga__block_temp(run, a->groups, a->squeezed, &a->h));
    GA_TRY(ga__block_temp(run, a->groups, a->channels, &a->g));
    GA_TRY(sum_groups(run, a, a->x, NULL, true, a->t));
    int64_t shapes[2][2];
    DLTensor of_w1 = ga__as_matrix(w1, a->squeezed, a->channels, shapes[0]);
    DLTensor of_w2 = ga__as_matrix(w2, a->channels, a->squeezed, shapes[1]);
    GA_TRY(ga_gemm(run->context, false, true, 1, a->t, &of_w1, 0, a->h));
    activate(a->h, ga__block_tensor(run, "b1"), false);
    GA_TRY(ga_gemm(run->context, false, true, 1, a->h, &of_w2, 0, a->g));
    activate(a->g, ga__block_tensor(run, "b2"), true);
done:
    return status;
}

/* ---- shapes ---- */

static ga_status check_shapes(ga__block_run *run, gating *a)
{
    ga_status status = GA_OK;
    a->squeezed = ga__axis_from_last(ga__block_given(run, "w1"), 1);
    const int64_t w1[] = { -1, a->channels }, w2[] = { a->channels, a->squeezed };
    GA_TRY(ga__block_fits(run, "w1", 2, w1));
    GA_TRY(ga__block_fits(run, "b1", 1, &a->squeezed));
    GA_TRY(ga__block_fits(run, "w2", 2, w2));
    GA_TRY(ga__block_fits(run, "b2", 1, &a->channels));
    if (a->convolved) {
        const DLTensor *conv = ga__block_given(run, "conv1_w");
        a->middle = conv->ndim == 4 ? conv->shape[0] : 1;
        const int64_t first[] = { -1, a->channels, 3, 3 }, second[] = { a->channels, a->middle, 3, 3 };
        GA_TRY(conv->ndim == 4 ? GA_OK : ga__fail(run->context, GA_INVALID, "conv1_w: 4 axes expected"));
        GA_TRY(ga__block_given(run, "conv2_w")->ndim == 4
                   ? GA_OK
                   : ga__fail(run->context, GA_INVALID, "conv2_w: 4 axes expected"));
        GA_TRY(ga__block_fits(run, "conv1_w", 4, first));
        GA_TRY(ga__block_fits(run, "conv1_b", 1, &a->middle));
        GA_TRY(ga__block_fits(run, "conv2_w", 4, second));
        GA_TRY(ga__block_fits(run, "conv2_b", 1, &a->channels));
    }
done:
    return status;
}

static ga_status measure(ga__block_run *run, gating *a)
{
    static const char *const convolutions[] = { "conv1_w", "conv1_b", "conv2_w", "conv2_b", NULL };
    ga_status status = GA_OK;
    const DLTensor *x = ga__block_tensor(run, "x");
    a->x = x;
    a->segmented = ga__block_given(run, "segments") != NULL;
    GA_TRY(ga__block_together(run, convolutions, &a->convolved));
    if (a->segmented && a->convolved) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "channel-attention: segments go without convolutions"));
    }
    if (a->segmented ? x->ndim != 2 : x->ndim != 3 && x->ndim != 4) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "x: %d axes, expected %s", x->ndim,
                        a->segmented ? "2 with segments: (N, C)" : "4: (B, C, H, W); (N, C) needs segments"));
    }
    if (a->segmented) {
        a->rows = x->shape[0];
        a->channels = x->shape[1];
    } else {
        a->channels = ga__axis_from_last(x, 2);
        a->size = (ga__image){ ga__axis_from_last(x, 3), ga__axis_from_last(x, 1), ga__axis_from_last(x, 0) };
        a->groups = a->size.images;
    }
    status = check_shapes(run, a);
done:
    return status;
}

static ga_status take_segments(ga__block_run *run, gating *a)
{
    ga_status status = GA_OK;
    int64_t *ids = NULL;
    if (a->segmented) {
        GA_TRY(ga__block_integers(run, "segments", a->rows, &ids));
        GA_TRY(ga__segments_make(run->context, "segments", a->rows, ids, &a->segments));
        a->groups = a->segments.count;
    }
done:
    ga_free(run->context, ids);
    return status;
}

/* ---- forward and backward ---- */

static ga_status convolve(ga__block_run *run, gating *a)
{
    ga_status status = GA_OK;
    DLTensor *x = NULL;
    int64_t pixels = pixels_of(a), images = a->size.images;
    GA_TRY(ga__block_temp(run, images * a->middle, pixels, &a->before));
    GA_TRY(ga__block_temp(run, images * a->middle, pixels, &a->active));
    GA_TRY(ga__block_temp(run, images * a->channels, pixels, &x));
    GA_TRY(ga__convolve(run, a->size, a->x, ga__block_tensor(run, "conv1_w"),
                        ga__block_tensor(run, "conv1_b"), a->before));
    GA_TRY(apply_gelu(run, a, a->before, NULL, a->active));
    GA_TRY(ga__convolve(run, a->size, a->active, ga__block_tensor(run, "conv2_w"),
                        ga__block_tensor(run, "conv2_b"), x));
    a->x = x;
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    gating *a = run->state;
    DLTensor *y = NULL, *gate = NULL;
    GA_TRY(measure(run, a));
    GA_TRY(take_segments(run, a));
    if (a->convolved) {
        GA_TRY(convolve(run, a));
    }
    GA_TRY(make_gate(run, a));
    if (ga__block_wants(run, "gate")) {
        GA_TRY(ga__block_output_make(run, "gate", 2, a->g->shape, &gate));
        memcpy(gate->data, a->g->data, (size_t)(a->groups * a->channels) * (gate->dtype.bits / 8));
    }
    if (ga__block_wants(run, "y")) {
        const DLTensor *x = ga__block_given(run, "x");
        GA_TRY(ga__block_output_make(run, "y", x->ndim, x->shape, &y));
        GA_TRY(scale_groups(run, a, a->x, NULL, y));
    }
done:
    ga__segments_free(run->context, &a->segments);
    return status;
}

/* Sum of the rows of d, if it is wanted. */
static void sum_rows(const DLTensor *d, DLTensor *out)
{
    int64_t columns = d->shape[1];
    for (int64_t c = 0; out && c < columns; c++) {
        double sum = 0;
        for (int64_t r = 0; r < d->shape[0]; r++) {
            sum += ga__element(d, r * columns + c);
        }
        ga__set_element(out, c, sum);
    }
}

/* z <- z times the slope of what gave y. */
static void slope(DLTensor *z, const DLTensor *y, bool sigmoid)
{
    for (int64_t i = 0; i < z->shape[0] * z->shape[1]; i++) {
        double of = ga__element(y, i);
        ga__set_element(z, i, ga__element(z, i) * (sigmoid ? of * (1 - of) : of > 0));
    }
}

/* From a->sums, the gradient of the gate, to those of the maps and, in dt, of the means. */
static ga_status gate_backward(ga__block_run *run, gating *a, DLTensor *dt)
{
    ga_status status = GA_OK;
    const DLTensor *w1 = ga__block_tensor(run, "w1"), *w2 = ga__block_tensor(run, "w2");
    DLTensor *d1 = NULL, *dw1 = ga__block_grad(run, "w1"), *dw2 = ga__block_grad(run, "w2");
    int64_t shapes[4][2];
    DLTensor of_w1 = ga__as_matrix(w1, a->squeezed, a->channels, shapes[0]);
    DLTensor of_w2 = ga__as_matrix(w2, a->channels, a->squeezed, shapes[1]);
    slope(a->sums, a->g, true);
    GA_TRY(ga__block_temp(run, a->groups, a->squeezed, &d1));
    GA_TRY(ga_gemm(run->context, false, false, 1, a->sums, &of_w2, 0, d1));
    slope(d1, a->h, false);
    GA_TRY(ga_gemm(run->context, false, false, 1, d1, &of_w1, 0, dt));
    if (dw1) {
        DLTensor to = ga__as_matrix(dw1, a->squeezed, a->channels, shapes[2]);
        GA_TRY(ga_gemm(run->context, true, false, 1, d1, a->t, 0, &to));
    }
    if (dw2) {
        DLTensor to = ga__as_matrix(dw2, a->channels, a->squeezed, shapes[3]);
        GA_TRY(ga_gemm(run->context, true, false, 1, a->sums, a->h, 0, &to));
    }
    sum_rows(d1, ga__block_grad(run, "b1"));
    sum_rows(a->sums, ga__block_grad(run, "b2"));
done:
    return status;
}

/* dx is the gradient of what the convolutions made. */
static ga_status convolve_backward(ga__block_run *run, gating *a, const DLTensor *dx)
{
    ga_status status = GA_OK;
    DLTensor *dm = NULL;
    GA_TRY(ga__block_temp(run, a->size.images * a->middle, pixels_of(a), &dm));
    GA_TRY(ga__convolve_backward(run, a->size, a->active, ga__block_tensor(run, "conv2_w"), dx, dm,
                                 ga__block_grad(run, "conv2_w"), ga__block_grad(run, "conv2_b")));
    GA_TRY(apply_gelu(run, a, a->before, dm, dm));
    GA_TRY(ga__convolve_backward(run, a->size, ga__block_tensor(run, "x"), ga__block_tensor(run, "conv1_w"),
                                 dm, ga__block_grad(run, "x"), ga__block_grad(run, "conv1_w"),
                                 ga__block_grad(run, "conv1_b")));
done:
    return status;
}

static ga_status backward(ga__block_run *run)
{
    ga_status status = GA_OK;
    gating *a = run->state;
    DLTensor *dt = NULL, *dx = ga__block_grad(run, "x");
    GA_TRY(take_segments(run, a));
    GA_TRY(ga__block_temp(run, a->groups, a->channels, &a->sums));
    GA_TRY(ga__block_temp(run, a->groups, a->channels, &dt));
    GA_TRY(sum_groups(run, a, a->x, run->grad_y, false, a->sums));
    GA_TRY(gate_backward(run, a, dt));
    if (a->convolved) {
        GA_TRY(ga__block_temp(run, a->size.images * a->channels, pixels_of(a), &dx));
    }
    if (dx) {
        GA_TRY(scale_groups(run, a, run->grad_y, dt, dx));
    }
    if (a->convolved) {
        GA_TRY(convolve_backward(run, a, dx));
    }
done:
    ga__segments_free(run->context, &a->segments);
    return status;
}

static const ga__block_ops ops = { .state = sizeof(gating), .forward = forward, .backward = backward };

const ga_block ga__block_channel_attention = {
    .name = "channel-attention",
    .summary =
        "gate of the channels from their means (squeeze-excite), after HAT's convolutions or by segment",
    .source = "HAT, 2309.05239; ResNet-RS, 2103.07579",
    .plan = "mean over an image or a segment, two small matrix products, multiply",
    .outputs = "y, gate",
    .tensors = tensors,
    .ops = &ops,
};
