/* attend.c - carrying out a planned call: steps, engine, gradients, outputs by name. */
#include "config.h"

#include <string.h>

#include "attention/plan.h"

/* What the engine can be asked for. */
typedef enum output {
    OUT_O,
    OUT_LSE,
    OUT_MAP,
    OUT_STATE,
    OUT_ENTROPY,
    OUT_ARGMAX,
    OUT_MAX,
    OUT_COLUMN_SUM,
    OUT_STATS,
    OUTPUTS
} output;

static const char *const output_names[OUTPUTS] = { "o",      "lse", "map",        "state", "entropy",
                                                   "argmax", "max", "column_sum", "stats" };

enum { OWN_OUTPUTS = 8 };

typedef struct results {
    bool want[OUTPUTS];
    DLTensor *made[OUTPUTS];           /* owned */
    const char *own_name[OWN_OUTPUTS]; /* what only the variant has */
    DLTensor *own[OWN_OUTPUTS];        /* owned */
    int own_count;
    bool backward;
} results;

/* ---- what is wanted ---- */

/* True when name stands in the list "o, lse, map". */
static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at && *at;) {
        size_t word = strcspn(at, ", ");
        if (word == length && memcmp(at, name, length) == 0) {
            return true;
        }
        at += word;
        at += strspn(at, ", ");
    }
    return false;
}

static bool has_statistics(const ga__job *run, output o)
{
    return o >= OUT_ENTROPY && run->engine == GA__ENGINE_ATTENTION;
}

static ga_status want_output(const ga__job *run, const char *name, results *r)
{
    for (int i = 0; i < OUTPUTS; i++) {
        bool selector_state =
            i == OUT_STATE && run->variant->can & GA_SELECTS; /* its own, not the engine's */
        if (strcmp(output_names[i], name) != 0 || selector_state) {
            continue;
        }
        if (i == OUT_LSE && run->normaliser_row && run->normaliser_row->kind != GA_SOFTMAX) {
            return ga__fail(run->context, GA_INVALID, "normaliser %s has no lse", run->normaliser_row->name);
        }
        if (listed(run->variant->outputs, name) || has_statistics(run, (output)i)) {
            r->want[i] = true;
            return GA_OK;
        }
    }
    if (run->variant->ops->output && r->own_count < OWN_OUTPUTS && listed(run->variant->outputs, name)) {
        r->own_name[r->own_count++] = name;
        return GA_OK;
    }
    return ga__fail(run->context, GA_INVALID, "%s has no output '%s'; its outputs are %s and grad_NAME",
                    run->variant->name, name, run->variant->outputs);
}

/* The slot of "grad_NAME", parameters included; -1 without a message when there is none. */
static int gradient_slot(const ga__job *run, const char *name)
{
    for (int i = 0; i < run->slot_count; i++) {
        if (strcmp(run->slots[i].name, name) == 0 && run->slots[i].differentiable) {
            return i;
        }
    }
    return -1;
}

static ga_status want_gradient(ga__job *run, const char *name, results *r)
{
    int slot = gradient_slot(run, name);
    if (!(run->variant->can & GA_CAN_BACKWARD)) {
        return ga__fail(run->context, GA_INVALID, "%s has no gradients", run->variant->name);
    }
    if (slot < 0) {
        return ga__fail(run->context, GA_INVALID, "grad_%s: %s got no differentiable input '%s'", name,
                        run->variant->name, name);
    }
    if (!run->call->grad_o) {
        return ga__fail(run->context, GA_INVALID, "grad_%s needs the gradient of o (--grad-output)", name);
    }
    run->slots[slot].needed = true;
    r->backward = true;
    return GA_OK;
}

static ga_status read_wanted(ga__job *run, const ga_named_tensor *wanted, int64_t count, results *r)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; i < count; i++) {
        const char *name = wanted[i].name ? wanted[i].name : "";
        for (int64_t j = 0; j < i; j++) {
            if (strcmp(wanted[j].name ? wanted[j].name : "", name) == 0) {
                GA_TRY(ga__fail(run->context, GA_INVALID, "output '%s' is wanted twice", name));
            }
        }
        GA_TRY(strncmp(name, "grad_", 5) == 0 ? want_gradient(run, name + 5, r) : want_output(run, name, r));
    }
done:
    return status;
}

/* ---- forward ---- */

