/* statistics.c - the table of metrics, choosing from it, and what was found. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "lib/base/workers.h"
#include "sampling/statistics/study.h"

/* ---- the table ---- */

static const char *const none[] = { NULL };
static const char *const degrees[] = { "in_degree", "out_degree", NULL };
static const char *const wcc_sizes[] = { "wcc_sizes", NULL }, *const scc_sizes[] = { "scc_sizes", NULL };
static const char *const local[] = { "local_clustering", "undirected_degree", NULL };
static const char *const coreness[] = { "coreness_all", "coreness_in", "coreness_out", NULL };
static const char *const ranks[] = { "pagerank", NULL }, *const hops[] = { "hop_plot", NULL };
static const char *const singular[] = { "singular_values", NULL };

static const ga_metric_info metrics[] = {
    { "size", "nodes, edges, density, degrees", "m", degrees, true },
    { "nnz", "cells of the degree matrices, classes of degrees, smallest ratios", "m", none, true },
    { "reciprocity", "share of edges that go both ways", "m", none, true },
    { "assortativity", "correlation of the degrees at the ends of edges", "m", none, true },
    { "wcc", "weakly connected components", "m", wcc_sizes, true },
    { "scc", "strongly connected components", "m", scc_sizes, true },
    { "bowtie", "the largest strong component, what leads to it and what it leads to", "m", none, false },
    { "transitivity", "share of closed triples of the undirected view", "m^1.5", none, true },
    { "clustering", "mean local clustering of the undirected view", "m^1.5", local, true },
    { "clustering_directed", "mean local clustering by directed triangles", "m^1.5", none, false },
    { "kcore", "largest coreness by all, in- and out-degrees", "m", coreness, true },
    { "pagerank", "PageRank", "iterations m", ranks, true },
    { "powerlaw", "power laws fitted to the degrees", "n log n + classes^2", none, false },
    { "hop_plot", "pairs by distance", "n m, sampled above 20,000 nodes", hops, false },
    { "triad_census", "the 16 kinds of triads", "m^1.5", none, false },
    { "spectrum", "spectral radius and singular values", "iterations m", singular, false },
    { "labels", "how far edges join nodes of the same label", "m", none, false },
};
enum { GROUPS = sizeof metrics / sizeof *metrics, MOST_VALUES = 96, MOST_ARRAYS = 16 };

/* In the order of the table. */
static ga_status (*const measures[GROUPS])(ga__study *) = {
    ga__measure_size,         ga__measure_nnz,
    ga__measure_reciprocity,  ga__measure_assortativity,
    ga__measure_wcc,          ga__measure_scc,
    ga__measure_bowtie,       ga__measure_transitivity,
    ga__measure_clustering,   ga__measure_clustering_directed,
    ga__measure_kcore,        ga__measure_pagerank,
    ga__measure_powerlaw,     ga__measure_hop_plot,
    ga__measure_triad_census, ga__measure_spectrum,
    ga__measure_labels,
};

const ga_metric_info *ga_metrics(int *count)
{
    if (count) {
        *count = GROUPS;
    }
    return metrics;
}

static int group_of(const char *name, size_t length)
{
    for (int i = 0; i < GROUPS; i++) {
        if (strlen(metrics[i].name) == length && memcmp(metrics[i].name, name, length) == 0) {
            return i;
        }
    }
    return -1;
}

/* ---- what was found ---- */

struct ga_statistics {
    int64_t count;
    ga_statistic values[MOST_VALUES];
    int64_t array_count;
    struct {
        const char *name;
        DLTensor *tensor; /* owned */
    } arrays[MOST_ARRAYS];
    double seconds[GROUPS];
    int group; /* that is being measured */
};

int64_t ga_statistics_count(const ga_statistics *statistics)
{
    return statistics->count;
}

const ga_statistic *ga_statistics_value(const ga_statistics *statistics, int64_t index)
{
    return index >= 0 && index < statistics->count ? &statistics->values[index] : NULL;
}

