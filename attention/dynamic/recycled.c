/* recycled.c - full attention every so many steps, in between the keys that the last full step attended to most
 * (attention-dynamic A4). The queries are consecutive steps of decoding; every key/value head has a list of its own.
 */
#include "config.h"

#include <string.h>

#include "attention/blocks.h"
#include "attention/decode.h"
#include "attention/dynamic/recycled.h"
#include "attention/dynamic/selector.h"
#include "lib/engine/top_k/top_k.h"

static const char *const triggers[] = { "interval", "similarity", NULL };
static const char *const reduces[] = { "max", "mean", "sum", NULL };

static const ga_parameter parameters[] = {
    { "top_k", GA_PARAMETER_INT, "4096", ">= 1", "slots of the small cache", GA__WITHIN(1, INT32_MAX - 1) },
    { "stride", GA_PARAMETER_INT, "50", ">= 1", "steps between full steps", GA__FROM(1) },
    { "trigger", GA_PARAMETER_WORD, "interval", NULL, "what starts a full step", .words = triggers, GA__ANY },
    { "check", GA_PARAMETER_INT, "5", ">= 1", "steps between similarity checks", GA__FROM(1) },
    { "similarity", GA_PARAMETER_REAL, "0.8", "-1..1", "full step when the cosine is below",
      GA__WITHIN(-1, 1) },
    { "group_reduce", GA_PARAMETER_WORD, "max", NULL, "probabilities of a group to one score",
      .words = reduces, GA__ANY },
    { "append", GA_PARAMETER_BOOL, "1", NULL, "generated tokens enter the small cache", GA__ANY },
    { .name = NULL },
};

/* ---- the rules ---- */

ga__recycling ga__recycling_of(const ga__part *part)
{
    return (ga__recycling){ .top_k = ga__part_value(part, "top_k")->integer,
                            .stride = ga__part_value(part, "stride")->integer,
                            .check = ga__part_value(part, "check")->integer,
                            .by_similarity = ga__part_value(part, "trigger")->integer == 1,
                            .append = ga__part_value(part, "append")->integer != 0,
                            .similarity = ga__part_value(part, "similarity")->real,
                            .reduce = (ga__recycled_reduce)ga__part_value(part, "group_reduce")->integer };
}

/* Mean over the heads of the cosine between two rows; a row of zeros has none, 0. */
static double mean_cosine(int64_t heads, int64_t dim, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t h = 0; h < heads; h++, a += dim, b += dim) {
        double ab = 0, aa = 0, bb = 0;
        for (int64_t c = 0; c < dim; c++) {
            ab += a[c] * b[c];
            aa += a[c] * a[c];
            bb += b[c] * b[c];
        }
        sum += aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
    }
    return sum / (double)heads;
}

bool ga__recycling_full(const ga__recycling *r, int64_t step, int64_t heads, int64_t dim, const double *q,
                        double *last_q)
{
    bool full = step == 0;
    if (step > 0 && r->by_similarity) {
        full = step % r->check == 0 && mean_cosine(heads, dim, q, last_q) < r->similarity;
    } else if (step > 0) {
        full = step % r->stride == 0;
    }
    if (full) {
        memcpy(last_q, q, (size_t)(heads * dim) * sizeof *q);
    }
    return full;
}

void ga__recycling_reduce(const ga__recycling *r, int64_t group, int64_t count, double *weights)
{
    for (int64_t h = 1; h < group; h++) {
        const double *more = weights + h * count;
        for (int64_t j = 0; j < count; j++) {
            bool larger = more[j] > weights[j];
            weights[j] = r->reduce != GA__RECYCLED_MAX ? weights[j] + more[j] : larger ? more[j] : weights[j];
        }
    }
    for (int64_t j = 0; j < count && r->reduce == GA__RECYCLED_MEAN; j++) {
        weights[j] /= (double)group;
    }
}

int64_t ga__recycling_best(ga_context *context, const ga__recycling *r, const double *weights, int64_t n,
                           int32_t *slots, double *scratch)
{
    return n == 0 ? 0
                  : GA__CHOOSE(context, ga__top_k)
                        ->select[1](weights, GA__F64, n, ga__min(r->top_k, n), slots, scratch);
}

int64_t ga__recycling_least(const double *weights, int64_t count)
{
    int64_t least = 0;
    for (int64_t i = 1; i < count; i++) {
        least = weights[i] < weights[least] ? i : least;
    }
    return least;
}

