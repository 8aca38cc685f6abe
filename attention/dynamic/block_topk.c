/* block_topk.c - best key blocks by pooled query and pooled key (attention-dynamic A6.2, A7).
 *
 * Score of key block u for a query block: mean of its queries . mean of the keys of u; group_reduce=mean pools over the
 * query heads of a key/value head, too. Forced are the blocks with keys below `sinks` and, when causal, those with a
 * position of the query block and the local_blocks - 1 before the first of them; the best others fill up to top_k. */
#include "config.h"

#include <string.h>

#include "attention/decode.h"
#include "attention/dynamic/choose.h"

enum reduce { REDUCE_NONE, REDUCE_MEAN };
static const char *const reduce_words[] = { "none", "mean", NULL };

static const ga_parameter parameters[] = {
    { "block", GA_PARAMETER_INT, "64", ">= 1", "keys of a block; Kinetics has 16", GA__FROM(1) },
    { "block_q", GA_PARAMETER_INT, "0", ">= 0", "queries that share a list; 0: same as block; Kinetics has 1",
      GA__FROM(0) },
    { "top_k", GA_PARAMETER_INT, "100", ">= 1", "blocks kept, forced ones included", GA__FROM(1) },
    { "sinks", GA_PARAMETER_INT, "1", ">= 0", "blocks with these first keys are forced; Kinetics has 4",
      GA__FROM(0) },
    { "local_blocks", GA_PARAMETER_INT, "2", ">= 1", "diagonal block and those before it, forced when causal",
      GA__FROM(1) },
    { "group_reduce", GA_PARAMETER_WORD, "none", NULL, "mean: one list per KV head, as in Kinetics",
      reduce_words, GA__ANY },
    { .name = NULL },
};

typedef struct rule {
    int64_t block, top_k, sinks, local;
    bool shared;
} rule;

/* The mean of the block's queries, of one head or of a group. */
static void prepare(const ga__choosing *c, int64_t batch, int64_t head, int64_t list, int64_t row, void *to)
{
    const rule *r = c->user;
    int64_t heads = r->shared ? c->s->group : 1, queries = ga__list_last(c, list) - ga__list_first(c, list);
    (void)row;
    ga__sum_queries(c, batch, head * heads, (head + 1) * heads, list, 1 / (double)(heads * queries), to);
}

static int64_t reach(const ga__choosing *c, int64_t batch, int64_t list)
{
    const ga__selecting *s = c->s;
    (void)batch;
    int64_t keys = s->causal ? ga__max(ga__position(s, ga__list_last(c, list) - 1) + 1, 0) : s->keys;
    return ga__units_of(keys, c->summaries->unit);
}

static int64_t keep(const ga__choosing *c, const ga__scored *x)
{
    const rule *r = c->user;
    const ga__selecting *s = c->s;
    int64_t from = x->reach;
    for (int64_t u = 0; u < x->reach; u++) { /* sums to means */
        double size = (double)ga__summaries_size(c->summaries, u);
        if (s->wide) {
            ((double *)x->scores)[u] /= size;
        } else {
            ((float *)x->scores)[u] /= (float)size;
        }
    }
    if (s->causal) {
        int64_t own = ga__max(ga__position(s, ga__list_first(c, x->list)), 0) / r->block;
        from = ga__max(own - (r->local - 1), 0);
    }
    return ga__keep_best(c, x, ga__units_of(r->sinks, r->block), from, x->reach, r->top_k);
}

/* Most forced blocks of a list: those of the sinks, of the query block and before it. */
static int64_t most_forced(const ga__choosing *c, const rule *r)
{
    int64_t queries = ga__min(c->block_query, c->s->queries), units = ga__units_of(c->s->keys, r->block);
    int64_t sinks = ga__min(ga__units_of(r->sinks, r->block), units);
    return sinks + (c->s->causal ? ga__units_of(queries, r->block) + 1 + ga__min(r->local, units) : 0);
}

static ga_status select_keys(ga__selecting *s, ga_selection **selection)
{
    ga_status status = GA_OK;
    ga__summaries *own = NULL;
    int64_t block_q = ga__part_value(s->part, "block_q")->integer;
    rule r = { .block = ga__part_value(s->part, "block")->integer,
               .top_k = ga__part_value(s->part, "top_k")->integer,
               .sinks = ga__part_value(s->part, "sinks")->integer,
               .local = ga__part_value(s->part, "local_blocks")->integer,
               .shared = ga__part_value(s->part, "group_reduce")->integer == REDUCE_MEAN };
    ga__choosing c = { .s = s,
                       .user = &r,
                       .heads = r.shared ? s->kv_heads : s->heads,
                       .block_query = block_q > 0 ? block_q : r.block,
                       .rows = 1,
                       .units = ga__units_of(s->keys, r.block),
                       .prepare = prepare,
                       .reach = reach,
                       .keep = keep };
    c.most = ga__min(ga__max(r.top_k, most_forced(&c, &r)), c.units);
    GA_TRY(ga__summaries_for(s, GA__SUMMARY_SUMS, r.block, &c.summaries, &own));
    status = ga__choose_units(&c, selection);
done:
    ga__summaries_free(s->context, own);
    return status;
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    (void)how;
    if (ga__part_value(&run->own, "block_q")->integer != 1) {
        return ga__fail(run->context, GA_INVALID,
                        "block-topk: the queries of a block choose together; decode with block_q=1");
    }
    return GA_OK;
}

static const ga__variant_ops ops = { GA__SELECTOR_OPS(select_keys), .decode = decode,
                                     .summaries = GA__SUMMARY_SUMS };

const ga_variant ga__block_topk_variant = {
    .name = "block-topk",
    .summary = "best key blocks by pooled query and pooled key",
    .source = "The Sparse Frontier, block-sparse, 2504.17768; Kinetics, block top-k, 2506.05333",
    .family = "dynamic",
    .plan = "selector: key blocks of a query block by means; score: scaled dot; normaliser: softmax",
    .outputs = "o, lse, map, selected",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_SELECTS,
    .causality = { .prefix = GA_PREFIX_BLOCK, .unit = "block_q", .apart_unit = "block_q" },
    .ops = &ops,
};
