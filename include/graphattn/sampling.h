/* sampling.h - degree matrices, rescaling, realisation, randomisation, sampling.
 *
 * DCM  D[i][j]: nodes of in-degree i and out-degree j.
 * JDM  J[k][l]: edges from a node of out-degree k to a node of in-degree l.
 * With labels a class is a pair (degree, label) in place of a degree and everything else stays the same.
 * The framework is that of "Constructing and Sampling Directed Graphs with Linearly Rescaled Degree Matrices"
 * (arXiv 2507.23025); algorithms, bounds and proofs are this project's own (graphattn-sample(1)).
 */
#ifndef GRAPHATTN_SAMPLING_H
#define GRAPHATTN_SAMPLING_H

#include <graphattn/base.h>
#include <graphattn/call.h>
#include <graphattn/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- degree matrices ---- */

typedef struct ga_matrices ga_matrices;

/* One sparse matrix over classes, cells sorted by (row, column), counts > 0. Borrowed from the ga_matrices.
 * Classes are in ascending order of (degree, label); *_label is NULL without labels. */
typedef struct ga_matrix_view {
    int64_t rows, columns, cells, total;
    const int64_t *row_degree, *row_label, *column_degree, *column_label;
    const int32_t *row, *column;
    const int64_t *count;
} ga_matrix_view;

/* Counts both matrices of a graph as it stands (read with the policies wanted). labels: NULL or one per node.
 * Returns owned. */
GA_API ga_status ga_matrices_count(ga_context *context, const ga_graph *graph, const int64_t *labels,
                                   ga_matrices **matrices);
/* Reads the files of `jdm` and `dcm` (three columns, or five and four with labels); either path may be NULL, then
 * that matrix is empty. GA_FORMAT with "C0 jdm line 2: ..." for what no matrix file may hold. Negative entries are
 * kept for ga_matrices_check to report. Returns owned. */
GA_API ga_status ga_matrices_read(ga_context *context, const char *jdm_path, const char *dcm_path,
                                  ga_matrices **matrices);
GA_API void ga_matrices_destroy(ga_context *context, ga_matrices *matrices);
GA_API ga_matrix_view ga_matrices_jdm(const ga_matrices *matrices);
GA_API ga_matrix_view ga_matrices_dcm(const ga_matrices *matrices);
GA_API ga_status ga_jdm_write(ga_context *context, const ga_matrices *matrices, const char *path);
GA_API ga_status ga_dcm_write(ga_context *context, const ga_matrices *matrices, const char *path);

/* Called once per violated condition in the order of reporting; text is "C1 row 2: 3 edges, ..."; return non-zero
 * to stop. */
typedef int (*ga_violation_fn)(void *user, const char *text);
/* Conditions C0-C2 for a simple digraph (loops allowed with GA_LOOPS_KEEP, C2 waived with GA_MULTI_KEEP).
 * GA_INFEASIBLE with the first violation as message if there is any; report may be NULL. */
GA_API ga_status ga_matrices_check(ga_context *context, const ga_matrices *matrices, ga_loops loops,
                                   ga_multi multi, ga_violation_fn report, void *user);

/* Smallest ratios at which at most a share 0, 0.01 and 0.05 of the edges lies in log2 blocks too dense to be
 * scaled linearly (an indicator, not a bound). */
typedef struct ga_r_min {
    double all, percent_1, percent_5;
} ga_r_min;
GA_API ga_status ga_matrices_r_min(ga_context *context, const ga_matrices *matrices, ga_r_min *r_min);

/* ---- rescaling ---- */

typedef enum ga_objective { GA_OBJECTIVE_BLEND = 0, GA_OBJECTIVE_L1, GA_OBJECTIVE_QUANTILE } ga_objective;
typedef enum ga_rounding { GA_ROUNDING_LAMINAR = 0, GA_ROUNDING_SYSTEMATIC } ga_rounding;
typedef enum ga_balance { GA_BALANCE_LOWER = 0, GA_BALANCE_RAISE } ga_balance;