int64_t ga__recycling_drop(const ga__recycling *r, const double *weights, int64_t count, int32_t *slots)
{
    if (count <= r->top_k) {
        return count;
    }
    int64_t least = ga__recycling_least(weights, count);
    memmove(slots + least, slots + least + 1, (size_t)(count - least - 1) * sizeof *slots);
    return count - 1;
}

/* ---- the variant: steps one after another, every key/value head by itself ---- */

/* Lists of one (batch, key/value head), a step behind the other; what the last one leaves. */
typedef struct lists {
    int32_t *attended, *shown, *left; /* owned */
    int64_t attended_count, attended_room, shown_count, shown_room, left_count, left_room;
} lists;

typedef struct steps {
    ga__selecting *s;
    ga__recycling rule;
    uint8_t *full;             /* (batch, queries): the tensor of the output */
    lists *lists;              /* owned: (batch, kv_heads) */
    int64_t *attended, *shown; /* owned: (batch, kv_heads, queries): lengths */
    int64_t next;
    int status;
} steps;

static ga_status decide_full(steps *w)
{
    ga_status status = GA_OK;
    const ga__selecting *s = w->s;
    double *q = NULL, *last_q = NULL;
    GA_TRY(GA_NEW(s->context, s->heads * s->dim, &q));
    GA_TRY(GA_NEW_ZERO(s->context, s->heads * s->dim, &last_q));
    for (int64_t b = 0; b < s->batch; b++) {
        for (int64_t i = 0; i < s->queries; i++) {
            for (int64_t h = 0; h < s->heads; h++) {
                ga__view_load_f64(&s->q, b, h, i, q + h * s->dim);
            }
            w->full[b * s->queries + i] = ga__recycling_full(&w->rule, i, s->heads, s->dim, q, last_q);
        }
    }
done:
    ga_free(s->context, q);
    ga_free(s->context, last_q);
    return status;
}

static ga_status put(ga_context *context, const int32_t *numbers, int64_t count, int64_t *used, int64_t *room,
                     int32_t **list)
{
    ga_status status = GA_OK;
    int64_t wanted = ga__max(2 * *room, *used + count);
    if (*used + count > *room) {
        GA_TRY(ga__resize(context, *room, wanted, sizeof **list, list));
        *room = wanted;
    }
    for (int64_t i = 0; i < count; i++) {
        (*list)[(*used)++] = numbers ? numbers[i] : (int32_t)i;
    }
done:
    return status;
}

/* What a unit works with: weights (group, keys), a query, a key, and the small cache. */
typedef struct step_room {
    double *weights, *q, *k, *scratch;
    int32_t *slots;
} step_room;

static ga_status make_room(const ga__selecting *s, const ga__recycling *rule, step_room *room)
{
    ga_status status = GA_OK;
    int64_t size = 0, slots = ga__min(rule->top_k, s->keys);
    if (!ga__mul(s->group, ga__max(s->keys, 1), &size)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "recycled: too many keys"));
    }
    GA_TRY(GA_NEW(s->context, size, &room->weights));
    GA_TRY(GA_NEW(s->context, s->dim, &room->q));
    GA_TRY(GA_NEW(s->context, s->dim, &room->k));
    GA_TRY(GA_NEW(s->context, slots, &room->scratch));
    GA_TRY(GA_NEW(s->context, slots + 1, &room->slots));
done:
    return status;
}

static void free_room(ga_context *context, step_room *room)
{
    ga_free(context, room->weights);
    ga_free(context, room->q);
    ga_free(context, room->k);
    ga_free(context, room->scratch);
    ga_free(context, room->slots);
}

/* Probabilities of the keys of a list, NULL = the first ones, for one query head. */
static void probabilities(const ga__selecting *s, int64_t batch, int64_t head, int64_t query,
                          const int32_t *keys, int64_t count, const step_room *room, double *weights)
{
    double most = -INFINITY, sum = 0;
    ga__view_load_f64(&s->q, batch, head, query, room->q);
    for (int64_t j = 0; j < count; j++) {
        ga__keys_load_f64(&s->k, batch, head / s->group, keys ? keys[j] : j, 1, room->k);
        double dot = 0;
        for (int64_t c = 0; c < s->dim; c++) {
            dot += room->q[c] * room->k[c];
        }
        weights[j] = s->scale * dot;
        most = weights[j] > most ? weights[j] : most;
    }
    for (int64_t j = 0; j < count; j++) {
        weights[j] = exp(weights[j] - most);
        sum += weights[j];
    }
    for (int64_t j = 0; j < count; j++) {
        weights[j] /= sum;
    }
}

