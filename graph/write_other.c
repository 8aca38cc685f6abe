/* write_other.c - Matrix Market, METIS and GAP files. They number the nodes themselves. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "graph/gab.h"
#include "graph/write.h"

static void tell_lost(const ga__writing *w, bool weights)
{
    if (w->graph->ids) {
        ga__tell(w->context, GA_WARNING, "%s: the format has no node ids, nodes are numbered in their order",
                 w->path);
    }
    if (weights && w->graph->weights) {
        ga__tell(w->context, GA_WARNING, "%s: the format has no weights", w->path);
    }
}

ga_status ga__write_mtx(ga__writing *w)
{
    ga_status status = GA_OK;
    const ga_graph *g = w->graph;
    tell_lost(w, false);
    GA_TRY(ga__output_print(
        w->context, w->output, "%%%%MatrixMarket matrix coordinate %s general\n%lld %lld %lld\n",
        g->weights ? "real" : "pattern", (long long)g->nodes, (long long)g->nodes, (long long)g->edges));
    GA_TRY(ga__write_lines(w, ' ', NULL, 1, g->weights != NULL));
done:
    return status;
}

/* ---- METIS ---- */

static ga_status check_undirected(ga__writing *w)
{
    ga_status status = GA_OK;
    const ga_graph *g = w->graph;
    ga__csr_result made = { 0 };
    const int64_t *offsets;
    const uint32_t *sources;
    GA_TRY(ga__writing_transpose(w, &made, &offsets, &sources));
    for (int64_t v = 0; v < g->nodes; v++) {
        int64_t out = g->out_offsets[v], in = offsets[v];
        for (; out < g->out_offsets[v + 1] && in < offsets[v + 1] && g->out_targets[out] == sources[in];
             out++, in++) {
            if (g->out_targets[out] == v) {
                GA_TRY(ga__fail(w->context, GA_INVALID, "%s: METIS files hold no loops, node %lld has one",
                                w->path, (long long)v));
            }
        }
        if (out < g->out_offsets[v + 1] || in < offsets[v + 1]) {
            bool lists =
                in == offsets[v + 1] || (out < g->out_offsets[v + 1] && g->out_targets[out] < sources[in]);
            GA_TRY(
                ga__fail(w->context, GA_INVALID,
                         "%s: METIS files are undirected, edge %lld -> %lld has no reverse (--undirected?)",
                         w->path, lists ? (long long)v : (long long)sources[in],
                         lists ? (long long)g->out_targets[out] : (long long)v));
        }
    }
    for (int64_t e = 0; g->weights && e < g->edges; e++) {
        if (!(g->weights[e] >= 0 && g->weights[e] == truncf(g->weights[e]) && g->weights[e] < 9e18f)) {
            GA_TRY(ga__fail(w->context, GA_INVALID, "%s: METIS files hold integer weights, edge %lld has %g",
                            w->path, (long long)e, (double)g->weights[e]));
        }
    }
done:
    ga_free(w->context, made.offsets);
    ga_free(w->context, made.targets);
    return status;
}

ga_status ga__write_metis(ga__writing *w)
{
    enum { ROOM = 1 << 16, ENTRY = 64 };
    ga_status status = GA_OK;
    const ga_graph *g = w->graph;
    char *text = NULL, *at;
    tell_lost(w, false);
    GA_TRY(check_undirected(w));
    GA_TRY(ga_alloc(w->context, ROOM + ENTRY, 1, &text));
    GA_TRY(ga__output_print(w->context, w->output, "%lld %lld%s\n", (long long)g->nodes,
                            (long long)(g->edges / 2), g->weights ? " 001" : ""));
    at = text;
    for (int64_t v = 0; v < g->nodes; v++) {
        for (int64_t e = g->out_offsets[v]; e < g->out_offsets[v + 1]; e++) {
            at = ga__put_number(at, (uint64_t)g->out_targets[e] + 1);
            if (g->weights) {
                *at++ = ' ';
                at = ga__put_number(at, (uint64_t)g->weights[e]);
            }
            *at++ = ' ';
            if (at - text >= ROOM) {
                GA_TRY(ga__check(w->context));
                GA_TRY(ga__output_write(w->context, w->output, text, at - text));
                at = text;
            }
        }
        at -= at > text && at[-1] == ' ';
        *at++ = '\n';
        if (at - text >= ROOM) {
            GA_TRY(ga__output_write(w->context, w->output, text, at - text));
            at = text;
        }
    }
    GA_TRY(ga__output_write(w->context, w->output, text, at - text));
done:
    ga_free(w->context, text);
    return status;
}

/* ---- GAP ---- */

static ga_status put_side(ga__writing *w, const int64_t *offsets, const uint32_t *targets)
{
    ga_status status = GA_OK;
    GA_TRY(ga__output_write(w->context, w->output, offsets, (w->graph->nodes + 1) * 8));
    GA_TRY(ga__output_write(w->context, w->output, targets, w->graph->edges * 4));
done:
    return status;
}

ga_status ga__write_sg(ga__writing *w)
{
    ga_status status = GA_OK;
    const ga_graph *g = w->graph;
    const unsigned char directed = 1;
    const int64_t counts[2] = { g->edges, g->nodes };
    ga__csr_result made = { 0 };
    const int64_t *offsets;
    const uint32_t *sources;
    if (!ga__gab_possible() || g->nodes > INT32_MAX) {
        GA_TRY(ga__fail(w->context, GA_UNSUPPORTED,
                        "%s: .sg files need a little-endian machine and at most 2^31 - 1 nodes", w->path));
    }
    tell_lost(w, true);
    GA_TRY(ga__writing_transpose(w, &made, &offsets, &sources));
    GA_TRY(ga__output_write(w->context, w->output, &directed, 1));
    GA_TRY(ga__output_write(w->context, w->output, counts, sizeof counts));
    GA_TRY(put_side(w, g->out_offsets, g->out_targets));
    GA_TRY(put_side(w, offsets, sources));
done:
    ga_free(w->context, made.offsets);
    ga_free(w->context, made.targets);
    return status;
}
