/* model.c - making models: parameters, stages, weights in one block and their first values. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "gnn/train.h"

enum { ALIGN = 16, ELEMENT_BITS = 40 };

/* ---- parameters ---- */

static ga_status keep_text(ga_context *context, const char *text, char **out)
{
    char *copy = NULL;
    int64_t size = (int64_t)strlen(text) + 1;
    ga_status status = ga_alloc(context, size, 1, &copy);
    if (status == GA_OK) {
        memcpy(copy, text, (size_t)size);
        ga_free(context, *out);
        *out = copy;
    }
    return status;
}

static int64_t parameter_place(const ga_model_info *info, const char *name)
{
    int64_t i = 0;
    while (info->parameters[i].name && strcmp(info->parameters[i].name, name) != 0) {
        i++;
    }
    return info->parameters[i].name ? i : -1;
}

/* Every value in one spelling: 0 and 1 of BOOL are false and true. */
static ga_status set_text(ga_context *context, ga_model *model, int64_t i, const char *text)
{
    const ga_parameter *p = &model->info->parameters[i];
    if (p->type == GA_PARAMETER_BOOL) {
        text = model->part.values[i].integer ? "true" : "false";
    }
    return keep_text(context, text, &model->texts[i]);
}

static ga_status set_parameters(ga_context *context, ga_model *model, const ga_named_text *given,
                                int64_t given_count)
{
    ga_status status = GA_OK;
    const ga_parameter *table = model->info->parameters;
    int64_t count = 0;
    GA_TRY(ga__part_open(context, "model ", model->info->name, table, &model->part));
    while (table[count].name) {
        count++;
    }
    GA_TRY(GA_NEW_ZERO(context, count, &model->texts));
    for (int64_t i = 0; i < count; i++) {
        GA_TRY(table[i].initial ? set_text(context, model, i, table[i].initial) : GA_OK);
    }
    for (int64_t i = 0; i < given_count; i++) {
        GA_TRY(ga__part_set(&model->part, given[i].name, given[i].value, ','));
        GA_TRY(set_text(context, model, parameter_place(model->info, given[i].name), given[i].value));
    }
    status = ga__part_check(&model->part);
done:
    return status;
}

/* ---- stages ---- */

ga_status ga__stage_add(ga_context *context, ga_model *model, const char *prefix, const char *layer,
                        ga__stage **stage)
{
    ga_status status = GA_OK;
    if (model->stage_count == model->stage_room) {
        int64_t more = model->stage_room ? 2 * model->stage_room : 4;
        GA_TRY(ga__resize(context, model->stage_room, more, sizeof *model->stages, &model->stages));
        model->stage_room = more;
    }
    *stage = &model->stages[model->stage_count++];
    **stage = (ga__stage){ .layer = ga_layer_find(layer), .norm_weights = { -1, -1, -1, -1 } };
    if (!(*stage)->layer || strlen(prefix) >= GA__STAGE_PREFIX) {
        GA_TRY(ga__fail(context, GA_INTERNAL, "model %s: stage '%s' of layer '%s'", model->info->name, prefix,
                        layer));
    }
    snprintf((*stage)->prefix, GA__STAGE_PREFIX, "%s", prefix);
done:
    return status;
}

void ga__stage_set(ga__stage *stage, const char *parameter, const char *text)
{
    stage->parameters[stage->parameter_count++] = (ga_named_text){ parameter, text };
}

ga__policy ga__model_policy(const ga_model *model, bool undirected)
{
    ga__policy policy = { .undirected = undirected };
    if (model->info->takes_graph) {
        policy.duplicates = (ga__duplicate_policy)ga__model_integer(model, "duplicates");
        policy.loops = (ga__loop_policy)ga__model_integer(model, "self_loops");
    }
    return policy;
}

/* "sum on a layer without edge weights" is refused for a layer; so it is for a model of such layers. */
static ga_status finish_stages(ga_model *model)
{
    bool sums = ga__model_policy(model, false).duplicates == GA__DUPLICATES_SUM;
    for (int64_t i = 0; i < model->stage_count; i++) {
        const ga_layer *layer = model->stages[i].layer;
        model->stages[i].hidden = i < model->stage_count - 1;
        if (sums && layer->takes_graph && !layer->ops->edge_weights) {
            return ga__part_refuse(&model->part, "duplicates", "drop or keep: its edges have no weights");
        }
    }
    return GA_OK;
}