/* One step of a unit; count: slots in use. */
static ga_status run_step(steps *w, int64_t unit, int64_t query, const step_room *room, int64_t *count)
{
    ga_status status = GA_OK;
    const ga__selecting *s = w->s;
    lists *l = &w->lists[unit];
    int64_t batch = unit / s->kv_heads, kv = unit % s->kv_heads;
    int64_t n = ga__max(0, ga__position(s, query) + 1);
    bool full = w->full[batch * s->queries + query];
    if (!full && w->rule.append && n > 0) {
        room->slots[(*count)++] = (int32_t)(n - 1);
    }
    int64_t seen = full ? n : *count;
    for (int64_t h = 0; h < s->group && (full || w->rule.append); h++) {
        probabilities(s, batch, kv * s->group + h, query, full ? NULL : room->slots, seen, room,
                      room->weights + h * seen);
    }
    GA_TRY(put(s->context, full ? NULL : room->slots, seen, &l->attended_count, &l->attended_room,
               &l->attended));
    if (full || w->rule.append) {
        ga__recycling_reduce(&w->rule, s->group, seen, room->weights);
    }
    if (full) {
        *count = ga__recycling_best(s->context, &w->rule, room->weights, n, room->slots, room->scratch);
    }
    int64_t shown = *count;
    GA_TRY(put(s->context, room->slots, shown, &l->shown_count, &l->shown_room, &l->shown));
    if (!full && w->rule.append) {
        *count = ga__recycling_drop(&w->rule, room->weights, *count, room->slots);
    }
    w->attended[unit * s->queries + query] = seen;
    w->shown[unit * s->queries + query] = shown;
done:
    return status;
}

static ga_status run_unit(steps *w, int64_t unit)
{
    ga_status status = GA_OK;
    step_room room = { .weights = NULL };
    int64_t count = 0;
    GA_TRY(make_room(w->s, &w->rule, &room));
    for (int64_t i = 0; i < w->s->queries; i++) {
        GA_TRY(run_step(w, unit, i, &room, &count));
    }
    lists *l = &w->lists[unit];
    status = put(w->s->context, room.slots, count, &l->left_count, &l->left_room, &l->left);
done:
    free_room(w->s->context, &room);
    return status;
}

static void unit_worker(void *user, int worker)
{
    steps *w = user;
    int64_t units = w->s->batch * w->s->kv_heads;
    (void)worker;
    for (int64_t i; (i = ga__claim(&w->next)) < units && !ga__stopped(w->s->context, &w->status);) {
        ga__note_status(&w->status, run_unit(w, i));
    }
}

/* The lists of all units behind each other. */
static ga_status join_lists(const steps *w, bool attended, const int64_t *lengths, int64_t *offsets,
                            int32_t **units)
{
    ga_status status = GA_OK;
    const ga__selecting *s = w->s;
    int64_t count = s->batch * s->kv_heads;
    for (int64_t i = 0; i < count * s->queries; i++) {
        offsets[i + 1] = offsets[i] + lengths[i];
    }
    GA_TRY(GA_NEW(s->context, offsets[count * s->queries], units));
    for (int64_t i = 0, at = 0; i < count; i++) {
        const lists *l = &w->lists[i];
        int64_t n = attended ? l->attended_count : l->shown_count;
        if (n > 0) {
            memcpy(*units + at, attended ? l->attended : l->shown, (size_t)n * sizeof **units);
        }
        at += n;
    }
done:
    return status;
}

/* "selected": what a full step leaves, or the keys that a step attends to. */
static ga_status note_shown(const steps *w)
{
    ga_status status = GA_OK;
    ga__selecting *s = w->s;
    const int64_t shape[] = { s->batch, s->kv_heads, s->queries };
    int64_t *offsets = NULL;
    int32_t *units = NULL;
    DLTensor *tensor = NULL;
    GA_TRY(GA_NEW_ZERO(s->context, shape[0] * shape[1] * shape[2] + 1, &offsets));
    GA_TRY(join_lists(w, false, w->shown, offsets, &units));
    GA_TRY(ga__lists_tensor(s->context, offsets, units, 0, 1, 3, shape, &tensor));
    s->note[s->note_count++] = (ga_named_tensor){ "selected", tensor };
done:
    ga_free(s->context, offsets);
    ga_free(s->context, units);
    return status;
}

