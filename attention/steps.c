/* steps.c - what is done to tensors before and behind the engine, with its backward. */
#include "config.h"

#include <string.h>

#include "attention/plan.h"
#include "lib/base/workers.h"
#include "lib/engine/activate/activate.h"
#include "lib/engine/isa.h"
#include "lib/engine/rowwise/rowwise.h"

void ga__step_before(ga__job *run, ga__step step)
{
    run->before[run->before_count++] = step;
}

void ga__step_behind(ga__job *run, ga__step step)
{
    run->behind[run->behind_count++] = step;
}

void ga__step_replace(ga__job *run, ga__step *step, DLTensor *result)
{
    ga__slot *slot = &run->slots[step->slot];
    step->before = slot->made;
    step->before_view = slot->tensor;
    slot->made = result;
    slot->tensor = result;
}

void ga__step_replace_o(ga__job *run, ga__step *step, DLTensor *result)
{
    step->before = run->o;
    step->before_view = run->o;
    run->o = result;
}

void ga__step_replace_grad(ga__job *run, const ga__step *step, DLTensor *result)
{
    ga__slot *slot = &run->slots[step->slot];
    ga_tensor_destroy(run->context, slot->grad);
    slot->grad = result;
}

/* ---- row by row, on several threads ---- */

/* Reads a row of one or two tensors and writes one of a result; all in double precision. */
typedef void (*row_fn)(const ga__step *step, int64_t count, const double *x, const double *y, double *out);

/* The same in single precision; false where the row is left to the other. */
typedef bool (*float_fn)(ga_context *context, const ga__step *step, int64_t count, const float *x,
                         float *out);

typedef struct row_job {
    ga_context *context;
    const ga__step *step;
    row_fn body;
    float_fn floats;             /* of rows of one tensor; NULL: none */
    const ga__view *x, *y, *out; /* y without data: none */
    int64_t next;
    int failed;
} row_job;

enum { ROWS_A_CLAIM = 64 };

static void do_row(row_job *job, int64_t row, double *room)
{
    const ga__view *x = job->x, *out = job->out;
    int64_t r = row % x->rows, h = row / x->rows % x->heads, b = row / x->rows / x->heads, n = x->columns;
    if (job->floats && x->type == GA__F32 && out->type == GA__F32 &&
        job->floats(job->context, job->step, n, ga__view_row(x, b, h, r), ga__view_row(out, b, h, r))) {
        return;
    }
    ga__view_load_f64(x, b, h, r, room);
    if (job->y->data) {
        ga__view_load_f64(job->y, b, h, r, room + n);
    }
    job->body(job->step, n, room, room + n, room + 2 * n);
    ga__view_store_f64(out, b, h, r, room + 2 * n);
}

static void do_rows(void *user, int worker)
{
    row_job *job = user;
    double *room = NULL;
    int64_t rows = job->x->batch * job->x->heads * job->x->rows, size = 0;
    (void)worker;
    ga_status status = ga__mul(job->x->columns, 3, &size) ? GA_NEW(job->context, size, &room) : GA_OVERFLOW;
    ga__note_status(&job->failed, status);
    while (!ga__stopped(job->context, &job->failed)) {
        int64_t first = ga__claim(&job->next) * ROWS_A_CLAIM;
        if (first >= rows) {
            break;
        }
        for (int64_t row = first; row < ga__min(first + ROWS_A_CLAIM, rows); row++) {
            do_row(job, row, room);
        }
    }
    ga_free(job->context, room);
}

/* out may be x or y. */
static ga_status map_rows(ga__job *run, const ga__step *step, row_fn body, float_fn floats, const DLTensor *x,
                          const DLTensor *y, DLTensor *out)
{
    ga_status status = GA_OK;
    ga__view of_x, of_y, of_out;
    const char *name = run->slots[step->slot].name;
    GA_TRY(ga__view_of(run->context, name, x, true, &of_x));
    GA_TRY(ga__view_of(run->context, name, y, true, &of_y));
    GA_TRY(ga__view_of(run->context, name, out, true, &of_out));
    row_job job = { run->context, step, body, floats, &of_x, &of_y, &of_out, 0, GA_OK };
    int64_t rows = of_x.batch * of_x.heads * of_x.rows;
    ga__workers(run->context, ga__threads_for(run->context, rows / ROWS_A_CLAIM + 1), do_rows, &job);
    status = ga__noted_status(&job.failed);
    if (status == GA_CANCELLED) {
        status = ga__check(run->context);
    }
done:
    return status;
}

