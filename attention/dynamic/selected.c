/* selected.c - a variant that selects: its choice made, kept in the run, and attended to. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/dynamic/selector.h"

/* ---- choosing ---- */

ga_status ga__selecting_open(ga__job *run, ga__selecting *s)
{
    ga_status status = GA_OK;
    ga__view k;
    if (isnan(run->scale)) {
        run->scale = run->dim > 0 ? 1 / sqrt((double)run->dim) : 1;
    }
    *s = (ga__selecting){ .context = run->context,
                          .part = &run->own,
                          .run = run,
                          .batch = run->batch,
                          .heads = run->heads,
                          .kv_heads = run->kv_heads,
                          .group = run->kv_heads > 0 ? run->heads / run->kv_heads : 1,
                          .queries = run->queries,
                          .keys = run->keys,
                          .dim = run->dim,
                          .causal = run->causal,
                          .wide = run->call->f64,
                          .scale = run->scale };
    GA_TRY(ga__view_of(run->context, "q", run->slots[GA__Q].tensor, true, &s->q));
    GA_TRY(ga__view_of(run->context, "k", run->slots[GA__K].tensor, true, &k));
    s->k = ga__keys_of_view(&k);
done:
    return status;
}

ga_status ga__selected_plan(ga__job *run)
{
    ga_status status = GA_OK;
    ga__selecting s = { .note_count = 0 };
    GA_TRY(ga__selecting_open(run, &s));
    GA_TRY(run->variant->ops->select(&s, &run->selection));
done:
    memcpy(run->note, s.note, sizeof s.note); /* the run frees them, also after a failure */
    run->note_count = s.note_count;
    run->select_flops = s.flops;
    run->select_bytes = s.bytes;
    return status;
}

ga_status ga__job_select(ga__job *run)
{
    ga_status status = GA_OK;
    GA_TRY(ga__job_plan(run));
    if (!run->selection) { /* the plan of a variant that computes by itself does without it */
        GA_TRY(ga__selected_plan(run));
    }
done:
    return status;
}

ga_status ga_select(ga_context *context, const char *variant, const ga_attend_call *call,
                    ga_selection **selection)
{
    ga_status status = GA_OK;
    ga__job run;
    ga_attend_call with_v = *call;
    with_v.v = call->v ? call->v : call->k;
    ga__begin(context);
    GA_TRY(ga__job_open(context, variant, &with_v, &run));
    if (!(run.variant->can & GA_SELECTS)) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s does not select keys", variant));
    }
    GA_TRY(ga__job_measure(&run));
    GA_TRY(ga__job_take_tensors(&run, false));
    GA_TRY(ga__job_pattern(&run));
    GA_TRY(ga__job_select(&run));
    *selection = run.selection;
    run.selection = NULL;
done:
    ga__job_close(&run);
    return status;
}

/* ---- attending, entry by entry of the batch ---- */

/* One entry of a tensor with `axes` axes of which the first is the batch; fewer axes: a batch of one. */
typedef struct slice {
    DLTensor tensor;
    int64_t shape[4];
} slice;

static DLTensor *slice_of(slice *s, const DLTensor *tensor, int axes, int64_t entry)
{
    if (!tensor) {
        return NULL;
    }
    s->tensor = *tensor;
    if (tensor->ndim == axes) {
        int64_t stride = 1;
        memcpy(s->shape, tensor->shape, (size_t)axes * sizeof *s->shape);
        for (int i = 1; i < axes; i++) {
            stride *= tensor->shape[i];
        }
        stride = tensor->strides ? tensor->strides[0] : stride;
        s->shape[0] = 1;
        s->tensor.shape = s->shape;
        s->tensor.byte_offset += (uint64_t)(entry * stride * (tensor->dtype.bits / 8));
    }
    return &s->tensor;
}

