/* run.c - a call of a variant, resolved: parts, sizes, tensors, pattern, normaliser. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "attention/plan.h"

/* ---- what composes with what ---- */

/* "NAME" of "NAME:k=v"; false when it does not fit. */
static bool name_of(const char *text, char *name, size_t size)
{
    size_t length = strcspn(text, ":");
    if (length >= size) {
        return false;
    }
    memcpy(name, text, length);
    name[length] = '\0';
    return true;
}

static ga_status unknown_pattern(ga_context *context, const char *name)
{
    char list[512] = "";
    for (int i = 0; ga__patterns[i]; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", ga__patterns[i]->name);
    }
    return ga__fail(context, GA_INVALID, "no pattern '%s'; the patterns are %s", name, list);
}

static ga_status unknown_normaliser(ga_context *context, const char *name)
{
    char list[512] = "";
    for (int i = 0; ga__normalisers[i]; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", ga__normalisers[i]->name);
    }
    return ga__fail(context, GA_INVALID, "no normaliser '%s'; the normalisers are %s", name, list);
}

static ga_status compose_pattern(ga__job *run)
{
    const char *text = run->call->pattern, *variant = run->variant->name;
    char name[64];
    if (run->variant->can & GA_CARRIES_STATE) {
        return ga__fail(run->context, GA_INVALID, "%s carries a state and takes no pattern", variant);
    }
    if (!(run->variant->can & GA_TAKES_PATTERN)) {
        return ga__fail(run->context, GA_INVALID, "%s has its own pattern", variant);
    }
    run->pattern_row = name_of(text, name, sizeof name) ? ga__pattern_find(name) : NULL;
    if (!run->pattern_row) {
        return unknown_pattern(run->context, name_of(text, name, sizeof name) ? name : text);
    }
    ga_status status = GA_OK;
    GA_TRY(ga__part_open(run->context, "pattern ", run->pattern_row->name, run->pattern_row->parameters,
                         &run->pattern_part));
    GA_TRY(ga__part_set_all(&run->pattern_part, text));
    GA_TRY(ga__part_check(&run->pattern_part));
    run->pattern_from = &run->pattern_part;
done:
    return status;
}

static ga_status compose_normaliser(ga__job *run)
{
    const char *text = run->call->normaliser, *variant = run->variant->name;
    char name[64];
    if (!(run->variant->can & GA_TAKES_NORMALISER)) {
        return ga__fail(run->context, GA_INVALID, "%s has its own normaliser", variant);
    }
    run->normaliser_row = name_of(text, name, sizeof name) ? ga__normaliser_find(name) : NULL;
    if (!run->normaliser_row) {
        return unknown_normaliser(run->context, name_of(text, name, sizeof name) ? name : text);
    }
    if (run->variant->ops->softmax_only && run->normaliser_row->kind != GA_SOFTMAX) {
        return ga__fail(run->context, GA_INVALID, "%s has its own normaliser", variant);
    }
    ga_status status = GA_OK;
    GA_TRY(ga__part_open(run->context, "normaliser ", run->normaliser_row->name,
                         run->normaliser_row->parameters, &run->normaliser_part));
    GA_TRY(ga__part_set_all(&run->normaliser_part, text));
    GA_TRY(ga__part_check(&run->normaliser_part));
    run->normaliser_from = &run->normaliser_part;
done:
    return status;
}

static ga_status set_parameters(ga__job *run)
{
    ga_status status = GA_OK;
    const ga_attend_call *call = run->call;
    GA_TRY(ga__part_open(run->context, "", run->variant->name, run->variant->parameters, &run->own));
    for (int64_t i = 0; i < call->parameter_count; i++) {
        GA_TRY(ga__part_set(&run->own, call->parameters[i].name, call->parameters[i].value, ','));
    }
    status = ga__part_check(&run->own);
done:
    return status;
}

static bool takes_graph(const ga__job *run)
{
    return run->pattern_row && run->pattern_row->takes_graph;
}

