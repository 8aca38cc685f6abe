/* layers.c - the table of layers, and running one of them by name. */
#include "config.h"

#include <string.h>

#include "gnn/layer.h"
#include "lib/engine/view.h"

const char *const ga__loop_words[] = {
    [GA__LOOPS_KEEP] = "keep", [GA__LOOPS_ADD] = "add", [GA__LOOPS_REMOVE] = "remove", NULL
};
const char *const ga__duplicate_words[] = {
    [GA__DUPLICATES_DROP] = "drop", [GA__DUPLICATES_KEEP] = "keep", [GA__DUPLICATES_SUM] = "sum", NULL
};

static const ga_layer *const layers[] = { &ga__layer_gcn,
                                          &ga__layer_sage,
                                          &ga__layer_gat,
                                          &ga__layer_gatv2,
                                          &ga__layer_transformer,
                                          &ga__layer_agnn,
                                          &ga__layer_appnp,
                                          &ga__layer_gprgnn,
                                          &ga__layer_pgnn,
                                          &ga__layer_mlp,
                                          NULL };

const ga_layer *const *ga_layers(void)
{
    return layers;
}

const ga_layer *ga_layer_find(const char *name)
{
    for (int i = 0; name && layers[i]; i++) {
        if (strcmp(layers[i]->name, name) == 0) {
            return layers[i];
        }
    }
    return NULL;
}

/* ---- inputs ---- */

/* "weight_I" stands for weight_0, weight_1, ... */
static bool names(const char *row, const char *name)
{
    size_t length = strlen(row);
    if (length < 2 || strcmp(row + length - 2, "_I") != 0) {
        return strcmp(row, name) == 0;
    }
    const char *digits = name + length - 1;
    return strlen(name) >= length && strncmp(row, name, length - 1) == 0 &&
           strspn(digits, "0123456789") == strlen(digits) && (digits[0] != '0' || !digits[1]);
}

static const ga_tensor_slot *find_row(const ga_layer *layer, const char *name)
{
    for (const ga_tensor_slot *row = layer->tensors; row && row->name; row++) {
        if (names(row->name, name)) {
            return row;
        }
    }
    return NULL;
}

static ga__input_slot *find_slot(const ga__layer_run *run, const char *name)
{
    for (int64_t i = 0; i < run->slot_count; i++) {
        if (strcmp(run->slots[i].name, name) == 0) {
            return &run->slots[i];
        }
    }
    return NULL;
}

static ga_status to_working(ga__layer_run *run, const char *name, const DLTensor *given, DLTensor **made,
                            const DLTensor **tensor)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_of(run->context, name, given, true, &view));
    *tensor = given;
    if (view.type != (run->working.bits == 64 ? GA__F64 : GA__F32)) {
        GA_TRY(ga__tensor_cast(run->context, name, given, run->working, made));
        *tensor = *made;
    }
done:
    return status;
}

static ga_status add_slot(ga__layer_run *run, const char *name, bool differentiable, const DLTensor *given)
{
    ga__input_slot *slot = &run->slots[run->slot_count++];
    *slot = (ga__input_slot){ .name = name, .differentiable = differentiable, .given = given };
    return to_working(run, name, given, &slot->made, &slot->tensor);
}

static ga_status take_tensor(ga__layer_run *run, const ga_named_tensor *given)
{
    const char *name = given->name ? given->name : "";
    const ga_tensor_slot *row = find_row(run->layer, name);
    if (!row) {
        return ga__fail(run->context, GA_INVALID, "%s has no tensor '%s'", run->layer->name, name);
    }
    if (!given->tensor) {
        return ga__fail(run->context, GA_INVALID, "%s: missing", name);
    }
    if (find_slot(run, name)) {
        return ga__fail(run->context, GA_INVALID, "%s is given twice", name);
    }
    return add_slot(run, name, row->differentiable, given->tensor);
}

static ga_status take_tensors(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const ga_layer_call *call = run->call;
    if (!call->features) {
        return ga__fail(run->context, GA_INVALID, "features: missing");
    }
    if (call->tensor_count < 0 || (call->tensor_count > 0 && !call->tensors)) {
        return ga__fail(run->context, GA_INVALID, "tensors: %lld of them", (long long)call->tensor_count);
    }
    GA_TRY(GA_NEW_ZERO(run->context, call->tensor_count + 1, &run->slots));
    GA_TRY(add_slot(run, "features", true, call->features));
    if (call->features->ndim != 2) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "features: %d axes, expected 2: nodes, columns",
                        (int)call->features->ndim));
    }
    run->x = run->slots[0].tensor;
    run->nodes = run->x->shape[0];
    run->width = run->x->shape[1];
    for (int64_t i = 0; i < call->tensor_count; i++) {
        GA_TRY(take_tensor(run, &call->tensors[i]));
    }
    for (const ga_tensor_slot *row = run->layer->tensors; row && row->name; row++) {
        if (!row->optional && !ga__tensor(run, strcmp(row->name, "weight_I") ? row->name : "weight_0")) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "%s needs %s", run->layer->name,
                            strcmp(row->name, "weight_I") ? row->name : "weight_0"));
        }
    }
    if (call->grad_y) {
        GA_TRY(to_working(run, "grad_y", call->grad_y, &run->grad_y_made, &run->grad_y));
    }
