/* model_run.c - forward and backward passes of a model over its stages. */
#include "config.h"

#include "gnn/model.h"

/* A matrix whose rows may become more or fewer from pass to pass. */
typedef struct matrix {
    DLTensor *tensor; /* owned */
    int64_t room;     /* rows */
} matrix;

typedef struct stage_run {
    ga__layer_run run;
    bool open;
    ga__layer_input input;
    ga__layer_noise noise;
    uint32_t *bits; /* (words), owned: dropout of the input */
    int64_t words;
    ga__norm_run norm;
    matrix after;    /* with a norm: what it gives; the layer's own y keeps the normalised numbers */
    matrix grad;     /* of what the stage gives, where it cannot take the place of the activation */
    matrix skipped;  /* residual: the gradient that goes around the layer */
    DLTensor *gives; /* what the stage gives: the layer's y or after */
} stage_run;

struct ga__model_state {
    stage_run *stages; /* as many as the model has */
    int64_t count;
    bool trained; /* the last pass was for a backward pass */
};

/* ---- making and freeing ---- */

static ga_status make_room(ga_context *context, DLDataType type, int64_t rows, int64_t columns, matrix *m)
{
    ga_status status = GA_OK;
    const int64_t shape[] = { rows, columns };
    if (m->tensor && m->room >= rows) {
        m->tensor->shape[0] = rows;
        return GA_OK;
    }
    ga_tensor_destroy(context, m->tensor);
    *m = (matrix){ NULL, 0 };
    GA_TRY(ga_tensor_create(context, type, 2, shape, &m->tensor));
    m->room = rows;
done:
    return status;
}

static void close_stage(ga_context *context, stage_run *r)
{
    if (r->open) {
        ga__layer_close(&r->run);
    }
    ga_free(context, r->bits);
    ga_free(context, r->norm.scale);
    ga_tensor_destroy(context, r->norm.scales);
    ga_tensor_destroy(context, r->after.tensor);
    ga_tensor_destroy(context, r->grad.tensor);
    ga_tensor_destroy(context, r->skipped.tensor);
}

void ga__model_state_free(ga_context *context, struct ga__model_state *state)
{
    if (!state) {
        return;
    }
    for (int64_t i = 0; state->stages && i < state->count; i++) {
        close_stage(context, &state->stages[i]);
    }
    ga_free(context, state->stages);
    ga_free(context, state);
}

static DLTensor *norm_weight(ga_model *model, const ga__stage *stage, int which)
{
    int64_t number = stage->norm_weights[which];
    return number < 0 ? NULL : &model->weights.list[number].tensor;
}

static ga_status open_stage(ga_context *context, ga_model *model, const ga__stage *stage, stage_run *r)
{
    ga_status status = GA_OK;
    r->open = true;
    GA_TRY(ga__layer_open(context, stage->layer, stage->parameters, stage->parameter_count,
                          model->weights.wide != NULL, &r->run));
    for (int i = 0; i < stage->tensor_count; i++) {
        ga__weight *weight = &model->weights.list[stage->weights[i]];
        GA_TRY(ga__layer_bind(&r->run, stage->names[i], &weight->tensor, &weight->grad));
    }
    r->norm = (ga__norm_run){ .kind = stage->norm,
                              .weight = norm_weight(model, stage, GA__NORM_WEIGHT),
                              .bias = norm_weight(model, stage, GA__NORM_BIAS),
                              .mean = norm_weight(model, stage, GA__NORM_MEAN),
                              .variance = norm_weight(model, stage, GA__NORM_VARIANCE) };
done:
    return status;
}

static ga_status open_state(ga_context *context, ga_model *model)
{
    ga_status status = GA_OK;
    struct ga__model_state *state = NULL;
    GA_TRY(GA_NEW_ZERO(context, 1, &state));
    GA_TRY(GA_NEW_ZERO(context, model->stage_count, &state->stages));
    state->count = model->stage_count;
    for (int64_t i = 0; i < state->count; i++) {
        GA_TRY(open_stage(context, model, &model->stages[i], &state->stages[i]));
    }
    model->state = state;
    state = NULL;
done:
    ga__model_state_free(context, state);
    return status;
}