typedef struct ga_rescale_options {
    double ratio;  /* > 0; 0 = take nodes */
    int64_t nodes; /* wanted nodes when ratio is 0 */
    ga_objective objective;
    double lambda; /* weight of the quantile plan in blend, >= 0 */
    ga_rounding rounding;
    bool steer; /* steer laminar rounding towards the edge mass */
    ga_balance balance;
    double degree_cap; /* largest degree as a share of n' - 1 */
    double time_limit; /* seconds for the JDM objective, 0 = none; a limit makes the result depend on speed */
    ga_loops loops;    /* keep: cells may use their loop places */
    ga_multi multi;    /* keep: no caps */
    const ga_matrices *target_dcm; /* instead of stage 1; borrowed */
    const ga_matrices *plan_jdm;   /* instead of the quantile plan; borrowed */
    bool label_bins_log2;          /* labelled: coarsen degrees to log2 bins in the objective's target */
} ga_rescale_options;
#define GA_RESCALE_OPTIONS_INIT \
    { \
        0, 0, GA_OBJECTIVE_BLEND, 0.2, GA_ROUNDING_LAMINAR, true, GA_BALANCE_LOWER, 1.0, 0, GA_LOOPS_DROP, \
            GA_MULTI_COLLAPSE, NULL, NULL, false \
    }

/* One class that lost edges because no graph within the degrees could hold them. */
typedef struct ga_dropped {
    int64_t out_degree, in_degree, edges;
} ga_dropped;

/* Figures of a rescaling; names as in the report file (graphattn-rescale(1)). Distances compare the result with
 * the original as distributions; L1 figures compare counts with ratio times the original's. */
typedef struct ga_rescale_report {
    int64_t nodes, edges;
    double wanted_nodes, wanted_edges;
    int64_t clipped, balanced_nodes, delta, touched, rerouted, dropped;
    double dcm_l1, dcm_l1_rounding, jdm_l1, jdm_l1_bound, objective_value;
    double ks_in, ks_out, ks_bound;
    bool ks_bound_in_only; /* systematic rounding: the bound holds for the in side */
    double jdd_tv, jdd_tv_log2, dcd_tv, dcd_tv_log2;
    ga_r_min r_min;
    uint64_t seed;
    int64_t rounds;
    double seconds;
    bool time_limit_hit;
    ga_dropped *dropped_edges; /* owned by the report, sums to dropped */
    int64_t dropped_classes;
} ga_rescale_report;
GA_API void ga_rescale_report_clear(ga_context *context, ga_rescale_report *report);
/* TSV (name<TAB>value) or JSON. */
GA_API ga_status ga_rescale_report_write(ga_context *context, const ga_rescale_report *report, bool json,
                                         const char *path);

/* Realisable integer matrices near ratio times the given ones. report may be NULL. Returns owned. GA_INFEASIBLE
 * when the input has no realisation itself. */
GA_API ga_status ga_rescale(ga_context *context, const ga_matrices *matrices,
                            const ga_rescale_options *options, ga_matrices **rescaled,
                            ga_rescale_report *report);

/* ---- realisation ---- */

typedef struct ga_realize_options {
    ga_loops loops;
    ga_multi multi;
} ga_realize_options;
#define GA_REALIZE_OPTIONS_INIT \
    { \
        GA_LOOPS_DROP, GA_MULTI_COLLAPSE \
    }

/* A simple digraph with exactly these matrices; nodes in the order of the DCM's cells. labels: NULL, or takes an
 * owned array of one label per node (NULL when the matrices have none). GA_INFEASIBLE names the first violated
 * condition. Returns owned. */
GA_API ga_status ga_realize(ga_context *context, const ga_matrices *matrices,
                            const ga_realize_options *options, ga_graph **graph, int64_t **labels);

/* ---- randomisation ---- */

typedef enum ga_preserve { GA_PRESERVE_JDM = 0, GA_PRESERVE_DEGREES } ga_preserve;

