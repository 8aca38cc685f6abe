/* rank.c - PageRank and what it says of a graph. */
#include "config.h"

#include <math.h>

#include "sampling/classical/power.h"
#include "sampling/statistics/study.h"

ga_status ga__measure_pagerank(ga__study *study)
{
    ga_status status = GA_OK;
    const uint64_t *ids = ga_graph_ids(study->graph);
    double *rank = NULL, entropy = 0;
    int64_t best = 0;
    GA_TRY(ga__study_in(study));
    GA_TRY(ga__study_degrees(study));
    GA_TRY(ga__study_reals(study, "pagerank", study->nodes, &rank));
    ga__links links = { study->nodes, study->in.offsets, study->in.targets, study->out_degree, NULL };
    GA_TRY(ga__power(study->context, &links, study->options->alpha, 1e-12, rank));
    for (int64_t v = 0; v < study->nodes; v++) {
        best = rank[v] > rank[best] ? v : best;
        entropy -= rank[v] > 0 ? rank[v] * log(rank[v]) : 0;
    }
    bool none = study->nodes == 0;
    GA_TRY(ga__study_real(study, "pagerank.max", none ? NAN : rank[best]));
    GA_TRY(ga__study_put(study, "pagerank.argmax",
                         none  ? NAN
                         : ids ? (double)ids[best]
                               : (double)best,
                         true, false));
    status = ga__study_real(study, "pagerank.entropy", none ? NAN : entropy);
done:
    return status;
}