const ga_statistic *ga_statistics_find(const ga_statistics *statistics, const char *name)
{
    for (int64_t i = 0; i < statistics->count; i++) {
        if (strcmp(statistics->values[i].name, name) == 0) {
            return &statistics->values[i];
        }
    }
    return NULL;
}

double ga_statistics_seconds(const ga_statistics *statistics, const char *group)
{
    int i = group_of(group, strlen(group));
    return i < 0 ? NAN : statistics->seconds[i];
}

const DLTensor *ga_statistics_array(const ga_statistics *statistics, const char *name)
{
    for (int64_t i = 0; i < statistics->array_count; i++) {
        if (strcmp(statistics->arrays[i].name, name) == 0) {
            return statistics->arrays[i].tensor;
        }
    }
    return NULL;
}

void ga_statistics_destroy(ga_context *context, ga_statistics *statistics)
{
    for (int64_t i = 0; statistics && i < statistics->array_count; i++) {
        ga_tensor_destroy(context, statistics->arrays[i].tensor);
    }
    ga_free(context, statistics);
}

ga_status ga__study_put(ga__study *study, const char *name, double value, bool integer, bool estimated)
{
    ga_statistics *f = study->found;
    if (f->count == MOST_VALUES) {
        return ga__fail(study->context, GA_INTERNAL, "statistics: no room for %s", name);
    }
    f->values[f->count++] = (ga_statistic){ name, metrics[f->group].name, value, integer, estimated };
    return GA_OK;
}

ga_status ga__study_integer(ga__study *study, const char *name, int64_t value)
{
    return ga__study_put(study, name, (double)value, true, false);
}

ga_status ga__study_count(ga__study *study, const char *name, double value)
{
    return ga__study_put(study, name, value, true, false);
}

ga_status ga__study_real(ga__study *study, const char *name, double value)
{
    return ga__study_put(study, name, value, false, false);
}

static ga_status new_array(ga__study *study, const char *name, int64_t count, DLDataType type, void **data)
{
    ga_status status = GA_OK;
    ga_statistics *f = study->found;
    DLTensor *made = NULL;
    if (f->array_count == MOST_ARRAYS) {
        return ga__fail(study->context, GA_INTERNAL, "statistics: no room for %s", name);
    }
    GA_TRY(ga_tensor_create(study->context, type, 1, &count, &made));
    memset(made->data, 0, (size_t)count * type.bits / 8);
    f->arrays[f->array_count].name = name;
    f->arrays[f->array_count++].tensor = made;
    *data = made->data;
done:
    return status;
}

ga_status ga__study_integers(ga__study *study, const char *name, int64_t count, int64_t **data)
{
    void *made = NULL;
    ga_status status = new_array(study, name, count, (DLDataType){ kDLInt, 64, 1 }, &made);
    *data = made;
    return status;
}

ga_status ga__study_reals(ga__study *study, const char *name, int64_t count, double **data)
{
    void *made = NULL;
    ga_status status = new_array(study, name, count, (DLDataType){ kDLFloat, 64, 1 }, &made);
    *data = made;
    return status;
}

/* ---- what is wanted ---- */

static ga_status unknown_group(ga_context *context, const char *word, size_t length)
{
    char names[512] = "";
    size_t used = 0;
    for (int i = 0; i < GROUPS; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", metrics[i].name);
    }
    return ga__fail(context, GA_INVALID, "metrics: no group \"%.*s\"; there are %s", (int)ga__min(length, 40),
                    word, names);
}

/* wanted: (GROUPS). */
static ga_status choose_groups(ga_context *context, const ga_statistics_options *options, bool *wanted)
{
    ga_status status = GA_OK;
    const char *list = options->metrics;
    bool all = list && strcmp(list, "all") == 0;
    for (int i = 0; i < GROUPS; i++) {
        bool labels = measures[i] == ga__measure_labels; /* all of them is all that can be had */
        wanted[i] = all ? !labels || options->labels : !list && metrics[i].standard;
    }
    for (const char *word = all ? NULL : list; word; word = strchr(word, ',')) {
        word += *word == ',';
        size_t length = strcspn(word, ",");
        int group = group_of(word, length);
        if (group < 0) {
            GA_TRY(unknown_group(context, word, length));
        }
        if (measures[group] == ga__measure_labels && !options->labels) {
            GA_TRY(ga__fail(context, GA_INVALID, "metrics: labels needs the labels of the nodes"));
        }
        wanted[group] = true;
    }
done:
    return status;
}