static ga_status new_output(ga__job *run, results *r, output o, int ndim, const int64_t *shape)
{
    return r->made[o] ? GA_OK : ga__tensor_new(run, ndim, shape, &r->made[o]);
}

static ga_status make_outputs(ga__job *run, results *r)
{
    ga_status status = GA_OK;
    DLDataType i32 = { .code = kDLInt, .bits = 32, .lanes = 1 };
    int64_t rows[] = { run->batch, run->heads, run->queries, run->keys };
    int64_t columns[] = { run->batch, run->heads, run->keys }, stats[] = { rows[0], rows[1], rows[2], 3 };
    bool softmax = run->normaliser_row && run->normaliser_row->kind == GA_SOFTMAX;
    if (r->want[OUT_STATE] && run->engine == GA__ENGINE_ATTENTION) {
        GA_TRY(
            ga__fail(run->context, GA_INVALID, "%s has no state with these parameters", run->variant->name));
    }
    if (r->want[OUT_STATS]) {
        GA_TRY(new_output(run, r, OUT_STATS, 4, stats));
        GA_TRY(new_output(run, r, OUT_ENTROPY, 3, rows));
        GA_TRY(new_output(run, r, OUT_MAX, 3, rows));
    }
    if (r->want[OUT_LSE] || (softmax && (r->want[OUT_STATS] || r->backward))) {
        GA_TRY(new_output(run, r, OUT_LSE, 3, rows));
    }
    if (r->want[OUT_MAP]) {
        GA_TRY(new_output(run, r, OUT_MAP, 4, rows));
    }
    if (r->want[OUT_ENTROPY]) {
        GA_TRY(new_output(run, r, OUT_ENTROPY, 3, rows));
    }
    if (r->want[OUT_MAX]) {
        GA_TRY(new_output(run, r, OUT_MAX, 3, rows));
    }
    if (r->want[OUT_ARGMAX]) {
        GA_TRY(ga_tensor_create(run->context, i32, 3, rows, &r->made[OUT_ARGMAX]));
    }
    if (r->want[OUT_COLUMN_SUM]) {
        GA_TRY(new_output(run, r, OUT_COLUMN_SUM, 3, columns));
    }
    if (r->want[OUT_O] || r->backward || (r->want[OUT_MAP] && run->engine == GA__ENGINE_SCAN)) {
        /* heads and columns as the steps made them */
        const DLTensor *q = run->slots[GA__Q].tensor, *v = run->slots[GA__V].tensor;
        int64_t o[] = { run->batch,
                        run->engine != GA__ENGINE_OWN && q->ndim > 2 ? q->shape[q->ndim - 3] : run->heads,
                        run->queries, v ? v->shape[v->ndim - 1] : run->dim_v };
        if (run->o_heads > 0) {
            o[1] = run->o_heads;
            o[3] = run->o_dim;
        }
        GA_TRY(ga__tensor_new(run, 4, o, &run->o));
    }
done:
    return status;
}

/* The inputs that steps and conversions left behind, handed to the engine. */
static ga_status hand_over(ga__job *run)
{
    static const ga__member ours[] = { GA__EDGE_BIAS,  GA__BIAS,          GA__TABLE,       GA__SLOPES,
                                       GA__ETA_LOGITS, GA__K_EXTRA,       GA__V_EXTRA,     GA__GHOST_K,
                                       GA__GHOST_V,    GA__HEAD_SCALE,    GA__LOG_DECAY,   GA__BETA,
                                       GA__BONUS,      GA__INITIAL_STATE, GA__COLUMN_BIAS, GA__COLUMN_FACTOR,
                                       GA__COLUMN_GAIN };
    DLDataType bf16 = { .code = kDLBfloat, .bits = 16, .lanes = 1 };
    ga_status status = GA_OK;
    for (int i = GA__Q; i <= GA__V && run->call->bf16; i++) {
        ga__slot *slot = &run->slots[i];
        if (!slot->tensor) {
            continue;
        }
        DLTensor *rounded = NULL;
        GA_TRY(ga__tensor_cast(run->context, slot->name, slot->tensor, bf16, &rounded));
        run->rounded[i] = rounded;
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (run->bound[ours[i]] >= 0) {
            ga__member_set(run, ours[i], run->slots[run->bound[ours[i]]].tensor);
        }
    }
    const DLTensor *inputs[3];
    for (int i = GA__Q; i <= GA__V; i++) {
        inputs[i] = run->rounded[i] ? run->rounded[i] : run->slots[i].tensor;
    }
    run->problem.q = run->scan.q = inputs[GA__Q];
    run->problem.k = run->scan.k = inputs[GA__K];
    run->problem.v = run->scan.v = inputs[GA__V];
done:
    return status;
}