done:
    return status;
}

static ga_status set_parameters(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const ga_layer_call *call = run->call;
    GA_TRY(ga__part_open(run->context, "", run->layer->name, run->layer->parameters, &run->part));
    for (int64_t i = 0; i < call->parameter_count; i++) {
        GA_TRY(ga__part_set(&run->part, call->parameters[i].name, call->parameters[i].value, ','));
    }
    status = ga__part_check(&run->part);
done:
    return status;
}

/* ---- the graph ---- */

/* Weights of the lines: the tensor, the edges' own, or none. Owned in *made where they had to be converted. */
static ga_status line_weights(ga__layer_run *run, const double **weights, double **made)
{
    ga_status status = GA_OK;
    int64_t lines = run->call->edges->count;
    ga__view view;
    *weights = run->layer->ops->edge_weights ? run->call->edges->weights : NULL;
    ga__input_slot *slot = find_slot(run, "edge_weight");
    if (!slot) {
        goto done;
    }
    GA_TRY(ga__fits(run, "edge_weight", 1, &lines));
    GA_TRY(ga__view_of(run->context, "edge_weight", slot->given, true, &view));
    GA_TRY(GA_NEW(run->context, lines, made));
    ga__view_load_f64(&view, 0, 0, 0, *made);
    *weights = *made;
done:
    return status;
}

static ga_status make_graph(ga__layer_run *run)
{
    ga_status status = GA_OK;
    double *made = NULL;
    const double *weights = NULL;
    if (!run->layer->takes_graph) {
        return GA_OK;
    }
    if (!run->call->edges) {
        return ga__fail(run->context, GA_INVALID, "%s needs a graph", run->layer->name);
    }
    ga__policy policy = { .undirected = run->call->undirected,
                          .duplicates = (ga__duplicate_policy)ga__integer(run, "duplicates"),
                          .loops = (ga__loop_policy)ga__integer(run, "self_loops") };
    if (policy.duplicates == GA__DUPLICATES_SUM && !run->layer->ops->edge_weights) {
        return ga__part_refuse(&run->part, "duplicates", "drop or keep: its edges have no weights");
    }
    GA_TRY(line_weights(run, &weights, &made));
    GA_TRY(ga__messages_make(run->context, run->call->edges, weights, run->nodes, &policy, &run->graph));
done:
    ga_free(run->context, made);
    return status;
}

/* ---- what is wanted ---- */

static bool has_map(const ga_layer *layer)
{
    return strstr(layer->outputs, "map") != NULL;
}

static ga_status want_gradient(ga__layer_run *run, const char *name)
{
    ga__input_slot *slot = find_slot(run, name);
    const ga_tensor_slot *row = find_row(run->layer, name);
    ga_status status = GA_OK;
    if (!slot && row) {
        return ga__fail(run->context, GA_INVALID, "grad_%s: no %s was given", name, name);
    }
    if (!slot || !slot->differentiable) {
        return ga__fail(run->context, GA_INVALID, "%s has no gradient of '%s'", run->layer->name, name);
    }
    if (!run->grad_y) {
        return ga__fail(run->context, GA_INVALID, "grad_%s needs the gradient of y", name);
    }
    if (!slot->grad) {
        GA_TRY(
            ga_tensor_create(run->context, run->working, slot->given->ndim, slot->given->shape, &slot->grad));
    }
    slot->wanted = true;
done:
    return status;
}

static ga_status want(ga__layer_run *run, const ga_named_tensor *wanted, int64_t count, bool *backward)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; i < count; i++) {
        const char *name = wanted[i].name ? wanted[i].name : "";
        for (int64_t j = 0; j < i; j++) {
            if (strcmp(name, wanted[j].name) == 0) {
                GA_TRY(ga__fail(run->context, GA_INVALID, "output '%s' is wanted twice", name));
            }
        }
        if (strncmp(name, "grad_", 5) == 0) {
            GA_TRY(want_gradient(run, name + 5));
            *backward = true;
        } else if (strcmp(name, "map") == 0 && has_map(run->layer)) {
            run->want_map = true;
        } else if (strcmp(name, "y") != 0) {
            GA_TRY(ga__fail(run->context, GA_INVALID,
                            "%s has no output '%s'; its outputs are %s and grad_NAME", run->layer->name, name,
                            run->layer->outputs));
        }
    }
