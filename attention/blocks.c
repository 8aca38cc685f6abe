/* blocks.c - the tables of blocks, of analyses of maps and of costs, and running one of them by name. */
#include "config.h"

#include <string.h>

#include "attention/blocks.h"

static const ga_block *const blocks[] = {
    &ga__block_channel_attention,
    &ga__block_kan,
    &ga__block_td_norm,
    &ga__block_multires_fuse,
    &ga__block_partition,
    &ga__block_merge,
    &ga__block_merge_partials,
    &ga__block_object_code,
    &ga__block_norm,
    &ga__block_local_concentration,
    NULL,
};

static const ga_block *const analyses[] = {
    &ga__analysis_influence,
    &ga__analysis_moa_plan,
    &ga__analysis_sinks,
    &ga__analysis_vhd,
    &ga__analysis_cls_streams,
    &ga__analysis_carve,
    &ga__analysis_retrieval_score,
    &ga__analysis_attention_influence,
    &ga__analysis_row_stats,
    &ga__analysis_statistics,
    NULL,
};

static const ga_block *const costs[] = {
    &ga__cost_kinetics, &ga__cost_sparse_frontier, &ga__cost_efficiency_length,
    &ga__cost_passes,   &ga__cost_variant,         NULL,
};

const ga_block *const *ga_blocks(void)
{
    return blocks;
}

const ga_block *const *ga_analyses(void)
{
    return analyses;
}

const ga_block *const *ga_costs(void)
{
    return costs;
}

static const ga_block *find(const ga_block *const *table, const char *name)
{
    for (int i = 0; name && table[i]; i++) {
        if (strcmp(table[i]->name, name) == 0) {
            return table[i];
        }
    }
    return NULL;
}

const ga_block *ga_block_find(const char *name)
{
    return find(blocks, name);
}

const ga_block *ga_analysis_find(const char *name)
{
    return find(analyses, name);
}

const ga_block *ga_cost_find(const char *name)
{
    return find(costs, name);
}

bool ga_block_has_gradients(const ga_block *block)
{
    return block->ops->backward != NULL;
}

/* ---- inputs ---- */

static const ga_tensor_slot *find_row(const ga_block *block, const char *name)
{
    for (const ga_tensor_slot *row = block->tensors; row && row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

static ga__block_input *find_input(ga__block_run *run, const char *name)
{
    for (int i = 0; i < run->input_count; i++) {
        if (strcmp(run->inputs[i].name, name) == 0) {
            return &run->inputs[i];
        }
    }
    return NULL;
}

/* C order, whatever the strides of axes without elements or with one are. */
static bool in_order(const DLTensor *tensor)
{
    int64_t step = 1;
    for (int i = tensor->ndim - 1; i >= 0 && tensor->strides; i--) {
        if (tensor->shape[i] != 1 && tensor->strides[i] != step) {
            return false;
        }
        step *= tensor->shape[i];
    }
    return true;
}

/* floating: nothing else fits. */
static ga_status to_working(ga__block_run *run, const char *name, bool floating, const DLTensor *given,
                            DLTensor **made, const DLTensor **tensor)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_of(run->context, name, given, floating, &view));
    *tensor = given;
    bool same = view.type == (run->working.bits == 64 ? GA__F64 : GA__F32);
    if (view.type <= GA__F64 && !(same && in_order(given))) {
        GA_TRY(ga__tensor_cast(run->context, name, given, run->working, made));
        *tensor = *made;
    }
done:
    return status;
}

