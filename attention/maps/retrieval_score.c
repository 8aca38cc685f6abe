/* retrieval_score.c - how much of the needle a head copies while the model writes (card B7).
 *
 * Head h hits at step t when the key of its largest weight lies in the needle and holds the token that was written. The
 * score is the share of the needle's distinct ids that were hit, or hits / length of the needle. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "attention/maps/maps.h"

static const char *const rules[] = { "set", "count", NULL };
enum { SET, COUNT };

static const ga_parameter parameters[] = {
    { "needle_start", GA_PARAMETER_INT, NULL, ">= 0", "first token of the needle", GA__FROM(0),
      .required = true },
    { "needle_end", GA_PARAMETER_INT, NULL, "> needle_start", "behind its last one", GA__FROM(1),
      .required = true },
    { "rule", GA_PARAMETER_WORD, "set", NULL, "distinct ids, or every hit, which may exceed 1", rules,
      GA__ANY },
    { "threshold", GA_PARAMETER_REAL, "0.1", "0..1", "least score of a retrieval head", GA__WITHIN(0, 1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "map", "(T, H, N)", "decode rows; this or argmax", .optional = true },
    { "argmax", "i64 (T, H)", "keys of their maxima", .optional = true },
    { "tokens", "i64 (N)", "ids of the context", .optional = false },
    { "generated", "i64 (T)", "ids that were written", .optional = false },
    { .name = NULL },
};

typedef struct retrieval {
    ga__view map, argmax;
    int64_t steps, heads, keys, start, end, ids; /* ids: distinct ones of the needle */
    int64_t *tokens, *generated;
    int64_t *number; /* of every needle token: its place among the distinct ids */
    int64_t *most;   /* (T, H) */
    double *score;   /* (H) */
    bool set;
} retrieval;

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Numbers the distinct ids of the needle. */
static ga_status number_ids(ga_context *context, retrieval *r)
{
    ga_status status = GA_OK;
    int64_t length = r->end - r->start, *sorted = NULL;
    GA_TRY(GA_NEW(context, length, &sorted));
    GA_TRY(GA_NEW(context, length, &r->number));
    for (int64_t i = 0; i < length; i++) {
        sorted[i] = r->tokens[r->start + i];
    }
    qsort(sorted, (size_t)length, sizeof *sorted, by_value);
    for (int64_t i = 0; i < length; i++) {
        if (i == 0 || sorted[i] != sorted[i - 1]) {
            sorted[r->ids++] = sorted[i];
        }
    }
    for (int64_t i = 0; i < length; i++) {
        const int64_t *at =
            bsearch(&r->tokens[r->start + i], sorted, (size_t)r->ids, sizeof *sorted, by_value);
        r->number[i] = at - sorted;
    }
done:
    ga_free(context, sorted);
    return status;
}

/* The lowest index of the maximum; NaN is none. 0 for a row of NaN alone. */
static int64_t largest(const double *row, int64_t n)
{
    int64_t at = -1;
    for (int64_t j = 0; j < n; j++) {
        if (!isnan(row[j]) && (at < 0 || row[j] > row[at])) {
            at = j;
        }
    }
    return ga__max(at, 0);
}

static int64_t given_maximum(const retrieval *r, int64_t step, int64_t head)
{
    const void *row = ga__view_row(&r->argmax, 0, 0, step);
    return r->argmax.type == GA__I64   ? ((const int64_t *)row)[head]
           : r->argmax.type == GA__I32 ? ((const int32_t *)row)[head]
                                       : ((const uint8_t *)row)[head];
}

/* room: a row of the map, then a mark for every distinct id. */
static void do_head(void *user, int64_t head, double *room)
{
    const retrieval *r = user;
    double *hit = room + r->keys, hits = 0, copied = 0;
    for (int64_t i = 0; i < r->ids; i++) {
        hit[i] = 0;
    }
    for (int64_t t = 0; t < r->steps; t++) {
        if (r->map.data) {
            ga__view_load_f64(&r->map, 0, t, head, room);
        }
        int64_t at = r->map.data ? largest(room, r->keys) : given_maximum(r, t, head);
        r->most[t * r->heads + head] = at;
        if (at >= r->start && at < r->end && r->tokens[at] == r->generated[t]) {
            double *mark = &hit[r->number[at - r->start]];
            copied += 1 - *mark;
            *mark = 1;
            hits++;
        }
    }
    r->score[head] = r->set ? copied / (double)r->ids : hits / (double)(r->end - r->start);
}