static ga_status forward_attention(ga__job *run, results *r)
{
    ga_row_statistics statistics = { .entropy = r->made[OUT_ENTROPY],
                                     .argmax = r->made[OUT_ARGMAX],
                                     .max = r->made[OUT_MAX],
                                     .column_sum = r->made[OUT_COLUMN_SUM] };
    bool any = statistics.entropy || statistics.argmax || statistics.max || statistics.column_sum;
    ga_attention_result result = {
        .o = run->o, .lse = r->made[OUT_LSE], .map = r->made[OUT_MAP], .statistics = any ? &statistics : NULL
    };
    if (run->variant->ops->forward) {
        return run->variant->ops->forward(run, &result);
    }
    return ga_attention_forward(run->context, &run->problem, GA_FAMILY_AUTO, &result, NULL);
}

static ga_status forward_scan(ga__job *run, results *r)
{
    ga_status status = GA_OK;
    if (r->want[OUT_STATE]) {
        const ga__slot *k = &run->slots[GA__K], *v = &run->slots[GA__V];
        int64_t width = k->tensor->shape[k->tensor->ndim - 1], out = v->tensor->shape[v->tensor->ndim - 1];
        int64_t shape[] = { run->batch, run->kv_heads, width, out + run->scan.normalise };
        GA_TRY(new_output(run, r, OUT_STATE, 4, shape));
    }
    if (run->o || r->made[OUT_STATE]) {
        GA_TRY(ga_scan_forward(run->context, &run->scan, run->o, r->made[OUT_STATE]));
    }
    if (r->made[OUT_STATE] && run->variant->ops->state) {
        GA_TRY(run->variant->ops->state(run, &r->made[OUT_STATE]));
    }
    if (r->made[OUT_MAP]) {
        GA_TRY(run->variant->ops->map(run, r->made[OUT_MAP]));
    }
done:
    return status;
}

static ga_status forward_own(ga__job *run, results *r)
{
    ga__own_outputs outputs = { r->made[OUT_LSE], r->made[OUT_MAP], NULL, r->want[OUT_STATE] };
    ga_status status = run->variant->ops->own_forward(run, &outputs);
    r->made[OUT_STATE] = outputs.state;
    return status;
}

static ga_status forward_engine(ga__job *run, results *r)
{
    switch (run->engine) {
    case GA__ENGINE_SCAN: return forward_scan(run, r);
    case GA__ENGINE_OWN: return forward_own(run, r);
    case GA__ENGINE_ATTENTION: break;
    }
    return forward_attention(run, r);
}

/* (lse, entropy, largest weight) of every row. */
static ga_status join_stats(ga__job *run, results *r)
{
    ga_status status = GA_OK;
    ga__view from[3], to;
    const output parts[] = { OUT_LSE, OUT_ENTROPY, OUT_MAX };
    GA_TRY(ga__view_of(run->context, "stats", r->made[OUT_STATS], true, &to));
    for (int i = 0; i < 3; i++) {
        GA_TRY(ga__view_of(run->context, output_names[parts[i]], r->made[parts[i]], true, &from[i]));
    }
    for (int64_t b = 0; b < to.batch; b++) {
        for (int64_t h = 0; h < to.heads; h++) {
            for (int64_t i = 0; i < to.rows; i++) {
                for (int c = 0; c < 3; c++) {
                    /* three axes are (1, batch, heads, queries) to a view */
                    double value = from[c].data ? ga__view_get(&from[c], 0, b, h, i) : NAN;
                    ga__view_set(&to, b, h, i, c, value);
                }
            }
        }
    }
done:
    return status;
}

