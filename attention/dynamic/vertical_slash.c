/* vertical_slash.c - the best columns and diagonals of the last rows (attention-dynamic A6.1).
 *
 * P = softmax map of the last min(probe, Nq) rows; vert_j = sum_r P_rj, slash_o = sum_r P_(r, p(r) - o); the first
 * `sinks` columns and `window` diagonals are forced. A row at position p sees j when j is a kept column or p - j a kept
 * diagonal. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/decode.h"
#include "attention/dynamic/probe_rows.h"

static const ga_parameter parameters[] = {
    { "columns", GA_PARAMETER_INT, "1000", ">= 0", "columns kept", GA__FROM(0) },
    { "slashes", GA_PARAMETER_INT, "6096", ">= 0", "diagonals kept; 0 without --causal", GA__FROM(0) },
    { "probe", GA_PARAMETER_INT, "64", ">= 1", "last rows that judge", GA__FROM(1) },
    { "sinks", GA_PARAMETER_INT, "30", ">= 0", "first columns, forced, counted", GA__FROM(0) },
    { "window", GA_PARAMETER_INT, "100", ">= 0", "first diagonals, forced, counted", GA__FROM(0) },
    { .name = NULL },
};

typedef struct choice {
    ga__selecting *s;
    int64_t columns, slashes, sinks, window; /* columns, slashes: at most the keys */
    int64_t *column_counts, *slash_counts;   /* owned: of every (batch, head) */
    int32_t *column_lists, *slash_lists;     /* owned: columns, slashes a list */
} choice;

static void force(double *x, int64_t n, int64_t count)
{
    for (int64_t i = 0; i < ga__min(n, count); i++) {
        x[i] = INFINITY;
    }
}

static void judge(void *user, ga__probe_room *room, int64_t batch, int64_t head)
{
    choice *c = user;
    int64_t n = c->s->keys, at = batch * c->s->heads + head;
    double *sums = ga__probe_values(room), *scratch = sums + n;
    ga__probe_rows(room, batch, head);
    memset(sums, 0, (size_t)n * sizeof *sums);
    ga__probe_add_columns(room, sums);
    force(sums, n, c->sinks);
    c->column_counts[at] =
        ga__probe_best(room, sums, n, c->columns, c->column_lists + at * c->columns, scratch);
    if (c->slashes > 0) {
        ga__probe_diagonals(room, sums);
        force(sums, n, c->window);
        c->slash_counts[at] =
            ga__probe_best(room, sums, n, c->slashes, c->slash_lists + at * c->slashes, scratch);
    }
}

static ga_status choose(choice *c, int64_t probe)
{
    ga_status status = GA_OK;
    ga__selecting *s = c->s;
    int64_t lists = s->batch * s->heads, columns = 0, slashes = 0, rows = ga__min(probe, s->queries);
    ga__probe p = { .s = s,
                    .heads = s->heads,
                    .first = s->queries - rows,
                    .rows = rows,
                    .width = s->keys,
                    .values = 2 * s->keys,
                    .body = judge,
                    .user = c };
    if (!ga__mul(lists, c->columns, &columns) || !ga__mul(lists, c->slashes, &slashes)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "vertical-slash: too many columns or slashes"));
    }
    GA_TRY(GA_NEW_ZERO(s->context, lists, &c->column_counts));
    GA_TRY(GA_NEW_ZERO(s->context, lists, &c->slash_counts));
    GA_TRY(GA_NEW(s->context, columns, &c->column_lists));
    GA_TRY(GA_NEW(s->context, slashes, &c->slash_lists));
    ga__probe_cost(s, rows, s->keys);
    status = ga__probe_run(&p);
done:
    return status;
}

/* The kept diagonals of all heads, one behind the other. */
static ga_status put_diagonals(const choice *c, ga_selection *selection)
{
    ga_status status = GA_OK;
    int64_t lists = c->s->batch * c->s->heads;
    GA_TRY(GA_NEW_ZERO(c->s->context, lists + 1, &selection->diagonal_offsets));
    for (int64_t i = 0; i < lists; i++) {
        selection->diagonal_offsets[i + 1] = selection->diagonal_offsets[i] + c->slash_counts[i];
    }
    GA_TRY(GA_NEW(c->s->context, selection->diagonal_offsets[lists], &selection->diagonals));
    for (int64_t i = 0; i < lists; i++) {
        memcpy(selection->diagonals + selection->diagonal_offsets[i], c->slash_lists + i * c->slashes,
               (size_t)c->slash_counts[i] * sizeof *c->slash_lists);
    }
done:
    return status;
}

static ga_status select_keys(ga__selecting *s, ga_selection **out)
{
    ga_status status = GA_OK;
    ga_selection *made = NULL;
    int64_t slashes = ga__part_value(s->part, "slashes")->integer;
    choice c = { .s = s,
                 .columns = ga__min(ga__part_value(s->part, "columns")->integer, s->keys),
                 .slashes = ga__min(slashes, s->keys),
                 .sinks = ga__part_value(s->part, "sinks")->integer,
                 .window = ga__part_value(s->part, "window")->integer };
    if (!s->causal && slashes > 0) {
        GA_TRY(ga__part_refuse(s->part, "slashes", "0 without --causal: diagonals have no meaning there"));
    }
    GA_TRY(choose(&c, ga__part_value(s->part, "probe")->integer));
    GA_TRY(ga__probe_note(s, "columns", s->heads, c.column_counts, c.column_lists, c.columns));
    GA_TRY(ga__probe_note(s, "slashes", s->heads, c.slash_counts, c.slash_lists, c.slashes));
    GA_TRY(ga__selection_new(s, s->heads, ga__max(s->queries, 1), ga__max(s->queries, 1), &made));
    GA_TRY(ga__selection_pack(s->context, made, c.column_counts, c.column_lists, c.columns));
    if (s->causal) {
        GA_TRY(put_diagonals(&c, made));
    }
    *out = made;
    made = NULL;
done:
    ga_selection_destroy(s->context, made);
    ga_free(s->context, c.column_counts);
    ga_free(s->context, c.slash_counts);
    ga_free(s->context, c.column_lists);
    ga_free(s->context, c.slash_lists);
    return status;
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    (void)how;
    return ga__fail(
        run->context, GA_INVALID,
        "vertical-slash cannot be decoded token by token: the last rows of all choose for every row");
}

static const ga__variant_ops ops = { GA__SELECTOR_OPS(select_keys), .decode = decode };

const ga_variant ga__vertical_slash_variant = {
    .name = "vertical-slash",
    .summary = "best columns and best diagonals, judged by the last rows",
    .source = "The Sparse Frontier, 2504.17768; MInference vertical-slash",
    .family = "dynamic",
    .plan =
        "selector: columns and diagonals of a head, from its last rows; score: scaled dot; normaliser: softmax",
    .outputs = "o, lse, map, columns, slashes",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_SELECTS,
    .causality = { .prefix = GA_PREFIX_SUPPORT, .rows = GA_ROWS_TOGETHER },
    .ops = &ops,
};