static ga_status replace_rows(ga__job *run, ga__step *step, row_fn body, float_fn floats)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    const DLTensor *x = run->slots[step->slot].tensor;
    GA_TRY(ga__tensor_new(run, x->ndim, x->shape, &made));
    GA_TRY(map_rows(run, step, body, floats, x, NULL, made));
    ga__step_replace(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status back_rows(ga__job *run, ga__step *step, row_fn body)
{
    DLTensor *grad = run->slots[step->slot].grad;
    return map_rows(run, step, body, NULL, step->before_view, grad, grad);
}

/* ---- l2 norm: y = x / max(|x|, 1e-12), dx = (dy - y <y, dy>) / |x| ---- */

static double row_norm(int64_t count, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += x[i] * x[i];
    }
    return sqrt(sum);
}

static void normalise(const ga__step *step, int64_t count, const double *x, const double *y, double *out)
{
    double norm = row_norm(count, x);
    (void)step, (void)y;
    norm = norm < 1e-12 ? 1e-12 : norm; /* NaN stays */
    for (int64_t i = 0; i < count; i++) {
        out[i] = x[i] / norm;
    }
}

static bool normalise_floats(ga_context *context, const ga__step *step, int64_t count, const float *x,
                             float *out)
{
    (void)step;
    return GA__CHOOSE(context, ga__activate)->unit(x, out, count);
}

static void normalise_back(const ga__step *step, int64_t count, const double *x, const double *dy,
                           double *out)
{
    double norm = row_norm(count, x), along = 0;
    bool tiny = norm < 1e-12; /* there it is x / 1e-12 */
    (void)step;
    norm = tiny ? 1e-12 : norm;
    for (int64_t i = 0; i < count; i++) {
        along += x[i] / norm * dy[i];
    }
    for (int64_t i = 0; i < count; i++) {
        out[i] = (dy[i] - (tiny ? 0 : x[i] / norm * along)) / norm;
    }
}

static ga_status normalise_forward(ga__job *run, ga__step *step)
{
    return replace_rows(run, step, normalise, normalise_floats);
}

static ga_status normalise_backward(ga__job *run, ga__step *step)
{
    return back_rows(run, step, normalise_back);
}

ga__step ga__step_normalise(int slot)
{
    return (ga__step){ .forward = normalise_forward, .backward = normalise_backward, .slot = slot };
}

/* ---- feature maps ---- */

const char *const ga__feature_words[] = { [GA__ELU1] = "elu1",
                                          [GA__RELU] = "relu",
                                          [GA__SILU] = "silu",
                                          [GA__LEAKY_RELU] = "leaky-relu",
                                          [GA__EXP] = "exp",
                                          [GA__IDENTITY_FEATURE] = "identity",
                                          NULL };