ga_status ga__job_open(ga_context *context, const char *variant, const ga_attend_call *call, ga__job *run)
{
    ga_status status = GA_OK;
    *run = (ga__job){ .context = context,
                      .variant = ga_variant_find(variant),
                      .call = call,
                      .scale = NAN,
                      .problem = GA_ATTENTION_INIT,
                      .scan = GA_SCAN_INIT };
    memset(run->bound, 0xff, sizeof run->bound); /* -1 */
    if (!run->variant) {
        return ga__fail(context, GA_INVALID, "no variant '%s'", variant ? variant : "");
    }
    run->causal = call->causal;
    run->working = (DLDataType){ .code = kDLFloat, .bits = call->f64 ? 64 : 32, .lanes = 1 };
    run->engine = run->variant->ops->engine;
    run->pattern_row = run->variant->ops->pattern;
    run->normaliser_row = run->variant->ops->normaliser;
    run->pattern_from = run->normaliser_from = &run->own;
    if (call->f64 && call->bf16) {
        GA_TRY(ga__fail(context, GA_INVALID, "either f64 or bf16"));
    }
    if (call->pattern) {
        GA_TRY(compose_pattern(run));
    }
    if (call->normaliser) {
        GA_TRY(compose_normaliser(run));
    }
    GA_TRY(set_parameters(run));
    if ((call->graph || call->edges) && !takes_graph(run)) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s takes no graph", run->variant->name));
    }
done:
    return status;
}

static void close_steps(ga_context *context, ga__step *steps, int count)
{
    for (int i = 0; i < count; i++) {
        ga_tensor_destroy(context, steps[i].before);
        ga_free(context, steps[i].data);
    }
}

void ga__job_close(ga__job *run)
{
    ga_context *context = run->context;
    close_steps(context, run->before, run->before_count);
    close_steps(context, run->behind, run->behind_count);
    for (int i = 0; i < run->slot_count; i++) {
        ga_tensor_destroy(context, run->slots[i].made);
        ga_tensor_destroy(context, run->slots[i].grad);
        ga_tensor_destroy(context, run->slots[i].grad_more);
    }
    for (int i = GA__Q; i <= GA__V; i++) {
        ga_tensor_destroy(context, run->rounded[i]);
    }
    ga_tensor_destroy(context, run->o);
    ga_tensor_destroy(context, run->grad_o);
    for (int i = 0; i < run->note_count; i++) {
        ga_tensor_destroy(context, run->note[i].tensor);
    }
    ga_selection_destroy(context, run->selection);
    ga_pattern_destroy(context, run->pattern);
    ga_free(context, run->edge_order);
}

/* ---- sizes and tensors ---- */

ga_status ga__job_measure(ga__job *run)
{
    ga_status status = GA_OK;
    ga_context *context = run->context;
    ga__view q, k, v;
    if (run->variant->ops->measure) {
        return run->variant->ops->measure(run);
    }
    if (!run->call->q || !run->call->k || !run->call->v) {
        return ga__fail(context, GA_INVALID, "%s needs q, k and v", run->variant->name);
    }
    GA_TRY(ga__view_of(context, "q", run->call->q, true, &q));
    GA_TRY(ga__view_of(context, "k", run->call->k, true, &k));
    GA_TRY(ga__view_of(context, "v", run->call->v, true, &v));
    GA_TRY(ga__view_expect(context, "q", &q, -1, -1, -1, -1));
    GA_TRY(ga__view_expect(context, "k", &k, q.batch, -1, -1, q.columns));
    GA_TRY(ga__view_expect(context, "v", &v, q.batch, k.heads, k.rows, -1));
    if (k.heads == 0 ? q.heads != 0 : q.heads % k.heads != 0) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "q has %lld heads, expected a multiple of the %lld heads of k and v",
                        (long long)q.heads, (long long)k.heads));
    }
    if (q.heads != k.heads && !(run->variant->can & GA_CAN_GROUP)) {
        GA_TRY(
            ga__fail(context, GA_INVALID, "%s needs as many heads in k and v as in q", run->variant->name));
    }
    run->batch = q.batch;
    run->heads = q.heads;
    run->kv_heads = k.heads;
    run->queries = q.rows;
    run->keys = k.rows;
    run->dim = q.columns;
    run->dim_v = v.columns;
