/* attention_influence.c - samples by how much the loss grows when the retrieval heads are masked (card B8).
 *
 * score = (reference - base) / base; rank within the domain, 0 = highest, ties to the lower index; selected: the first
 * max(1, floor(keep n)) of the n samples of every domain. A score that is not a number (base = 0) ranks last and is never
 * selected. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "attention/maps/maps.h"

static const ga_parameter parameters[] = {
    { "keep", GA_PARAMETER_REAL, "0.2", "0..1", "share kept of every domain", GA__WITHIN(0, 1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "base", "(S)", "losses of the samples", .optional = false },
    { "reference", "(S)", "their losses with masked heads", .optional = false },
    { "domain", "i64 (S)", "domains; default: one", .optional = true },
    { .name = NULL },
};

typedef struct sample {
    int64_t domain;
    ga__ranked score;
} sample;

typedef struct ranking {
    int64_t count;
    int64_t *domain; /* NULL = one */
    double *score;
    sample *order;
    int64_t *rank;
    uint8_t *selected;
    int64_t domains, undefined, kept;
} ranking;

/* By domain, then falling score, NaN last, then index. */
static int by_domain(const void *a, const void *b)
{
    const sample *x = a, *y = b;
    if (x->domain != y->domain) {
        return x->domain < y->domain ? -1 : 1;
    }
    if (isnan(x->score.value) != isnan(y->score.value)) {
        return isnan(x->score.value) ? 1 : -1;
    }
    if (x->score.value != y->score.value && !isnan(x->score.value)) {
        return x->score.value > y->score.value ? -1 : 1;
    }
    return x->score.index < y->score.index ? -1 : x->score.index > y->score.index;
}

/* One domain: the samples first .. last - 1 of the order. */
static void rank_domain(ranking *r, double keep, int64_t first, int64_t last)
{
    int64_t most = ga__max(1, (int64_t)floor(keep * (double)(last - first)));
    for (int64_t i = first; i < last; i++) {
        const ga__ranked *of = &r->order[i].score;
        r->rank[of->index] = i - first;
        if (i - first < most && !isnan(of->value)) {
            r->selected[of->index] = 1;
            r->kept++;
        }
    }
    r->domains++;
}

static void rank_all(ranking *r, double keep)
{
    for (int64_t i = 0; i < r->count; i++) {
        r->order[i] = (sample){ r->domain ? r->domain[i] : 0, { r->score[i], i } };
        r->undefined += isnan(r->score[i]);
    }
    qsort(r->order, (size_t)r->count, sizeof *r->order, by_domain);
    for (int64_t first = 0, last; first < r->count; first = last) {
        for (last = first; last < r->count && r->order[last].domain == r->order[first].domain; last++) {
        }
        rank_domain(r, keep, first, last);
    }
}

static ga_status take_losses(ga__block_run *run, ranking *r)
{
    ga_status status = GA_OK;
    ga__view base, reference;
    GA_TRY(ga__maps_view(run, "base", &base));
    GA_TRY(ga__maps_view(run, "reference", &reference));
    GA_TRY(ga__view_expect(run->context, "base", &base, 1, 1, 1, -1));
    GA_TRY(ga__view_expect(run->context, "reference", &reference, 1, 1, 1, base.columns));
    r->count = base.columns;
    if (r->count > INT32_MAX) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "base: %lld samples, expected at most %d",
                        (long long)r->count, INT32_MAX));
    }
    if (ga__block_given(run, "domain")) {
        GA_TRY(ga__block_integers(run, "domain", r->count, &r->domain));
    }
    GA_TRY(GA_NEW(run->context, r->count, &r->score));
    GA_TRY(GA_NEW(run->context, r->count, &r->order));
    GA_TRY(GA_NEW(run->context, r->count, &r->rank));
    GA_TRY(GA_NEW_ZERO(run->context, r->count, &r->selected));
    for (int64_t i = 0; i < r->count; i++) {
        double loss = ga__view_get(&base, 0, 0, 0, i);
        r->score[i] = loss == 0 ? NAN : (ga__view_get(&reference, 0, 0, 0, i) - loss) / loss;
    }
done:
    return status;
}

static ga_status write_results(ga__block_run *run, const ranking *r)
{
    ga_status status = GA_OK;
    DLTensor *score, *rank, *selected;
    int64_t at = 0;
    GA_TRY(ga__maps_output(run, "score", NULL, 1, &r->count, &score));
    GA_TRY(ga__maps_output(run, "rank", &ga__type_i32, 1, &r->count, &rank));
    GA_TRY(ga__maps_output(run, "selected", &ga__type_i32, 1, &r->kept, &selected));
    if (score) {
        ga__store_numbers(r->score, r->count, score);
    }
    for (int64_t i = 0; i < r->count; i++) {
        if (rank) {
            ga__i32_of(rank)[i] = (int32_t)r->rank[i];
        }
        if (selected && r->selected[i]) {
            ga__i32_of(selected)[at++] = (int32_t)i;
        }
    }
    ga__report_integer(run, "samples", r->count);
    ga__report_integer(run, "domains", r->domains);
    ga__report_integer(run, "selected", r->kept);
    ga__report_integer(run, "undefined", r->undefined);
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    ranking r = { .count = 0 };
    GA_TRY(take_losses(run, &r));
    rank_all(&r, ga__block_real(run, "keep"));
    GA_TRY(write_results(run, &r));
done:
    ga_free(run->context, r.domain);
    ga_free(run->context, r.score);
    ga_free(run->context, r.order);
    ga_free(run->context, r.rank);
    ga_free(run->context, r.selected);
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__analysis_attention_influence = {
    .name = "attention-influence",
    .summary = "samples by the growth of their loss when heads are masked",
    .source = "AttentionInfluence, 2505.07293",
    .plan = "relative difference of losses, order within domains",
    .outputs = "score, rank, selected",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
