/* classical.c - a sample by a classical method: parameters, size, start nodes, the draw. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "sampling/classical/draw.h"

/* ---- parameters ---- */

static bool is_start(const ga_named_text *given)
{
    return given->name && strcmp(given->name, "start") == 0;
}

static bool takes_start(const ga_method_info *method)
{
    for (const ga_parameter *p = method->parameters; p->name; p++) {
        if (strcmp(p->name, "start") == 0) {
            return true;
        }
    }
    return false;
}

static ga_status refuse_start(ga_context *context, const ga_method_info *method, const char *text)
{
    return ga__fail(context, GA_INVALID, "%s: start=%s: expected node ids joined by ','", method->name, text);
}

/* Ids joined by commas, one after the other: *at moves on and becomes NULL behind the last. */
static ga_status next_start(ga_context *context, const ga_method_info *method, const char *all,
                            const char **at, uint64_t *id)
{
    const char *digit = *at;
    bool fits = *digit >= '0' && *digit <= '9';
    *id = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        fits &= !__builtin_mul_overflow(*id, 10u, id) &&
                !__builtin_add_overflow(*id, (uint64_t)(*digit - '0'), id);
    }
    if (!fits || (*digit && *digit != ',')) {
        return refuse_start(context, method, all);
    }
    *at = *digit ? digit + 1 : NULL;
    return GA_OK;
}

ga_status ga__classical_parameters(ga_context *context, const ga_sample_options *options,
                                   const ga_method_info *method, ga__part *part)
{
    ga_status status = GA_OK;
    GA_TRY(ga__part_open(context, "", method->name, method->parameters, part));
    for (int64_t i = 0; i < options->parameter_count; i++) {
        const ga_named_text *given = &options->parameters[i];
        if (!is_start(given) || !takes_start(method)) {
            GA_TRY(ga__part_set(part, given->name, given->value, ','));
            continue;
        }
        uint64_t id;
        for (const char *at = given->value ? given->value : ""; at;) {
            GA_TRY(next_start(context, method, given->value ? given->value : "", &at, &id));
        }
    }
    if (method->sampler->never_induced && ga__part_value(part, "induced")->integer) {
        GA_TRY(ga__part_refuse(part, "induced", "0, the method keeps edges of its own"));
    }
    status = ga__part_check(part);
done:
    return status;
}

/* ---- start nodes ---- */

static bool find_node(const ga_graph *graph, uint64_t id, uint32_t *v)
{
    if (!graph->ids) {
        *v = (uint32_t)id;
        return id < (uint64_t)graph->nodes;
    }
    int64_t low = 0, high = graph->nodes;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (graph->ids[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *v = (uint32_t)low;
    return low < graph->nodes && graph->ids[low] == id;
}

static ga_status read_starts(ga__draw *d, const ga_method_info *method, const char *text)
{
    ga_status status = GA_OK;
    int64_t count = 1;
    for (const char *comma = text; (comma = strchr(comma, ',')) != NULL; comma++) {
        count++;
    }
    ga_free(d->context, d->starts);
    d->starts = NULL;
    d->start_count = 0;
    GA_TRY(GA_NEW(d->context, count, &d->starts));
    for (const char *at = text; at;) {
        uint64_t id;
        GA_TRY(next_start(d->context, method, text, &at, &id));
        if (!find_node(d->graph, id, &d->starts[d->start_count++])) {
            GA_TRY(ga__fail(d->context, GA_INVALID, "start: the graph has no node %llu",
                            (unsigned long long)id));
        }
    }
done:
    return status;
}

/* ---- size ---- */

/* floor(ratio * all + 1/2), where products that are meant to be whole or half may be off by rounding. */
static ga_status wanted_size(const ga__draw *d, const ga_rescale_options *size, int64_t *wanted)
{
    int64_t all = d->counts_edges ? d->graph->edges : d->graph->nodes, nodes = d->graph->nodes;
    const char *what = d->counts_edges ? "edges" : "nodes";
    double ratio = size->ratio;
    if (nodes >= UINT32_MAX) {
        return ga__fail(d->context, GA_UNSUPPORTED, "a graph of %lld nodes, expected fewer than 2^32 - 1",
                        (long long)nodes);
    }
    if (!(ratio >= 0) || size->nodes < 0) {
        return ga__fail(d->context, GA_INVALID, "a sample of ratio %g or %lld nodes, expected 0 or more",
                        ratio, (long long)size->nodes);
    }
    if (ratio == 0 && d->counts_edges) {
        ratio = nodes > 0 ? (double)size->nodes / (double)nodes : 0;
    }
    double share = floor(ratio * (double)all + 0.5 + 1e-9);
    bool by_nodes = size->ratio == 0 && !d->counts_edges;
    if (by_nodes ? size->nodes > all : !(share <= (double)all)) {
        return ga__fail(d->context, GA_INVALID, "a sample of %.0f %s, the graph has %lld",
                        by_nodes ? (double)size->nodes : share, what, (long long)all);
    }
    *wanted = by_nodes ? size->nodes : (int64_t)share;
    return GA_OK;
}

/* ---- all ---- */

static ga_status begin(ga__draw *d, const ga_sample_options *options, const ga_method_info *method)
{
    ga_status status = GA_OK;
    GA_TRY(wanted_size(d, &options->rescale, &d->wanted));
    for (int64_t i = 0; i < options->parameter_count; i++) {
        if (is_start(&options->parameters[i])) {
            GA_TRY(read_starts(d, method, options->parameters[i].value));
        }
    }
    d->keeps_edges = !ga__integer(d, "induced");
    d->random = ga__random_at(ga_context_seed(d->context), GA__RANDOM_SAMPLE, 0);
    GA_TRY(ga__set_open(d->context, d->graph->nodes, d->wanted, &d->inside));
    GA_TRY(ga__set_open(d->context, d->graph->edges, d->wanted, &d->edges));
done:
    return status;
}

static void end(ga__draw *d)
{
    ga__set_clear(d->context, &d->inside);
    ga__set_clear(d->context, &d->edges);
    ga__view_clear(&d->view);
    ga_free(d->context, d->members);
    ga_free(d->context, d->starts);
}

ga_status ga__sample_classical(ga_context *context, const ga_graph *graph, const ga_sample_options *options,
                               const ga_method_info *method, ga_graph **sample, int64_t **nodes)
{
    ga_status status = GA_OK;
    ga__part part;
    ga__draw d = { .context = context, .graph = graph, .part = &part };
    d.counts_edges = method->sampler->counts_edges;
    d.stream = options->stream;
    d.stream_count = options->stream_count;
    GA_TRY(ga__classical_parameters(context, options, method, &part));
    GA_TRY(begin(&d, options, method));
    if (d.wanted > 0) {
        GA_TRY(method->sampler->draw(&d));
    }
    status = ga__build_sample(&d, options->renumber, sample, nodes);
done:
    end(&d);
    return status;
}