done:
    return status;
}

static const ga_tensor_slot *find_slot(const ga_tensor_slot *slots, const char *name)
{
    for (int i = 0; slots && slots[i].name; i++) {
        if (strcmp(slots[i].name, name) == 0) {
            return &slots[i];
        }
    }
    return NULL;
}

/* The row of a table that describes an input; NULL: nobody knows it. */
static const ga_tensor_slot *known_slot(const ga__job *run, const char *name)
{
    const ga_tensor_slot *found = find_slot(run->variant->tensors, name);
    if (!found && run->pattern_row) {
        found = find_slot(run->pattern_row->tensors, name);
    }
    if (!found && run->normaliser_row) {
        found = find_slot(run->normaliser_row->tensors, name);
    }
    return found;
}

static bool is_floating(const DLTensor *tensor)
{
    return tensor->dtype.code == kDLFloat || tensor->dtype.code == kDLBfloat;
}

/* Shapes are believed only after this. */
static ga_status add_slot(ga__job *run, const char *name, bool differentiable, const DLTensor *tensor)
{
    ga_status status = GA_OK;
    ga__view view;
    if (run->slot_count >= GA__SLOTS - 1) {
        return ga__fail(run->context, GA_INTERNAL, "%s: too many tensors", run->variant->name);
    }
    if (!tensor) { /* an input that the variant can do without */
        run->slots[run->slot_count++] = (ga__slot){ .name = name };
        goto done;
    }
    GA_TRY(ga__view_of(run->context, name, tensor, differentiable, &view));
    ga__slot *slot = &run->slots[run->slot_count];
    *slot = (ga__slot){ .name = name, .differentiable = differentiable, .given = tensor, .tensor = tensor };
    run->slot_count++;
    bool same = tensor->dtype.code == run->working.code && tensor->dtype.bits == run->working.bits;
    if (is_floating(tensor) && !same) {
        GA_TRY(ga__tensor_cast(run->context, name, tensor, run->working, &slot->made));
        slot->tensor = slot->made;
    }
done:
    return status;
}

static ga_status take_extra(ga__job *run, const ga_named_tensor *given, bool pattern_only)
{
    const char *name = given->name ? given->name : "";
    const ga_tensor_slot *row = known_slot(run, name);
    if (!row) {
        return ga__fail(run->context, GA_INVALID, "%s has no tensor '%s'", run->variant->name, name);
    }
    if (strcmp(name, "graph") == 0) {
        return ga__fail(run->context, GA_INVALID, "graph: expected edges (--graph), not a tensor");
    }
    if (!given->tensor) {
        return ga__fail(run->context, GA_INVALID, "%s: missing", name);
    }
    if (ga__slot_find(run, name) >= 0) {
        return ga__fail(run->context, GA_INVALID, "%s is given twice", name);
    }
    if (pattern_only && !(run->pattern_row && find_slot(run->pattern_row->tensors, name))) {
        return GA_OK;
    }
    return add_slot(run, row->name, row->differentiable, given->tensor);
}

static ga_status check_required(const ga__job *run, const char *kind, const char *name,
                                const ga_tensor_slot *slots)
{
    for (int i = 0; slots && slots[i].name; i++) {
        if (!slots[i].optional && ga__slot_find(run, slots[i].name) < 0) {
            return ga__fail(run->context, GA_INVALID, "%s%s needs %s", kind, name, slots[i].name);
        }
    }
    return GA_OK;
}

