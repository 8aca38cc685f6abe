/* quantile.c - the quantile plan: rows keep their profile over in-degrees, shifted monotonically onto the
 * columns that the sample has. */
#include "config.h"

#include <math.h>

#include "sampling/rescale/plan.h"

typedef struct quantile {
    ga_context *context;
    const ga__draft *draft;
    const ga__stage *stage;
    const ga__cells *jdm; /* of the original */
    int64_t *first;       /* its rows */
    int64_t *row_sum;     /* its row sums */
    int32_t *profile;     /* out-class of base -> original row to take the profile from, or -1 */
    double *weight;       /* by column of the original */
    ga__tally units;      /* Z: (row of the sample, column of the original) */
    ga__tally parts;      /* (column of the original, column of the sample): units */
} quantile;

/* The original row of the same class, else of the nearest degree, the same label before others. */
static int32_t nearest_row(const quantile *q, int64_t degree, int64_t label)
{
    const ga__classes *out = &q->draft->original->out;
    int32_t best = -1;
    int64_t least = 0;
    bool best_same = false;
    for (int64_t k = 0; k < out->count; k++) {
        int64_t gap = out->degree[k] > degree ? out->degree[k] - degree : degree - out->degree[k];
        bool same = !out->label || out->label[k] == label;
        if (q->row_sum[k] > 0 && (best < 0 || (same && !best_same) || (same == best_same && gap < least))) {
            best = (int32_t)k;
            least = gap;
            best_same = same;
        }
    }
    return best;
}

static ga_status find_profiles(quantile *q)
{
    ga_status status = GA_OK;
    ga_context *context = q->context;
    const ga_matrices *original = q->draft->original, *base = q->draft->base;
    GA_TRY(GA_NEW(context, original->out.count + 1, &q->first));
    GA_TRY(GA_NEW_ZERO(context, original->out.count, &q->row_sum));
    GA_TRY(GA_NEW(context, base->out.count, &q->profile));
    ga__tally rows = { .count = q->jdm->count, .row = q->jdm->row };
    ga__tally_rows(&rows, original->out.count, q->first);
    for (int64_t i = 0; i < q->jdm->count; i++) {
        q->row_sum[q->jdm->row[i]] += q->jdm->entry[i];
    }
    for (int64_t c = 0; c < base->out.count; c++) {
        bool itself = base == original && q->row_sum[c] > 0;
        q->profile[c] = itself
                            ? (int32_t)c
                            : nearest_row(q, base->out.degree[c], base->out.label ? base->out.label[c] : 0);
    }
done:
    return status;
}

/* One row of Z: the cells' weights rounded systematically to `wanted` units. */
typedef struct rounding {
    double offset, total, sum;
    int64_t wanted, given;
} rounding;

static int64_t round_next(rounding *r, double weight, bool last)
{
    r->sum += weight;
    int64_t until = last ? r->wanted : (int64_t)floor(r->offset + r->sum / r->total * (double)r->wanted);
    until = ga__max(r->given, ga__min(until, r->wanted));
    int64_t units = until - r->given;
    r->given = until;
    return units;
}

static ga_status round_one(quantile *q, int64_t k, int64_t row, rounding *r)
{
    ga_status status = GA_OK;
    r->total = (double)q->row_sum[row];
    for (int64_t i = q->first[row]; i < q->first[row + 1]; i++) {
        int64_t units = round_next(r, (double)q->jdm->entry[i], i + 1 == q->first[row + 1]);
        if (units > 0) {
            GA_TRY(ga__tally_add(q->context, &q->units, k, q->jdm->column[i], units));
        }
    }
done:
    return status;
}

/* Donors of several classes: their profiles are mixed in proportion to their numbers. */
static ga_status round_mixed(quantile *q, int64_t k, int64_t from, int64_t to, rounding *r)
{
    ga_status status = GA_OK;
    const ga__tally *donors = &q->stage->donors;
    int64_t columns = q->draft->original->in.count, last = -1;
    for (int64_t l = 0; l < columns; l++) {
        q->weight[l] = 0;
    }
    for (int64_t d = from; d < to; d++) {
        int32_t row = q->profile[donors->column[d]];
        double scale = (double)donors->entry[d] / (double)q->row_sum[row];
        r->total += (double)donors->entry[d];
        for (int64_t i = q->first[row]; i < q->first[row + 1]; i++) {
            q->weight[q->jdm->column[i]] += scale * (double)q->jdm->entry[i];
            last = ga__max(last, q->jdm->column[i]);
        }
    }
    for (int64_t l = 0; l <= last; l++) {
        int64_t units = q->weight[l] > 0 ? round_next(r, q->weight[l], l == last) : 0;
        if (units > 0) {
            GA_TRY(ga__tally_add(q->context, &q->units, k, l, units));
        }
    }
done:
    return status;
}

