/* counts.c - sizes, classes of degrees, reciprocity. */
#include "config.h"

#include <graphattn/sampling.h>

#include "sampling/matrices.h"
#include "sampling/statistics/study.h"

ga_status ga__measure_size(ga__study *study)
{
    ga_status status = GA_OK;
    double n = (double)study->nodes, m = (double)study->edges;
    int64_t isolated = 0, *in = NULL, *out = NULL;
    uint32_t most_in = 0, most_out = 0;
    GA_TRY(ga__study_degrees(study));
    GA_TRY(ga__study_integers(study, "in_degree", study->nodes, &in));
    GA_TRY(ga__study_integers(study, "out_degree", study->nodes, &out));
    for (int64_t v = 0; v < study->nodes; v++) {
        uint32_t comes = study->in_degree[v], goes = study->out_degree[v];
        in[v] = comes;
        out[v] = goes;
        isolated += comes == 0 && goes == 0;
        most_in = comes > most_in ? comes : most_in;
        most_out = goes > most_out ? goes : most_out;
    }
    GA_TRY(ga__study_integer(study, "nodes", study->nodes));
    GA_TRY(ga__study_integer(study, "edges", study->edges));
    GA_TRY(ga__study_integer(study, "isolated", isolated));
    GA_TRY(ga__study_real(study, "density", ga__ratio(m, n * (n - 1))));
    GA_TRY(ga__study_real(study, "mean_degree", ga__ratio(m, n)));
    GA_TRY(ga__study_integer(study, "max_in", most_in));
    status = ga__study_integer(study, "max_out", most_out);
done:
    return status;
}

ga_status ga__measure_nnz(ga__study *study)
{
    ga_status status = GA_OK;
    ga_matrices *matrices = NULL;
    int64_t out_classes, in_classes;
    ga_r_min r_min;
    GA_TRY(ga_matrices_count(study->context, study->graph, NULL, &matrices));
    GA_TRY(ga__count_edge_classes(study->context, matrices, &out_classes, &in_classes));
    GA_TRY(ga_matrices_r_min(study->context, matrices, &r_min));
    GA_TRY(ga__study_integer(study, "nnz_jdm", matrices->jdm.count));
    GA_TRY(ga__study_integer(study, "nnz_dcm", matrices->dcm.count));
    GA_TRY(ga__study_integer(study, "out_classes", out_classes));
    GA_TRY(ga__study_integer(study, "in_classes", in_classes));
    GA_TRY(ga__study_real(study, "r_min", r_min.all));
    GA_TRY(ga__study_real(study, "r_min_1", r_min.percent_1));
    status = ga__study_real(study, "r_min_5", r_min.percent_5);
done:
    ga_matrices_destroy(study->context, matrices);
    return status;
}

ga_status ga__measure_reciprocity(ga__study *study)
{
    ga_status status = GA_OK;
    double n = (double)study->nodes, m = (double)study->edges;
    GA_TRY(ga__study_near(study));
    double both = (double)ga__study_sum(study->mutual, study->nodes); /* edges whose reverse is one */
    double share = ga__ratio(both, m), density = ga__ratio(m, n * (n - 1));
    GA_TRY(ga__study_real(study, "reciprocity", share));
    GA_TRY(ga__study_real(study, "reciprocity_ratio", ga__ratio(both / 2, m - both / 2)));
    status = ga__study_real(study, "reciprocity_rho", ga__ratio(share - density, 1 - density));
done:
    return status;
}