/* Stacked on a first axis: more axes than a view has, in C order; all but the last three become one. */
static ga_status stack_to_working(ga__block_run *run, const char *name, const DLTensor *given,
                                  DLTensor **made, const DLTensor **tensor)
{
    ga_status status = GA_OK;
    DLTensor flat = *given, to;
    ga__view from, view;
    int64_t shape[] = { 1, 0, 0, 0 };
    int lead = given->ndim - 3;
    for (int i = 0; i < given->ndim; i++) {
        if (i < lead ? given->shape[i] < 0 || !ga__mul(shape[0], given->shape[i], &shape[0]) : false) {
            GA_TRY(ga__fail(run->context, GA_OVERFLOW, "%s: the product of the extents is too large", name));
        }
        shape[i < lead ? 0 : i - lead + 1] = i < lead ? shape[0] : given->shape[i];
    }
    if (!in_order(given)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "%s: expected C order with more than 4 axes", name));
    }
    flat.ndim = 4;
    flat.shape = shape;
    flat.strides = NULL;
    GA_TRY(ga__view_of(run->context, name, &flat, true, &from));
    *tensor = given;
    if (from.type != (run->working.bits == 64 ? GA__F64 : GA__F32)) {
        GA_TRY(ga_tensor_create(run->context, run->working, given->ndim, given->shape, made));
        to = **made;
        to.ndim = 4;
        to.shape = shape;
        to.strides = NULL;
        GA_TRY(ga__view_of(run->context, name, &to, true, &view));
        for (int64_t i = 0; i < from.batch * from.heads * from.rows * from.columns; i++) {
            ga__set_element(&to, i,
                            ga__view_get(&(ga__view){ .data = from.data, .type = from.type }, 0, 0, 0, i));
        }
        *tensor = *made;
    }
done:
    return status;
}

/* Its shape in the table tells. */
static bool takes_stacks(const ga_tensor_slot *row)
{
    return strncmp(row->shape, "(P, ...", strlen("(P, ...")) == 0;
}
static bool takes_integers(const ga_tensor_slot *row)
{
    return strncmp(row->shape, "i64 ", 4) == 0 || strncmp(row->shape, "u8 ", 3) == 0;
}

static ga_status take_tensor(ga__block_run *run, const ga_named_tensor *given)
{
    const char *name = given->name ? given->name : "";
    const ga_tensor_slot *row = find_row(run->block, name);
    if (!row) {
        return ga__fail(run->context, GA_INVALID, "%s has no tensor '%s'", run->block->name, name);
    }
    if (!given->tensor) {
        return ga__fail(run->context, GA_INVALID, "%s: missing", name);
    }
    if (find_input(run, name)) {
        return ga__fail(run->context, GA_INVALID, "%s is given twice", name);
    }
    if (run->input_count == GA__BLOCK_TENSORS) {
        return ga__fail(run->context, GA_INTERNAL, "%s: too many tensors", run->block->name);
    }
    ga__block_input *input = &run->inputs[run->input_count++];
    *input = (ga__block_input){ .name = name, .differentiable = row->differentiable, .given = given->tensor };
    if (takes_stacks(row) && given->tensor->ndim > 4) {
        return stack_to_working(run, name, given->tensor, &input->made, &input->tensor);
    }
    return to_working(run, name, !takes_integers(row), given->tensor, &input->made, &input->tensor);
}

static ga_status take_tensors(ga__block_run *run)
{
    ga_status status = GA_OK;
    const ga_block_call *call = run->call;
    if (call->tensor_count < 0 || (call->tensor_count > 0 && !call->tensors)) {
        return ga__fail(run->context, GA_INVALID, "tensors: %lld of them", (long long)call->tensor_count);
    }
    for (int64_t i = 0; i < call->tensor_count; i++) {
        GA_TRY(take_tensor(run, &call->tensors[i]));
    }
    for (const ga_tensor_slot *row = run->block->tensors; row && row->name; row++) {
        if (!row->optional && !find_input(run, row->name)) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "%s needs %s", run->block->name, row->name));
        }
    }
    if (call->grad_y && !run->block->ops->backward) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "%s has no gradients", run->block->name));
    }
    if (call->grad_y) {
        GA_TRY(to_working(run, "grad_y", true, call->grad_y, &run->grad_y_made, &run->grad_y));
    }
done:
    return status;
}

