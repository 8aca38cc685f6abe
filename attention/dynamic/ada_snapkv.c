/* ada_snapkv.c - one budget of prompt keys over all heads, and a floor for each (attention-dynamic A6.5).
 *
 * importance_j = the largest P_rj of the last `window` rows of the prompt and of the query heads of a KV head, pooled;
 * `recent` last and `sinks` first keys are forced. Every KV head keeps its least = max(floor(floor budget),
 * recent + sinks) best, the other G (budget - least) places go to the best of all heads together. */
#include "config.h"

#include <math.h>

#include "attention/dynamic/snap.h"

static const char *const reduce_words[] = { "max", "mean", "sum", NULL };

static const ga_parameter parameters[] = {
    { "budget", GA_PARAMETER_INT, "2048", "> window", "keys kept per KV head on average", GA__FROM(1) },
    { "window", GA_PARAMETER_INT, "32", ">= 1", "last prompt rows that judge", GA__FROM(1) },
    { "kernel", GA_PARAMETER_INT, "5", "odd", "width of the mean pool", GA__FROM(1) },
    { "prompt", GA_PARAMETER_INT, "0", ">= 0", "keys of the prompt; 0: all", GA__FROM(0) },
    { "recent", GA_PARAMETER_INT, "-1", ">= -1", "last keys, forced; -1: window", GA__FROM(-1) },
    { "sinks", GA_PARAMETER_INT, "0", ">= 0", "first keys, forced", GA__FROM(0) },
    { "floor", GA_PARAMETER_REAL, "0.2", "0..1", "least share of the budget for a head", GA__WITHIN(0, 1) },
    { "group_reduce", GA_PARAMETER_WORD, "max", NULL, "importance of a group", reduce_words, GA__ANY },
    { .name = NULL },
};

typedef struct choice {
    ga__snap snap;
    int64_t least, recent;
    double *importance; /* owned: (batch, heads, prompt); NaN where a key has its place */
    int64_t *counts;    /* owned: (batch, heads) */
    int32_t *lists;     /* owned: prompt a list */
} choice;

/* Every head by itself: what is forced, and its least. */
static void judge(void *user, ga__probe_room *room, int64_t batch, int64_t head)
{
    choice *c = user;
    const ga__snap *snap = &c->snap;
    int64_t n = snap->prompt, at = batch * snap->heads + head;
    double *importance = c->importance + at * n, *scratch = ga__probe_values(room);
    int32_t *list = c->lists + at * n;
    ga__snap_importance(snap, room, batch, head, importance, scratch);
    for (int64_t j = 0; j < n; j++) {
        if (j < snap->sinks || j >= n - c->recent) {
            importance[j] = INFINITY;
        } else if (isnan(importance[j])) {
            importance[j] = -INFINITY;
        }
    }
    c->counts[at] = ga__probe_best(room, importance, n, c->least, list, scratch);
    for (int64_t i = 0; i < c->counts[at]; i++) {
        importance[list[i]] = NAN;
    }
}

/* The places of a batch entry that are left, to the best keys of all heads; marks them as the others. */
static void share(void *user, ga__probe_room *room, int64_t batch, int64_t none)
{
    choice *c = user;
    const ga__snap *snap = &c->snap;
    int64_t n = snap->heads * snap->prompt, places = snap->heads * (snap->budget - c->least);
    double *all = c->importance + batch * n;
    int32_t *taken = ga__probe_numbers(room);
    (void)none;
    int64_t count = ga__probe_best(room, all, n, places, taken, ga__probe_values(room));
    for (int64_t i = 0; i < count; i++) {
        all[taken[i]] = NAN;
    }
    for (int64_t h = 0; h < snap->heads; h++) {
        int64_t at = batch * snap->heads + h, kept = 0;
        for (int64_t j = 0; j < snap->prompt; j++) {
            if (isnan(all[h * snap->prompt + j])) {
                c->lists[at * snap->prompt + kept++] = (int32_t)j;
            }
        }
        c->counts[at] = kept;
    }
}