/* ---- forward ---- */

/* Bits for the stored numbers of the input. */
static ga_status draw_input(ga_context *context, const ga__stage *stage, stage_run *r, int64_t nodes)
{
    ga_status status = GA_OK;
    const ga__layer_input *input = &r->input;
    int64_t elements = input->sparse ? input->sparse->edges.count : 0;
    if (!input->sparse && !ga__mul(nodes, stage->in, &elements)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "%lld rows of %lld columns", (long long)nodes,
                        (long long)stage->in));
    }
    int64_t words = ga_keep_words(elements);
    if (words > r->words) {
        ga_free(context, r->bits);
        r->bits = NULL;
        r->words = 0;
        GA_TRY(GA_NEW(context, words, &r->bits));
        r->words = words;
    }
    GA_TRY(ga_keep_draw(context, r->noise.seed,
                        ga__noise_stream(r->noise.epoch, r->noise.layer, GA__SITE_INPUT), elements,
                        stage->dropout, r->bits));
    r->input.keep = (ga_keep){ r->bits, 1 / (1 - stage->dropout) };
done:
    return status;
}

static void add_entries(const ga__sparse_input *sparse, DLTensor *y)
{
    const ga_edges *e = &sparse->edges;
    const float *values = sparse->values ? sparse->values->data : NULL;
    int64_t columns = y->shape[1];
    for (int64_t row = 0; row < e->targets; row++) {
        for (int64_t at = e->offsets[row]; at < e->offsets[row + 1]; at++) {
            float value = values ? values[at] : 1;
            int64_t to = row * columns + e->sources[at];
            if (y->dtype.bits == 64) {
                ((double *)y->data)[to] += (double)value;
            } else {
                ((float *)y->data)[to] += value;
            }
        }
    }
}

static ga_status behind_layer(ga_context *context, const ga__stage *stage, stage_run *r, bool training)
{
    ga_status status = GA_OK;
    DLTensor *y = r->run.y;
    if (stage->norm != GA__NORM_NONE) {
        GA_TRY(make_room(context, y->dtype, y->shape[0], y->shape[1], &r->after));
        GA_TRY(ga__norm_forward(context, &r->norm, training, y, r->after.tensor));
        y = r->after.tensor;
    }
    if (stage->residual && r->input.sparse) {
        add_entries(r->input.sparse, y);
    } else if (stage->residual) {
        GA_TRY(ga__axpby(context, 1, r->input.dense, 1, y));
    }
    GA_TRY(ga__activate(context, stage->activation, y));
    r->gives = y;
done:
    return status;
}

/* training: r->noise is set. */
static ga_status forward_stage(ga_context *context, const ga_model *model, int64_t i,
                               const ga__model_data *data, bool training)
{
    ga_status status = GA_OK;
    const ga__stage *stage = &model->stages[i];
    stage_run *r = &model->state->stages[i];
    r->input = (ga__layer_input){ .keep = { NULL, 1 } };
    if (i == 0) {
        r->input.dense = data->dense;
        r->input.sparse = data->sparse;
    } else {
        r->input.dense = r[-1].gives;
        r->input.activation = stage[-1].activation;
    }
    if (training && stage->dropout > 0) {
        GA_TRY(draw_input(context, stage, r, data->nodes));
    }
    r->run.forward_only = !training;
    GA_TRY(ga__layer_forward(&r->run, &r->input, stage->layer->takes_graph ? data->graph : NULL,
                             training ? &r->noise : NULL));
    status = behind_layer(context, stage, r, training);
done:
    return status;
}

static ga_status check_data(ga_context *context, const ga_model *model, const ga__model_data *data)
{
    int64_t columns = data->sparse ? data->sparse->edges.sources_count : data->dense->shape[1];
    int64_t rows = data->sparse ? data->sparse->edges.targets : data->dense->shape[0];
    if (columns != model->features || rows != data->nodes) {
        return ga__fail(context, GA_INVALID, "features: shape (%lld, %lld), expected (%lld, %lld)",
                        (long long)rows, (long long)columns, (long long)data->nodes,
                        (long long)model->features);
    }
    if (model->info->takes_graph && !data->graph) {
        return ga__fail(context, GA_INVALID, "model %s needs a graph", model->info->name);
    }
    return GA_OK;
}