static ga_status take_argmax(ga__block_run *run, retrieval *r)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_of(run->context, "argmax", ga__block_given(run, "argmax"), false, &r->argmax));
    GA_TRY(ga__view_expect(run->context, "argmax", &r->argmax, 1, 1, -1, -1));
    if (r->argmax.type <= GA__F64) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "argmax: integers expected"));
    }
    r->steps = r->argmax.rows;
    r->heads = r->argmax.columns;
    for (int64_t i = 0; i < r->steps * r->heads; i++) {
        int64_t at = given_maximum(r, i / r->heads, i % r->heads);
        if (at < 0 || at >= r->keys) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "argmax: key %lld, expected 0..%lld", (long long)at,
                            (long long)r->keys - 1));
        }
    }
done:
    return status;
}

static ga_status open_call(ga__block_run *run, retrieval *r)
{
    ga_status status = GA_OK;
    const bool map = ga__block_given(run, "map") != NULL, argmax = ga__block_given(run, "argmax") != NULL;
    if (map == argmax) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "retrieval-score needs map or argmax%s",
                        map ? ", not both" : ""));
    }
    r->start = ga__block_integer(run, "needle_start");
    r->end = ga__block_integer(run, "needle_end");
    r->set = ga__block_integer(run, "rule") == SET;
    r->keys = ga__axis_from_last(ga__block_given(run, "tokens"), 0);
    if (r->end <= r->start || r->end > r->keys) {
        GA_TRY(ga__part_refuse(&run->part, "needle_end", "above needle_start and at most the %lld tokens",
                               (long long)r->keys));
    }
    GA_TRY(ga__block_integers(run, "tokens", r->keys, &r->tokens));
    if (map) {
        GA_TRY(ga__maps_view(run, "map", &r->map));
        GA_TRY(ga__view_expect(run->context, "map", &r->map, 1, -1, -1, r->keys));
        r->steps = r->map.heads;
        r->heads = r->map.rows;
    } else {
        GA_TRY(take_argmax(run, r));
    }
    GA_TRY(ga__block_integers(run, "generated", r->steps, &r->generated));
    status = number_ids(run->context, r);
done:
    return status;
}

static ga_status write_results(ga__block_run *run, const retrieval *r)
{
    ga_status status = GA_OK;
    DLTensor *score, *argmax, *found;
    const int64_t shape[] = { r->steps, r->heads };
    double threshold = ga__block_real(run, "threshold"), most = 0;
    int64_t count = 0;
    GA_TRY(ga__maps_output(run, "score", NULL, 1, shape + 1, &score));
    GA_TRY(ga__maps_output(run, "argmax", &ga__type_i32, 2, shape, &argmax));
    GA_TRY(ga__maps_output(run, "retrieval", &ga__type_u8, 1, shape + 1, &found));
    for (int64_t h = 0; h < r->heads; h++) {
        bool is = r->score[h] >= threshold;
        if (found) {
            ga__u8_of(found)[h] = is;
        }
        count += is;
        most = fmax(most, r->score[h]);
    }
    for (int64_t i = 0; argmax && i < r->steps * r->heads; i++) {
        ga__i32_of(argmax)[i] = (int32_t)r->most[i];
    }
    if (score) {
        ga__store_numbers(r->score, r->heads, score);
    }
    ga__report_integer(run, "steps", r->steps);
    ga__report_integer(run, "heads", r->heads);
    ga__report_integer(run, "needle_ids", r->ids);
    ga__report_integer(run, "retrieval_heads", count);
    ga__report_real(run, "score_max", most);
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    retrieval r = { .tokens = NULL };
    int64_t size = 0;
    GA_TRY(open_call(run, &r));
    if (!ga__mul(r.steps, r.heads, &size)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "retrieval-score: too many steps"));
    }
    GA_TRY(GA_NEW(run->context, size, &r.most));
    GA_TRY(GA_NEW(run->context, r.heads, &r.score));
    GA_TRY(ga__units(run->context, r.heads, r.keys + r.ids, do_head, &r));
    GA_TRY(write_results(run, &r));
done:
    ga_free(run->context, r.tokens);
    ga_free(run->context, r.generated);
    ga_free(run->context, r.number);
    ga_free(run->context, r.most);
    ga_free(run->context, r.score);
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__analysis_retrieval_score = {
    .name = "retrieval-score",
    .summary = "share of the needle that every head copies",
    .source = "Retrieval Head, 2404.15574",
    .plan = "largest weights of decode rows against the ids under them",
    .outputs = "score, argmax, retrieval",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