static ga_status judge_all(choice *c)
{
    ga_status status = GA_OK;
    ga__snap *snap = &c->snap;
    ga_context *context = snap->s->context;
    int64_t places = snap->heads * (snap->budget - c->least);
    ga__probe shared = {
        .s = snap->s, .heads = 1, .values = places, .numbers = places, .body = share, .user = c
    };
    if (snap->heads * snap->prompt > INT32_MAX) {
        GA_TRY(ga__fail(context, GA_LIMIT, "ada-snapkv: %lld keys of %lld heads, expected fewer than 2^31",
                        (long long)snap->prompt, (long long)snap->heads));
    }
    GA_TRY(GA_NEW(context, snap->s->batch * snap->heads * snap->prompt, &c->importance));
    GA_TRY(ga__snap_run(snap, snap->prompt, 0, judge, c));
    status = ga__probe_run(&shared);
done:
    return status;
}

static void keep_all(choice *c)
{
    for (int64_t i = 0; i < c->snap.s->batch * c->snap.heads; i++) {
        c->counts[i] = c->snap.prompt;
        for (int64_t j = 0; j < c->snap.prompt; j++) {
            c->lists[i * c->snap.prompt + j] = (int32_t)j;
        }
    }
}

static ga_status note_counts(const choice *c)
{
    static const DLDataType i32 = { kDLInt, 32, 1 };
    ga_status status = GA_OK;
    ga__selecting *s = c->snap.s;
    DLTensor *note = NULL;
    GA_TRY(ga__note_new(s, "counts", i32, 2, (const int64_t[]){ s->batch, c->snap.heads }, &note));
    for (int64_t i = 0; i < s->batch * c->snap.heads; i++) {
        ((int32_t *)note->data)[i] = (int32_t)c->counts[i];
    }
done:
    return status;
}

static ga_status open_choice(ga__selecting *s, choice *c)
{
    ga_status status = GA_OK;
    int64_t recent = ga__part_value(s->part, "recent")->integer;
    GA_TRY(ga__snap_open(s, &c->snap));
    c->snap.reduce = (ga__snap_reduce)ga__part_value(s->part, "group_reduce")->integer;
    c->snap.heads = s->kv_heads;
    c->snap.most = true;
    c->recent = recent < 0 ? c->snap.window : recent;
    if (c->recent > c->snap.budget - ga__min(c->snap.sinks, c->snap.budget)) {
        GA_TRY(ga__part_refuse(s->part, "sinks", "recent + sinks at most the budget: %lld + %lld > %lld",
                               (long long)c->recent, (long long)c->snap.sinks, (long long)c->snap.budget));
    }
    double share_of = floor(ga__part_value(s->part, "floor")->real * (double)c->snap.budget);
    c->least = ga__max((int64_t)share_of, c->recent + c->snap.sinks);
done:
    return status;
}

static ga_status select_keys(ga__selecting *s, ga_selection **out)
{
    ga_status status = GA_OK;
    choice c = { .counts = NULL };
    int64_t lists = s->batch * s->kv_heads, size = 0;
    GA_TRY(open_choice(s, &c));
    if (!ga__mul(lists, c.snap.prompt, &size)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "ada-snapkv: too many keys"));
    }
    GA_TRY(GA_NEW_ZERO(s->context, lists, &c.counts));
    GA_TRY(GA_NEW(s->context, size, &c.lists));
    if (c.snap.keeps_all) {
        keep_all(&c);
    } else {
        GA_TRY(judge_all(&c));
    }
    GA_TRY(note_counts(&c));
    status = ga__snap_finish(&c.snap, c.counts, c.lists, c.snap.prompt, out);
done:
    ga_free(s->context, c.importance);
    ga_free(s->context, c.counts);
    ga_free(s->context, c.lists);
    return status;
}

static const ga__variant_ops ops = { GA__SELECTOR_OPS(select_keys), .decode = ga__snap_decode };

const ga_variant ga__ada_snapkv_variant = {
    .name = "ada-snapkv",
    .summary = "prompt keys by one budget over all heads, with a floor for each",
    .source = "Ada-SnapKV, as studied by The Sparse Frontier, 2504.17768",
    .family = "dynamic",
    .plan =
        "selector: keys of the prompt per KV head, places shared by all heads; score: scaled dot; normaliser: "
        "softmax",
    .outputs = "o, lse, map, selected, counts",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_DECODE | GA_SELECTS,
    .causality = { .needs_causal = true },
    .ops = &ops,
};
