/* inward_window.c - windows of video frames that move inward at the borders, all frames (attention-static section 8).
 *
 * dual: the first half of the batch is windowed, the second sees everything (windowed too when refresh = 0). The output
 * `cross` is plain cross attention with the text; under dual that of the second half, for both. */
#include "config.h"

#include <string.h>

#include "attention/plan.h"

#define SHAPE \
    { \
        "shape", GA_PARAMETER_INT_LIST, NULL, "T,H,W", "grid", GA__FROM(1), .required = true \
    }
#define HALF_WINDOW \
    { \
        "half_window", GA_PARAMETER_INT_LIST, "15,26", ">= 0", "d_h,d_w: window 2d+1", GA__FROM(0) \
    }
static const ga_parameter parameters[] = {
    SHAPE,
    HALF_WINDOW,
    { "train_tokens", GA_PARAMETER_INT, "0", "0 or >= 2", "n0 of the scale; 1560 in the paper", GA__FROM(0) },
    { "dual", GA_PARAMETER_BOOL, "0", "1: B even", "first half window branch, second half full branch",
      GA__ANY },
    { "refresh", GA_PARAMETER_BOOL, "1", NULL, "0: second half windowed, cross from the cache", GA__ANY },
    { .name = NULL },
};
static const ga_parameter pattern_parameters[] = { SHAPE, HALF_WINDOW, { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "cross_q", "(B, H, N, D)", "queries of the text cross attention", .optional = true },
    { "cross_k", "(B, H_kv, Nt, D)", "text keys; with cross_q", .optional = true },
    { "cross_v", "(B, H_kv, Nt, Dv)", "text values; with cross_q", .optional = true },
    { "cross_cache", "(B/2, H, N, Dv)", "stored cross output; with refresh=0", .optional = true },
    { .name = NULL },
};

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga_product_options o = { .axes = 3, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    int64_t shape[3], half[2];
    GA_TRY(ga__grid_shape(run, part, run->queries, &o.axes, shape));
    if (o.axes != 3) {
        GA_TRY(ga__part_refuse(part, "shape", "3 axes, T,H,W"));
    }
    GA_TRY(ga__part_axes(part, "half_window", 2, half));
    for (int i = 0; i < 3; i++) {
        o.axis[i].query_length = o.axis[i].key_length = shape[i];
        if (i > 0) {
            o.axis[i].rule = GA_AXIS_INWARD;
            o.axis[i].left = ga__min(half[i - 1], shape[i]);
        }
    }
    status = ga_pattern_product(run->context, &o, &run->pattern);
done:
    return status;
}

const ga__pattern_entry ga__inward_window_row = { .name = "inward-window",
                                                  .parameters = pattern_parameters,
                                                  .make = make };

static bool is_set(const ga__job *run, const char *name)
{
    return ga__part_value(&run->own, name)->integer != 0;
}

/* ---- two branches ---- */

/* The tensors of one half of the batch, which is their first axis. */
typedef struct half {
    DLTensor tensors[12];
    int64_t shapes[12][4];
    int count, which;
} half;

static DLTensor *cut(half *h, const DLTensor *tensor)
{
    if (!tensor) {
        return NULL;
    }
    DLTensor *t = &h->tensors[h->count];
    int64_t *shape = h->shapes[h->count++], inner = 1;
    memcpy(shape, tensor->shape, (size_t)tensor->ndim * sizeof *shape);
    for (int i = 1; i < tensor->ndim; i++) {
        inner *= shape[i];
    }
    shape[0] /= 2;
    int64_t step = tensor->strides ? tensor->strides[0] : inner;
    *t = *tensor;
    t->shape = shape;
    t->byte_offset += (uint64_t)(h->which * shape[0] * step * (tensor->dtype.bits / 8));
    return t;
}

static void cut_problem(const ga__job *run, half *h, const ga_pattern *pattern, ga_attention *problem)
{
    *problem = run->problem;
    problem->pattern = pattern;
    problem->q = cut(h, problem->q);
    problem->k = cut(h, problem->k);
    problem->v = cut(h, problem->v);
    if (problem->normaliser.eta_logits) {
        problem->normaliser.eta_logits = cut(h, problem->normaliser.eta_logits);
    }
}

