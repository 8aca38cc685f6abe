/* passes.c - passes of a plan over queries, keys and units of keys, by its cascade (card C). */
#include "config.h"

#include "attention/cost/cascade.h"
#include "attention/cost/cost.h"

static const char *const post_words[] = { "none", "classwise", "row", "full", NULL }; /* as ga_post_form */

static const ga_parameter parameters[] = {
    { "variant", GA_PARAMETER_TEXT, NULL, "of a variant, a layer or a textbook cascade", "whose plan",
      .required = true, GA__ANY },
    { "length", GA_PARAMETER_INT, "4096", ">= 1", "queries and keys, for the words", GA__FROM(1) },
    { "unit", GA_PARAMETER_INT, "64", ">= 1", "keys of a unit, rows of a block of queries, probe rows",
      GA__FROM(1) },
    { "dim", GA_PARAMETER_INT, "128", ">= 1", "channels of a head", GA__FROM(1) },
    { "post", GA_PARAMETER_WORD, "none", NULL,
      "a change of the map: by classes of keys, by rows, of all rows", post_words, GA__ANY },
    { "fused", GA_PARAMETER_BOOL, "0", NULL, "refuse a plan that needs more than one pass", GA__ANY },
    { .name = NULL },
};

/* The plan that was asked for. */
static ga_status find_plan(ga__block_run *run, const ga__plan **out)
{
    ga_status status = GA_OK;
    const char *name = ga__part_value(&run->part, "variant")->text;
    const ga__plan *plan = ga__plan_find(name);
    if (!plan) {
        GA_TRY(ga__part_refuse(&run->part, "variant",
                               "the name of a variant, a layer or a textbook cascade "
                               "(naive, naive-deferred, stable, stable-deferred, "
                               "row-topk, var-map)"));
    }
    *out = ga__plan_with_post(plan, (ga_post_form)ga__part_value(&run->part, "post")->integer);
    if (!*out) {
        GA_TRY(
            ga__part_refuse(&run->part, "post", "none with %s, which is not plain softmax attention", name));
    }
done:
    return status;
}

static ga_status check_fused(const ga__block_run *run, const ga__passes *p)
{
    int64_t post = ga__part_value(&run->part, "post")->integer;
    bool one = p->keys == 1 && p->queries == 1 && p->units == 1;
    if (!ga__part_value(&run->part, "fused")->integer || one) {
        return GA_OK;
    }
    return ga__part_refuse(&run->part, "fused",
                           "0: %s%s%s needs %d passes over keys, %d over queries, %d over units",
                           ga__part_value(&run->part, "variant")->text, post ? " with post=" : "",
                           post ? post_words[post] : "", p->keys, p->queries, p->units);
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    ga__passes p;
    const ga__plan *plan = NULL;
    int64_t length = ga__block_integer(run, "length"), unit = ga__min(ga__block_integer(run, "unit"), length);
    double dim = (double)ga__block_integer(run, "dim");
    GA_TRY(find_plan(run, &plan));
    ga__ranks ranks = { .queries = (double)length,
                        .rows = (double)unit,
                        .keys = (double)length,
                        .units = (double)((length + unit - 1) / unit),
                        .probe = (double)unit,
                        .dim = dim,
                        .dim_v = dim,
                        .classes = 3,
                        .density = 1,
                        .group = 1 };
    if (ga__plan_ranks(plan, 'i')) {
        ranks.queries = ranks.units;
    }
    GA_TRY(ga__analyse(run->context, plan, &ranks, &p));
    GA_TRY(check_fused(run, &p));
    GA_TRY(ga__cost_integer(run, "keys", p.keys));
    GA_TRY(ga__cost_integer(run, "queries", p.queries));
    GA_TRY(ga__cost_integer(run, "units", p.units));
    GA_TRY(ga__cost_real(run, "live_words", p.live));
    GA_TRY(ga__cost_real(run, "words_moved", p.moved));
done:
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__cost_passes = {
    .name = "passes",
    .summary = "passes of a plan over keys, queries and units of keys",
    .source = "FuseMax, 2406.10491",
    .plan = "analysis of the cascade of Einsums",
    .outputs = "keys, queries, units, live_words, words_moved",
    .parameters = parameters,
    .ops = &ops,
};