done:
    return status;
}

/* ---- results ---- */

static void map_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const ga__layer_run *run = user;
    const ga__messages *m = &run->graph;
    int64_t e = row < m->arcs ? m->arc_edge[row] : m->loop_edge[row - m->arcs], heads = run->map->shape[1];
    (void)in;
    (void)sums;
    for (int64_t h = 0; h < heads; h++) {
        size_t at = (size_t)(e * heads + h);
        out[0][h] = e < 0                     ? 0
                    : run->working.bits == 64 ? ((const double *)run->map->data)[at]
                                              : (double)((const float *)run->map->data)[at];
    }
}

/* From edges to arcs and inserted loops. Returns owned. */
static ga_status map_by_arcs(ga__layer_run *run, DLTensor **out)
{
    ga_status status = GA_OK;
    const int64_t shape[] = { run->graph.arcs + run->graph.loops, run->map->shape[1] };
    DLTensor *map = NULL;
    GA_TRY(ga_tensor_create(run->context, run->working, 2, shape, &map));
    ga__row_work work = { .fn = map_row, .user = run, .out = { map }, .rows = shape[0] };
    GA_TRY(ga__each_row(run->context, &work));
    *out = map;
    map = NULL;
done:
    ga_tensor_destroy(run->context, map);
    return status;
}

static ga_status hand_over(ga__layer_run *run, ga_named_tensor *wanted, int64_t count)
{
    ga_status status = GA_OK;
    DLTensor *map = NULL;
    if (run->want_map) {
        GA_TRY(map_by_arcs(run, &map));
    }
    for (int64_t i = 0; i < count; i++) {
        DLTensor **from = strcmp(wanted[i].name, "y") == 0     ? &run->y
                          : strcmp(wanted[i].name, "map") == 0 ? &map
                                                               : &find_slot(run, wanted[i].name + 5)->grad;
        wanted[i].tensor = *from;
        *from = NULL;
    }
done:
    return status;
}

static void close_run(ga__layer_run *run)
{
    ga_context *context = run->context;
    for (int64_t i = 0; run->slots && i < run->slot_count; i++) {
        ga_tensor_destroy(context, run->slots[i].made);
        ga_tensor_destroy(context, run->slots[i].grad);
    }
    for (int64_t i = 0; i < run->temp_count; i++) {
        ga_tensor_destroy(context, run->temps[i]);
    }
    ga_free(context, run->temps);
    ga_free(context, run->slots);
    ga_free(context, run->state);
    ga__messages_free(context, &run->graph);
    ga_tensor_destroy(context, run->y);
    ga_tensor_destroy(context, run->map);
    ga_tensor_destroy(context, run->grad_y_made);
}

static ga_status carry_out(ga__layer_run *run, bool backward)
{
    ga_status status = GA_OK;
    const ga__layer_ops *ops = run->layer->ops;
    GA_TRY(ga__alloc_zero(run->context, 1, ops->state, &run->state));
    GA_TRY(ops->forward(run));
    if (run->grad_y) {
        GA_TRY(ga__check_grad_y(run));
    }
    if (backward) {
        GA_TRY(ops->backward(run));
    }
done:
    return status;
}

ga_status ga_layer_run(ga_context *context, const char *layer, const ga_layer_call *call,
                       ga_named_tensor *wanted, int64_t wanted_count)
{
    ga_status status = GA_OK;
    bool backward = false;
    ga__begin(context);
    for (int64_t i = 0; wanted && i < wanted_count; i++) {
        wanted[i].tensor = NULL;
    }
    ga__layer_run run = { .context = context, .layer = ga_layer_find(layer), .call = call };
    if (!run.layer) {
        GA_TRY(ga__fail(context, GA_INVALID, "no layer '%s'", layer ? layer : ""));
    }
    if (!call || wanted_count < 0 || (wanted_count > 0 && !wanted)) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s: a call and outputs expected", layer));
    }
    run.working = (DLDataType){ .code = kDLFloat, .bits = call->f64 ? 64 : 32, .lanes = 1 };
    GA_TRY(set_parameters(&run));
    GA_TRY(take_tensors(&run));
    GA_TRY(want(&run, wanted, wanted_count, &backward));
    GA_TRY(make_graph(&run));
    GA_TRY(carry_out(&run, backward));
    GA_TRY(hand_over(&run, wanted, wanted_count));
done:
    close_run(&run);
    return status;
}