static ga_status forward_entry(ga__job *run, const ga_attention_result *result, int64_t entry)
{
    ga_status status = GA_OK;
    slice q, k, v, o, lse, map, entropy, argmax, max, column_sum;
    ga_attention problem = run->problem;
    ga_pattern *pattern = NULL;
    const ga_row_statistics *all = result->statistics;
    ga_row_statistics some = { .top_k = 0 };
    ga_attention_result part = { .o = slice_of(&o, result->o, 4, entry),
                                 .lse = slice_of(&lse, result->lse, 3, entry),
                                 .map = slice_of(&map, result->map, 4, entry),
                                 .statistics = all ? &some : NULL };
    if (all) {
        some.entropy = slice_of(&entropy, all->entropy, 3, entry);
        some.argmax = slice_of(&argmax, all->argmax, 3, entry);
        some.max = slice_of(&max, all->max, 3, entry);
        some.column_sum = slice_of(&column_sum, all->column_sum, 3, entry);
    }
    problem.q = slice_of(&q, problem.q, 4, entry);
    problem.k = slice_of(&k, problem.k, 4, entry);
    problem.v = slice_of(&v, problem.v, 4, entry);
    GA_TRY(ga_pattern_selected(run->context, run->selection, entry, &pattern));
    problem.pattern = pattern;
    status = ga_attention_forward(run->context, &problem, GA_FAMILY_AUTO, &part, NULL);
done:
    ga_pattern_destroy(run->context, pattern);
    return status;
}

ga_status ga__selected_forward(ga__job *run, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    bool any =
        result->o || result->lse || result->map || result->statistics; /* else the choice alone is wanted */
    for (int64_t b = 0; b < run->batch && any && status == GA_OK; b++) {
        status = forward_entry(run, result, b);
    }
    return status;
}

static ga_status backward_entry(ga__job *run, const ga_attention_gradients *all, int64_t entry)
{
    ga_status status = GA_OK;
    slice q, k, v, grad_o, o, lse, grad_q, grad_k, grad_v;
    ga_attention problem = run->problem;
    ga_pattern *pattern = NULL;
    ga_attention_gradients part = { .grad_o = slice_of(&grad_o, all->grad_o, 4, entry),
                                    .o = slice_of(&o, all->o, 4, entry),
                                    .lse = slice_of(&lse, all->lse, 3, entry),
                                    .q = slice_of(&grad_q, all->q, 4, entry),
                                    .k = slice_of(&grad_k, all->k, 4, entry),
                                    .v = slice_of(&grad_v, all->v, 4, entry) };
    problem.q = slice_of(&q, problem.q, 4, entry);
    problem.k = slice_of(&k, problem.k, 4, entry);
    problem.v = slice_of(&v, problem.v, 4, entry);
    GA_TRY(ga_pattern_selected(run->context, run->selection, entry, &pattern));
    problem.pattern = pattern;
    status = ga_attention_backward(run->context, &problem, GA_FAMILY_AUTO, &part, NULL);
done:
    ga_pattern_destroy(run->context, pattern);
    return status;
}

ga_status ga__selected_backward(ga__job *run, const ga_attention_gradients *gradients)
{
    ga_status status = GA_OK;
    for (int64_t b = 0; b < run->batch && status == GA_OK; b++) {
        status = backward_entry(run, gradients, b);
    }
    return status;
}

/* ---- outputs ---- */

ga_status ga__selected_output(ga__job *run, const char *name, DLTensor **out)
{
    const ga_selection *s = run->selection;
    *out = ga__note_take(run, name);
    if (*out) {
        return GA_OK;
    }
    if (strcmp(name, "selected") != 0) {
        return ga__fail(run->context, GA_INVALID, "%s has no output '%s' with these parameters",
                        run->variant->name, name);
    }
    const int64_t shape[] = { s->batch, s->heads, s->lists };
    return ga__lists_tensor(run->context, s->offsets, s->units, 0, 1, 3, shape, out);
}