typedef struct ga_rewire_options {
    ga_preserve preserve;
    double swaps_per_edge;      /* attempted swaps per edge */
    double triples;             /* share of proposals that are triple rotations */
    double target_reciprocity;  /* share of edges whose reverse is an edge; negative = no target */
    double target_transitivity; /* negative = no target */
    const int64_t *labels;      /* NULL or one per node: classes are (degree, label); borrowed */
    double time_limit; /* seconds for the targets, 0 = none; a limit makes the result depend on speed */
} ga_rewire_options;
#define GA_REWIRE_OPTIONS_INIT \
    { \
        GA_PRESERVE_JDM, 10, 0.05, -1, -1, NULL, 0 \
    }

typedef struct ga_rewire_report {
    int64_t attempts, accepted, supersteps;
    double acceptance;                        /* accepted / attempts */
    double changed_edges;                     /* share of edges that the input did not have */
    double reciprocity_before, reciprocity;   /* nan when not asked for */
    double transitivity_before, transitivity; /* nan when not asked for */
    double seconds;
} ga_rewire_report;

/* Random simple graph with the same degrees per node and the same JDM and DCM (or the same degrees only). The input
 * must be simple (GA_INVALID). Node ids stay. Same result for any number of threads. report may be NULL. */
GA_API ga_status ga_rewire(ga_context *context, const ga_graph *graph, const ga_rewire_options *options,
                           ga_graph **rewired, ga_rewire_report *report);

/* ---- sampling ---- */

typedef struct ga_sample_options {
    const char *method;         /* a name of ga_sample_methods */
    ga_rescale_options rescale; /* ratio or nodes stand here; the rest is jdm's */
    ga_rewire_options rewire;   /* jdm: swaps_per_edge 0 = none */
    const int64_t *labels;      /* jdm: NULL or one per node of the original; borrowed */
    bool keep_ids;              /* jdm: nodes keep their donors' ids (ratio <= 1) */
    bool renumber;              /* classical: nodes are 0, 1, ... in ascending order of their original ids */
    const ga_named_text *parameters; /* classical: of the method's table; borrowed */
    int64_t parameter_count;
    const int64_t
        *stream; /* pies: the edges as they pass, by their numbers in the rows of ga_graph_out, perhaps some
                              more than once; NULL = in the order of the rows; borrowed */
    int64_t stream_count;
} ga_sample_options;
#define GA_SAMPLE_OPTIONS_INIT \
    { \
        "jdm", GA_RESCALE_OPTIONS_INIT, { GA_PRESERVE_JDM, 0, 0.05, -1, -1, NULL, 0 }, NULL, false, false, \
            NULL, 0, NULL, 0 \
    }

typedef struct ga_sample_report {
    ga_rescale_report rescale;
    ga_rewire_report rewire; /* attempts 0 when not randomised */
} ga_sample_report;
GA_API void ga_sample_report_clear(ga_context *context, ga_sample_report *report);
GA_API ga_status ga_sample_report_write(ga_context *context, const ga_sample_report *report, bool json,
                                        const char *path);

/* jdm: matrices, rescaling, realisation, randomisation in one. Classical methods select nodes or edges of the graph,
 * which keep ids and weights. donors: NULL, or takes an owned array with the original dense node number of every node
 * of the sample, ascending. report may be NULL; classical methods leave it all 0. Returns owned. */
GA_API ga_status ga_sample(ga_context *context, const ga_graph *graph, const ga_sample_options *options,
                           ga_graph **sample, int64_t **donors, ga_sample_report *report);

/* GA_INVALID when there is no such method or it refuses a parameter: what ga_sample would say before any work. */
GA_API ga_status ga_sample_check(ga_context *context, const ga_sample_options *options);

struct ga__sampler;
typedef struct ga_method_info {
    const char *name, *summary;
    const ga_parameter *parameters;    /* of classical methods; NULL = jdm, whose options are structs */
    const struct ga__sampler *sampler; /* the library's own */
} ga_method_info;
GA_API const ga_method_info *ga_sample_methods(int *count);
/* NULL (no message) when there is none of that name. */
GA_API const ga_method_info *ga_sample_method_find(const char *name);

#ifdef __cplusplus
}
#endif

#endif
