/* clustering.c - what follows from the triangles: clustering, directed clustering, the census of triads. */
#include "config.h"

#include <math.h>

#include "sampling/statistics/study.h"

__extension__ typedef __int128 wide;

/* ---- undirected ---- */

static wide pairs(int64_t n)
{
    return (wide)n * (n - 1) / 2;
}

ga_status ga__measure_transitivity(ga__study *study)
{
    ga_status status = GA_OK;
    wide closed = 0, all = 0;
    GA_TRY(ga__study_triangles(study));
    for (int64_t v = 0; v < study->nodes; v++) {
        closed += study->triangles.at[v];
        all += pairs(study->near_degree[v]);
    }
    status = ga__study_real(study, "transitivity", ga__ratio((double)closed, (double)all));
done:
    return status;
}

ga_status ga__measure_clustering(ga__study *study)
{
    ga_status status = GA_OK;
    double *local = NULL, sum = 0;
    int64_t *degree = NULL, counted = 0;
    GA_TRY(ga__study_triangles(study));
    GA_TRY(ga__study_reals(study, "local_clustering", study->nodes, &local));
    GA_TRY(ga__study_integers(study, "undirected_degree", study->nodes, &degree));
    for (int64_t v = 0; v < study->nodes; v++) {
        degree[v] = study->near_degree[v];
        if (degree[v] >= 2) {
            local[v] = (double)study->triangles.at[v] / (double)pairs(degree[v]);
            sum += local[v];
            counted++;
        }
    }
    GA_TRY(ga__study_real(study, "clustering", ga__ratio(sum, (double)study->nodes)));
    status = ga__study_real(study, "clustering_nonzero", ga__ratio(sum, (double)counted));
done:
    return status;
}

/* ---- directed ---- */

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* Fagiolo, Clustering in complex directed networks, Phys. Rev. E 76 (2007): eq. 8 and table 1, 0 where there are no
 * pairs of edges, means over all nodes. */
ga_status ga__measure_clustering_directed(ga__study *study)
{
    static const char *const names[] = { "clustering_cycle", "clustering_middleman", "clustering_in",
                                         "clustering_out" };
    ga_status status = GA_OK;
    double all = 0, kind[4] = { 0 }, n = (double)study->nodes;
    GA_TRY(ga__study_degrees(study));
    GA_TRY(ga__study_triangles(study));
    for (int64_t v = 0; v < study->nodes; v++) {
        double in = study->in_degree[v], out = study->out_degree[v], both = study->mutual[v], sum = 0;
        const double places[] = { in * out - both, in * out - both, in * (in - 1), out * (out - 1) };
        for (int i = 0; i < 4; i++) {
            double walks = (double)study->triangles.walks[i * study->nodes + v];
            kind[i] += share(walks, places[i]);
            sum += walks;
        }
        all += share(sum, (in + out) * (in + out - 1) - 2 * both);
    }
    GA_TRY(ga__study_real(study, "clustering_directed", ga__ratio(all, n)));
    for (int i = 0; i < 4; i++) {
        GA_TRY(ga__study_real(study, names[i], ga__ratio(kind[i], n)));
    }
done:
    return status;
}

/* ---- the census: Holland and Leinhardt's 16 kinds ---- */

enum {
    T003,
    T012,
    T102,
    T021D,
    T021U,
    T021C,
    T111D,
    T111U,
    T030T,
    T030C,
    T201,
    T120D,
    T120U,
    T120C,
    T210,
    T300,
    KINDS
};
static const char *const triads[KINDS] = { "triad_census.003",  "triad_census.012",  "triad_census.102",
                                           "triad_census.021D", "triad_census.021U", "triad_census.021C",
                                           "triad_census.111D", "triad_census.111U", "triad_census.030T",
                                           "triad_census.030C", "triad_census.201",  "triad_census.120D",
                                           "triad_census.120U", "triad_census.120C", "triad_census.210",
                                           "triad_census.300" };