static ga_status round_rows(quantile *q)
{
    ga_status status = GA_OK;
    const ga__tally *donors = &q->stage->donors;
    uint64_t seed = ga_context_seed(q->context);
    GA_TRY(GA_NEW(q->context, q->draft->original->in.count, &q->weight));
    for (int64_t from = 0, to; from < donors->count; from = to) {
        int32_t k = donors->row[from];
        ga__random random = ga__random_at(seed, GA__RANDOM_QUANTILE, (uint64_t)k);
        rounding r = { .offset = ga__random_unit(&random), .wanted = q->stage->out.stubs[k] };
        GA_TRY(ga__check(q->context));
        for (to = from; to < donors->count && donors->row[to] == k; to++) {
        }
        if (r.wanted == 0 || q->profile[donors->column[from]] < 0) {
            continue; /* nothing to place, or nothing to take a profile from */
        }
        GA_TRY(to - from == 1 ? round_one(q, k, q->profile[donors->column[from]], &r)
                              : round_mixed(q, k, from, to, &r));
    }
done:
    return status;
}

/* Monotone coupling (north-west corner) of the columns with something left on both sides. */
static ga_status couple(quantile *q, bool by_label, int64_t label, int64_t *from, int64_t *to)
{
    ga_status status = GA_OK;
    const ga__classes *old = &q->draft->original->in;
    const ga__side *now = &q->stage->in;
    int64_t a = 0, b = 0;
    while (a < old->count && b < now->count) {
        if (from[a] == 0 || (by_label && old->label[a] != label)) {
            a++;
        } else if (to[b] == 0 || (by_label && now->label[b] != label)) {
            b++;
        } else {
            int64_t units = ga__min(from[a], to[b]);
            GA_TRY(ga__tally_add(q->context, &q->parts, a, b, units));
            from[a] -= units;
            to[b] -= units;
        }
    }
done:
    return status;
}

/* Within the labels first, as far as it goes; without labels in one go. */
static ga_status couple_columns(quantile *q)
{
    ga_status status = GA_OK;
    const ga__side *now = &q->stage->in;
    int64_t old = q->draft->original->in.count, *from = NULL, *to = NULL;
    GA_TRY(GA_NEW_ZERO(q->context, old, &from));
    GA_TRY(GA_NEW(q->context, now->count, &to));
    for (int64_t i = 0; i < q->units.count; i++) {
        from[q->units.column[i]] += q->units.entry[i];
    }
    for (int64_t l = 0; l < now->count; l++) {
        to[l] = now->stubs[l];
    }
    for (int64_t l = 0; now->label && l < now->count; l++) {
        if (to[l] > 0) { /* a label already done costs nothing: its columns or its units are used up */
            GA_TRY(couple(q, true, now->label[l], from, to));
        }
    }
    GA_TRY(couple(q, false, 0, from, to));
    GA_TRY(ga__tally_sort(q->context, &q->parts, old, now->count));
done:
    ga_free(q->context, from);
    ga_free(q->context, to);
    return status;
}

/* The parts of one column share its units in turn: part of size s takes the keys (i + 1/2) / s. */
typedef struct sharing {
    const ga__tally *parts;
    int64_t from, to;
    int64_t *used, *now;
} sharing;

static void next_units(sharing *s, int64_t units)
{
    for (int64_t p = s->from; p < s->to; p++) {
        s->now[p] = 0;
    }
    for (; units > 0; units--) {
        int64_t best = s->from;
        double least = INFINITY;
        for (int64_t p = s->from; p < s->to; p++) {
            double key = ((double)s->used[p] + 0.5) / (double)s->parts->entry[p];
            if (s->used[p] < s->parts->entry[p] && key < least) {
                least = key;
                best = p;
            }
        }
        s->used[best]++;
        s->now[best]++;
    }
}

