/* decode.c - a causal call, fed one token at a time.
 *
 * Every step is a call of the variant on slices of the caller's tensors: axes that the tables name N, Nq or Nk are cut to
 * the tokens of the step, everything else stays. What the steps give for their last query is a row of the result. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "attention/decode.h"

enum { AXES = 4 };

/* A slice of a tensor, which it borrows. */
typedef struct cut {
    DLTensor tensor;
    int64_t shape[AXES], strides[AXES];
} cut;

/* Tokens of a step. */
typedef struct span {
    int64_t from, to;
} span;

typedef struct decoder {
    ga_context *context;
    const ga_attend_call *call;
    ga__job run; /* of the whole call, opened and measured */
    ga__decode how;
    int64_t prompt;       /* keys before the first query */
    ga_named_text *texts; /* owned: the caller's, then ours */
    DLTensor *state, *o;  /* owned */
    cut q, k, v, extra[GA__SLOTS];
    ga_named_tensor tensors[GA__SLOTS];
} decoder;

void ga__decode_set(ga__decode *how, const char *name, double value)
{
    int i = how->set_count++;
    snprintf(how->text[i], sizeof how->text[i], "%.17g", value);
    how->set[i] = (ga_named_text){ name, how->text[i] };
}

/* ---- slices ---- */

static void cut_axis(cut *c, int axis, span part)
{
    int64_t bytes = (int64_t)c->tensor.dtype.bits / 8;
    c->tensor.byte_offset += (uint64_t)(part.from * c->strides[axis] * bytes);
    c->shape[axis] = part.to - part.from;
}

static void cut_open(cut *c, const DLTensor *tensor)
{
    int64_t stride = 1;
    c->tensor = *tensor;
    for (int i = tensor->ndim - 1; i >= 0; i--) {
        c->shape[i] = tensor->shape[i];
        c->strides[i] = tensor->strides ? tensor->strides[i] : stride;
        stride *= tensor->shape[i];
    }
    c->tensor.shape = c->shape;
    c->tensor.strides = c->strides;
}

/* q, k or v: rows are the axis before the last. NULL stays. */
static const DLTensor *cut_rows(cut *c, const DLTensor *tensor, span part)
{
    if (!tensor) {
        return NULL;
    }
    cut_open(c, tensor);
    if (tensor->ndim > 1) {
        cut_axis(c, tensor->ndim - 2, part);
    }
    return &c->tensor;
}

typedef enum along { ALONG_NOTHING, ALONG_QUERIES, ALONG_KEYS } along;

/* What the axis runs along whose name is the word. */
static along along_of(const decoder *d, const char *word, size_t length)
{
    static const struct {
        const char *name;
        along along;
    } names[] = { { "N", ALONG_KEYS }, { "Nk", ALONG_KEYS }, { "Nq", ALONG_QUERIES } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) == length && memcmp(names[i].name, word, length) == 0) {
            return names[i].along;
        }
    }
    if (length == strlen("tokens") && memcmp("tokens", word, length) == 0) {
        return d->how.tokens_of_keys ? ALONG_KEYS : ALONG_QUERIES;
    }
    return ALONG_NOTHING;
}

/* Axes of a shape in a table, "(B, H, Nq, e)". Returns their number. */
static int read_axes(const decoder *d, const char *shape, along axes[AXES])
{
    int count = 0;
    const char *at = strchr(shape, '(');
    while (at && *at && *at != ')' && count < AXES) {
        at += 1 + strspn(at + 1, " ");
        size_t length = strcspn(at, ",)");
        axes[count++] = along_of(d, at, length);
        at += length;
    }
    return count;
}

static const ga_tensor_slot *find_slot(const ga_tensor_slot *slots, const char *name)
{
    for (; slots && slots->name; slots++) {
        if (strcmp(slots->name, name) == 0) {
            return slots;
        }
    }
    return NULL;
}

static const char *shape_of(const decoder *d, const char *name)
{
    const ga__job *run = &d->run;
    const ga_tensor_slot *slot = find_slot(run->variant->tensors, name);
    slot = slot || !run->pattern_row ? slot : find_slot(run->pattern_row->tensors, name);
    slot = slot || !run->normaliser_row ? slot : find_slot(run->normaliser_row->tensors, name);
    return slot ? slot->shape : "";
}