ga_status ga__model_forward(ga_context *context, ga_model *model, const ga__model_data *data, bool training,
                            uint64_t seed, int64_t step, int64_t last_stage, const DLTensor **out)
{
    ga_status status = GA_OK;
    int64_t last = last_stage < 0 ? model->stage_count - 1 : last_stage;
    if (last >= model->stage_count) {
        GA_TRY(ga__fail(context, GA_INVALID, "model %s has %lld stages, no number %lld", model->info->name,
                        (long long)model->stage_count, (long long)last));
    }
    GA_TRY(check_data(context, model, data));
    GA_TRY(model->state ? GA_OK : open_state(context, model));
    model->state->trained = false;
    for (int64_t i = 0; i <= last; i++) {
        const ga__stage *stage = &model->stages[i];
        model->state->stages[i].noise = (ga__layer_noise){ .seed = seed,
                                                           .epoch = step,
                                                           .layer = i,
                                                           .weight_rate = stage->weight_dropout,
                                                           .value_rate = stage->value_dropout,
                                                           .step_rate = stage->step_dropout };
        GA_TRY(forward_stage(context, model, i, data, training));
    }
    model->state->trained = training && last == model->stage_count - 1;
    *out = model->state->stages[last].gives;
done:
    return status;
}

/* ---- backward ---- */

/* Gradient of what stage i - 1 gives before its activation: in the place of what it gives where the layer lets it. */
static ga_status place_of_grad(ga_context *context, const ga__stage *stage, stage_run *r, DLTensor **grad_x)
{
    ga_status status = GA_OK;
    stage_run *before = r - 1;
    *grad_x = before->gives;
    if (!stage->layer->ops->linear_input) {
        const DLTensor *h = before->gives;
        GA_TRY(make_room(context, h->dtype, h->shape[0], h->shape[1], &before->grad));
        *grad_x = before->grad.tensor;
    }
done:
    return status;
}

/* In: *grad is that of what stage i gives before its activation; out: the same of stage i - 1. */
static ga_status backward_stage(ga_context *context, ga_model *model, int64_t i, DLTensor **grad)
{
    ga_status status = GA_OK;
    const ga__stage *stage = &model->stages[i];
    stage_run *r = &model->state->stages[i];
    DLTensor *grad_x = NULL;
    bool around = stage->residual && i > 0;
    if (around) {
        GA_TRY(make_room(context, (*grad)->dtype, (*grad)->shape[0], (*grad)->shape[1], &r->skipped));
        GA_TRY(
            ga__activation_backward(context, r->input.activation, r->input.dense, *grad, r->skipped.tensor));
    }
    if (stage->norm != GA__NORM_NONE) {
        ga__weight *list = model->weights.list;
        GA_TRY(ga__norm_backward(context, &r->norm, r->run.y, *grad,
                                 &list[stage->norm_weights[GA__NORM_WEIGHT]].grad,
                                 &list[stage->norm_weights[GA__NORM_BIAS]].grad));
    }
    if (i > 0) {
        GA_TRY(place_of_grad(context, stage, r, &grad_x));
    }
    GA_TRY(ga__layer_backward(&r->run, *grad, grad_x));
    if (around) {
        GA_TRY(ga__axpby(context, 1, r->skipped.tensor, 1, grad_x));
    }
    *grad = grad_x;
done:
    return status;
}

ga_status ga__model_backward(ga_context *context, ga_model *model, DLTensor *grad_logits)
{
    ga_status status = GA_OK;
    DLTensor *grad = grad_logits;
    if (!model->state || !model->state->trained) {
        GA_TRY(ga__fail(context, GA_INTERNAL, "model %s: no forward pass to go back through",
                        model->info->name));
    }
    model->state->trained = false;
    for (int64_t i = model->stage_count - 1; i >= 0; i--) {
        GA_TRY(backward_stage(context, model, i, &grad));
    }
done:
    return status;
}
