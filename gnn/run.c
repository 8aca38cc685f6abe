/* run.c - a layer that is opened once and run again and again. */
#include "config.h"

#include <string.h>

#include "gnn/layer.h"
#include "lib/engine/view.h"

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

const ga_tensor_slot *ga__layer_row(const ga_layer *layer, const char *name)
{
    for (const ga_tensor_slot *row = layer->tensors; row && row->name; row++) {
        if (names(row->name, name)) {
            return row;
        }
    }
    return NULL;
}

ga__input_slot *ga__layer_slot(const ga__layer_run *run, const char *name)
{
    for (int64_t i = 0; i < run->slot_count; i++) {
        if (strcmp(run->slots[i].name, name) == 0) {
            return &run->slots[i];
        }
    }
    return NULL;
}

ga_status ga__layer_convert(ga__layer_run *run, const char *name, const DLTensor *given, DLTensor **made,
                            const DLTensor **tensor)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_of(run->context, name, given, true, &view));
    ga_tensor_destroy(run->context, *made);
    *made = NULL;
    *tensor = given;
    bool contiguous =
        (view.rows <= 1 || view.stride_row == view.columns) && view.batch == 1 && view.heads == 1;
    if (!contiguous || view.type != (run->working.bits == 64 ? GA__F64 : GA__F32)) {
        GA_TRY(ga__tensor_cast(run->context, name, given, run->working, made));
        *tensor = *made;
    }
done:
    return status;
}

static ga_status add_slot(ga__layer_run *run, const char *name, const ga_tensor_slot *row,
                          ga__input_slot **slot)
{
    ga_status status = GA_OK;
    if (run->slot_count == run->slot_room) {
        int64_t more = run->slot_room ? 2 * run->slot_room : 16;
        GA_TRY(ga__resize(run->context, run->slot_room, more, sizeof *run->slots, &run->slots));
        run->slot_room = more;
    }
    *slot = &run->slots[run->slot_count++];
    **slot = (ga__input_slot){ .name = name, .differentiable = row->differentiable };
done:
    return status;
}

ga_status ga__layer_bind(ga__layer_run *run, const char *name, const DLTensor *tensor, DLTensor *grad)
{
    ga_status status = GA_OK;
    const ga_tensor_slot *row = ga__layer_row(run->layer, name);
    ga__input_slot *slot = ga__layer_slot(run, name);
    if (!row) {
        return ga__fail(run->context, GA_INVALID, "%s has no tensor '%s'", run->layer->name, name);
    }
    if (!tensor) {
        return ga__fail(run->context, GA_INVALID, "%s: missing", name);
    }
    if (!slot) {
        GA_TRY(add_slot(run, name, row, &slot));
    }
    slot->given = tensor;
    slot->grad = grad;
    slot->wanted = grad != NULL;
    status = ga__layer_convert(run, name, tensor, &slot->made, &slot->tensor);
done:
    return status;
}

/* ---- life ---- */

ga_status ga__layer_open(ga_context *context, const ga_layer *layer, const ga_named_text *parameters,
                         int64_t count, bool f64, ga__layer_run *run)
{
    ga_status status = GA_OK;
    *run = (ga__layer_run){ .context = context,
                            .layer = layer,
                            .working = { .code = kDLFloat, .bits = f64 ? 64 : 32, .lanes = 1 } };
    GA_TRY(ga__part_open(context, "", layer->name, layer->parameters, &run->part));
    for (int64_t i = 0; i < count; i++) {
        GA_TRY(ga__part_set(&run->part, parameters[i].name, parameters[i].value, ','));
    }
    GA_TRY(ga__part_check(&run->part));
    status = ga__alloc_zero(context, 1, layer->ops->state, &run->state);
done:
    return status;
}

void ga__layer_close(ga__layer_run *run)
{
    ga_context *context = run->context;
    for (int64_t i = 0; i < run->slot_count; i++) {
        ga_tensor_destroy(context, run->slots[i].made);
    }
    for (int64_t i = 0; i < run->temp_count; i++) {
        ga_free(context, run->temps[i]->tensor.data);
        ga_free(context, run->temps[i]);
    }
    ga_free(context, run->temps);
    ga_free(context, run->slots);
    ga_free(context, run->state);
    ga_tensor_destroy(context, run->y);
    ga_tensor_destroy(context, run->map);
    *run = (ga__layer_run){ .context = context };
}