/* One of the caller's tensors, cut where its table says so. */
static ga_status cut_tensor(decoder *d, cut *c, const char *name, const DLTensor *tensor, span queries,
                            span keys)
{
    along axes[AXES];
    int count = read_axes(d, shape_of(d, name), axes);
    cut_open(c, tensor);
    for (int i = 0; i < count; i++) {
        int axis = i - count + tensor->ndim;
        bool of_keys = axes[i] == ALONG_KEYS;
        if (axes[i] == ALONG_NOTHING || axis < 0) {
            continue;
        }
        int64_t expected = of_keys ? d->run.keys : d->run.queries;
        if (tensor->shape[axis] != expected) {
            return ga__fail(d->context, GA_INVALID, "%s: %lld tokens, expected %lld", name,
                            (long long)tensor->shape[axis], (long long)expected);
        }
        cut_axis(c, axis, of_keys ? keys : queries);
    }
    return GA_OK;
}

/* ---- a step ---- */

/* A parameter of a part; -1 when it has none of that name. */
static int64_t integer_in(const ga__part *part, const char *name)
{
    for (const ga_parameter *p = part->parameters; p && p->name; p++) {
        if (strcmp(p->name, name) == 0) {
            return ga__part_value(part, name)->integer;
        }
    }
    return -1;
}

/* Parameters of a step that begins at token `from` and ends with `keys` keys. text: room for two. */
static int64_t set_texts(const decoder *d, int64_t from, int64_t keys, char text[2][32])
{
    int64_t count = 0, start = integer_in(&d->run.own, "start"), sinks = integer_in(&d->run.own, "sinks");
    while (count < d->call->parameter_count) {
        d->texts[count] = d->call->parameters[count];
        count++;
    }
    for (int i = 0; i < d->how.set_count; i++) {
        d->texts[count++] = d->how.set[i];
    }
    if (start >= 0 && d->how.kind == GA__DECODE_STATE) {
        snprintf(text[0], sizeof text[0], "%lld", (long long)(start + from));
        d->texts[count++] = (ga_named_text){ "start", text[0] };
    }
    if (sinks >= 0) { /* at first there are fewer keys */
        snprintf(text[1], sizeof text[1], "%lld", (long long)ga__min(sinks, keys));
        d->texts[count++] = (ga_named_text){ "sinks", text[1] };
    }
    return count;
}

/* The tensors of a step: the caller's, cut or replaced, and the state. */
static ga_status set_tensors(decoder *d, span queries, span keys, int64_t *count)
{
    ga_status status = GA_OK;
    *count = 0;
    for (int64_t i = 0; i < d->call->tensor_count; i++) {
        const ga_named_tensor *given = &d->call->tensors[i];
        if (d->state && strcmp(given->name, "initial_state") == 0) {
            continue;
        }
        bool replaced = d->how.tensor && strcmp(given->name, d->how.tensor) == 0;
        cut *c = &d->extra[*count];
        GA_TRY(cut_tensor(d, c, given->name, replaced ? d->how.made : given->tensor, queries, keys));
        d->tensors[(*count)++] = (ga_named_tensor){ given->name, &c->tensor };
    }
    if (d->state) {
        d->tensors[(*count)++] = (ga_named_tensor){ "initial_state", d->state };
    }
done:
    return status;
}

/* One call on these tokens; o and state may be NULL. What they get is returned owned. */
static ga_status step(decoder *d, span queries, span keys, DLTensor **o, DLTensor **state)
{
    ga_status status = GA_OK;
    ga_attend_call call = *d->call;
    char text[2][32];
    ga_named_tensor wanted[2];
    int64_t count = 0, tensors = 0;
    if (o) {
        wanted[count++] = (ga_named_tensor){ "o", NULL };
    }
    if (state) {
        wanted[count++] = (ga_named_tensor){ "state", NULL };
    }
    GA_TRY(set_tensors(d, queries, keys, &tensors));
    call.q = cut_rows(&d->q, call.q, queries);
    call.k = cut_rows(&d->k, call.k, keys);
    call.v = cut_rows(&d->v, call.v, keys);
    call.parameters = d->texts;
    call.parameter_count = set_texts(d, keys.from, keys.to, text);
    call.tensors = d->tensors;
    call.tensor_count = tensors;
    call.causal = true;
    call.grad_o = NULL;
    GA_TRY(ga_attend(d->context, d->run.variant->name, &call, wanted, count));
    if (o) {
        *o = wanted[0].tensor;
    }
    if (state) {
        *state = wanted[count - 1].tensor;
    }
done:
    return status;
}

