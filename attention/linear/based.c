/* based.c - second-order Taylor linear attention, window attention, and their hybrid (attention-linear card 10).
 *
 * taylor: weights 1 + t + t^2 / 2, t = scale q . k, by features; symmetric [1, s x, s^2 x_i x_j (i < j), s^2 x_i^2 / sqrt 2]
 * or full [1, s x, s^2 x_i x_j / sqrt 2], s = sqrt(scale). hybrid: factor exp(t) on the last `window` keys, the Taylor
 * weight on older ones, one row sum; backward dt_j = w'(t_j) dO . (v_j - o) / sum. */
#include "config.h"

#include "attention/decode.h"
#include "attention/linear/rows.h"

enum { MODE_TAYLOR, MODE_WINDOW, MODE_HYBRID };
static const char *const mode_words[] = {
    [MODE_TAYLOR] = "taylor", [MODE_WINDOW] = "window", [MODE_HYBRID] = "hybrid", NULL
};
enum { FORM_SYMMETRIC, FORM_FULL };
static const char *const form_words[] = { [FORM_SYMMETRIC] = "symmetric", [FORM_FULL] = "full", NULL };

static const ga_parameter parameters[] = {
    { "mode", GA_PARAMETER_WORD, "taylor", NULL, "operator", mode_words, GA__ANY },
    { "form", GA_PARAMETER_WORD, "symmetric", NULL, "layout of features and state", form_words, GA__ANY },
    { "window", GA_PARAMETER_INT, "0", ">= 1 in window and hybrid", "keys of the exact part, own included",
      GA__FROM(0) },
    { "normalise", GA_PARAMETER_BOOL, "1", NULL, "divide by the row sum (taylor)", GA__ANY },
    GA__CHUNK,
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "window_factor", "(H)", "weight of the exact part in hybrid, default 1", .optional = true },
    { "initial_state", "(B, G, F, e+1) or (B, G, F, e); F = 1+d+d(d+1)/2 or 1+d+d^2", "state to start from",
      .optional = true },
    { .name = NULL },
};

/* ---- features ---- */

typedef struct taylor {
    int form;
    int64_t d;
    double scale;
} taylor;

static int64_t width_of(int form, int64_t d)
{
    return form == FORM_FULL ? 1 + d + d * d : 1 + d + d * (d + 1) / 2;
}

static void feature_row(const void *user, int64_t b, int64_t h, int64_t r, const double *x, const double *y,
                        double *out, double *room)
{
    const taylor *t = user;
    const double s = sqrt(t->scale), half = sqrt(0.5);
    (void)b, (void)h, (void)r, (void)y, (void)room;
    *out++ = 1;
    for (int64_t i = 0; i < t->d; i++) {
        *out++ = s * x[i];
    }
    for (int64_t i = 0; i < t->d; i++) {
        for (int64_t j = t->form == FORM_FULL ? 0 : i + 1; j < t->d; j++) {
            *out++ = t->scale * x[i] * x[j] * (t->form == FORM_FULL ? half : 1);
        }
    }
    for (int64_t i = 0; i < t->d && t->form == FORM_SYMMETRIC; i++) {
        *out++ = t->scale * x[i] * x[i] * half;
    }
}

static void feature_back(const void *user, int64_t b, int64_t h, int64_t r, const double *x, const double *y,
                         double *out, double *room)
{
    const taylor *t = user;
    const double s = sqrt(t->scale), half = sqrt(0.5);
    (void)b, (void)h, (void)r, (void)room;
    y++;
    for (int64_t i = 0; i < t->d; i++) {
        out[i] = s * *y++;
    }
    for (int64_t i = 0; i < t->d; i++) {
        for (int64_t j = t->form == FORM_FULL ? 0 : i + 1; j < t->d; j++) {
            double up = t->scale * *y++ * (t->form == FORM_FULL ? half : 1);
            out[i] += up * x[j];
            out[j] += up * x[i];
        }
    }
    for (int64_t i = 0; i < t->d && t->form == FORM_SYMMETRIC; i++) {
        out[i] += 2 * t->scale * x[i] * half * *y++;
    }
}

static ga_status forward(ga__job *run, ga__step *step)
{
    taylor t = { step->kind, run->dim, step->gain };
    return ga__map_forward(run, step, width_of(t.form, t.d), 0, feature_row, &t);
}

static ga_status backward(ga__job *run, ga__step *step)
{
    taylor t = { step->kind, run->dim, step->gain };
    return ga__map_backward(run, step, 0, feature_back, &t);
}

