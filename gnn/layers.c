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

/* ---- one call by name ---- */

/* A run with what it needs for one call. */
typedef struct one_call {
    ga__layer_run run;
    const ga_layer_call *call;
    ga__messages graph;
    ga__layer_input input;
    const DLTensor *features;
    DLTensor *features_made, *grad_y; /* owned: copies */
    DLTensor *grad_features;          /* owned; NULL = not wanted */
    DLTensor **grads;                 /* (tensors) owned: of the tensors in their order */
    bool backward;
} one_call;

static ga_status take_features(one_call *c)
{
    ga_status status = GA_OK;
    const ga_layer_call *call = c->call;
    if (!call->features) {
        return ga__fail(c->run.context, GA_INVALID, "features: missing");
    }
    if (call->tensor_count < 0 || (call->tensor_count > 0 && !call->tensors)) {
        return ga__fail(c->run.context, GA_INVALID, "tensors: %lld of them", (long long)call->tensor_count);
    }
    GA_TRY(ga__layer_convert(&c->run, "features", call->features, &c->features_made, &c->features));
    if (call->features->ndim != 2) {
        GA_TRY(ga__fail(c->run.context, GA_INVALID, "features: %d axes, expected 2: nodes, columns",
                        (int)call->features->ndim));
    }
    c->input = (ga__layer_input){ .dense = c->features, .keep = { NULL, 1 } };
done:
    return status;
}

static ga_status take_tensors(one_call *c)
{
    ga_status status = GA_OK;
    const ga_layer_call *call = c->call;
    GA_TRY(GA_NEW_ZERO(c->run.context, call->tensor_count, &c->grads));
    for (int64_t i = 0; i < call->tensor_count; i++) {
        const char *name = call->tensors[i].name ? call->tensors[i].name : "";
        if (ga__layer_slot(&c->run, name)) {
            GA_TRY(ga__fail(c->run.context, GA_INVALID, "%s is given twice", name));
        }
        GA_TRY(ga__layer_bind(&c->run, name, call->tensors[i].tensor, NULL));
    }
    if (call->grad_y) {
        GA_TRY(ga__tensor_cast(c->run.context, "grad_y", call->grad_y, c->run.working, &c->grad_y));
    }
done:
    return status;
}

