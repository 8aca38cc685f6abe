/* report.c - how far the rescaled matrices are from ratio times the original's, and from its distributions.
 * */
#include "config.h"

#include <math.h>

#include "sampling/flow/flow.h"
#include "sampling/rescale/plan.h"

/* Degrees that occur in either pair of matrices, labels or not, and both pairs counted by their ranks. */
typedef struct counted {
    ga__tally jdm, dcm;
    int64_t *out_size, *in_size;
} counted;

typedef struct comparison {
    int64_t outs, ins;
    int64_t *out_degree, *in_degree;
    int32_t *map[4]; /* original out, original in, rescaled out, rescaled in: class -> rank of degree */
    counted before, after;
} comparison;

/* Union of two ascending lists of degrees. */
static ga_status unite(ga_context *context, const ga__classes *a, const ga__classes *b, int64_t **degree,
                       int64_t *count, int32_t **map_a, int32_t **map_b)
{
    ga_status status = GA_OK;
    int64_t i = 0, j = 0, kept = 0;
    GA_TRY(GA_NEW(context, a->count + b->count, degree));
    GA_TRY(GA_NEW(context, a->count, map_a));
    GA_TRY(GA_NEW(context, b->count, map_b));
    while (i < a->count || j < b->count) {
        bool first = j == b->count || (i < a->count && a->degree[i] <= b->degree[j]);
        int64_t d = first ? a->degree[i] : b->degree[j];
        if (kept == 0 || (*degree)[kept - 1] != d) {
            (*degree)[kept++] = d;
        }
        if (first) {
            (*map_a)[i++] = (int32_t)(kept - 1);
        } else {
            (*map_b)[j++] = (int32_t)(kept - 1);
        }
    }
    *count = kept;
done:
    return status;
}

static ga_status by_degree(ga_context *context, const ga__cells *cells, const int32_t *row,
                           const int32_t *column, int64_t rows, int64_t columns, ga__tally *tally)
{
    ga_status status = GA_OK;
    GA_TRY(ga__tally_reserve(context, tally, cells->count));
    for (int64_t i = 0; i < cells->count; i++) {
        GA_TRY(ga__tally_add(context, tally, row[cells->row[i]], column[cells->column[i]], cells->entry[i]));
    }
    GA_TRY(ga__tally_sort(context, tally, rows, columns));
done:
    return status;
}

static ga_status count_all(ga_context *context, const comparison *c, const ga_matrices *m, const int32_t *out,
                           const int32_t *in, counted *to)
{
    ga_status status = GA_OK;
    GA_TRY(by_degree(context, &m->jdm, out, in, c->outs, c->ins, &to->jdm));
    GA_TRY(by_degree(context, &m->dcm, in, out, c->ins, c->outs, &to->dcm));
    GA_TRY(GA_NEW_ZERO(context, c->outs, &to->out_size));
    GA_TRY(GA_NEW_ZERO(context, c->ins, &to->in_size));
    for (int64_t i = 0; i < to->dcm.count; i++) {
        to->in_size[to->dcm.row[i]] += to->dcm.entry[i];
        to->out_size[to->dcm.column[i]] += to->dcm.entry[i];
    }
done:
    return status;
}

static void clear(ga_context *context, comparison *c)
{
    ga_free(context, c->out_degree);
    ga_free(context, c->in_degree);
    for (int i = 0; i < 4; i++) {
        ga_free(context, c->map[i]);
    }
    for (int i = 0; i < 2; i++) {
        counted *of = i ? &c->after : &c->before;
        ga__tally_clear(context, &of->jdm);
        ga__tally_clear(context, &of->dcm);
        ga_free(context, of->out_size);
        ga_free(context, of->in_size);
    }
}

/* Sum over all cells of abs(p a - q b). */
static double distance(const ga__tally *a, double p, const ga__tally *b, double q)
{
    double sum = 0;
    int64_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        int order = i == a->count ? 1 : j == b->count ? -1 : 0;
        if (order == 0) {
            order = a->row[i] != b->row[j] ? (a->row[i] > b->row[j]) - (a->row[i] < b->row[j])
                                           : (a->column[i] > b->column[j]) - (a->column[i] < b->column[j]);
        }
        double x = order <= 0 ? p * (double)a->entry[i++] : 0, y = order >= 0 ? q * (double)b->entry[j++] : 0;
        sum += fabs(x - y);
    }
    return sum;
}

static double part_of(int64_t whole)
{
    return whole > 0 ? 1 / (double)whole : 0;
}

enum { BINS = 65 }; /* of a degree of 64 bits */

static void add_bins(const ga__tally *t, const int64_t *row_degree, const int64_t *column_degree,
                     double *bins)
{
    for (int64_t i = 0; i < t->count; i++) {
        bins[ga__log2_bin(row_degree[t->row[i]]) * BINS + ga__log2_bin(column_degree[t->column[i]])] +=
            (double)t->entry[i];
    }
}

