/* rewire.c - a random graph with the same degree matrices: the order of events, and what is said about it. */
#include "config.h"

#include <math.h>

#include "sampling/rewire/rewiring.h"

enum {
    PASS = 16, /* supersteps between two passes of triples */
    TINY_GRAPH =
        64 /* edges; below, ... after every superstep, and at least half of all proposals are triples */
};

/* ---- what may be asked ---- */

static ga_status check_simple(ga_context *context, const ga_graph *graph)
{
    ga_csr out = ga_graph_out(graph);
    const uint64_t *ids = ga_graph_ids(graph);
    for (int64_t v = 0; v < out.rows; v++) {
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            bool loop = out.targets[e] == v;
            if (loop || (e > out.offsets[v] && out.targets[e] == out.targets[e - 1])) {
                uint64_t source = ids ? ids[v] : (uint64_t)v,
                         target = ids ? ids[out.targets[e]] : out.targets[e];
                return ga__fail(context, GA_INVALID, "%s %llu -> %llu: only simple graphs can be rewired",
                                loop ? "loop" : "repeated edge", (unsigned long long)source,
                                (unsigned long long)target);
            }
        }
    }
    return out.nonzeros >= UINT32_MAX
               ? ga__fail(context, GA_UNSUPPORTED, "more than 4294967294 edges to rewire")
               : GA_OK;
}

static ga_status check_options(ga_context *context, const ga_graph *graph, const ga_rewire_options *o)
{
    if (!(o->swaps_per_edge >= 0)) {
        return ga__fail(context, GA_INVALID, "swaps per edge: expected a number from 0");
    }
    if (o->swaps_per_edge * (double)ga_graph_edges(graph) >= 4e18) {
        return ga__fail(context, GA_OVERFLOW, "swaps per edge: too many");
    }
    if (!(o->triples >= 0 && o->triples <= 1)) {
        return ga__fail(context, GA_INVALID, "share of triples: expected a number from 0 to 1");
    }
    if (isnan(o->target_reciprocity) || o->target_reciprocity > 1 || isnan(o->target_transitivity) ||
        o->target_transitivity > 1) {
        return ga__fail(context, GA_INVALID, "targets: expected shares from 0 to 1");
    }
    if (o->preserve != GA_PRESERVE_JDM && o->preserve != GA_PRESERVE_DEGREES) {
        return ga__fail(context, GA_INVALID, "what to preserve: expected the JDM or the degrees");
    }
    return GA_OK;
}

/* ---- randomising ---- */

/* Proposes `swaps` swaps by a new matching. A part of it starts at a random place, for the order is by class. */
static ga_status superstep(ga__rewiring *r, int64_t swaps)
{
    ga_status status = GA_OK;
    uint64_t number = (uint64_t)r->report.supersteps, coin[2];
    int64_t start = 0;
    ga__random_block(r->seed, GA__RANDOM_SUPERSTEP, number << 32 | UINT32_MAX, 0, coin);
    GA_TRY(ga__deal(r, (coin[0] & 1) != 0, number));
    if (swaps < r->edges / 2) {
        ga__random random = ga__random_at(r->seed, GA__RANDOM_OFFSET, number);
        start = (int64_t)ga__random_below(&random, (uint64_t)r->pair[r->groups]);
    } else {
        swaps = r->pair[r->groups];
    }
    GA_TRY(ga__superstep(r, number, start, swaps));
    r->report.supersteps++;
done:
    return status;
}

/* Slots without a partner count as rejected proposals: a superstep is always half as many swaps as there are edges. */
ga_status ga__randomise(ga__rewiring *r, int64_t attempts)
{
    ga_status status = GA_OK;
    double share = r->edges < TINY_GRAPH && r->options->triples > 0 ? fmax(r->options->triples, 0.5)
                                                                    : r->options->triples;
    int64_t triples = (int64_t)floor((double)attempts * share), swaps = attempts - triples;
    int64_t swaps_left = swaps, triples_left = triples, most = ga__max(1, r->edges / 2);
    uint64_t pass = 0;
    while (swaps_left + triples_left > 0) {
        for (int i = 0; i < (r->edges < TINY_GRAPH ? 1 : PASS) && swaps_left > 0; i++) {
            int64_t now = ga__min(most, swaps_left);
            GA_TRY(superstep(r, now));
            swaps_left -= now;
            ga__progress(r->context, "rewiring", attempts - swaps_left - triples_left, attempts);
        }
        /* keep pace with the swaps */
        int64_t due = swaps > 0 ? (int64_t)((__int128)triples * swaps_left / swaps) : triples_left - 2 * most;
        int64_t now = triples_left - ga__max(0, due);
        GA_TRY(r->options->preserve == GA_PRESERVE_DEGREES ? ga__triangles(r, now, pass)
                                                           : ga__triples(r, now, pass));
        pass++;
        triples_left -= now;
    }
    r->report.attempts = attempts;
done:
    return status;
}