/* ---- passes ---- */

static ga_status check_needed(const ga__layer_run *run)
{
    for (const ga_tensor_slot *row = run->layer->tensors; row && row->name; row++) {
        const char *name = strcmp(row->name, "weight_I") ? row->name : "weight_0";
        if (!row->optional && !ga__tensor(run, name)) {
            return ga__fail(run->context, GA_INVALID, "%s needs %s", run->layer->name, name);
        }
    }
    return GA_OK;
}

static ga_status check_keep(const ga__layer_run *run, const ga__layer_input *input)
{
    double scale = input->keep.scale;
    if (input->keep.bits && !(scale > 0 && scale < 1e30)) {
        return ga__fail(run->context, GA_INVALID, "features: kept ones times %g", scale);
    }
    return GA_OK;
}

static ga_status take_input(ga__layer_run *run, const ga__layer_input *input)
{
    const DLTensor *dense = input->dense;
    const ga__sparse_input *sparse = input->sparse;
    run->input = input;
    run->x = NULL;
    if (!dense == !sparse) {
        return ga__fail(run->context, GA_INVALID, "features: missing");
    }
    if (dense && dense->ndim != 2) {
        return ga__fail(run->context, GA_INVALID, "features: %d axes, expected 2: nodes, columns",
                        (int)dense->ndim);
    }
    if (dense && (dense->dtype.code != kDLFloat || dense->dtype.bits != run->working.bits)) {
        return ga__fail(run->context, GA_INVALID, "features: expected in the working type");
    }
    if (sparse && sparse->values && sparse->values->dtype.bits != 32) {
        return ga__fail(run->context, GA_INVALID, "features: sparse values are expected in single precision");
    }
    run->nodes = dense ? dense->shape[0] : sparse->edges.targets;
    run->width = dense ? dense->shape[1] : sparse->edges.sources_count;
    return check_keep(run, input);
}

static ga_status take_graph(ga__layer_run *run, const ga__messages *graph)
{
    run->graph = graph;
    if (!run->layer->takes_graph) {
        return GA_OK;
    }
    if (!graph) {
        return ga__fail(run->context, GA_INVALID, "%s needs a graph", run->layer->name);
    }
    if (graph->edges.targets != run->nodes) {
        return ga__fail(run->context, GA_INVALID, "a graph of %lld nodes, features of %lld",
                        (long long)graph->edges.targets, (long long)run->nodes);
    }
    return GA_OK;
}

ga_status ga__layer_forward(ga__layer_run *run, const ga__layer_input *input, const ga__messages *graph,
                            const ga__layer_noise *noise)
{
    ga_status status = GA_OK;
    const ga__layer_ops *ops = run->layer->ops;
    run->temp_next = 0;
    run->grad_y = run->grad_x = NULL;
    run->noise = noise;
    memset(run->state, 0, ops->state);
    GA_TRY(take_input(run, input));
    GA_TRY(take_graph(run, graph));
    GA_TRY(check_needed(run));
    GA_TRY(ops->linear_input ? GA_OK : ga__input_matrix(run, &run->x));
    status = ops->forward(run);
done:
    return status;
}

ga_status ga__layer_backward(ga__layer_run *run, DLTensor *grad_y, DLTensor *grad_x)
{
    ga_status status = GA_OK;
    const ga__layer_ops *ops = run->layer->ops;
    run->grad_y = grad_y;
    run->grad_x = grad_x;
    GA_TRY(ga__check_grad_y(run));
    if (grad_x && run->input->sparse) {
        GA_TRY(ga__fail(run->context, GA_UNSUPPORTED, "features: sparse ones have no gradient"));
    }
    GA_TRY(ops->backward(run));
    if (grad_x && !ops->linear_input) {
        GA_TRY(ga__input_gradient(run, grad_x));
    }
done:
    return status;
}
