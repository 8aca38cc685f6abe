/* statistics.h - summary statistics of directed graphs.
 *
 * All of them are defined on the simple directed graph: loops and repeated edges must have been dropped when it was
 * read. The undirected view joins u and v when u -> v or v -> u is an edge. Metrics come in groups; a group is computed
 * as a whole, gives one or more named values, and may give arrays. Results do not depend on the number of threads.
 */
#ifndef GRAPHATTN_STATISTICS_H
#define GRAPHATTN_STATISTICS_H

#include <graphattn/graph.h>
#include <graphattn/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A row of the table of metric groups. arrays is a list of names ended by NULL; standard: computed when nobody chose. */
typedef struct ga_metric_info {
    const char *name, *summary, *cost;
    const char *const *arrays;
    bool standard;
} ga_metric_info;
/* The table, in the order in which values are listed; count may be NULL. */
GA_API const ga_metric_info *ga_metrics(int *count);

typedef struct ga_statistics_options {
    const char *metrics;   /* groups by name, joined by commas; "all"; NULL = the standard ones */
    const int64_t *labels; /* (nodes), -1 = unknown; the group "labels" needs them */
    double alpha;          /* pagerank: probability of following an edge, in [0, 1) */
    int64_t hop_sources;   /* hop_plot: sampled sources above hop_exact nodes */
    int64_t hop_exact;
} ga_statistics_options;
#define GA_STATISTICS_OPTIONS_INIT \
    { \
        NULL, NULL, 0.85, 512, 20000 \
    }

/* What ga_statistics_compute would say of the options before any work: GA_INVALID names the group that does not exist, the
 * labels that are missing, or the value out of range. */
GA_API ga_status ga_statistics_check(ga_context *context, const ga_statistics_options *options);

typedef struct ga_statistics ga_statistics;

/* Computes the chosen groups, each with the time it took. NULL options: the initial ones. Returns owned. GA_INVALID as
 * above, and for a graph with loops or repeated edges. */
GA_API ga_status ga_statistics_compute(ga_context *context, ga_graph *graph,
                                       const ga_statistics_options *options, ga_statistics **statistics);
/* Accepts NULL. */
GA_API void ga_statistics_destroy(ga_context *context, ga_statistics *statistics);

/* One named value. integer: it counts something and is exact below 2^53; estimated: from a sample of sources. */
typedef struct ga_statistic {
    const char *name, *group;
    double value; /* NaN where the definition has no value */
    bool integer, estimated;
} ga_statistic;
GA_API int64_t ga_statistics_count(const ga_statistics *statistics);
GA_API const ga_statistic *ga_statistics_value(const ga_statistics *statistics, int64_t index);
/* NULL when no such value was computed. */
GA_API const ga_statistic *ga_statistics_find(const ga_statistics *statistics, const char *name);
/* Seconds spent on a group, NaN when it was not computed. */
GA_API double ga_statistics_seconds(const ga_statistics *statistics, const char *group);
/* An array by name (one axis, f64 or i64), borrowed; NULL when its group was not computed. */
GA_API const DLTensor *ga_statistics_array(const ga_statistics *statistics, const char *name);

#ifdef __cplusplus
}
#endif

#endif