ga_status ga_statistics_check(ga_context *context, const ga_statistics_options *options)
{
    bool wanted[GROUPS];
    ga__begin(context);
    if (!(options->alpha >= 0 && options->alpha < 1)) {
        return ga__fail(context, GA_INVALID, "alpha: %g, expected at least 0 and below 1", options->alpha);
    }
    if (options->hop_sources < 1 || options->hop_exact < 0) {
        return ga__fail(context, GA_INVALID, "hop_sources: %lld, expected at least 1",
                        (long long)options->hop_sources);
    }
    return choose_groups(context, options, wanted);
}

/* ---- a simple graph ---- */

typedef struct simple_check {
    ga_csr out;
    int64_t bad; /* atomic: a node with a loop or a repeated edge, -1 = none */
} simple_check;

static void check_rows(void *user, int worker, int64_t from, int64_t to)
{
    simple_check *c = user;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        for (int64_t e = c->out.offsets[v]; e < c->out.offsets[v + 1]; e++) {
            if (c->out.targets[e] == v ||
                (e > c->out.offsets[v] && c->out.targets[e] == c->out.targets[e - 1])) {
                __atomic_store_n(&c->bad, v, __ATOMIC_RELAXED);
            }
        }
    }
}

static ga_status check_simple(ga__study *study)
{
    simple_check c = { study->out, -1 };
    ga_status status = ga__pieces(study->context, study->nodes, 1 << 14, check_rows, &c);
    return status != GA_OK ? status
           : c.bad >= 0
               ? ga__fail(study->context, GA_INVALID,
                          "statistics are those of simple graphs: a loop or a repeated edge was kept")
               : GA_OK;
}

/* ---- all ---- */

static ga_status measure_all(ga__study *study, const bool *wanted)
{
    ga_status status = GA_OK;
    GA_TRY(check_simple(study));
    for (int i = 0; i < GROUPS; i++) {
        if (!wanted[i]) {
            continue;
        }
        double started = ga__now();
        study->found->group = i;
        ga__progress(study->context, metrics[i].name, i, GROUPS);
        GA_TRY(measures[i](study));
        GA_TRY(ga__check(study->context));
        study->found->seconds[i] = ga__now() - started;
    }
done:
    return status;
}

ga_status ga_statistics_compute(ga_context *context, ga_graph *graph, const ga_statistics_options *options,
                                ga_statistics **statistics)
{
    static const ga_statistics_options defaults = GA_STATISTICS_OPTIONS_INIT;
    ga_status status = GA_OK;
    bool wanted[GROUPS];
    ga__study study = { .context = context,
                        .graph = graph,
                        .options = options ? options : &defaults,
                        .nodes = ga_graph_nodes(graph),
                        .edges = ga_graph_edges(graph),
                        .out = ga_graph_out(graph) };
    GA_TRY(ga_statistics_check(context, study.options));
    GA_TRY(choose_groups(context, study.options, wanted));
    for (int i = 0; i < GROUPS; i++) {
        bool walks =
            measures[i] == ga__measure_clustering_directed || measures[i] == ga__measure_triad_census;
        study.wants_walks = study.wants_walks || (wanted[i] && walks);
    }
    GA_TRY(GA_NEW_ZERO(context, 1, &study.found));
    for (int i = 0; i < GROUPS; i++) {
        study.found->seconds[i] = NAN;
    }
    GA_TRY(measure_all(&study, wanted));
    *statistics = study.found;
    study.found = NULL;
done:
    ga_statistics_destroy(context, study.found);
    ga__study_clear(&study);
    return status;
}
