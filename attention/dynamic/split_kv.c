/* split_kv.c - keys split into ranges, attention over each, the results joined (attention-dynamic A9).
 *
 * Part w holds keys floor(w Nk / parts) .. floor((w + 1) Nk / parts) - 1 and gives o_w and lse_w; the merge of all parts is
 * dense attention. Maps, statistics and gradients are those of dense attention. */
#include "config.h"

#include "attention/plan.h"

static const ga_parameter parameters[] = {
    { "parts", GA_PARAMETER_INT, "4", ">= 1", "key ranges", GA__FROM(1) },
    { .name = NULL },
};

/* Rows [first, last) of a tensor whose axis before the last one runs along the keys; the shape is the slice's own. */
typedef struct slice {
    DLTensor tensor;
    int64_t shape[4], strides[4];
} slice;

static const DLTensor *slice_of(slice *s, const DLTensor *tensor, int64_t first, int64_t last)
{
    int64_t stride = 1;
    s->tensor = *tensor;
    for (int i = tensor->ndim - 1; i >= 0; i--) {
        s->shape[i] = tensor->shape[i];
        s->strides[i] = tensor->strides ? tensor->strides[i] : stride;
        stride *= tensor->shape[i];
    }
    if (tensor->ndim >= 2) {
        int axis = tensor->ndim - 2;
        s->shape[axis] = last - first;
        s->tensor.byte_offset += (uint64_t)(first * s->strides[axis] * (tensor->dtype.bits / 8));
    }
    s->tensor.shape = s->shape;
    s->tensor.strides = s->strides;
    return &s->tensor;
}

/* Query i, at position i + Nk - Nq, sees keys up to its own: `right` behind where it would stand among these keys. */
static ga_status part_pattern(const ga__job *run, int64_t first, int64_t last, ga_pattern **pattern)
{
    ga_product_options options = { .axes = 1, .axis = { GA_AXIS_INIT } };
    if (!run->causal || (first == 0 && last == run->keys)) {
        return ga_pattern_full(run->context, run->queries, last - first, run->causal, pattern);
    }
    options.axis[0].rule = GA_AXIS_SPAN;
    options.axis[0].query_length = run->queries;
    options.axis[0].key_length = last - first;
    options.axis[0].right = run->keys - last;
    return ga_pattern_product(run->context, &options, pattern);
}

static ga_status run_part(const ga__job *run, int64_t first, int64_t last, DLTensor *o, DLTensor *lse)
{
    ga_status status = GA_OK;
    slice k, v;
    ga_attention problem = run->problem;
    ga_pattern *pattern = NULL;
    ga_attention_result result = { .o = o, .lse = lse };
    problem.k = slice_of(&k, problem.k, first, last);
    problem.v = slice_of(&v, problem.v, first, last);
    GA_TRY(part_pattern(run, first, last, &pattern));
    problem.pattern = pattern;
    status = ga_attention_forward(run->context, &problem, GA_FAMILY_AUTO, &result, NULL);
done:
    ga_pattern_destroy(run->context, pattern);
    return status;
}

/* Every part behind the first one into tensors of its own, joined with what there is; empty ranges give nothing. */
static ga_status run_parts(ga__job *run, DLTensor *o, DLTensor *lse)
{
    ga_status status = GA_OK;
    DLTensor *part_o = NULL, *part_lse = NULL;
    int64_t parts = ga__min(ga__part_value(&run->own, "parts")->integer, ga__max(run->keys, 1)), last = 0;
    bool first = true;
    GA_TRY(ga_tensor_create(run->context, o->dtype, o->ndim, o->shape, &part_o));
    GA_TRY(ga_tensor_create(run->context, lse->dtype, lse->ndim, lse->shape, &part_lse));
    for (int64_t w = 0; w < parts; w++, first = false) {
        int64_t from = last;
        last = w + 1 == parts ? run->keys : (int64_t)((__int128)(w + 1) * run->keys / parts);
        GA_TRY(run_part(run, from, last, first ? o : part_o, first ? lse : part_lse));
        if (!first) {
            GA_TRY(ga_merge(run->context, o, lse, part_o, part_lse, o, lse));
        }
    }
done:
    ga_tensor_destroy(run->context, part_o);
    ga_tensor_destroy(run->context, part_lse);
    return status;
}

static ga_status forward(ga__job *run, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    const int64_t rows[] = { run->batch, run->heads, run->queries, run->dim_v };
    DLTensor *o = NULL, *lse = NULL;
    if (result->map || result->statistics) {
        ga_attention_result whole = { .map = result->map, .statistics = result->statistics };
        GA_TRY(ga_attention_forward(run->context, &run->problem, GA_FAMILY_AUTO, &whole, NULL));
    }
    if (!result->o) {
        GA_TRY(ga__tensor_new(run, 4, rows, &o));
    }
    if (!result->lse) {
        GA_TRY(ga__tensor_new(run, 3, rows, &lse));
    }
    if (result->o || result->lse) {
        status = run_parts(run, result->o ? result->o : o, result->lse ? result->lse : lse);
    }
done:
    ga_tensor_destroy(run->context, o);
    ga_tensor_destroy(run->context, lse);
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softmax_row,
                                     .forward = forward };

const ga_variant ga__split_kv_variant = {
    .name = "split-kv",
    .summary = "keys split into ranges, partial results merged",
    .source =
        "A Unified View of Long-Sequence Models towards Modeling Million-Scale Dependencies, distributed "
        "attention, 2302.06218",
    .family = "dynamic",
    .plan =
        "pattern: all pairs, a part at a time; score: scaled dot; normaliser: softmax, parts joined by their lse",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE,
    .ops = &ops,
};