static ga_status forward(ga__job *run, results *r)
{
    ga_status status = GA_OK;
    for (int i = 0; i < run->before_count; i++) {
        GA_TRY(run->before[i].forward(run, &run->before[i]));
    }
    GA_TRY(hand_over(run));
    GA_TRY(make_outputs(run, r));
    GA_TRY(forward_engine(run, r));
    for (int i = 0; i < run->behind_count && run->o; i++) {
        GA_TRY(run->behind[i].forward(run, &run->behind[i]));
    }
    if (r->want[OUT_STATS]) {
        GA_TRY(join_stats(run, r));
    }
    for (int i = 0; i < r->own_count; i++) {
        GA_TRY(run->variant->ops->output(run, r->own_name[i], &r->own[i]));
    }
done:
    return status;
}

/* ---- backward ---- */

static ga_status make_gradients(ga__job *run)
{
    ga_status status = GA_OK;
    static const int64_t one[] = { 1 };
    for (int i = run->before_count - 1; i >= 0; i--) {
        const ga__step *step = &run->before[i];
        for (int e = 0; e < step->extra_count; e++) {
            run->slots[step->slot].needed |= step->extra[e] >= 0 && run->slots[step->extra[e]].needed;
        }
    }
    for (int i = 0; i < run->slot_count; i++) {
        ga__slot *slot = &run->slots[i];
        if (slot->needed && slot->tensor) {
            GA_TRY(ga__tensor_new(run, slot->tensor->ndim, slot->tensor->shape, &slot->grad));
        } else if (slot->needed) {
            GA_TRY(ga__tensor_new(run, 1, one, &slot->grad));
        }
    }
done:
    return status;
}

static DLTensor *gradient_of(const ga__job *run, ga__member member)
{
    return run->bound[member] < 0 ? NULL : run->slots[run->bound[member]].grad;
}

/* o of the engine itself, as it was before the steps behind it. */
static const DLTensor *engine_output(const ga__job *run)
{
    return run->behind_count > 0 ? run->behind[0].before_view : run->o;
}

static ga_status backward_attention(ga__job *run, results *r)
{
    ga_attention_gradients g = {
        .grad_o = run->grad_o,
        .o = r->made[OUT_LSE] ? engine_output(run) : NULL,
        .lse = r->made[OUT_LSE],
        .q = run->slots[GA__Q].grad,
        .k = run->slots[GA__K].grad,
        .v = run->slots[GA__V].grad,
        .bias = gradient_of(run, GA__BIAS),
        .table = gradient_of(run, GA__TABLE),
        .edge_bias = gradient_of(run, GA__EDGE_BIAS),
        .slopes = gradient_of(run, GA__SLOPES),
        .sigmoid_bias = gradient_of(run, GA__SIGMOID_BIAS),
        .eta_logits = gradient_of(run, GA__ETA_LOGITS),
        .k_extra = gradient_of(run, GA__K_EXTRA),
        .v_extra = gradient_of(run, GA__V_EXTRA),
        .ghost_k = gradient_of(run, GA__GHOST_K),
        .ghost_v = gradient_of(run, GA__GHOST_V),
        .head_scale = gradient_of(run, GA__HEAD_SCALE),
        .column_bias = gradient_of(run, GA__COLUMN_BIAS),
        .column_factor = gradient_of(run, GA__COLUMN_FACTOR),
    };
    if (run->variant->ops->backward) {
        return run->variant->ops->backward(run, &g);
    }
    return ga_attention_backward(run->context, &run->problem, GA_FAMILY_AUTO, &g, NULL);
}

static ga_status backward_scan(ga__job *run)
{
    ga_scan_gradients g = {
        .grad_o = run->grad_o,
        .q = run->slots[GA__Q].grad,
        .k = run->slots[GA__K].grad,
        .v = run->slots[GA__V].grad,
        .log_decay = gradient_of(run, GA__LOG_DECAY),
        .beta = gradient_of(run, GA__BETA),
        .bonus = gradient_of(run, GA__BONUS),
        .initial_state = gradient_of(run, GA__INITIAL_STATE),
    };
    return ga_scan_backward(run->context, &run->scan, &g);
}

static ga_status backward_engine(ga__job *run, results *r)
{
    switch (run->engine) {
    case GA__ENGINE_SCAN: return backward_scan(run);
    case GA__ENGINE_OWN: return run->variant->ops->own_backward(run);
    case GA__ENGINE_ATTENTION: break;
    }
    return backward_attention(run, r);
}

