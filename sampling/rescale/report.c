/* report.c - how far the rescaled matrices are from ratio times the original's, and from its distributions.
 * */
#include "config.h"

#include <math.h>

#include "sampling/compare/degree_pair.h"
#include "sampling/flow/flow.h"
#include "sampling/rescale/plan.h"

/* ---- L1 >= r m + m' - 2 max-flow(min(r J, cap)), all by degree ---- */

typedef struct bounding {
    const ga__degree_pair *c;
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
    const ga__degree_pair *c = b->c;
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
    const ga__degree_pair *c = b->c;
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

static ga_status overlap_bound(ga_context *context, const ga__degree_pair *c,
                               const ga_rescale_options *options, double ratio, int64_t edges,
                               double *overlap)
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
    ga__degree_pair pair = { 0 };
    ga__degree_distances d;
    double overlap = 0;
    GA_TRY(ga__degree_pair_open(context, original, rescaled, &pair));
    GA_TRY(overlap_bound(context, &pair, options, ratio, pair.after.edges, &overlap));
    GA_TRY(ga__degree_distances_of(context, &pair, ratio, &d));
    report->nodes = pair.after.nodes;
    report->edges = pair.after.edges;
    report->dcm_l1 = d.dcm_l1;
    report->jdm_l1 = d.jdm_l1;
    report->jdm_l1_bound =
        fmax(0, ratio * (double)pair.before.edges + (double)pair.after.edges - 2 * overlap);
    report->ks_in = d.ks_in;
    report->ks_out = d.ks_out;
    report->jdd_tv = d.jdd_tv;
    report->dcd_tv = d.dcd_tv;
    report->jdd_tv_log2 = d.jdd_tv_log2;
    report->dcd_tv_log2 = d.dcd_tv_log2;
done:
    ga__degree_pair_clear(context, &pair);
    return status;
}