static double logistic(double x)
{
    double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static double feature_of(ga__feature feature, double gain, double x)
{
    switch (feature) {
    case GA__ELU1: return x > 0 ? x + 1 : exp(x);
    case GA__RELU: return x < 0 ? 0 : x;
    case GA__SILU: return x * logistic(x);
    case GA__LEAKY_RELU: return x < 0 ? 0.01 * x : x;
    case GA__EXP: return exp(gain * x);
    case GA__IDENTITY_FEATURE: break;
    }
    return x;
}

static double feature_slope(ga__feature feature, double gain, double x)
{
    switch (feature) {
    case GA__ELU1: return x > 0 ? 1 : exp(x);
    case GA__RELU: return x > 0 ? 1 : 0;
    case GA__SILU: {
        double s = logistic(x);
        return s * (1 + x * (1 - s));
    }
    case GA__LEAKY_RELU: return x > 0 ? 1 : 0.01;
    case GA__EXP: return gain * exp(gain * x);
    case GA__IDENTITY_FEATURE: break;
    }
    return 1;
}

static void feature_row(const ga__step *step, int64_t count, const double *x, const double *y, double *out)
{
    (void)y;
    for (int64_t i = 0; i < count; i++) {
        out[i] = feature_of((ga__feature)step->kind, step->gain, x[i]);
    }
}

static bool feature_floats(ga_context *context, const ga__step *step, int64_t count, const float *x,
                           float *out)
{
    const ga__activate_kernels *kernels = GA__CHOOSE(context, ga__activate);
    switch ((ga__feature)step->kind) {
    case GA__ELU1: kernels->elu1(x, out, count); return true;
    case GA__SILU: kernels->silu(x, out, count); return true;
    case GA__EXP: kernels->exponential((float)step->gain, x, out, count); return true;
    case GA__RELU: GA__CHOOSE(context, ga__rowwise)->relu[0](count, x, out); return true;
    default: return false;
    }
}

static void feature_row_back(const ga__step *step, int64_t count, const double *x, const double *dy,
                             double *out)
{
    for (int64_t i = 0; i < count; i++) {
        out[i] = dy[i] * feature_slope((ga__feature)step->kind, step->gain, x[i]);
    }
}

static ga_status feature_forward(ga__job *run, ga__step *step)
{
    return replace_rows(run, step, feature_row, feature_floats);
}

static ga_status feature_backward(ga__job *run, ga__step *step)
{
    return back_rows(run, step, feature_row_back);
}

ga__step ga__step_feature(int slot, ga__feature feature, double gain)
{
    return (ga__step){ .forward = feature_forward,
                       .backward = feature_backward,
                       .slot = slot,
                       .kind = (int)feature,
                       .gain = gain };
}

/* ---- o times a factor for every head and channel ---- */

/* body gets factor and o (or its gradient) of every element, and changes o in place. */
static ga_status scale_channels(ga__job *run, const ga__step *step, DLTensor *o)
{
    ga_status status = GA_OK;
    ga__view factor, of_o;
    double *row = NULL, *factors = NULL;
    GA_TRY(ga__view_of(run->context, "factors", run->slots[step->slot].tensor, true, &factor));
    GA_TRY(ga__view_of(run->context, "o", o, true, &of_o));
    GA_TRY(GA_NEW(run->context, of_o.columns, &row));
    GA_TRY(GA_NEW(run->context, of_o.columns, &factors));
    for (int64_t b = 0; b < of_o.batch; b++) {
        for (int64_t h = 0; h < of_o.heads; h++) {
            ga__view_load_f64(&factor, 0, 0, h, factors);
            for (int64_t r = 0; r < of_o.rows; r++) {
                ga__view_load_f64(&of_o, b, h, r, row);
                for (int64_t c = 0; c < of_o.columns; c++) {
                    row[c] *= factors[c];
                }
                ga__view_store_f64(&of_o, b, h, r, row);
            }
        }
    }
done:
    ga_free(run->context, row);
    ga_free(run->context, factors);
    return status;
}

/* d factor_hc = sum over batch and queries of o grad_o. */
static ga_status channel_gradient(ga__job *run, const ga__step *step)
{
    ga_status status = GA_OK;
    ga__view grad, o, to;
    double *sum = NULL;
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &grad));
    GA_TRY(ga__view_of(run->context, "o", step->before_view, true, &o));
    GA_TRY(ga__view_of(run->context, "factors", run->slots[step->slot].grad, true, &to));
    GA_TRY(GA_NEW(run->context, o.columns, &sum));
    for (int64_t h = 0; h < o.heads; h++) {
        memset(sum, 0, (size_t)o.columns * sizeof *sum);
        for (int64_t b = 0; b < o.batch; b++) {
            for (int64_t r = 0; r < o.rows; r++) {
                for (int64_t c = 0; c < o.columns; c++) {
                    sum[c] += ga__view_get(&o, b, h, r, c) * ga__view_get(&grad, b, h, r, c);
                }
            }
        }
        ga__view_store_f64(&to, 0, 0, h, sum);
    }
done:
    ga_free(run->context, sum);
    return status;
}

static ga_status channel_forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    GA_TRY(ga__tensor_cast(run->context, "o", run->o, run->working, &made));
    GA_TRY(scale_channels(run, step, made));
    step->before = run->o;
    step->before_view = run->o;
    run->o = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status channel_backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    if (run->slots[step->slot].grad) {
        GA_TRY(channel_gradient(run, step));
    }
    status = scale_channels(run, step, run->grad_o);
done:
    return status;
}

ga__step ga__step_channel_scale(int slot)
{
    return (ga__step){ .forward = channel_forward, .backward = channel_backward, .slot = slot };
}