static ga_status add_more(ga__job *run, ga__slot *slot)
{
    ga_status status = GA_OK;
    ga__view to, more;
    GA_TRY(ga__view_of(run->context, slot->name, slot->grad, true, &to));
    GA_TRY(ga__view_of(run->context, slot->name, slot->grad_more, true, &more));
    for (int64_t b = 0; b < to.batch; b++) {
        for (int64_t h = 0; h < to.heads; h++) {
            for (int64_t i = 0; i < to.rows; i++) {
                for (int64_t c = 0; c < to.columns; c++) {
                    ga__view_set(&to, b, h, i, c,
                                 ga__view_get(&to, b, h, i, c) + ga__view_get(&more, b, h, i, c));
                }
            }
        }
    }
done:
    return status;
}

/* grad_o in the working type, in the shape of o: the steps change it. */
static ga_status take_upstream(ga__job *run)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_of(run->context, "grad_o", run->call->grad_o, true, &view));
    bool own = run->o_heads > 0;
    GA_TRY(ga__view_expect(run->context, "grad_o", &view, run->batch, own ? run->o_heads : run->heads,
                           run->queries, own ? run->o_dim : run->dim_v));
    status = ga__tensor_cast(run->context, "grad_o", run->call->grad_o, run->working, &run->grad_o);
done:
    return status;
}

static ga_status backward(ga__job *run, results *r)
{
    ga_status status = GA_OK;
    GA_TRY(make_gradients(run));
    GA_TRY(take_upstream(run));
    for (int i = run->behind_count - 1; i >= 0; i--) {
        if (run->behind[i].backward) {
            GA_TRY(run->behind[i].backward(run, &run->behind[i]));
        }
    }
    GA_TRY(backward_engine(run, r));
    for (int i = run->before_count - 1; i >= 0; i--) {
        if (run->before[i].backward && run->slots[run->before[i].slot].grad) {
            GA_TRY(run->before[i].backward(run, &run->before[i]));
        }
    }
    for (int i = 0; i < run->slot_count; i++) {
        if (run->slots[i].grad && run->slots[i].grad_more) {
            GA_TRY(add_more(run, &run->slots[i]));
        }
    }
done:
    return status;
}

/* ---- the call ---- */

static void hand_out(ga__job *run, results *r, ga_named_tensor *wanted, int64_t count)
{
    r->made[OUT_O] = run->o;
    run->o = NULL;
    for (int64_t i = 0; i < count; i++) {
        if (strncmp(wanted[i].name, "grad_", 5) == 0) {
            ga__slot *slot = &run->slots[gradient_slot(run, wanted[i].name + 5)];
            wanted[i].tensor = slot->grad;
            slot->grad = NULL;
        }
        for (int o = 0; o < r->own_count; o++) {
            if (strcmp(r->own_name[o], wanted[i].name) == 0) {
                wanted[i].tensor = r->own[o];
                r->own[o] = NULL;
            }
        }
        for (int o = 0; o < OUTPUTS; o++) {
            if (r->want[o] && strcmp(output_names[o], wanted[i].name) == 0) {
                wanted[i].tensor = r->made[o];
                r->made[o] = NULL;
            }
        }
    }
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    GA_TRY(ga__job_measure(run));
    GA_TRY(ga__job_take_tensors(run, false));
    GA_TRY(ga__job_pattern(run));
    status = ga__job_plan(run);
done:
    return status;
}

ga_status ga_attend(ga_context *context, const char *variant, const ga_attend_call *call,
                    ga_named_tensor *wanted, int64_t wanted_count)
{
    ga_status status = GA_OK;
    ga__job run;
    results r = { .backward = false };
    ga__begin(context);
    for (int64_t i = 0; i < wanted_count; i++) {
        wanted[i].tensor = NULL;
    }
    GA_TRY(ga__job_open(context, variant, call, &run));
    GA_TRY(plan(&run));
    GA_TRY(read_wanted(&run, wanted, wanted_count, &r));
    GA_TRY(forward(&run, &r));
    if (r.backward) {
        GA_TRY(backward(&run, &r));
    }
    hand_out(&run, &r, wanted, wanted_count);
done:
    for (int o = 0; o < OUTPUTS; o++) {
        ga_tensor_destroy(context, r.made[o]);
    }
    for (int o = 0; o < r.own_count; o++) {
        ga_tensor_destroy(context, r.own[o]);
    }
    ga__job_close(&run);
    return status;
}