/* ---- the outcome ---- */

static int64_t count_changed(const ga_csr *before, const ga_csr *after)
{
    int64_t changed = 0;
    for (int64_t v = 0; v < before->rows; v++) {
        int64_t b = before->offsets[v], end = before->offsets[v + 1];
        for (int64_t a = after->offsets[v]; a < after->offsets[v + 1]; a++) {
            while (b < end && before->targets[b] < after->targets[a]) {
                b++;
            }
            changed += b == end || before->targets[b] != after->targets[a];
        }
    }
    return changed;
}

/* Empties r. */
static ga_status build(ga__rewiring *r, ga_graph **rewired)
{
    ga_status status = GA_OK;
    ga_context *context = r->context;
    const uint64_t *ids = ga_graph_ids(r->graph);
    int64_t *offsets = NULL;
    uint32_t *targets = NULL;
    uint64_t *own_ids = NULL;
    ga__pair *slot = r->slot;
    r->slot = NULL;
    ga__rewiring_clear(r);
    GA_TRY(ga__pairs_to_csr(context, r->nodes, r->edges, slot, &offsets, &targets));
    if (ids) {
        GA_TRY(GA_NEW(context, r->nodes, &own_ids));
        for (int64_t v = 0; v < r->nodes; v++) {
            own_ids[v] = ids[v];
        }
    }
    GA_TRY(ga__graph_adopt(context, r->nodes, r->edges, offsets, targets, own_ids, rewired));
    offsets = NULL;
    targets = NULL;
    own_ids = NULL;
done:
    ga_free(context, slot);
    ga_free(context, offsets);
    ga_free(context, targets);
    ga_free(context, own_ids);
    return status;
}

static ga_status run(ga__rewiring *r)
{
    ga_status status = GA_OK;
    const ga_rewire_options *o = r->options;
    int64_t attempts = (int64_t)floor(o->swaps_per_edge * (double)r->edges + 0.5);
    if (o->target_reciprocity < 0 && o->target_transitivity < 0) {
        GA_TRY(ga__randomise(r, attempts));
    } else {
        GA_TRY(o->target_reciprocity >= 0 ? ga__rewire_reciprocity(r, attempts) : GA_OK);
        GA_TRY(o->target_transitivity >= 0 ? ga__rewire_transitivity(r, attempts) : GA_OK);
    }
done:
    return status;
}

ga_status ga_rewire(ga_context *context, const ga_graph *graph, const ga_rewire_options *options,
                    ga_graph **rewired, ga_rewire_report *report)
{
    ga_status status = GA_OK;
    ga_graph *made = NULL;
    double start = ga__now();
    ga__rewiring r = { .context = context, .options = options, .graph = graph };
    r.report.reciprocity_before = r.report.reciprocity = NAN;
    r.report.transitivity_before = r.report.transitivity = NAN;
    ga__begin(context);
    GA_TRY(check_options(context, graph, options));
    GA_TRY(check_simple(context, graph));
    GA_TRY(ga__rewiring_setup(&r));
    GA_TRY(run(&r));
    GA_TRY(build(&r, &made));
    ga_csr before = ga_graph_out(graph), after = ga_graph_out(made);
    if (before.weights) {
        ga__tell(context, GA_NOTE, "a rewired graph has no weights");
    }
    if (report) {
        int64_t changed = count_changed(&before, &after);
        *report = r.report;
        report->acceptance =
            r.report.attempts > 0 ? (double)r.report.accepted / (double)r.report.attempts : 0;
        report->changed_edges = r.edges > 0 ? (double)changed / (double)r.edges : 0;
        report->seconds = ga__now() - start;
    }
    *rewired = made;
done:
    ga__rewiring_clear(&r);
    return status;
}