static ga_status forward_half(ga__job *run, int which, const ga_pattern *pattern,
                              const ga_attention_result *result)
{
    half h = { .which = which };
    ga_attention problem;
    ga_row_statistics statistics;
    ga_attention_result part = { cut(&h, result->o), cut(&h, result->lse), cut(&h, result->map), NULL };
    cut_problem(run, &h, pattern, &problem);
    if (result->statistics) {
        statistics = *result->statistics;
        statistics.entropy = cut(&h, statistics.entropy);
        statistics.argmax = cut(&h, statistics.argmax);
        statistics.max = cut(&h, statistics.max);
        statistics.column_sum = cut(&h, statistics.column_sum);
        part.statistics = &statistics;
    }
    return ga_attention_forward(run->context, &problem, GA_FAMILY_AUTO, &part, NULL);
}

static ga_status backward_half(ga__job *run, int which, const ga_pattern *pattern,
                               const ga_attention_gradients *g)
{
    half h = { .which = which };
    ga_attention problem;
    ga_attention_gradients part = { .grad_o = cut(&h, g->grad_o),
                                    .o = cut(&h, g->o),
                                    .lse = cut(&h, g->lse),
                                    .q = cut(&h, g->q),
                                    .k = cut(&h, g->k),
                                    .v = cut(&h, g->v),
                                    .eta_logits = cut(&h, g->eta_logits) };
    cut_problem(run, &h, pattern, &problem);
    return ga_attention_backward(run->context, &problem, GA_FAMILY_AUTO, &part, NULL);
}

static bool two_branches(const ga__job *run)
{
    return is_set(run, "dual") && is_set(run, "refresh");
}

static ga_status forward(ga__job *run, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    ga_pattern *full = NULL;
    if (!two_branches(run)) {
        return ga_attention_forward(run->context, &run->problem, GA_FAMILY_AUTO, result, NULL);
    }
    GA_TRY(ga_pattern_full(run->context, run->queries, run->keys, false, &full));
    GA_TRY(forward_half(run, 0, run->pattern, result));
    GA_TRY(forward_half(run, 1, full, result));
done:
    ga_pattern_destroy(run->context, full);
    return status;
}

static ga_status backward(ga__job *run, const ga_attention_gradients *gradients)
{
    ga_status status = GA_OK;
    ga_pattern *full = NULL;
    if (!two_branches(run)) {
        return ga_attention_backward(run->context, &run->problem, GA_FAMILY_AUTO, gradients, NULL);
    }
    GA_TRY(ga_pattern_full(run->context, run->queries, run->keys, false, &full));
    GA_TRY(backward_half(run, 0, run->pattern, gradients));
    GA_TRY(backward_half(run, 1, full, gradients));
done:
    ga_pattern_destroy(run->context, full);
    return status;
}

/* ---- cross attention with the text ---- */

static const DLTensor *input(const ga__job *run, const char *name)
{
    int slot = ga__slot_find(run, name);
    return slot < 0 ? NULL : run->slots[slot].tensor;
}

/* Cross attention of the batch, or of its second half, into o. */
static ga_status attend_text(ga__job *run, bool dual, DLTensor *o)
{
    ga_status status = GA_OK;
    ga_attention problem = GA_ATTENTION_INIT;
    ga_pattern *full = NULL;
    half h = { .which = 1 };
    problem.q = input(run, "cross_q");
    problem.k = input(run, "cross_k");
    problem.v = input(run, "cross_v");
    GA_TRY(ga_pattern_full(run->context, run->queries, problem.k->shape[problem.k->ndim - 2], false, &full));
    if (dual) {
        problem.q = cut(&h, problem.q);
        problem.k = cut(&h, problem.k);
        problem.v = cut(&h, problem.v);
    }
    problem.pattern = full;
    problem.score.scale = run->dim > 0 ? 1 / sqrt((double)run->dim) : 1;
    ga_attention_result result = { .o = dual ? cut(&h, o) : o };
    status = ga_attention_forward(run->context, &problem, GA_FAMILY_AUTO, &result, NULL);
done:
    ga_pattern_destroy(run->context, full);
    return status;
}