/* Z has its columns as rows by now. */
static ga_status share_columns(quantile *q, ga__tally *plan)
{
    ga_status status = GA_OK;
    ga_context *context = q->context;
    int64_t part = 0;
    sharing s = { .parts = &q->parts };
    GA_TRY(GA_NEW_ZERO(context, q->parts.count, &s.used));
    GA_TRY(GA_NEW(context, q->parts.count, &s.now));
    for (int64_t i = 0; i < q->units.count; i++) {
        if (i == 0 || q->units.row[i] != q->units.row[i - 1]) {
            GA_TRY(ga__check(context));
            for (s.from = part; part < q->parts.count && q->parts.row[part] == q->units.row[i]; part++) {
            }
            s.to = part;
        }
        if (s.to - s.from == 1) {
            s.now[s.from] = q->units.entry[i];
        } else {
            next_units(&s, q->units.entry[i]);
        }
        for (int64_t p = s.from; p < s.to; p++) {
            if (s.now[p] > 0) {
                GA_TRY(ga__tally_add(context, plan, q->units.column[i], q->parts.column[p], s.now[p]));
            }
        }
    }
done:
    ga_free(context, s.used);
    ga_free(context, s.now);
    return status;
}

ga_status ga__quantile_plan(ga_context *context, const ga__draft *draft, const ga__stage *stage,
                            ga__tally *plan)
{
    ga_status status = GA_OK;
    quantile q = { .context = context, .draft = draft, .stage = stage, .jdm = &draft->original->jdm };
    GA_TRY(find_profiles(&q));
    GA_TRY(round_rows(&q));
    GA_TRY(couple_columns(&q));
    GA_TRY(ga__tally_transpose(context, &q.units, stage->out.count, draft->original->in.count));
    GA_TRY(share_columns(&q, plan));
    GA_TRY(ga__tally_sort(context, plan, stage->out.count, stage->in.count));
done:
    ga_free(context, q.first);
    ga_free(context, q.row_sum);
    ga_free(context, q.profile);
    ga_free(context, q.weight);
    ga__tally_clear(context, &q.units);
    ga__tally_clear(context, &q.parts);
    return status;
}

/* ---- a plan from a file ---- */

static ga_status check_sums(ga_context *context, const ga__stage *stage, const ga__tally *plan)
{
    ga_status status = GA_OK;
    int64_t *row = NULL, *column = NULL;
    GA_TRY(GA_NEW_ZERO(context, stage->out.count, &row));
    GA_TRY(GA_NEW_ZERO(context, stage->in.count, &column));
    for (int64_t i = 0; i < plan->count; i++) {
        row[plan->row[i]] += plan->entry[i];
        column[plan->column[i]] += plan->entry[i];
    }
    for (int64_t k = 0; k < stage->out.count && status == GA_OK; k++) {
        if (row[k] != stage->out.stubs[k]) {
            status =
                ga__fail(context, GA_INFEASIBLE, "--plan-jdm: row %lld has %lld edges, the nodes need %lld",
                         (long long)stage->out.degree[k], (long long)row[k], (long long)stage->out.stubs[k]);
        }
    }
    for (int64_t l = 0; l < stage->in.count && status == GA_OK; l++) {
        if (column[l] != stage->in.stubs[l]) {
            status = ga__fail(
                context, GA_INFEASIBLE, "--plan-jdm: column %lld has %lld edges, the nodes need %lld",
                (long long)stage->in.degree[l], (long long)column[l], (long long)stage->in.stubs[l]);
        }
    }
done:
    ga_free(context, row);
    ga_free(context, column);
    return status;
}

ga_status ga__given_plan(ga_context *context, const ga_matrices *given, const ga__stage *stage,
                         ga__tally *plan)
{
    ga_status status = GA_OK;
    const ga__cells *jdm = &given->jdm;
    int32_t *row = NULL, *column = NULL;
    GA_TRY(GA_NEW(context, given->out.count, &row));
    GA_TRY(GA_NEW(context, given->in.count, &column));
    ga__side_map(&stage->out, &given->out, row);
    ga__side_map(&stage->in, &given->in, column);
    for (int64_t i = 0; i < jdm->count; i++) {
        if (row[jdm->row[i]] < 0 || column[jdm->column[i]] < 0 || jdm->entry[i] < 0) {
            status = ga__fail(context, GA_INFEASIBLE,
                              "--plan-jdm: cell %lld %lld has %lld edges, no node may have them",
                              (long long)given->out.degree[jdm->row[i]],
                              (long long)given->in.degree[jdm->column[i]], (long long)jdm->entry[i]);
            goto done;
        }
        GA_TRY(ga__tally_add(context, plan, row[jdm->row[i]], column[jdm->column[i]], jdm->entry[i]));
    }
    GA_TRY(ga__tally_sort(context, plan, stage->out.count, stage->in.count));
    GA_TRY(check_sums(context, stage, plan));
done:
    ga_free(context, row);
    ga_free(context, column);
    return status;
}
