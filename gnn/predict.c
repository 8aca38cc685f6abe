/* predict.c - using trained models: logits, embeddings, and how good logits are. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "gnn/train.h"
#include "lib/engine/view.h"

/* What a stage gives, as a tensor of the caller's. */
static ga_status pass_through(ga_context *context, ga_model *model, const ga_node_data *data,
                              int64_t last_stage, DLTensor **out)
{
    static const DLDataType f32 = { .code = kDLFloat, .bits = 32, .lanes = 1 };
    ga_status status = GA_OK;
    ga__prepared prepared = { .dense = NULL };
    const DLTensor *made = NULL;
    DLTensor *copy = NULL;
    GA_TRY(ga__prepare(context, model, data, &prepared));
    GA_TRY(ga__model_forward(context, model, &prepared.data, false, 0, 0, last_stage, &made));
    GA_TRY(ga_tensor_create(context, f32, 2, made->shape, &copy));
    memcpy(copy->data, made->data, (size_t)(made->shape[0] * made->shape[1]) * sizeof(float));
    *out = copy;
done:
    ga__prepared_close(context, &prepared);
    return status;
}

ga_status ga_model_predict(ga_context *context, ga_model *model, const ga_node_data *data, DLTensor **logits)
{
    ga__begin(context);
    return pass_through(context, model, data, -1, logits);
}

ga_status ga_model_embed(ga_context *context, ga_model *model, const ga_node_data *data, int64_t layer,
                         DLTensor **hidden)
{
    int64_t count = model->stage_count - 1; /* all stages but the last are hidden */
    int64_t stage = layer == -1 ? count - 1 : layer;
    ga__begin(context);
    if (stage < 0 || stage >= count) {
        return ga__fail(context, GA_INVALID, "hidden layer %lld, this model %s has %lld", (long long)layer,
                        model->info->name, (long long)count);
    }
    return pass_through(context, model, data, stage, hidden);
}

static ga_status check_scored(ga_context *context, const DLTensor *logits, const ga__truth *truth,
                              int64_t classes, const ga__nodes *nodes)
{
    if (classes > logits->shape[1] || (truth->targets && classes != logits->shape[1])) {
        return ga__fail(context, GA_INVALID, "logits: %lld columns, there are %lld classes",
                        (long long)logits->shape[1], (long long)classes);
    }
    for (int64_t i = 0; i < nodes->count; i++) {
        int64_t node = nodes->list[i];
        if (node < 0 || node >= logits->shape[0]) {
            return ga__fail(context, GA_INVALID, "node %lld, expected below %lld, the rows of the logits",
                            (long long)node, (long long)logits->shape[0]);
        }
        if (truth->labels && truth->labels[node] < 0) {
            return ga__fail(context, GA_INVALID, "node %lld has no label to be scored by", (long long)node);
        }
    }
    return GA_OK;
}

ga_status ga_score_logits(ga_context *context, const DLTensor *logits, const ga_node_data *data,
                          const int64_t *nodes, int64_t count, ga_scores *scores)
{
    ga_status status = GA_OK;
    ga_scores made = { NAN, NAN, NAN, NAN };
    ga__truth truth;
    ga__nodes some = { nodes, count };
    ga__view view;
    int64_t classes = 0;
    ga__begin(context);
    GA_TRY(ga__view_of(context, "logits", logits, true, &view));
    if (logits->ndim != 2 || view.type != GA__F32 || (view.rows > 1 && view.stride_row != view.columns)) {
        GA_TRY(ga__fail(context, GA_INVALID, "logits: expected a contiguous f32 tensor (nodes, classes)"));
    }
    DLTensor plain = *logits;
    plain.data = view.data;
    if (count < 0 || (count > 0 && !nodes)) {
        GA_TRY(ga__fail(context, GA_INVALID, "%lld nodes without a list", (long long)count));
    }
    GA_TRY(ga__data_truth(context, data, logits->shape[0], &truth, &classes));
    GA_TRY(check_scored(context, logits, &truth, classes, &some));
    GA_TRY(ga__loss(context, &plain, &truth, &some, &made.loss, NULL));
    GA_TRY(ga__metrics(context, &plain, &truth, &some, true, true, &made));
    *scores = made;
done:
    return status;
}
