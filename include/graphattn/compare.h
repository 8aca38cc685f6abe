/* compare.h - how far one directed graph is from another. */
#ifndef GRAPHATTN_COMPARE_H
#define GRAPHATTN_COMPARE_H

#include <graphattn/statistics.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ga_compare_options {
    double ratio; /* counts of b are compared with ratio times those of a; 0 = nodes of b / nodes of a */
    ga_statistics_options statistics; /* of both; labels stays NULL */
} ga_compare_options;
#define GA_COMPARE_OPTIONS_INIT \
    { \
        0, GA_STATISTICS_OPTIONS_INIT \
    }

typedef struct ga_comparison ga_comparison;

/* Compares two simple directed graphs. Always: ks_in, ks_out, ks_total (largest difference of the cumulative shares of
 * nodes by degree), jdd_tv, jdd_l1 and dcd_tv, dcd_l1 (half the sum, and the sum, of differences of the shares of edges in
 * the cells of the joint degree matrix, of nodes in those of the degree correlation matrix), jdd_tv_log2, dcd_tv_log2
 * (degrees in powers of two), jdm_l1_counts, dcm_l1_counts (sum of |b - ratio a| of counts). With the group of metrics
 * that it needs: ks_coreness_all, _in, _out (kcore), ks_pagerank (pagerank times nodes, rounded to 12 digits),
 * ks_wcc_size, ks_scc_size (wcc, scc: by component), ks_hop_plot (hop_plot: largest difference of the shares of pairs
 * within a distance), scree_l2 (spectrum: of the five largest singular values over the first), triad_tv (triad_census:
 * of the 13 connected types). Then the statistics of both. A distance that empty graphs leave without a value is NaN.
 * Returns owned. GA_INVALID names what is wrong with the options. */
GA_API ga_status ga_compare(ga_context *context, ga_graph *a, ga_graph *b, const ga_compare_options *options,
                            ga_comparison **comparison);
/* Accepts NULL. */
GA_API void ga_comparison_destroy(ga_context *context, ga_comparison *comparison);

typedef struct ga_distance {
    const char *name;
    double value;
    double seconds; /* spent on it; those of matrices share theirs */
} ga_distance;
GA_API int64_t ga_comparison_count(const ga_comparison *comparison);
GA_API const ga_distance *ga_comparison_distance(const ga_comparison *comparison, int64_t index);
/* NULL when it was not computed. */
GA_API const ga_distance *ga_comparison_find(const ga_comparison *comparison, const char *name);
/* The ratio that counts were compared by. */
GA_API double ga_comparison_ratio(const ga_comparison *comparison);
/* The statistics of a (side 0) or b (side 1). Borrowed. */
GA_API const ga_statistics *ga_comparison_statistics(const ga_comparison *comparison, int side);

#ifdef __cplusplus
}
#endif

#endif
