/* quest.c - pages by an upper bound from channel minima and maxima (attention-dynamic A6.6).
 *
 * U(page) = sum_c max(q_c m_c, q_c M_c), m and M the channel minima and maxima of the page: no q.k in it is larger. A row
 * keeps the page of its own position (causal) and the best others before it, n = max(min_pages, floor(budget / block)) in
 * all. group_reduce: U summed, or its maximum, over the query heads of a key/value head, which then share a list. */
#include "config.h"

#include <string.h>

#include "attention/dynamic/choose.h"
#include "lib/engine/rowwise/rowwise.h"
#include "lib/engine/units/units.h"

enum reduce { REDUCE_NONE, REDUCE_SUM, REDUCE_MAX };
static const char *const reduce_words[] = { "none", "sum", "max", NULL };

static const ga_parameter parameters[] = {
    { "block", GA_PARAMETER_INT, "16", ">= 1", "keys of a page", GA__FROM(1) },
    { "budget", GA_PARAMETER_INT, "1024", ">= 1", "keys attended: floor(budget/block) pages", GA__FROM(1) },
    { "min_pages", GA_PARAMETER_INT, "3", ">= 1", "least pages", GA__FROM(1) },
    { "group_reduce", GA_PARAMETER_WORD, "none", NULL, "how query heads of a KV head share pages",
      reduce_words, GA__ANY },
    { .name = NULL },
};

typedef struct quest {
    int64_t pages;
    enum reduce reduce;
} quest;

/* [max(q, 0), min(q, 0)]: its product with [M, m] is the bound. */
static void prepare(const ga__choosing *c, int64_t batch, int64_t head, int64_t list, int64_t row, void *to)
{
    const quest *rule = c->user;
    ga__selecting *s = c->s;
    int64_t query_head = rule->reduce == REDUCE_NONE ? head : head * s->group + row;
    if (s->wide) {
        double *high = to, *low = high + s->dim;
        ga__view_load_f64(&s->q, batch, query_head, list, high);
        for (int64_t i = 0; i < s->dim; i++) {
            low[i] = high[i] > 0 ? 0 : high[i];
            high[i] = high[i] > 0 ? high[i] : 0;
        }
        return;
    }
    float *high = to, *low = high + s->dim;
    ga__view_load_f32(&s->q, batch, query_head, list, high);
    for (int64_t i = 0; i < s->dim; i++) {
        low[i] = high[i] > 0 ? 0 : high[i];
        high[i] = high[i] > 0 ? high[i] : 0;
    }
}

static int64_t reach(const ga__choosing *c, int64_t batch, int64_t list)
{
    const ga__selecting *s = c->s;
    (void)batch;
    int64_t keys = s->causal ? ga__max(ga__position(s, list) + 1, 0) : s->keys;
    return ga__units_of(keys, c->summaries->unit);
}

/* Row 0 of the scores becomes the sum, or the maximum, of all. */
static void reduce_scores(const ga__choosing *c, const ga__scored *x, enum reduce reduce)
{
    ga_context *context = c->s->context;
    bool wide = c->s->wide;
    for (int64_t row = 1; row < c->rows; row++) {
        const char *from =
            (char *)x->scores + row * x->step * (int64_t)(wide ? sizeof(double) : sizeof(float));
        if (reduce == REDUCE_SUM) {
            GA__CHOOSE(context, ga__rowwise)->combine[wide](x->reach, 1, from, 1, x->scores);
        } else {
            GA__CHOOSE(context, ga__units)->most[wide](x->reach, from, x->scores);
        }
    }
}

static int64_t keep(const ga__choosing *c, const ga__scored *x)
{
    const quest *rule = c->user;
    reduce_scores(c, x, rule->reduce);
    return ga__keep_best(c, x, 0, c->s->causal ? x->reach - 1 : x->reach, x->reach, rule->pages);
}

static ga_status select_keys(ga__selecting *s, ga_selection **selection)
{
    ga_status status = GA_OK;
    ga__summaries *own = NULL;
    int64_t block = ga__part_value(s->part, "block")->integer;
    quest rule = { ga__max(ga__part_value(s->part, "min_pages")->integer,
                           ga__part_value(s->part, "budget")->integer / block),
                   (enum reduce)ga__part_value(s->part, "group_reduce")->integer };
    bool shared = rule.reduce != REDUCE_NONE;
    ga__choosing c = { .s = s,
                       .user = &rule,
                       .heads = shared ? s->kv_heads : s->heads,
                       .block_query = 1,
                       .rows = shared ? s->group : 1,
                       .units = ga__units_of(s->keys, block),
                       .most = ga__min(rule.pages, ga__units_of(s->keys, block)),
                       .prepare = prepare,
                       .reach = reach,
                       .keep = keep };
    GA_TRY(ga__summaries_for(s, GA__SUMMARY_BOUNDS, block, &c.summaries, &own));
    status = ga__choose_units(&c, selection);
done:
    ga__summaries_free(s->context, own);
    return status;
}

/* "state": what a page adds to the next step, (batch, kv_heads, pages, 2, dim): channel minima, then maxima. */
static ga_status make_state(ga__job *run, DLTensor **out)
{
    ga_status status = GA_OK;
    ga__selecting s;
    ga__summaries *bounds = NULL;
    char *row = NULL;
    int64_t block = ga__part_value(&run->own, "block")->integer;
    GA_TRY(ga__selecting_open(run, &s));
    GA_TRY(ga__summaries_make(run->context, &s.k, GA__SUMMARY_BOUNDS, block, s.wide, &bounds));
    const int64_t shape[] = { s.batch, s.kv_heads, ga__units_of(s.keys, block), 2, s.dim };
    GA_TRY(ga__tensor_new(run, 5, shape, out));
    size_t half = (size_t)s.dim * (s.wide ? sizeof(double) : sizeof(float));
    char *to = (*out)->data;
    ga__keys rows = ga__summaries_rows(bounds);
    GA_TRY(GA_NEW(run->context, 2 * (int64_t)half, &row));
    for (int64_t i = 0; i < shape[0] * shape[1] * shape[2]; i++, to += 2 * half) {
        int64_t line = i / shape[2];
        ga__keys_load(run->context, s.wide, &rows, line / s.kv_heads, line % s.kv_heads, i % shape[2], 1,
                      row);
        memcpy(to, row + half, half);
        memcpy(to + half, row, half);
    }
done:
    ga_free(run->context, row);
    ga__summaries_free(run->context, bounds);
    return status;
}

static ga_status output(ga__job *run, const char *name, DLTensor **out)
{
    return strcmp(name, "state") == 0 ? make_state(run, out) : ga__selected_output(run, name, out);
}

static const ga__variant_ops ops = { .normaliser = &ga__softmax_row,
                                     .plan = ga__selected_plan,
                                     .forward = ga__selected_forward,
                                     .backward = ga__selected_backward,
                                     .output = output,
                                     .select = select_keys,
                                     .summaries = GA__SUMMARY_BOUNDS };

const ga_variant ga__quest_variant = {
    .name = "quest",
    .summary = "pages by an upper bound from channel minima and maxima",
    .source = "Quest, as studied by The Sparse Frontier, 2504.17768",
    .family = "dynamic",
    .plan =
        "selector: pages of a row by the bounds of their summaries; score: scaled dot; normaliser: softmax",
    .outputs = "o, lse, map, selected, state",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_SELECTS,
    .ops = &ops,
};