static ga_status plan_taylor(ga__job *run)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    int form = (int)ga__part_value(own, "form")->integer;
    double scale = isnan(run->scale) ? 1 / sqrt(fmax((double)run->dim, 1)) : run->scale;
    ga__step step = { forward, backward, .kind = form, .gain = scale };
    if (scale < 0 || run->dim > 1 << 20) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "scale: found %g, expected >= 0 (mode taylor)", scale));
    }
    run->scale = 1;
    run->scan.normalise = ga__part_value(own, "normalise")->integer;
    run->scan.chunk = ga__part_value(own, "chunk")->integer;
    for (int i = GA__Q; i <= GA__K; i++) {
        step.slot = i;
        ga__step_before(run, step);
    }
    const int64_t state[] = { run->batch, run->kv_heads, width_of(form, run->dim),
                              run->dim_v + run->scan.normalise };
    status = ga__bind(run, GA__INITIAL_STATE, "initial_state", false, 4, state);
done:
    return status;
}

/* ---- hybrid, pair by pair ---- */

typedef struct hybrid {
    const ga__job *run;
    int64_t window, group;
    ga__view q, k, v, factor, o, dq, dk, dv, up; /* outputs without data are not wanted */
} hybrid;

/* Weights of the keys that row r sees, and their slopes; room: a row of q and of k. */
static int64_t weights(const hybrid *t, int64_t b, int64_t h, int64_t r, double *w, double *slope,
                       double *room)
{
    const ga__job *run = t->run;
    int64_t at = r + run->keys - run->queries, d = t->q.columns;
    double *k = room + d, factor = t->factor.data ? ga__view_get(&t->factor, 0, 0, 0, h) : 1, sum = 0;
    ga__view_load_f64(&t->q, b, h, r, room);
    for (int64_t j = 0; j <= at; j++) {
        double x = 0;
        ga__view_load_f64(&t->k, b, h / t->group, j, k);
        for (int64_t c = 0; c < d; c++) {
            x += room[c] * k[c];
        }
        x *= run->scale;
        bool exact = j > at - t->window;
        w[j] = exact ? factor * exp(x) : 1 + x + x * x / 2;
        slope[j] = exact ? w[j] : 1 + x;
        sum += w[j];
    }
    for (int64_t j = 0; j <= at; j++) {
        w[j] /= sum;
        slope[j] /= sum;
    }
    return ga__max(at + 1, 0);
}

static void hybrid_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const hybrid *t = user;
    int64_t e = t->v.columns, keys = t->run->keys;
    double *w = room, *slope = w + keys, *o = slope + keys, *v = o + e, *more = v + e;
    int64_t n = weights(t, b, h, r, w, slope, more);
    for (int64_t c = 0; c < e; c++) {
        o[c] = 0;
    }
    for (int64_t j = 0; j < n; j++) {
        ga__view_load_f64(&t->v, b, h / t->group, j, v);
        for (int64_t c = 0; c < e; c++) {
            o[c] += w[j] * v[c];
        }
    }
    ga__view_store_f64(&t->o, b, h, r, o);
}

/* Adds what one query gives to the gradients of its keys and values. */
static void hybrid_back_row(const hybrid *t, int64_t b, int64_t h, int64_t r, double *dk, double *dv,
                            double *room)
{
    int64_t e = t->v.columns, d = t->q.columns, keys = t->run->keys, g = h / t->group;
    double *w = room, *slope = w + keys, *up = slope + keys, *v = up + e, *dq = v + e, *q = dq + d,
           *k = q + d;
    int64_t n = weights(t, b, h, r, w, slope, q);
    double mean = 0;
    ga__view_load_f64(&t->up, b, h, r, up);
    for (int64_t c = 0; c < d; c++) {
        dq[c] = 0;
    }
    for (int turn = 0; turn < 2; turn++) { /* first dO . o, then the gradients */
        for (int64_t j = 0; j < n; j++) {
            double along = 0;
            ga__view_load_f64(&t->v, b, g, j, v);
            for (int64_t c = 0; c < e; c++) {
                along += up[c] * v[c];
                dv[j * e + c] += turn ? w[j] * up[c] : 0;
            }
            mean += turn ? 0 : w[j] * along;
            if (turn) {
                double dt = t->run->scale * slope[j] * (along - mean);
                ga__view_load_f64(&t->k, b, g, j, k);
                for (int64_t c = 0; c < d; c++) {
                    dq[c] += dt * k[c];
                    dk[j * d + c] += dt * q[c];
                }
            }
        }
    }
    if (t->dq.data) {
        ga__view_store_f64(&t->dq, b, h, r, dq);
    }
}