/* The last row of a step becomes row i of the result. */
static ga_status keep_row(decoder *d, int64_t i, const DLTensor *from)
{
    ga_status status = GA_OK;
    ga__view x, y;
    GA_TRY(ga__view_of(d->context, "o", from, true, &x));
    if (!d->o) {
        const int64_t shape[] = { x.batch, x.heads, d->run.queries, x.columns };
        GA_TRY(ga_tensor_create(d->context, from->dtype, 4, shape, &d->o));
    }
    GA_TRY(ga__view_of(d->context, "o", d->o, true, &y));
    for (int64_t h = 0; h < x.batch * x.heads; h++) {
        for (int64_t c = 0; c < x.columns; c++) {
            double value = ga__view_get(&x, h / x.heads, h % x.heads, x.rows - 1, c);
            ga__view_set(&y, h / x.heads, h % x.heads, i, c, value);
        }
    }
done:
    return status;
}

/* Query i with what belongs to it. */
static ga_status decode_one(decoder *d, int64_t i, bool keep_state)
{
    ga_status status = GA_OK;
    DLTensor *o = NULL, *state = NULL;
    int64_t token = i + d->prompt, from = 0;
    bool last = i == d->run.queries - 1, by_state = d->how.kind == GA__DECODE_STATE, ends = false;
    span queries = { i, i + 1 }, keys = { 0, token + 1 };
    if (by_state) {
        from = i - i % d->how.unit;
        ends = (i + 1) % d->how.unit == 0;
        queries.from = from;
        keys.from = from + d->prompt;
    } else if (d->how.kind == GA__DECODE_PREFIX) {
        queries.from = 0;
    }
    bool wants_state = (by_state && ends) || (last && keep_state);
    GA_TRY(step(d, queries, keys, &o, wants_state ? &state : NULL));
    GA_TRY(keep_row(d, i, o));
    if (state) {
        ga_tensor_destroy(d->context, d->state);
        d->state = state;
        state = NULL;
    }
done:
    ga_tensor_destroy(d->context, o);
    ga_tensor_destroy(d->context, state);
    return status;
}

/* ---- the call ---- */

static ga_status find_how(decoder *d)
{
    ga__job *run = &d->run;
    const ga__variant_ops *ops = run->variant->ops;
    d->how = (ga__decode){ .kind = run->variant->can & GA_CARRIES_STATE ? GA__DECODE_STATE : GA__DECODE_KEYS,
                           .unit = 1 };
    return ops->decode ? ops->decode(run, &d->how) : GA_OK;
}

/* Patterns and normalisers by name that would see another number of keys in every step. */
static ga_status check_parts(const decoder *d)
{
    const ga__job *run = &d->run;
    const ga_variant *pattern = d->call->pattern ? ga_variant_find(run->pattern_row->name) : NULL;
    const ga__part *normaliser = &run->normaliser_part;
    if (d->call->pattern && (!pattern || !(pattern->can & GA_CAN_DECODE) || pattern->ops->decode)) {
        return ga__fail(d->context, GA_INVALID, "pattern %s cannot be decoded token by token",
                        run->pattern_row->name);
    }
    if (pattern && integer_in(&run->pattern_part, "sinks") > 0) {
        return ga__fail(d->context, GA_INVALID, "decoding takes no sinks in a pattern by name");
    }
    if (d->call->normaliser && run->normaliser_row->kind == GA_SIGMOID &&
        integer_in(normaliser, "bias_mode") == GA_BIAS_LOG_N) {
        return ga__fail(d->context, GA_INVALID,
                        "normaliser sigmoid: bias_mode=log_n needs all keys; decode with log_row or fixed");
    }
    return GA_OK;
}