/* "state": the small cache behind the last step. */
static ga_status note_state(const steps *w)
{
    ga_status status = GA_OK;
    ga__selecting *s = w->s;
    const int64_t shape[] = { s->batch, s->kv_heads };
    int64_t count = s->batch * s->kv_heads, *offsets = NULL;
    int32_t *units = NULL;
    DLTensor *tensor = NULL;
    GA_TRY(GA_NEW_ZERO(s->context, count + 1, &offsets));
    for (int64_t i = 0; i < count; i++) {
        offsets[i + 1] = offsets[i] + w->lists[i].left_count;
    }
    GA_TRY(GA_NEW(s->context, offsets[count], &units));
    for (int64_t i = 0; i < count; i++) {
        for (int64_t n = 0; n < w->lists[i].left_count; n++) {
            units[offsets[i] + n] = w->lists[i].left[n];
        }
    }
    GA_TRY(ga__lists_tensor(s->context, offsets, units, 0, 1, 2, shape, &tensor));
    s->note[s->note_count++] = (ga_named_tensor){ "state", tensor };
done:
    ga_free(s->context, offsets);
    ga_free(s->context, units);
    return status;
}

static ga_status open_steps(steps *w)
{
    static const DLDataType u8 = { kDLUInt, 8, 1 };
    ga_status status = GA_OK;
    ga__selecting *s = w->s;
    const int64_t rows[] = { s->batch, s->queries };
    int64_t count = s->batch * s->kv_heads, all = 0;
    DLTensor *full = NULL;
    if (!ga__mul(count, s->queries, &all)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "recycled: too many rows"));
    }
    GA_TRY(ga__note_new(s, "full", u8, 2, rows, &full));
    w->full = full->data;
    GA_TRY(GA_NEW_ZERO(s->context, count, &w->lists));
    GA_TRY(GA_NEW_ZERO(s->context, all, &w->attended));
    GA_TRY(GA_NEW_ZERO(s->context, all, &w->shown));
    status = decide_full(w);
done:
    return status;
}

static void close_steps(steps *w)
{
    ga_context *context = w->s->context;
    for (int64_t i = 0; i < w->s->batch * w->s->kv_heads && w->lists; i++) {
        ga_free(context, w->lists[i].attended);
        ga_free(context, w->lists[i].shown);
        ga_free(context, w->lists[i].left);
    }
    ga_free(context, w->lists);
    ga_free(context, w->attended);
    ga_free(context, w->shown);
}

static ga_status select_keys(ga__selecting *s, ga_selection **out)
{
    ga_status status = GA_OK;
    steps w = { .s = s, .rule = ga__recycling_of(s->part) };
    ga_selection *made = NULL;
    if (!s->causal) {
        return ga__fail(s->context, GA_INVALID,
                        "recycled takes its rows for steps of decoding: needs --causal");
    }
    GA_TRY(open_steps(&w));
    ga__workers(s->context, ga__threads_for(s->context, s->batch * s->kv_heads), unit_worker, &w);
    GA_TRY(ga__noted_status(&w.status));
    GA_TRY(note_shown(&w));
    GA_TRY(note_state(&w));
    GA_TRY(ga__selection_new(s, s->kv_heads, 1, 1, &made));
    GA_TRY(join_lists(&w, true, w.attended, made->offsets, &made->units));
    *out = made;
    made = NULL;
done:
    ga_selection_destroy(s->context, made);
    close_steps(&w);
    return status;
}

/* Every row depends on those before it. */
static ga_status decode(ga__job *run, ga__decode *how)
{
    (void)run;
    how->kind = GA__DECODE_PREFIX;
    return GA_OK;
}

static const ga__variant_ops ops = { GA__SELECTOR_OPS(select_keys), .decode = decode };

const ga_variant ga__recycled_variant = {
    .name = "recycled",
    .summary = "full attention every so many steps, the top keys of that step in between",
    .source = "Recycled Attention, later RefreshKV, 2411.05787",
    .family = "dynamic",
    .plan =
        "selector: a small cache per KV head from the last full step; score: scaled dot; normaliser: softmax",
    .outputs = "o, lse, map, selected, full, state",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_DECODE | GA_SELECTS,
    .causality = { .needs_causal = true },
    .ops = &ops,
};