ga_status ga__job_take_tensors(ga__job *run, bool pattern_only)
{
    ga_status status = GA_OK;
    const ga_attend_call *call = run->call;
    if (!pattern_only) {
        GA_TRY(add_slot(run, "q", true, call->q));
        GA_TRY(add_slot(run, "k", true, call->k));
        GA_TRY(add_slot(run, "v", true, call->v));
    }
    for (int64_t i = 0; i < call->tensor_count; i++) {
        GA_TRY(take_extra(run, &call->tensors[i], pattern_only));
    }
    if (run->pattern_row) {
        GA_TRY(
            check_required(run, run->pattern_from->kind, run->pattern_from->name, run->pattern_row->tensors));
    }
    if (!pattern_only) {
        GA_TRY(check_required(run, "", run->variant->name, run->variant->tensors));
    }
    if (!pattern_only && run->normaliser_row) {
        GA_TRY(check_required(run, run->normaliser_from->kind, run->normaliser_from->name,
                              run->normaliser_row->tensors));
    }
done:
    return status;
}

/* ---- the plan ---- */

ga_status ga__job_pattern(ga__job *run)
{
    const ga__pattern_entry *row = run->pattern_row;
    const ga__part *part = run->pattern_from;
    unsigned can = row ? row->can : run->variant->can;
    if (run->causal && !(can & (GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL))) {
        return ga__fail(run->context, GA_INVALID, "%s%s cannot be causal", part->kind, part->name);
    }
    if (run->queries != run->keys && !(can & GA_CAN_CROSS)) {
        return ga__fail(run->context, GA_INVALID, "%s%s needs as many queries as keys", part->kind,
                        part->name);
    }
    run->causal = run->causal || (can & GA_ALWAYS_CAUSAL);
    return row ? row->make(run, part) : GA_OK;
}

ga_status ga__job_plan(ga__job *run)
{
    ga_status status = GA_OK;
    const ga__variant_ops *ops = run->variant->ops;
    if (run->normaliser_row) {
        run->problem.normaliser.kind = run->normaliser_row->kind;
        if (run->normaliser_row->make) {
            GA_TRY(run->normaliser_row->make(run, run->normaliser_from));
        }
    }
    run->scale = run->call->scale;
    if (isinf(run->scale)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "scale: expected a finite number"));
    }
    if (ops->plan) {
        GA_TRY(ops->plan(run));
    }
    if (isnan(run->scale)) {
        run->scale = run->dim > 0 ? 1 / sqrt((double)run->dim) : 1;
    }
    run->problem.score.scale = run->scan.scale = run->scale;
    run->problem.pattern = run->pattern;
    run->scan.causal = run->causal;
done:
    return status;
}

ga_status ga_attend_pattern(ga_context *context, const char *variant, const ga_attend_call *call,
                            int64_t heads, int64_t kv_heads, int64_t queries, int64_t keys,
                            ga_pattern **pattern)
{
    ga_status status = GA_OK;
    ga__job run;
    ga__begin(context);
    GA_TRY(ga__job_open(context, variant, call, &run));
    if (!run.pattern_row) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        run.variant->can & GA_SELECTS
                            ? "%s chooses its keys from q and k: graphattn select gives them as a graph"
                            : "%s has no pattern: it carries a state",
                        variant));
    }
    if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0 || queries < 0 || keys < 0) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "%lld heads, %lld of keys, %lld queries, %lld keys: expected heads as a "
                        "multiple of those of keys, and no negative number",
                        (long long)heads, (long long)kv_heads, (long long)queries, (long long)keys));
    }
    run.batch = 1;
    run.heads = heads;
    run.kv_heads = kv_heads;
    run.queries = queries;
    run.keys = keys;
    GA_TRY(ga__job_take_tensors(&run, true));
    GA_TRY(ga__job_pattern(&run));
    *pattern = run.pattern;
    run.pattern = NULL;
done:
    ga__job_close(&run);
    return status;
}