static bool has_parameter(const ga_block *block, const char *name)
{
    for (const ga_parameter *p = block->parameters; name && p && p->name; p++) {
        if (strcmp(p->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static ga_status set_parameters(ga__block_run *run)
{
    ga_status status = GA_OK;
    const ga_block_call *call = run->call;
    if (call->parameter_count < 0 || (call->parameter_count > 0 && !call->parameters)) {
        return ga__fail(run->context, GA_INVALID, "parameters: %lld of them",
                        (long long)call->parameter_count);
    }
    GA_TRY(ga__part_open(run->context, "", run->block->name, run->block->parameters, &run->part));
    for (int64_t i = 0; i < call->parameter_count; i++) {
        if (!run->block->ops->more_parameters || has_parameter(run->block, call->parameters[i].name)) {
            GA_TRY(ga__part_set(&run->part, call->parameters[i].name, call->parameters[i].value, ','));
        }
    }
    status = ga__part_check(&run->part);
done:
    return status;
}

/* ---- what is wanted ---- */

/* True when name stands in the list "y, gate". */
static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; *at;) {
        size_t word = strcspn(at, ", ");
        if (word == length && memcmp(at, name, length) == 0) {
            return true;
        }
        at += word;
        at += strspn(at, ", ");
    }
    return false;
}

static ga_status want_gradient(ga__block_run *run, const char *name)
{
    ga__block_input *input = find_input(run, name);
    const char *block = run->block->name;
    if (!run->block->ops->backward) {
        return ga__fail(run->context, GA_INVALID, "%s has no gradients", block);
    }
    if (!input && find_row(run->block, name)) {
        return ga__fail(run->context, GA_INVALID, "grad_%s: no %s was given", name, name);
    }
    if (!input || !input->differentiable) {
        return ga__fail(run->context, GA_INVALID, "%s has no gradient of '%s'", block, name);
    }
    if (!run->grad_y) {
        return ga__fail(run->context, GA_INVALID, "grad_%s needs the gradient of y (--grad-output)", name);
    }
    return ga_tensor_create(run->context, run->working, input->given->ndim, input->given->shape,
                            &input->grad);
}

/* What grad_y belongs to. */
static const char *upstream_of(const ga__block_run *run)
{
    const char *name = run->block->ops->upstream;
    return name ? name : "y";
}

static ga_status want_output(ga__block_run *run, const char *name)
{
    if (!listed(run->block->outputs, name)) {
        return ga__fail(run->context, GA_INVALID, "%s has no output '%s'; its outputs are %s%s",
                        run->block->name, name, run->block->outputs,
                        run->block->ops->backward ? " and grad_NAME" : "");
    }
    if (run->output_count == GA__BLOCK_OUTPUTS) {
        return ga__fail(run->context, GA_INTERNAL, "%s: too many outputs", run->block->name);
    }
    run->outputs[run->output_count++].name = name;
    return GA_OK;
}

static ga_status want(ga__block_run *run, const ga_named_tensor *wanted, int64_t count, bool *backward)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; i < count; i++) {
        const char *name = wanted[i].name ? wanted[i].name : "";
        for (int64_t j = 0; j < i; j++) {
            if (strcmp(name, wanted[j].name) == 0) {
                GA_TRY(ga__fail(run->context, GA_INVALID, "output '%s' is wanted twice", name));
            }
        }
        bool gradient = strncmp(name, "grad_", 5) == 0;
        GA_TRY(gradient ? want_gradient(run, name + 5) : want_output(run, name));
        *backward = *backward || gradient;
    }
    if (run->grad_y && !ga__block_wants(run, upstream_of(run))) {
        GA_TRY(want_output(run, upstream_of(run)));
    }
done:
    return status;
}

/* ---- a run ---- */

static DLTensor **output_of(ga__block_run *run, const char *name)
{
    for (int i = 0; i < run->output_count; i++) {
        if (strcmp(run->outputs[i].name, name) == 0) {
            return &run->outputs[i].tensor;
        }
    }
    return NULL;
}

/* grad_y has the axes of y, but for leading ones of length 1. */
static ga_status check_grad_y(ga__block_run *run)
{
    ga_status status = GA_OK;
    ga__view y, grad;
    if (!run->grad_y) {
        goto done;
    }
    GA_TRY(ga__view_of(run->context, "y", *output_of(run, upstream_of(run)), true, &y));
    GA_TRY(ga__view_of(run->context, "grad_y", run->grad_y, true, &grad));
    status = ga__view_expect(run->context, "grad_y", &grad, y.batch, y.heads, y.rows, y.columns);
done:
    return status;
}

