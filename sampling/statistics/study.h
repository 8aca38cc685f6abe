/* study.h - a graph while its statistics are taken: what several groups need is made once, on first use. */
#ifndef GA_SAMPLING_STATISTICS_STUDY_H
#define GA_SAMPLING_STATISTICS_STUDY_H

#include <graphattn/statistics.h>
#include <math.h>

#include "lib/base/base.h"

/* How a neighbour of the undirected view is joined: bits. */
enum { GA__GOES = 1, GA__COMES = 2, GA__BOTH = 3 };
/* The bits seen from the other end. */
static inline unsigned ga__turned(unsigned bits)
{
    return bits >> 1 | (bits & 1) << 1;
}

/* Triangles of the undirected view by their corners. */
typedef struct ga__triangles {
    bool counted, directed; /* directed: the last two are there */
    int64_t *at;            /* (nodes), owned: triangles at a node */
    /* (4, nodes), owned: closed walks v u w v along a cycle, with v in the middle, with both edges into v, with both out
     * of v: diagonals of A^3, A A^T A, A^T A A, A A A^T */
    int64_t *walks;
    int64_t kinds[64]; /* triangles by the bits of their three edges */
} ga__triangles;

/* Strongly connected components. */
typedef struct ga__strong {
    bool found;
    int64_t count;
    uint32_t *of;   /* (nodes), owned: number of a node's component, 0 .. count - 1 */
    int64_t *sizes; /* (count), owned */
} ga__strong;

typedef struct ga__study {
    ga_context *context;
    ga_graph *graph;
    const ga_statistics_options *options;
    ga_statistics *found;
    int64_t nodes, edges;
    ga_csr out, in; /* in: after ga__study_in */
    /* (nodes), owned, NULL until asked for */
    uint32_t *out_degree, *in_degree;
    uint32_t *near_degree, *mutual; /* neighbours of the undirected view; those joined both ways */
    bool wants_walks;               /* a chosen group needs the directed part of triangles */
    ga__triangles triangles;
    ga__strong strong;
} ga__study;

ga_status ga__study_in(ga__study *study);
ga_status ga__study_degrees(ga__study *study);
/* near_degree and mutual. */
ga_status ga__study_near(ga__study *study);
ga_status ga__study_triangles(ga__study *study);
ga_status ga__study_strong(ga__study *study);
void ga__study_clear(ga__study *study);

/* Sums over nodes. */
int64_t ga__study_sum(const uint32_t *values, int64_t count);

/* Runs visit for every neighbour of a node in the undirected view, ascending, with its bits; loops are left out. */
typedef struct ga__near_walk {
    const uint32_t *out, *out_end, *in, *in_end;
} ga__near_walk;
static inline ga__near_walk ga__near_begin(const ga__study *s, int64_t v)
{
    return (ga__near_walk){ s->out.targets + s->out.offsets[v], s->out.targets + s->out.offsets[v + 1],
                            s->in.targets + s->in.offsets[v], s->in.targets + s->in.offsets[v + 1] };
}
static inline bool ga__near_next(ga__near_walk *w, uint32_t *node, unsigned *bits)
{
    bool goes = w->out < w->out_end, comes = w->in < w->in_end;
    if (goes && comes) {
        goes = *w->out <= *w->in;
        comes = *w->in <= *w->out;
    }
    *node = goes ? *w->out : comes ? *w->in : 0;
    *bits = (goes ? GA__GOES : 0u) | (comes ? GA__COMES : 0u);
    w->out += goes;
    w->in += comes;
    return goes || comes;
}

/* ---- results ---- */

ga_status ga__study_integer(ga__study *study, const char *name, int64_t value);
ga_status ga__study_real(ga__study *study, const char *name, double value);
/* A count that may be larger than 64 bits hold. */
ga_status ga__study_count(ga__study *study, const char *name, double value);
ga_status ga__study_put(ga__study *study, const char *name, double value, bool integer, bool estimated);
/* Room for an array of the group, zero; *data stays owned by the statistics. */
ga_status ga__study_integers(ga__study *study, const char *name, int64_t count, int64_t **data);
ga_status ga__study_reals(ga__study *study, const char *name, int64_t count, double **data);

/* a / b, or not a number where b is 0. */
static inline double ga__ratio(double a, double b)
{
    return b == 0 ? NAN : a / b;
}

/* ---- groups: each puts all its values and arrays ---- */

ga_status ga__measure_size(ga__study *study);
ga_status ga__measure_nnz(ga__study *study);
ga_status ga__measure_reciprocity(ga__study *study);
ga_status ga__measure_assortativity(ga__study *study);
ga_status ga__measure_wcc(ga__study *study);
ga_status ga__measure_scc(ga__study *study);
ga_status ga__measure_bowtie(ga__study *study);
ga_status ga__measure_transitivity(ga__study *study);
ga_status ga__measure_clustering(ga__study *study);
ga_status ga__measure_clustering_directed(ga__study *study);
ga_status ga__measure_kcore(ga__study *study);
ga_status ga__measure_pagerank(ga__study *study);
ga_status ga__measure_powerlaw(ga__study *study);
ga_status ga__measure_hop_plot(ga__study *study);
ga_status ga__measure_triad_census(ga__study *study);
ga_status ga__measure_spectrum(ga__study *study);
ga_status ga__measure_labels(ga__study *study);

#endif
