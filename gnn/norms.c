/* norms.c - layer and batch normalisation, forward and backward. */
#include "config.h"

#include <math.h>

#include "gnn/model.h"
#include "lib/engine/view.h"

#define EPSILON 1e-5
#define MOMENTUM 0.1

/* Rows of numbers, one a column, in one block. */
typedef struct columns {
    int64_t width;
    double *block;
    double *weight, *bias, *mean, *scale, *grad_weight,
        *grad_bias; /* grads beside each other: two sums of a pass */
} columns;

static ga_status load(ga_context *context, const DLTensor *tensor, double *out)
{
    ga__view view;
    ga_status status = ga__view_of(context, "norm", tensor, true, &view);
    if (status == GA_OK) {
        ga__view_load_f64(&view, 0, 0, 0, out);
    }
    return status;
}

static ga_status open_columns(ga_context *context, const ga__norm_run *norm, int64_t width, columns *c)
{
    ga_status status = GA_OK;
    int64_t numbers = 0;
    *c = (columns){ .width = width };
    if (!ga__mul(width, 6, &numbers)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "norm: %lld columns", (long long)width));
    }
    GA_TRY(GA_NEW_ZERO(context, numbers, &c->block));
    c->weight = c->block;
    c->bias = c->weight + width;
    c->mean = c->bias + width;
    c->scale = c->mean + width;
    c->grad_weight = c->scale + width;
    c->grad_bias = c->grad_weight + width;
    GA_TRY(load(context, norm->weight, c->weight));
    status = load(context, norm->bias, c->bias);
done:
    return status;
}

/* ---- statistics of columns ---- */

static void sum_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const columns *c = user;
    (void)row;
    (void)out;
    for (int64_t i = 0; i < c->width; i++) {
        sums[i] += in[0][i];
    }
}

static void square_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const columns *c = user;
    (void)row;
    (void)out;
    for (int64_t i = 0; i < c->width; i++) {
        double d = in[0][i] - c->mean[i];
        sums[i] += d * d;
    }
}

/* running = 0.9 running + 0.1 batch. */
static ga_status move(ga_context *context, DLTensor *running, const double *batch, double factor,
                      double *room, int64_t width)
{
    ga_status status = load(context, running, room);
    for (int64_t i = 0; status == GA_OK && i < width; i++) {
        room[i] = (1 - MOMENTUM) * room[i] + MOMENTUM * factor * batch[i];
    }
    return status == GA_OK ? ga__store(context, room, running) : status;
}

/* mean and, in scale, variance of the columns; two passes, since a difference of squares would cancel. */
static ga_status batch_statistics(ga_context *context, const ga__norm_run *norm, const DLTensor *y,
                                  columns *c)
{
    ga_status status = GA_OK;
    double rows = (double)y->shape[0];
    ga__row_work work = {
        .fn = sum_row, .user = c, .in = { y }, .rows = y->shape[0], .sum_count = c->width, .sums = c->mean
    };
    GA_TRY(ga__each_row(context, &work));
    for (int64_t i = 0; i < c->width; i++) {
        c->mean[i] /= rows;
    }
    work.fn = square_row;
    work.sums = c->scale;
    GA_TRY(ga__each_row(context, &work));
    for (int64_t i = 0; i < c->width; i++) {
        c->scale[i] /= rows;
    }
    GA_TRY(move(context, norm->mean, c->mean, 1, c->grad_weight, c->width));
    status =
        move(context, norm->variance, c->scale, rows > 1 ? rows / (rows - 1) : 1, c->grad_weight, c->width);
done:
    return status;
}

/* ---- forward ---- */

static void column_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const columns *c = user;
    (void)row;
    (void)sums;
    for (int64_t i = 0; i < c->width; i++) {
        out[0][i] = (in[0][i] - c->mean[i]) * c->scale[i];
        out[1][i] = out[0][i] * c->weight[i] + c->bias[i];
    }
}

static ga_status batch_forward(ga_context *context, ga__norm_run *norm, bool training, columns *c,
                               DLTensor *y, DLTensor *out)
{
    ga_status status = GA_OK;
    if (training) {
        GA_TRY(batch_statistics(context, norm, y, c));
    } else {
        GA_TRY(load(context, norm->mean, c->mean));
        GA_TRY(load(context, norm->variance, c->scale));
    }
    if (!norm->scale) {
        GA_TRY(GA_NEW(context, c->width, &norm->scale));
    }
    for (int64_t i = 0; i < c->width; i++) {
        norm->scale[i] = c->scale[i] = 1 / sqrt(c->scale[i] + EPSILON);
    }
    ga__row_work work = { .fn = column_row, .user = c, .in = { y }, .out = { y, out }, .rows = y->shape[0] };
    status = ga__each_row(context, &work);
done:
    return status;
}

static void layer_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const columns *c = user;
    double mean = 0, variance = 0;
    (void)row;
    (void)sums;
    for (int64_t i = 0; i < c->width; i++) {
        mean += in[0][i];
    }
    mean /= (double)c->width;
    for (int64_t i = 0; i < c->width; i++) {
        double d = in[0][i] - mean;
        variance += d * d;
    }
    double scale = 1 / sqrt(variance / (double)c->width + EPSILON);
    out[2][0] = scale;
    for (int64_t i = 0; i < c->width; i++) {
        out[0][i] = (in[0][i] - mean) * scale;
        out[1][i] = out[0][i] * c->weight[i] + c->bias[i];
    }
}