static ga_status binned_tv(ga_context *context, const ga__tally *a, int64_t all_a, const ga__tally *b,
                           int64_t all_b, const int64_t *row_degree, const int64_t *column_degree, double *tv)
{
    ga_status status = GA_OK;
    double *bins = NULL, sum = 0; /* too much for a small stack */
    GA_TRY(GA_NEW_ZERO(context, 2 * BINS * BINS, &bins));
    add_bins(a, row_degree, column_degree, bins);
    add_bins(b, row_degree, column_degree, bins + BINS * BINS);
    for (int i = 0; i < BINS * BINS; i++) {
        sum += fabs(bins[i] * part_of(all_a) - bins[BINS * BINS + i] * part_of(all_b));
    }
    *tv = sum / 2;
done:
    ga_free(context, bins);
    return status;
}

static double kolmogorov(const int64_t *a, int64_t all_a, const int64_t *b, int64_t all_b, int64_t count)
{
    double worst = 0;
    int64_t x = 0, y = 0;
    for (int64_t i = 0; i < count; i++) {
        x += a[i];
        y += b[i];
        worst = fmax(worst, fabs((double)x * part_of(all_a) - (double)y * part_of(all_b)));
    }
    return worst;
}

/* ---- L1 >= r m + m' - 2 max-flow(min(r J, cap)), all by degree ---- */

typedef struct bounding {
    const comparison *c;
    ga__tally both; /* (out, in): nodes of the sample */
    int64_t *row_left, *column_left;
    int shift; /* capacities are whole multiples of 2^-shift, rounded up */
    int64_t arcs, total;
    int32_t *tail, *head;
    int64_t *capacity, *flow;
} bounding;

static int64_t cell_cap(const bounding *b, int64_t k, int64_t l, int64_t both,
                        const ga_rescale_options *options)
{
    int64_t pairs, most = ga__min(b->c->after.out_size[k] * b->c->out_degree[k],
                                  b->c->after.in_size[l] * b->c->in_degree[l]);
    if (options->multi == GA_MULTI_KEEP ||
        !ga__mul(b->c->after.out_size[k], b->c->after.in_size[l], &pairs)) {
        return most;
    }
    return ga__max(0, ga__min(most, options->loops == GA_LOOPS_KEEP ? pairs : pairs - both));
}

static void add_bound_arc(bounding *b, int64_t tail, int64_t head, int64_t capacity, int64_t flow)
{
    b->tail[b->arcs] = (int32_t)tail;
    b->head[b->arcs] = (int32_t)head;
    b->capacity[b->arcs] = capacity;
    b->flow[b->arcs++] = flow;
}

/* Cells with their greatest overlap, filled greedily. */
static void add_bound_cells(bounding *b, const ga_rescale_options *options, double ratio)
{
    const ga__tally *jdm = &b->c->before.jdm;
    int64_t at = 0;
    for (int64_t i = 0; i < jdm->count; i++) {
        int64_t k = jdm->row[i], l = jdm->column[i];
        while (at < b->both.count &&
               (b->both.row[at] < k || (b->both.row[at] == k && b->both.column[at] < l))) {
            at++;
        }
        bool shared = at < b->both.count && b->both.row[at] == k && b->both.column[at] == l;
        int64_t cap = cell_cap(b, k, l, shared ? b->both.entry[at] : 0, options) << b->shift;
        double wanted = ceil(ldexp(ratio * (double)jdm->entry[i], b->shift));
        int64_t capacity = wanted < (double)cap ? (int64_t)wanted : cap;
        if (capacity > 0) {
            int64_t flow = ga__min(capacity, ga__min(b->row_left[k], b->column_left[l]));
            add_bound_arc(b, 1 + k, 1 + b->c->outs + l, capacity, flow);
            b->row_left[k] -= flow;
            b->column_left[l] -= flow;
        }
    }
}

static void add_bound_ends(bounding *b)
{
    const comparison *c = b->c;
    int64_t sink = 1 + c->outs + c->ins;
    b->total = 0;
    for (int64_t k = 0; k < c->outs; k++) {
        int64_t stubs = (c->after.out_size[k] * c->out_degree[k]) << b->shift;
        add_bound_arc(b, 0, 1 + k, stubs, stubs - b->row_left[k]);
        b->total += stubs - b->row_left[k];
    }
    for (int64_t l = 0; l < c->ins; l++) {
        int64_t stubs = (c->after.in_size[l] * c->in_degree[l]) << b->shift;
        add_bound_arc(b, 1 + c->outs + l, sink, stubs, stubs - b->column_left[l]);
    }
}