static void hybrid_back_group(void *user, int64_t b, int64_t g, int64_t r, double *room)
{
    const hybrid *t = user;
    int64_t e = t->v.columns, d = t->q.columns, keys = t->run->keys;
    double *dk = room, *dv = dk + keys * d;
    for (int64_t i = 0; i < keys * (d + e); i++) {
        room[i] = 0;
    }
    for (int64_t h = g * t->group; h < (g + 1) * t->group; h++) {
        for (r = 0; r < t->run->queries; r++) {
            hybrid_back_row(t, b, h, r, dk, dv, dv + keys * e);
        }
    }
    for (int64_t j = 0; j < keys; j++) {
        if (t->dk.data) {
            ga__view_store_f64(&t->dk, b, g, j, dk + j * d);
        }
        if (t->dv.data) {
            ga__view_store_f64(&t->dv, b, g, j, dv + j * e);
        }
    }
}

static ga_status open_hybrid(ga__job *run, hybrid *t)
{
    ga_status status = GA_OK;
    *t = (hybrid){ .run = run,
                   .window = ga__part_value(&run->own, "window")->integer,
                   .group = run->heads / ga__max(run->kv_heads, 1) };
    GA_TRY(ga__view_of(run->context, "q", run->scan.q, true, &t->q));
    GA_TRY(ga__view_of(run->context, "k", run->scan.k, true, &t->k));
    GA_TRY(ga__view_of(run->context, "v", run->scan.v, true, &t->v));
    status = ga__slot_view(run, ga__slot_find(run, "window_factor"), &t->factor);
done:
    return status;
}

static ga_status hybrid_forward(ga__job *run, ga__own_outputs *outputs)
{
    ga_status status = GA_OK;
    hybrid t;
    if (outputs->want_state) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "based has a state in mode taylor only"));
    }
    if (!run->o) {
        goto done;
    }
    GA_TRY(open_hybrid(run, &t));
    GA_TRY(ga__view_of(run->context, "o", run->o, true, &t.o));
    status = ga__rows(run, run->batch, run->heads, run->queries, 2 * (run->keys + run->dim_v + run->dim),
                      hybrid_row, &t);
done:
    return status;
}

static ga_status hybrid_backward(ga__job *run)
{
    ga_status status = GA_OK;
    hybrid t;
    GA_TRY(open_hybrid(run, &t));
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &t.up));
    GA_TRY(ga__slot_grad_view(run, GA__Q, &t.dq));
    GA_TRY(ga__slot_grad_view(run, GA__K, &t.dk));
    GA_TRY(ga__slot_grad_view(run, GA__V, &t.dv));
    status = ga__rows(run, run->batch, run->kv_heads, 1,
                      run->keys * (run->dim + run->dim_v) + 2 * (run->keys + run->dim_v) + 3 * run->dim,
                      hybrid_back_group, &t);
done:
    return status;
}

/* ---- the variant ---- */

static ga_status plan_window(ga__job *run, int64_t window)
{
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT }, .causal = true };
    o.axis[0].rule = GA_AXIS_SPAN;
    o.axis[0].query_length = run->queries;
    o.axis[0].key_length = run->keys;
    o.axis[0].left = ga__min(window - 1, run->queries + run->keys);
    o.axis[0].right = 0;
    run->engine = GA__ENGINE_ATTENTION;
    run->normaliser_row = &ga__softmax_row;
    run->problem.normaliser.kind = GA_SOFTMAX;
    return ga_pattern_product(run->context, &o, &run->pattern);
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    int mode = (int)ga__part_value(&run->own, "mode")->integer, slot;
    int64_t window = ga__part_value(&run->own, "window")->integer;
    GA_TRY(ga__slot_shaped(run, "window_factor", 1, &run->heads, &slot));
    if (mode == MODE_TAYLOR) {
        GA_TRY(plan_taylor(run));
        goto done;
    }
    if (window < 1) {
        GA_TRY(ga__part_refuse(&run->own, "window", ">= 1 in window and hybrid"));
    }
    if (!run->causal) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "based: mode %s is causal only", mode_words[mode]));
    }
    if (ga__slot_find(run, "initial_state") >= 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "initial_state: expected mode taylor"));
    }
    if (mode == MODE_WINDOW) {
        GA_TRY(plan_window(run, window));
    } else {
        run->engine = GA__ENGINE_OWN;
    }
done:
    return status;
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    if (ga__part_value(&run->own, "mode")->integer != MODE_TAYLOR) {
        how->kind = GA__DECODE_KEYS;
    }
    return GA_OK;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN,
                                     .plan = plan,
                                     .own_forward = hybrid_forward,
                                     .own_backward = hybrid_backward,
                                     .decode = decode };

const ga_variant ga__based_variant = {
    .name = "based",
    .summary = "second-order Taylor linear attention, window attention, and their hybrid",
    .source = "Simple linear attention language models balance the recall-throughput tradeoff, 2402.18668",
    .family = "linear",
    .plan = "taylor: scan with Taylor features; window: softmax over a window; hybrid: both with one row sum",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_CARRIES_STATE,
    .ops = &ops,
};