static ga_status carry_out(ga__block_run *run, bool backward)
{
    ga_status status = GA_OK;
    const ga__block_ops *ops = run->block->ops;
    if (ops->state > 0) {
        GA_TRY(ga__alloc_zero(run->context, 1, ops->state, &run->state));
    }
    GA_TRY(ops->forward(run));
    for (int i = 0; i < run->output_count; i++) {
        if (!run->outputs[i].tensor) {
            GA_TRY(ga__fail(run->context, GA_INTERNAL, "%s: no %s", run->block->name, run->outputs[i].name));
        }
    }
    GA_TRY(check_grad_y(run));
    if (backward) {
        GA_TRY(ops->backward(run));
    }
done:
    return status;
}

static void hand_over(ga__block_run *run, ga_named_tensor *wanted, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        bool gradient = strncmp(wanted[i].name, "grad_", 5) == 0;
        DLTensor **from =
            gradient ? &find_input(run, wanted[i].name + 5)->grad : output_of(run, wanted[i].name);
        wanted[i].tensor = *from;
        *from = NULL;
    }
}

static void close_run(ga__block_run *run)
{
    for (int i = 0; i < run->input_count; i++) {
        ga_tensor_destroy(run->context, run->inputs[i].made);
        ga_tensor_destroy(run->context, run->inputs[i].grad);
    }
    for (int i = 0; i < run->output_count; i++) {
        ga_tensor_destroy(run->context, run->outputs[i].tensor);
    }
    for (int i = 0; i < run->temp_count; i++) {
        ga_tensor_destroy(run->context, run->temps[i]);
    }
    ga_tensor_destroy(run->context, run->grad_y_made);
    ga_free(run->context, run->state);
}

/* kind: "block", "analysis" or "cost", for messages. */
static ga_status run_row(ga_context *context, const char *kind, const ga_block *block, const char *name,
                         const ga_block_call *call, ga_named_tensor *wanted, int64_t wanted_count,
                         ga_report *report)
{
    ga_status status = GA_OK;
    bool backward = false;
    ga__begin(context);
    for (int64_t i = 0; wanted && i < wanted_count; i++) {
        wanted[i].tensor = NULL;
    }
    ga__block_run run = { .context = context, .block = block, .call = call, .report = report };
    if (report) {
        report->count = 0;
    }
    if (!block) {
        GA_TRY(ga__fail(context, GA_INVALID, "no %s '%s'", kind, name ? name : ""));
    }
    if (!call || wanted_count < 0 || (wanted_count > 0 && !wanted)) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s: a call and outputs expected", name));
    }
    if (call->causal && !block->ops->causal) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s takes no causal mask", name));
    }
    run.working = (DLDataType){ .code = kDLFloat, .bits = call->f64 ? 64 : 32, .lanes = 1 };
    GA_TRY(set_parameters(&run));
    GA_TRY(take_tensors(&run));
    GA_TRY(want(&run, wanted, wanted_count, &backward));
    GA_TRY(carry_out(&run, backward));
    hand_over(&run, wanted, wanted_count);
done:
    if (report && status != GA_OK) {
        report->count = 0;
    }
    close_run(&run);
    return status;
}

ga_status ga_block_run(ga_context *context, const char *block, const ga_block_call *call,
                       ga_named_tensor *wanted, int64_t wanted_count)
{
    return run_row(context, "block", ga_block_find(block), block, call, wanted, wanted_count, NULL);
}

ga_status ga_analysis_run(ga_context *context, const char *analysis, const ga_block_call *call,
                          ga_named_tensor *wanted, int64_t wanted_count, ga_report *report)
{
    return run_row(context, "analysis", ga_analysis_find(analysis), analysis, call, wanted, wanted_count,
                   report);
}

ga_status ga_cost_run(ga_context *context, const char *cost, const ga_block_call *call,
                      ga_named_tensor *wanted, int64_t wanted_count, ga_report *report)
{
    ga_block_call wide = call ? *call : (ga_block_call)GA_BLOCK_CALL_INIT;
    wide.f64 = true;
    return run_row(context, "cost", ga_cost_find(cost), cost, call ? &wide : NULL, wanted, wanted_count,
                   report);
}