/* ---- weights ---- */

/* In of the last dense map. */
static double last_fan(const ga__weights *weights)
{
    for (int64_t i = weights->count - 1; i >= 0; i--) {
        if (weights->list[i].init == GA__INIT_MAP) {
            return (double)weights->list[i].shape[0];
        }
    }
    return 1;
}

static ga_status weight_name(ga_context *context, const char *prefix, const char *name, char **out)
{
    int64_t size = (int64_t)(strlen(prefix) + strlen(name)) + 1;
    ga_status status = ga_alloc(context, size, 1, out);
    if (status == GA_OK) {
        snprintf(*out, (size_t)size, "%s%s", prefix, name);
    }
    return status;
}

ga_status ga__weight_add(ga_context *context, ga_model *model, const char *name, const char *saved_as,
                         int64_t rows, int64_t columns, ga__init init, int64_t *number)
{
    ga_status status = GA_OK;
    ga__weights *w = &model->weights;
    ga__stage *stage = &model->stages[model->stage_count - 1];
    if (w->count == w->room) {
        int64_t more = w->room ? 2 * w->room : 16;
        GA_TRY(ga__resize(context, w->room, more, sizeof *w->list, &w->list));
        w->room = more;
    }
    ga__weight *weight = &w->list[w->count];
    *weight = (ga__weight){ .ndim = rows ? 2 : 1,
                            .shape = { rows ? rows : columns, rows ? columns : 0 },
                            .first = w->numbers,
                            .init = init,
                            .fan = last_fan(w),
                            .decays = true,
                            .least = -INFINITY };
    if (!ga__mul(rows ? rows : 1, columns, &weight->count) || weight->count >= (int64_t)1 << ELEMENT_BITS ||
        !ga__add(w->numbers, (weight->count + ALIGN - 1) / ALIGN * ALIGN, &w->numbers)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "%s%s: %lld times %lld numbers", stage->prefix,
                        saved_as ? saved_as : name, (long long)rows, (long long)columns));
    }
    GA_TRY(weight_name(context, stage->prefix, saved_as ? saved_as : name, &weight->name));
    if (name) {
        stage->weights[stage->tensor_count] = w->count;
        stage->names[stage->tensor_count++] = name;
    }
    if (number) {
        *number = w->count;
    }
    w->count++;
done:
    return status;
}

static void point_at(ga__weights *weights)
{
    bool wide = weights->wide != NULL;
    for (int64_t i = 0; i < weights->count; i++) {
        ga__weight *w = &weights->list[i];
        w->tensor = (DLTensor){ .data = wide ? (void *)(weights->wide + w->first)
                                             : (void *)(weights->values + w->first),
                                .device = { .device_type = kDLCPU },
                                .ndim = w->ndim,
                                .dtype = { .code = kDLFloat, .bits = wide ? 64 : 32, .lanes = 1 },
                                .shape = w->shape };
        w->grad = w->tensor;
        w->grad.data = wide ? (void *)(weights->wide_grads + w->first) : (void *)(weights->grads + w->first);
    }
}

ga_status ga__model_widen(ga_context *context, ga_model *model)
{
    ga_status status = GA_OK;
    ga__weights *w = &model->weights;
    GA_TRY(GA_NEW_ZERO(context, w->numbers, &w->wide));
    GA_TRY(GA_NEW_ZERO(context, w->numbers, &w->wide_grads));
    for (int64_t i = 0; i < w->numbers; i++) {
        w->wide[i] = (double)w->values[i];
    }
    point_at(w);
done:
    return status;
}

/* ---- first values ---- */

double ga__weight_unit(uint64_t seed, int64_t number, int64_t i)
{
    uint64_t bits[2];
    ga__random_block(seed, GA__RANDOM_WEIGHTS, (uint64_t)number << ELEMENT_BITS | (uint64_t)i, 0, bits);
    return (double)(bits[0] >> 11) * 0x1p-53;
}

/* Half the width of the interval that a weight is drawn from. */
static double spread(const ga_model *model, const ga__weight *w)
{
    bool uniform = ga__model_integer(model, "init") == GA__WEIGHTS_UNIFORM;
    double in = w->init == GA__INIT_MAP      ? (double)w->shape[0]
                : w->init == GA__INIT_VECTOR ? (double)w->shape[1]
                                             : w->fan;
    double out = w->init == GA__INIT_MAP ? (double)w->shape[1] : 1;
    return uniform ? 1 / sqrt(in) : w->init == GA__INIT_BIAS ? 0 : sqrt(6 / (in + out));
}

