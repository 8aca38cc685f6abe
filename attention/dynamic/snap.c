/* snap.c - see snap.h. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/decode.h"
#include "attention/dynamic/snap.h"

ga_status ga__snap_open(ga__selecting *s, ga__snap *snap)
{
    ga_status status = GA_OK;
    int64_t prompt = ga__part_value(s->part, "prompt")->integer, offset = s->keys - s->queries;
    *snap = (ga__snap){ .s = s,
                        .prompt = prompt == 0 ? s->keys : ga__min(prompt, s->keys),
                        .budget = ga__part_value(s->part, "budget")->integer,
                        .window = ga__part_value(s->part, "window")->integer,
                        .kernel = ga__part_value(s->part, "kernel")->integer,
                        .sinks = ga__part_value(s->part, "sinks")->integer };
    if (!s->causal) {
        GA_TRY(ga__fail(s->context, GA_INVALID, "%s keeps keys of a prompt for later rows: needs --causal",
                        s->part->name));
    }
    if (snap->window >= snap->budget) {
        GA_TRY(ga__part_refuse(s->part, "window", "less than the budget of %lld", (long long)snap->budget));
    }
    if (snap->kernel % 2 == 0) {
        GA_TRY(ga__part_refuse(s->part, "kernel", "an odd number"));
    }
    snap->keeps_all = prompt > s->keys || snap->prompt <= snap->budget;
    snap->judged = snap->prompt;
    if (!snap->keeps_all && offset > snap->prompt - snap->window) {
        GA_TRY(
            ga__fail(s->context, GA_INVALID,
                     "%s: the first query stands at position %lld, expected at most %lld: the last %lld rows "
                     "of the prompt of %lld judge it",
                     s->part->name, (long long)offset, (long long)(snap->prompt - snap->window),
                     (long long)snap->window, (long long)snap->prompt));
    }
done:
    return status;
}

ga_status ga__snap_run(ga__snap *snap, int64_t values, int64_t numbers, ga__probe_fn body, void *user)
{
    ga__selecting *s = snap->s;
    ga__probe p = { .s = s,
                    .heads = snap->heads,
                    .first = snap->prompt - snap->window - (s->keys - s->queries),
                    .rows = snap->window,
                    .width = snap->prompt,
                    .values = values,
                    .numbers = numbers,
                    .body = body,
                    .user = user };
    ga__probe_cost(snap->s, snap->window, snap->prompt);
    return ga__probe_run(&p);
}

/* x_j = mean of kernel neighbours around j, zeros outside; from: a copy of x. */
static void pool(double *x, double *from, int64_t n, int64_t kernel)
{
    int64_t half = kernel / 2;
    memcpy(from, x, (size_t)n * sizeof *x);
    for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t i = ga__max(j - half, 0); i <= ga__min(j + half, n - 1); i++) {
            sum += from[i];
        }
        x[j] = sum / (double)kernel;
    }
}

/* Joins what a query head says with what those before it said. */
static void reduce(ga__snap_reduce how, int64_t n, const double *x, double *all)
{
    for (int64_t j = 0; j < n; j++) {
        bool larger = x[j] > all[j] || isnan(x[j]);
        all[j] = how != GA__SNAP_MAX ? all[j] + x[j] : larger ? x[j] : all[j];
    }
}

void ga__snap_importance(const ga__snap *snap, ga__probe_room *room, int64_t batch, int64_t head,
                         double *importance, double *scratch)
{
    int64_t members = snap->s->heads / snap->heads;
    memset(importance, 0, (size_t)snap->prompt * sizeof *importance);
    for (int64_t h = head * members; h < (head + 1) * members; h++) {
        memset(scratch, 0, (size_t)snap->prompt * sizeof *scratch);
        ga__probe_rows(room, batch, h);
        if (snap->most) {
            ga__probe_most_columns(room, scratch);
        } else {
            ga__probe_add_columns(room, scratch);
        }
        reduce(snap->reduce, snap->judged, scratch, importance);
    }
    for (int64_t j = 0; j < snap->judged && snap->reduce == GA__SNAP_MEAN; j++) {
        importance[j] /= (double)members;
    }
    pool(importance, scratch, snap->judged, snap->kernel);
}

ga_status ga__snap_finish(const ga__snap *snap, const int64_t *counts, const int32_t *lists, int64_t most,
                          ga_selection **out)
{
    ga_status status = GA_OK;
    ga__selecting *s = snap->s;
    ga_selection *made = NULL;
    GA_TRY(ga__probe_note(s, "selected", snap->heads, counts, lists, most));
    GA_TRY(ga__selection_new(s, snap->heads, ga__max(s->queries, 1), ga__max(s->queries, 1), &made));
    GA_TRY(ga__selection_pack(s->context, made, counts, lists, most));
    made->open_from = snap->prompt;
    made->dense_rows = ga__max(ga__min(snap->prompt - (s->keys - s->queries), s->queries), 0);
    *out = made;
    made = NULL;
done:
    ga_selection_destroy(s->context, made);
    return status;
}

ga_status ga__snap_decode(ga__job *run, ga__decode *how)
{
    int64_t prompt = ga__part_value(&run->own, "prompt")->integer;
    how->kind = GA__DECODE_PREFIX;
    ga__decode_set(how, "prompt", (double)(prompt == 0 ? run->keys : prompt));
    return GA_OK;
}