static ga_status make_cross(ga__job *run, const char *name, DLTensor **out)
{
    ga_status status = GA_OK;
    const int64_t shape[] = { run->batch, run->heads, run->queries, run->dim_v };
    bool dual = is_set(run, "dual"), cached = dual && !is_set(run, "refresh");
    if (!input(run, cached ? "cross_cache" : "cross_q")) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "inward-window: %s needs %s", name,
                        cached ? "cross_cache" : "cross_q, cross_k and cross_v"));
    }
    GA_TRY(ga__tensor_new(run, 4, shape, out));
    if (!cached) {
        GA_TRY(attend_text(run, dual, *out));
    }
    if (dual) {
        size_t bytes = (size_t)(shape[0] / 2 * shape[1] * shape[2] * shape[3]) * (run->working.bits / 8);
        char *first = (*out)->data;
        memcpy(first, first + bytes, cached ? 0 : bytes);
        ga__view cache, to;
        GA_TRY(ga__view_of(run->context, "cross", *out, true, &to));
        GA_TRY(ga__view_of(run->context, "cross_cache", cached ? input(run, "cross_cache") : NULL, true,
                           &cache));
        for (int64_t row = 0; cached && row < shape[0] * shape[1] * shape[2]; row++) {
            int64_t i = row % shape[2], head = row / shape[2] % shape[1], b = row / shape[2] / shape[1];
            for (int64_t c = 0; c < shape[3]; c++) {
                ga__view_set(&to, b, head, i, c, ga__view_get(&cache, b % (shape[0] / 2), head, i, c));
            }
        }
    }
done:
    return status;
}

/* ---- plan ---- */

static ga_status check_text(ga__job *run)
{
    ga_status status = GA_OK;
    static const char *const names[] = { "cross_q", "cross_k", "cross_v" };
    int slot[3];
    for (int i = 0; i < 3; i++) {
        slot[i] = ga__slot_find(run, names[i]);
        if ((slot[i] < 0) != (slot[0] < 0)) {
            GA_TRY(ga__fail(run->context, GA_INVALID,
                            "inward-window needs all of cross_q, cross_k and cross_v, or none"));
        }
    }
    if (slot[0] >= 0) {
        const DLTensor *k = run->slots[slot[1]].given;
        int64_t text = k->ndim < 2 ? 1 : k->shape[k->ndim - 2];
        GA_TRY(ga__slot_fits(run, slot[0], false, 4,
                             (const int64_t[]){ run->batch, run->heads, run->queries, run->dim }));
        GA_TRY(ga__slot_fits(run, slot[1], false, 4,
                             (const int64_t[]){ run->batch, run->kv_heads, text, run->dim }));
        GA_TRY(ga__slot_fits(run, slot[2], false, 4,
                             (const int64_t[]){ run->batch, run->kv_heads, text, run->dim_v }));
    }
    int cache = ga__slot_find(run, "cross_cache");
    if (cache >= 0) {
        GA_TRY(ga__slot_fits(run, cache, false, 4,
                             (const int64_t[]){ run->batch / 2, run->heads, run->queries, run->dim_v }));
    }
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    int64_t trained = ga__part_value(&run->own, "train_tokens")->integer;
    double n = (double)trained;
    if (trained == 1) {
        GA_TRY(ga__part_refuse(&run->own, "train_tokens", "0 or >= 2"));
    }
    if (is_set(run, "dual") && run->batch % 2 != 0) {
        GA_TRY(ga__part_refuse(&run->own, "dual", "0 for an odd batch: %lld", (long long)run->batch));
    }
    if (isnan(run->scale) && trained > 0 && run->dim > 0) {
        run->scale = sqrt(log(2 * n) / log(n) / (double)run->dim);
    }
    status = check_text(run);
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__inward_window_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan,
                                     .forward = forward,
                                     .backward = backward,
                                     .output = make_cross };

const ga_variant ga__inward_window_variant = {
    .name = "inward-window",
    .summary = "video window moved inward at borders, all frames; optional cross-attention override",
    .source = "FreeSwim, 2511.14712",
    .family = "static",
    .plan =
        "pattern: full time axis x shifted intervals; score: scaled dot, scale by train_tokens; normaliser: "
        "softmax; post: override of the cross output",
    .outputs = "o, lse, map, cross",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