static ga_status give_values(ga_context *context, const ga_model *model, const ga__weight *w, uint64_t seed,
                             int64_t number, float *to)
{
    ga_status status = GA_OK;
    double *values = NULL, limit = 0;
    if (w->init == GA__INIT_GIVEN) {
        GA_TRY(GA_NEW(context, w->count, &values));
        w->give(model, w, seed, number, values);
        for (int64_t i = 0; i < w->count; i++) {
            to[i] = (float)values[i];
        }
        goto done;
    }
    limit = w->init == GA__INIT_CONSTANT ? 0 : spread(model, w);
    for (int64_t i = 0; i < w->count; i++) {
        to[i] = (float)(limit > 0                      ? limit * (2 * ga__weight_unit(seed, number, i) - 1)
                        : w->init == GA__INIT_CONSTANT ? w->value
                                                       : 0);
    }
done:
    ga_free(context, values);
    return status;
}

ga_status ga__model_fill(ga_context *context, ga_model *model, uint64_t seed)
{
    ga_status status = GA_OK;
    ga__weights *w = &model->weights;
    GA_TRY(GA_NEW_ZERO(context, w->numbers, &w->values));
    GA_TRY(GA_NEW_ZERO(context, w->numbers, &w->grads));
    for (int64_t i = 0; i < w->count; i++) {
        GA_TRY(give_values(context, model, &w->list[i], seed, i, w->values + w->list[i].first));
    }
    point_at(w);
done:
    return status;
}

/* ---- models ---- */

ga_status ga__model_draft(ga_context *context, const ga_model_info *info, const ga_named_text *parameters,
                          int64_t parameter_count, int64_t features, int64_t classes, bool multilabel,
                          ga_model **out)
{
    ga_status status = GA_OK;
    ga_model *model = NULL;
    if (features < 1 || classes < 1) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "model %s: %lld features and %lld classes, expected at least 1 each", info->name,
                        (long long)features, (long long)classes));
    }
    GA_TRY(GA_NEW_ZERO(context, 1, &model));
    model->info = info;
    model->features = features;
    model->classes = classes;
    model->multilabel = multilabel;
    GA_TRY(set_parameters(context, model, parameters, parameter_count));
    GA_TRY(info->ops->plan(context, model));
    GA_TRY(finish_stages(model));
    *out = model;
    model = NULL;
done:
    ga_model_destroy(context, model);
    return status;
}

ga_status ga__model_make(ga_context *context, const ga_model_info *info, const ga_named_text *parameters,
                         int64_t parameter_count, int64_t features, int64_t classes, bool multilabel,
                         uint64_t seed, ga_model **out)
{
    ga_status status = GA_OK;
    ga_model *model = NULL;
    GA_TRY(
        ga__model_draft(context, info, parameters, parameter_count, features, classes, multilabel, &model));
    GA_TRY(ga__model_fill(context, model, seed));
    *out = model;
    model = NULL;
done:
    ga_model_destroy(context, model);
    return status;
}

void ga_model_destroy(ga_context *context, ga_model *model)
{
    if (!model) {
        return;
    }
    ga__model_state_free(context, model->state);
    for (int64_t i = 0; model->texts && model->info->parameters[i].name; i++) {
        ga_free(context, model->texts[i]);
    }
    for (int64_t i = 0; i < model->weights.count; i++) {
        ga_free(context, model->weights.list[i].name);
    }
    ga_free(context, model->texts);
    ga_free(context, model->weights.list);
    ga_free(context, model->weights.values);
    ga_free(context, model->weights.grads);
    ga_free(context, model->weights.wide);
    ga_free(context, model->weights.wide_grads);
    ga_free(context, model->stages);
    ga_free(context, model);
}

const ga_model_info *ga_model_kind(const ga_model *model)
{
    return model->info;
}

int64_t ga_model_features(const ga_model *model)
{
    return model->features;
}

int64_t ga_model_classes(const ga_model *model)
{
    return model->classes;
}

bool ga_model_multilabel(const ga_model *model)
{
    return model->multilabel;
}

const char *ga_model_parameter(const ga_model *model, const char *name)
{
    int64_t i = name ? parameter_place(model->info, name) : -1;
    return i < 0 ? NULL : model->texts[i];
}