/* Weights of the lines: the tensor, the edges' own, or none. Owned in *made where they had to be converted. */
static ga_status line_weights(one_call *c, const double **weights, double **made)
{
    ga_status status = GA_OK;
    ga__layer_run *run = &c->run;
    int64_t lines = c->call->edges->count;
    ga__view view;
    *weights = run->layer->ops->edge_weights ? c->call->edges->weights : NULL;
    ga__input_slot *slot = ga__layer_slot(run, "edge_weight");
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

static ga_status make_graph(one_call *c)
{
    ga_status status = GA_OK;
    ga__layer_run *run = &c->run;
    double *made = NULL;
    const double *weights = NULL;
    if (!run->layer->takes_graph) {
        return GA_OK;
    }
    if (!c->call->edges) {
        return ga__fail(run->context, GA_INVALID, "%s needs a graph", run->layer->name);
    }
    ga__policy policy = { .undirected = c->call->undirected,
                          .duplicates = (ga__duplicate_policy)ga__integer(run, "duplicates"),
                          .loops = (ga__loop_policy)ga__integer(run, "self_loops"),
                          .lines = true };
    if (policy.duplicates == GA__DUPLICATES_SUM && !run->layer->ops->edge_weights) {
        return ga__part_refuse(&run->part, "duplicates", "drop or keep: its edges have no weights");
    }
    GA_TRY(line_weights(c, &weights, &made));
    GA_TRY(
        ga__messages_make(run->context, c->call->edges, weights, c->features->shape[0], &policy, &c->graph));
done:
    ga_free(run->context, made);
    return status;
}

/* ---- what is wanted ---- */

static bool has_map(const ga_layer *layer)
{
    return strstr(layer->outputs, "map") != NULL;
}

/* Where the gradient of this name is kept; NULL for a name without one. */
static DLTensor **grad_place(one_call *c, const char *name)
{
    if (strcmp(name, "features") == 0) {
        return &c->grad_features;
    }
    for (int64_t i = 0; i < c->call->tensor_count; i++) {
        if (strcmp(c->call->tensors[i].name, name) == 0) {
            return &c->grads[i];
        }
    }
    return NULL;
}

static ga_status want_gradient(one_call *c, const char *name)
{
    ga__layer_run *run = &c->run;
    ga__input_slot *slot = ga__layer_slot(run, name);
    DLTensor **place = grad_place(c, name);
    const DLTensor *given = slot ? slot->given : c->call->features;
    if (!place && ga__layer_row(run->layer, name)) {
        return ga__fail(run->context, GA_INVALID, "grad_%s: no %s was given", name, name);
    }
    if (!place || (slot && !slot->differentiable)) {
        return ga__fail(run->context, GA_INVALID, "%s has no gradient of '%s'", run->layer->name, name);
    }
    if (!c->grad_y) {
        return ga__fail(run->context, GA_INVALID, "grad_%s needs the gradient of y", name);
    }
    ga_status status = ga_tensor_create(run->context, run->working, given->ndim, given->shape, place);
    if (slot) {
        slot->grad = *place;
        slot->wanted = true;
    }
    return status;
}

static ga_status want(one_call *c, const ga_named_tensor *wanted, int64_t count)
{
    ga_status status = GA_OK;
    ga__layer_run *run = &c->run;
    for (int64_t i = 0; i < count; i++) {
        const char *name = wanted[i].name ? wanted[i].name : "";
        for (int64_t j = 0; j < i; j++) {
            if (strcmp(name, wanted[j].name ? wanted[j].name : "") == 0) {
                GA_TRY(ga__fail(run->context, GA_INVALID, "output '%s' is wanted twice", name));
            }
        }
        if (strncmp(name, "grad_", 5) == 0) {
            GA_TRY(want_gradient(c, name + 5));
            c->backward = true;
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
    const ga__messages *m = run->graph;
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
    const int64_t shape[] = { run->graph->arcs + run->graph->loops, run->map->shape[1] };
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

static ga_status hand_over(one_call *c, ga_named_tensor *wanted, int64_t count)
{
    ga_status status = GA_OK;
    DLTensor *map = NULL;
    if (c->run.want_map) {
        GA_TRY(map_by_arcs(&c->run, &map));
    }
    for (int64_t i = 0; i < count; i++) {
        DLTensor **from = strcmp(wanted[i].name, "y") == 0     ? &c->run.y
                          : strcmp(wanted[i].name, "map") == 0 ? &map
                                                               : grad_place(c, wanted[i].name + 5);
        wanted[i].tensor = *from;
        *from = NULL;
    }
done:
    return status;
}

static void close_call(one_call *c)
{
    ga_context *context = c->run.context;
    for (int64_t i = 0; c->grads && i < c->call->tensor_count; i++) {
        ga_tensor_destroy(context, c->grads[i]);
    }
    ga_free(context, c->grads);
    ga_tensor_destroy(context, c->grad_features);
    ga_tensor_destroy(context, c->features_made);
    ga_tensor_destroy(context, c->grad_y);
    ga__layer_close(&c->run);
    ga__messages_free(context, &c->graph);
}

static ga_status carry_out(one_call *c)
{
    ga_status status = GA_OK;
    c->run.forward_only = !c->backward;
    GA_TRY(ga__layer_forward(&c->run, &c->input, c->run.layer->takes_graph ? &c->graph : NULL, NULL));
    if (c->backward) {
        GA_TRY(ga__layer_backward(&c->run, c->grad_y, c->grad_features));
    } else if (c->grad_y) {
        c->run.grad_y = c->grad_y;
        GA_TRY(ga__check_grad_y(&c->run));
    }
done:
    return status;
}

ga_status ga_layer_run(ga_context *context, const char *layer, const ga_layer_call *call,
                       ga_named_tensor *wanted, int64_t wanted_count)
{
    ga_status status = GA_OK;
    const ga_layer *found = ga_layer_find(layer);
    one_call c = { .run = { .context = context }, .call = call };
    ga__begin(context);
    for (int64_t i = 0; wanted && i < wanted_count; i++) {
        wanted[i].tensor = NULL;
    }
    if (!found) {
        GA_TRY(ga__fail(context, GA_INVALID, "no layer '%s'", layer ? layer : ""));
    }
    if (!call || wanted_count < 0 || (wanted_count > 0 && !wanted)) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s: a call and outputs expected", layer));
    }
    GA_TRY(ga__layer_open(context, found, call->parameters, call->parameter_count, call->f64, &c.run));
    GA_TRY(take_features(&c));
    GA_TRY(take_tensors(&c));
    GA_TRY(want(&c, wanted, wanted_count));
    GA_TRY(make_graph(&c));
    GA_TRY(carry_out(&c));
    GA_TRY(hand_over(&c, wanted, wanted_count));
done:
    close_call(&c);
    return status;
}