static ga_status layer_forward(ga_context *context, ga__norm_run *norm, const columns *c, DLTensor *y,
                               DLTensor *out)
{
    ga_status status = GA_OK;
    const int64_t shape[] = { y->shape[0], 1 };
    if (!norm->scales || norm->scales->shape[0] != shape[0]) {
        ga_tensor_destroy(context, norm->scales);
        norm->scales = NULL;
        GA_TRY(ga_tensor_create(context, (DLDataType){ .code = kDLFloat, .bits = 64, .lanes = 1 }, 2, shape,
                                &norm->scales));
    }
    ga__row_work work = {
        .fn = layer_row, .user = c, .in = { y }, .out = { y, out, norm->scales }, .rows = y->shape[0]
    };
    status = ga__each_row(context, &work);
done:
    return status;
}

ga_status ga__norm_forward(ga_context *context, ga__norm_run *norm, bool training, DLTensor *y, DLTensor *out)
{
    ga_status status = GA_OK;
    columns c;
    GA_TRY(open_columns(context, norm, y->shape[1], &c));
    if (y->shape[0] > 0) {
        status = norm->kind == GA__NORM_BATCH ? batch_forward(context, norm, training, &c, y, out)
                                              : layer_forward(context, norm, &c, y, out);
    }
done:
    ga_free(context, c.block);
    return status;
}

/* ---- backward ---- */

/* in: g, y; sums: of g y, of g. */
static void add_sums(const columns *c, double *const *in, double *sums)
{
    for (int64_t i = 0; i < c->width; i++) {
        sums[i] += in[0][i] * in[1][i];
        sums[c->width + i] += in[0][i];
    }
}

static void sums_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    (void)row;
    (void)out;
    add_sums(user, in, sums);
}

/* scale weight (g - mean of g - y mean of g y), means over the column; they stand in grad_bias and grad_weight. */
static void column_backward_row(const void *user, int64_t row, double *const *in, double *const *out,
                                double *sums)
{
    const columns *c = user;
    (void)row;
    (void)sums;
    for (int64_t i = 0; i < c->width; i++) {
        double centred = in[0][i] - c->grad_bias[i] - in[1][i] * c->grad_weight[i];
        out[0][i] = c->scale[i] * c->weight[i] * centred;
    }
}

/* The same with g weight in place of g and means over the row. */
static void layer_backward_row(const void *user, int64_t row, double *const *in, double *const *out,
                               double *sums)
{
    const columns *c = user;
    double mean = 0, along = 0;
    (void)row;
    add_sums(c, in, sums);
    for (int64_t i = 0; i < c->width; i++) {
        mean += in[0][i] * c->weight[i];
        along += in[0][i] * c->weight[i] * in[1][i];
    }
    mean /= (double)c->width;
    along /= (double)c->width;
    for (int64_t i = 0; i < c->width; i++) {
        out[0][i] = in[2][0] * (in[0][i] * c->weight[i] - mean - in[1][i] * along);
    }
}

static ga_status run_backward(ga_context *context, const ga__norm_run *norm, columns *c, const DLTensor *y,
                              DLTensor *grad, DLTensor *grad_weight, DLTensor *grad_bias)
{
    ga_status status = GA_OK;
    bool batch = norm->kind == GA__NORM_BATCH;
    ga__row_work work = { .fn = batch ? sums_row : layer_backward_row,
                          .user = c,
                          .in = { grad, y, batch ? NULL : norm->scales },
                          .out = { batch ? NULL : grad },
                          .rows = y->shape[0],
                          .sum_count = 2 * c->width,
                          .sums = c->grad_weight };
    GA_TRY(ga__each_row(context, &work));
    GA_TRY(ga__store(context, c->grad_weight, grad_weight));
    GA_TRY(ga__store(context, c->grad_bias, grad_bias));
    if (batch && y->shape[0] > 0) {
        for (int64_t i = 0; i < c->width; i++) {
            c->scale[i] = norm->scale[i];
            c->grad_weight[i] /= (double)y->shape[0];
            c->grad_bias[i] /= (double)y->shape[0];
        }
        work = (ga__row_work){
            .fn = column_backward_row, .user = c, .in = { grad, y }, .out = { grad }, .rows = y->shape[0]
        };
        GA_TRY(ga__each_row(context, &work));
    }
done:
    return status;
}

ga_status ga__norm_backward(ga_context *context, const ga__norm_run *norm, const DLTensor *y, DLTensor *grad,
                            DLTensor *grad_weight, DLTensor *grad_bias)
{
    ga_status status = GA_OK;
    columns c;
    GA_TRY(open_columns(context, norm, y->shape[1], &c));
    status = run_backward(context, norm, &c, y, grad, grad_weight, grad_bias);
done:
    ga_free(context, c.block);
    return status;
}