static ga_status bound_arrays(ga_context *context, bounding *b, int64_t edges)
{
    ga_status status = GA_OK;
    const comparison *c = b->c;
    int64_t arcs = c->before.jdm.count + c->outs + c->ins;
    while (b->shift < 32 && edges < INT64_C(1) << (58 - b->shift)) {
        b->shift++;
    }
    GA_TRY(GA_NEW(context, c->outs, &b->row_left));
    GA_TRY(GA_NEW(context, c->ins, &b->column_left));
    GA_TRY(GA_NEW(context, arcs, &b->tail));
    GA_TRY(GA_NEW(context, arcs, &b->head));
    GA_TRY(GA_NEW(context, arcs, &b->capacity));
    GA_TRY(GA_NEW(context, arcs, &b->flow));
    for (int64_t i = 0; i < c->after.dcm.count; i++) {
        GA_TRY(ga__tally_add(context, &b->both, c->after.dcm.row[i], c->after.dcm.column[i],
                             c->after.dcm.entry[i]));
    }
    GA_TRY(ga__tally_transpose(context, &b->both, c->ins, c->outs));
    for (int64_t k = 0; k < c->outs; k++) {
        b->row_left[k] = (c->after.out_size[k] * c->out_degree[k]) << b->shift;
    }
    for (int64_t l = 0; l < c->ins; l++) {
        b->column_left[l] = (c->after.in_size[l] * c->in_degree[l]) << b->shift;
    }
done:
    return status;
}

static ga_status overlap_bound(ga_context *context, const comparison *c, const ga_rescale_options *options,
                               double ratio, int64_t edges, double *overlap)
{
    ga_status status = GA_OK;
    bounding b = { .c = c };
    int64_t sink = 1 + c->outs + c->ins;
    GA_TRY(bound_arrays(context, &b, edges));
    add_bound_cells(&b, options, ratio);
    add_bound_ends(&b);
    if (b.total < edges << b.shift) {
        ga__network network = { (int32_t)(sink + 1), b.arcs, b.tail, b.head };
        GA_TRY(ga__max_flow(context, &network, b.capacity, 0, (int32_t)sink, b.flow, &b.total));
    }
    *overlap = ldexp((double)b.total, -b.shift);
done:
    ga__tally_clear(context, &b.both);
    ga_free(context, b.row_left);
    ga_free(context, b.column_left);
    ga_free(context, b.tail);
    ga_free(context, b.head);
    ga_free(context, b.capacity);
    ga_free(context, b.flow);
    return status;
}

ga_status ga__compare_plan(ga_context *context, const ga_matrices *original, const ga_matrices *rescaled,
                           const ga_rescale_options *options, double ratio, ga_rescale_report *report)
{
    ga_status status = GA_OK;
    comparison c = { 0 };
    int64_t n = original->dcm.total, m = original->jdm.total, n2 = rescaled->dcm.total,
            m2 = rescaled->jdm.total;
    double overlap = 0;
    GA_TRY(unite(context, &original->out, &rescaled->out, &c.out_degree, &c.outs, &c.map[0], &c.map[2]));
    GA_TRY(unite(context, &original->in, &rescaled->in, &c.in_degree, &c.ins, &c.map[1], &c.map[3]));
    GA_TRY(count_all(context, &c, original, c.map[0], c.map[1], &c.before));
    GA_TRY(count_all(context, &c, rescaled, c.map[2], c.map[3], &c.after));
    GA_TRY(overlap_bound(context, &c, options, ratio, m2, &overlap));
    report->nodes = n2;
    report->edges = m2;
    report->dcm_l1 = distance(&c.before.dcm, ratio, &c.after.dcm, 1);
    report->jdm_l1 = distance(&c.before.jdm, ratio, &c.after.jdm, 1);
    report->jdm_l1_bound = fmax(0, ratio * (double)m + (double)m2 - 2 * overlap);
    report->ks_in = kolmogorov(c.before.in_size, n, c.after.in_size, n2, c.ins);
    report->ks_out = kolmogorov(c.before.out_size, n, c.after.out_size, n2, c.outs);
    report->jdd_tv = distance(&c.before.jdm, part_of(m), &c.after.jdm, part_of(m2)) / 2;
    report->dcd_tv = distance(&c.before.dcm, part_of(n), &c.after.dcm, part_of(n2)) / 2;
    GA_TRY(binned_tv(context, &c.before.jdm, m, &c.after.jdm, m2, c.out_degree, c.in_degree,
                     &report->jdd_tv_log2));
    GA_TRY(binned_tv(context, &c.before.dcm, n, &c.after.dcm, n2, c.in_degree, c.out_degree,
                     &report->dcd_tv_log2));
done:
    clear(context, &c);
    return status;
}