/* Pairs of a kind that are joined one way, and both ways. */
static const int one_way[KINDS] = { 0, 1, 0, 2, 2, 2, 1, 1, 3, 3, 0, 2, 2, 2, 1, 0 };
static const int both_ways[KINDS] = { 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 2, 1, 1, 1, 2, 3 };

/* The kind of two pairs with one node in common and no edge between the others, by the bits from that node. */
static int open_kind(unsigned a, unsigned b)
{
    if (a == GA__BOTH || b == GA__BOTH) {
        unsigned other = a == GA__BOTH ? b : a;
        return other == GA__BOTH ? T201 : other == GA__GOES ? T111U : T111D;
    }
    return a != b ? T021C : a == GA__GOES ? T021D : T021U;
}

/* Bits of the edges from the third node to a pair that is joined both ways. */
static int closed_kind_of_one(unsigned to_first, unsigned to_second)
{
    return to_first != to_second ? T120C : to_first == GA__GOES ? T120D : T120U;
}

/* a, b: bits from the first corner to the others, c: from the second to the third. */
static int closed_kind(unsigned a, unsigned b, unsigned c)
{
    int both = (a == GA__BOTH) + (b == GA__BOTH) + (c == GA__BOTH);
    if (both >= 2) {
        return both == 3 ? T300 : T210;
    }
    if (both == 0) {
        return a != b && c == a ? T030C : T030T;
    }
    return a == GA__BOTH   ? closed_kind_of_one(ga__turned(b), ga__turned(c))
           : b == GA__BOTH ? closed_kind_of_one(ga__turned(a), c)
                           : closed_kind_of_one(a, b);
}

/* Triples around every node, open and closed, by their kind when open. */
static void count_triples(const ga__study *study, wide *count)
{
    for (int64_t v = 0; v < study->nodes; v++) {
        int64_t both = study->mutual[v], goes = study->out_degree[v] - both,
                comes = study->in_degree[v] - both;
        count[T021D] += pairs(goes);
        count[T021U] += pairs(comes);
        count[T021C] += (wide)goes * comes;
        count[T111U] += (wide)both * goes;
        count[T111D] += (wide)both * comes;
        count[T201] += pairs(both);
    }
}

/* The closed ones are triangles, and were counted three times among the triples. */
static void take_triangles(const ga__study *study, wide *count)
{
    for (unsigned i = 0; i < 64; i++) {
        unsigned a = i & 3, b = i >> 2 & 3, c = i >> 4;
        wide found = study->triangles.kinds[i];
        if (found > 0) {
            count[closed_kind(a, b, c)] += found;
            count[open_kind(a, b)] -= found;
            count[open_kind(ga__turned(a), c)] -= found;
            count[open_kind(ga__turned(b), ga__turned(c))] -= found;
        }
    }
}

ga_status ga__measure_triad_census(ga__study *study)
{
    ga_status status = GA_OK;
    wide count[KINDS] = { 0 }, n = study->nodes, connected = 0;
    GA_TRY(ga__study_degrees(study));
    GA_TRY(ga__study_triangles(study));
    count_triples(study, count);
    take_triangles(study, count);
    wide both = ga__study_sum(study->mutual, study->nodes) / 2;
    count[T012] = n < 2 ? 0 : (study->edges - 2 * both) * (n - 2);
    count[T102] = n < 2 ? 0 : both * (n - 2);
    for (int i = T021D; i < KINDS; i++) {
        count[T012] -= count[i] * one_way[i];
        count[T102] -= count[i] * both_ways[i];
        connected += count[i];
    }
    count[T003] = n * (n - 1) * (n - 2) / 6 - connected - count[T012] - count[T102];
    for (int i = 0; i < KINDS; i++) {
        GA_TRY(ga__study_count(study, triads[i], (double)count[i]));
    }
done:
    return status;
}