static bool wants(const ga_named_tensor *wanted, int64_t count, const char *name)
{
    for (int64_t i = 0; i < count; i++) {
        if (strcmp(wanted[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static ga_status check_call(const decoder *d, const ga_named_tensor *wanted, int64_t count)
{
    const ga__job *run = &d->run;
    const char *name = run->variant->name;
    if (!(run->variant->can & GA_CAN_DECODE)) {
        return ga__fail(d->context, GA_INVALID, "%s cannot be decoded token by token", name);
    }
    if (d->call->graph || d->call->edges) {
        return ga__fail(d->context, GA_INVALID, "decoding takes no graph");
    }
    if (run->queries > run->keys || (run->queries != run->keys && !(run->variant->can & GA_CAN_CROSS))) {
        return ga__fail(d->context, GA_INVALID, "decoding %s: %lld queries and %lld keys, expected %s", name,
                        (long long)run->queries, (long long)run->keys,
                        run->variant->can & GA_CAN_CROSS ? "at least as many keys" : "as many");
    }
    for (int64_t i = 0; i < count; i++) {
        const char *what = wanted[i].name ? wanted[i].name : "";
        if (wants(wanted, i, what)) {
            return ga__fail(d->context, GA_INVALID, "output '%s' is wanted twice", what);
        }
        if (strcmp(what, "o") != 0 && strcmp(what, "state") != 0) {
            return ga__fail(d->context, GA_INVALID, "decoding gives o and state, not '%s'", what);
        }
        bool has_state = d->how.kind != GA__DECODE_KEYS || run->variant->can & GA_SELECTS;
        if (strcmp(what, "state") == 0 && !has_state) {
            return ga__fail(d->context, GA_INVALID, "%s has no state with these parameters", name);
        }
    }
    return check_parts(d);
}

static ga_status open_decoder(decoder *d, const char *variant, const ga_named_tensor *wanted, int64_t count)
{
    ga_status status = GA_OK;
    GA_TRY(ga__job_open(d->context, variant, d->call, &d->run));
    GA_TRY(ga__job_measure(&d->run));
    GA_TRY(ga__job_take_tensors(&d->run, false));
    d->prompt = d->run.keys - d->run.queries;
    if (d->run.variant->can & GA_CAN_DECODE || d->run.variant->ops->decode) { /* it may say why not */
        GA_TRY(find_how(d));
    }
    GA_TRY(check_call(d, wanted, count));
    GA_TRY(GA_NEW(d->context, d->call->parameter_count + GA__DECODE_SET + 2, &d->texts));
done:
    return status;
}

static ga_status decode_all(decoder *d, const ga_named_tensor *wanted, int64_t count)
{
    ga_status status = GA_OK;
    bool keep_state = wants(wanted, count, "state");
    if (d->how.kind == GA__DECODE_STATE && d->prompt > 0) {
        GA_TRY(step(d, (span){ 0, 0 }, (span){ 0, d->prompt }, NULL, &d->state));
    }
    for (int64_t i = 0; i < d->run.queries; i++) {
        GA_TRY(ga__check(d->context));
        GA_TRY(decode_one(d, i, keep_state));
        ga__progress(d->context, "decode", i + 1, d->run.queries);
    }
done:
    return status;
}

ga_status ga_attend_decode(ga_context *context, const char *variant, const ga_attend_call *call,
                           ga_named_tensor *wanted, int64_t wanted_count)
{
    ga_status status = GA_OK;
    decoder d = { .context = context, .call = call };
    ga__begin(context);
    for (int64_t i = 0; i < wanted_count; i++) {
        wanted[i].tensor = NULL;
    }
    GA_TRY(open_decoder(&d, variant, wanted, wanted_count));
    if (d.run.queries == 0) {
        ga_attend_call whole = *call;
        whole.causal = true;
        GA_TRY(ga_attend(context, variant, &whole, wanted, wanted_count));
        goto done;
    }
    GA_TRY(decode_all(&d, wanted, wanted_count));
    for (int64_t i = 0; i < wanted_count; i++) {
        DLTensor **made = strcmp(wanted[i].name, "o") == 0 ? &d.o : &d.state;
        wanted[i].tensor = *made;
        *made = NULL;
    }
done:
    ga_tensor_destroy(context, d.o);
    ga_tensor_destroy(context, d.state);
    ga_tensor_destroy(context, d.how.made);
    ga_free(context, d.texts);
    ga__job_close(&d.run);
    return status;
}
