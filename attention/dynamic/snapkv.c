/* snapkv.c - the keys of a prompt that its last rows attend to (attention-dynamic A6.4).
 *
 * importance_j = sum of P_rj over the last `window` rows of the prompt, j < prompt - window, pooled over `kernel`
 * neighbours; kept: the best budget - window of them and the window. */
#include "config.h"

#include <math.h>

#include "attention/dynamic/snap.h"

static const char *const reduce_words[] = { "max", "mean", "sum", "none", NULL };

static const ga_parameter parameters[] = {
    { "budget", GA_PARAMETER_INT, "2048", "> window", "keys kept, window included", GA__FROM(1) },
    { "window", GA_PARAMETER_INT, "32", ">= 1", "last prompt rows that judge", GA__FROM(1) },
    { "kernel", GA_PARAMETER_INT, "5", "odd", "width of the mean pool", GA__FROM(1) },
    { "prompt", GA_PARAMETER_INT, "0", ">= 0", "keys of the prompt; 0: all", GA__FROM(0) },
    { "sinks", GA_PARAMETER_INT, "0", ">= 0", "first keys, forced", GA__FROM(0) },
    { "group_reduce", GA_PARAMETER_WORD, "none", NULL,
      "how query heads of a KV head share one choice; none: a choice per query head", reduce_words, GA__ANY },
    { .name = NULL },
};

typedef struct choice {
    ga__snap snap;
    int64_t most;    /* of a list */
    int64_t *counts; /* owned: of every (batch, head) */
    int32_t *lists;  /* owned: most a list */
} choice;

static void judge(void *user, ga__probe_room *room, int64_t batch, int64_t head)
{
    choice *c = user;
    const ga__snap *snap = &c->snap;
    int64_t n = snap->prompt, at = batch * snap->heads + head;
    double *importance = ga__probe_values(room), *scratch = importance + n;
    int32_t *list = c->lists + at * c->most;
    ga__snap_importance(snap, room, batch, head, importance, scratch);
    for (int64_t j = 0; j < ga__min(snap->sinks, snap->judged); j++) {
        importance[j] = INFINITY;
    }
    int64_t count =
        ga__probe_best(room, importance, snap->judged, snap->budget - snap->window, list, scratch);
    for (int64_t j = snap->judged; j < n; j++) {
        list[count++] = (int32_t)j;
    }
    c->counts[at] = count;
}

static void keep_all(choice *c)
{
    for (int64_t i = 0; i < c->snap.s->batch * c->snap.heads; i++) {
        c->counts[i] = c->most;
        for (int64_t j = 0; j < c->most; j++) {
            c->lists[i * c->most + j] = (int32_t)j;
        }
    }
}

static ga_status select_keys(ga__selecting *s, ga_selection **out)
{
    ga_status status = GA_OK;
    choice c = { .counts = NULL };
    int64_t size = 0;
    GA_TRY(ga__snap_open(s, &c.snap));
    c.snap.reduce = (ga__snap_reduce)ga__part_value(s->part, "group_reduce")->integer;
    c.snap.heads = c.snap.reduce == GA__SNAP_NONE ? s->heads : s->kv_heads;
    c.most = c.snap.keeps_all ? c.snap.prompt : c.snap.budget;
    if (!ga__mul(s->batch * c.snap.heads, c.most, &size)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "snapkv: too many keys"));
    }
    GA_TRY(GA_NEW_ZERO(s->context, s->batch * c.snap.heads, &c.counts));
    GA_TRY(GA_NEW(s->context, size, &c.lists));
    if (c.snap.keeps_all) {
        keep_all(&c);
    } else {
        c.snap.judged = c.snap.prompt - c.snap.window;
        GA_TRY(ga__snap_run(&c.snap, 2 * c.snap.prompt, 0, judge, &c));
    }
    status = ga__snap_finish(&c.snap, c.counts, c.lists, c.most, out);
done:
    ga_free(s->context, c.counts);
    ga_free(s->context, c.lists);
    return status;
}

static const ga__variant_ops ops = { GA__SELECTOR_OPS(select_keys), .decode = ga__snap_decode };

const ga_variant ga__snapkv_variant = {
    .name = "snapkv",
    .summary = "keeps the prompt keys that the last prompt rows attend to",
    .source = "SnapKV, as studied by The Sparse Frontier, 2504.17768",
    .family = "dynamic",
    .plan =
        "selector: keys of the prompt per query or KV head, for all later rows; score: scaled dot; normaliser: "
        "softmax",
    .outputs = "o, lse, map, selected",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_DECODE | GA_SELECTS,
    .causality = { .needs_causal = true },
    .ops = &ops,
};
