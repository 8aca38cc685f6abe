/* mixing.c - what the ends of edges have in common: correlation of degrees, labels. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "lib/base/workers.h"
#include "sampling/statistics/study.h"

enum { PIECE = 1 << 12 };
__extension__ typedef unsigned __int128 wide;

/* ---- degrees ---- */

enum { OUT, IN, SIDES };

/* Whole numbers, so that their order does not matter. x: degrees of sources, y: of targets, by side. */
typedef struct sums {
    wide x[SIDES], y[SIDES], xx[SIDES], yy[SIDES], xy[SIDES][SIDES];
} sums;

typedef struct degree_mixing {
    const ga__study *study;
    sums *parts; /* of each worker */
} degree_mixing;

/* What edges of one source add: its own degrees come from the number of its edges. */
static void add_source(const ga__study *study, int64_t v, sums *s)
{
    const uint32_t *const degree[SIDES] = { study->out_degree, study->in_degree };
    uint64_t sum[SIDES] = { 0, 0 };
    wide squares[SIDES] = { 0, 0 };
    for (int64_t e = study->out.offsets[v]; e < study->out.offsets[v + 1]; e++) {
        uint32_t w = study->out.targets[e];
        for (int side = 0; side < SIDES; side++) {
            uint64_t y = degree[side][w];
            sum[side] += y;
            squares[side] += y * y;
        }
    }
    uint64_t edges = degree[OUT][v];
    for (int i = 0; i < SIDES; i++) {
        uint64_t x = degree[i][v];
        s->x[i] += (wide)edges * x;
        s->xx[i] += (wide)edges * x * x;
        s->y[i] += sum[i];
        s->yy[i] += squares[i];
        for (int j = 0; j < SIDES; j++) {
            s->xy[i][j] += (wide)x * sum[j];
        }
    }
}

static void degree_piece(void *user, int worker, int64_t from, int64_t to)
{
    degree_mixing *m = user;
    for (int64_t v = from; v < to; v++) {
        add_source(m->study, v, &m->parts[worker]);
    }
}

static void add_up(sums *total, const sums *part)
{
    for (int i = 0; i < SIDES; i++) {
        total->x[i] += part->x[i];
        total->y[i] += part->y[i];
        total->xx[i] += part->xx[i];
        total->yy[i] += part->yy[i];
        for (int j = 0; j < SIDES; j++) {
            total->xy[i][j] += part->xy[i][j];
        }
    }
}

/* (m S_xy - S_x S_y) / sqrt((m S_xx - S_x^2) (m S_yy - S_y^2)); the differences are exact. */
static double correlation(const sums *s, int64_t edges, int i, int j)
{
    wide m = (wide)edges;
    long double var_x = (long double)(m * s->xx[i] - s->x[i] * s->x[i]);
    long double var_y = (long double)(m * s->yy[j] - s->y[j] * s->y[j]);
    wide a = m * s->xy[i][j], b = s->x[i] * s->y[j];
    long double both = a >= b ? (long double)(a - b) : -(long double)(b - a);
    return var_x > 0 && var_y > 0 ? (double)(both / sqrtl(var_x * var_y)) : NAN;
}

ga_status ga__measure_assortativity(ga__study *study)
{
    ga_status status = GA_OK;
    int threads = ga__piece_threads(study->context, study->nodes, PIECE);
    degree_mixing m = { study, NULL };
    sums total = { { 0 }, { 0 }, { 0 }, { 0 }, { { 0 } } };
    GA_TRY(ga__study_degrees(study));
    GA_TRY(GA_NEW_ZERO(study->context, threads, &m.parts));
    GA_TRY(ga__pieces(study->context, study->nodes, PIECE, degree_piece, &m));
    for (int i = 0; i < threads; i++) {
        add_up(&total, &m.parts[i]);
    }
    GA_TRY(ga__study_real(study, "assortativity.out_in", correlation(&total, study->edges, OUT, IN)));
    GA_TRY(ga__study_real(study, "assortativity.in_out", correlation(&total, study->edges, IN, OUT)));
    GA_TRY(ga__study_real(study, "assortativity.out_out", correlation(&total, study->edges, OUT, OUT)));
    status = ga__study_real(study, "assortativity.in_in", correlation(&total, study->edges, IN, IN));
done:
    ga_free(study->context, m.parts);
    return status;
}

/* ---- labels ---- */

/* Edges with a node of unknown label (-1) do not count. */
typedef struct label_mixing {
    int64_t known, same; /* edges */
    double homophily;    /* sum over nodes of the share of neighbours of their label */
    int64_t nodes;       /* that have such neighbours */
    wide products;       /* sum over labels of (edges from it) (edges to it) */
} label_mixing;

static void mix_node(const ga__study *study, int64_t v, label_mixing *m)
{
    const int64_t *label = study->options->labels;
    int64_t known = 0, same = 0;
    ga__near_walk walk = ga__near_begin(study, v);
    uint32_t node;
    unsigned bits;
    if (label[v] < 0) {
        return;
    }
    while (ga__near_next(&walk, &node, &bits)) {
        if (label[node] >= 0) {
            known++;
            same += label[node] == label[v];
            m->known += (bits & GA__GOES) != 0;
            m->same += (bits & GA__GOES) && label[node] == label[v];
        }
    }
    if (known > 0) {
        m->homophily += (double)same / (double)known;
        m->nodes++;
    }
}

typedef struct ends {
    int64_t label, from, to; /* edges that leave nodes of a label, that reach them */
} ends;

static int by_label(const void *a, const void *b)
{
    const ends *x = a, *y = b;
    return (x->label > y->label) - (x->label < y->label);
}

/* One entry a node with its known edges, joined by label. */
static ga_status count_ends(const ga__study *study, label_mixing *m)
{
    ga_status status = GA_OK;
    const int64_t *label = study->options->labels;
    ends *list = NULL;
    GA_TRY(GA_NEW(study->context, study->nodes, &list));
    for (int64_t v = 0; v < study->nodes; v++) {
        list[v] = (ends){ label[v], 0, 0 };
        for (int64_t e = study->out.offsets[v]; label[v] >= 0 && e < study->out.offsets[v + 1]; e++) {
            list[v].from += label[study->out.targets[e]] >= 0;
        }
        for (int64_t e = study->in.offsets[v]; label[v] >= 0 && e < study->in.offsets[v + 1]; e++) {
            list[v].to += label[study->in.targets[e]] >= 0;
        }
    }
    qsort(list, (size_t)study->nodes, sizeof *list, by_label);
    for (int64_t i = 0, j; i < study->nodes; i = j) {
        int64_t from = 0, to = 0;
        for (j = i; j < study->nodes && list[j].label == list[i].label; j++) {
            from += list[j].from;
            to += list[j].to;
        }
        m->products += (wide)from * (wide)to;
    }
done:
    ga_free(study->context, list);
    return status;
}

/* Newman (2003): (share of equal ends - what chance gives) / (1 - what chance gives). */
ga_status ga__measure_labels(ga__study *study)
{
    ga_status status = GA_OK;
    label_mixing m = { 0 };
    GA_TRY(ga__study_in(study));
    for (int64_t v = 0; v < study->nodes; v++) {
        mix_node(study, v, &m);
    }
    GA_TRY(count_ends(study, &m));
    double same = ga__ratio((double)m.same, (double)m.known);
    double chance = ga__ratio((double)m.products, (double)m.known * (double)m.known);
    GA_TRY(ga__study_real(study, "label.edge_homophily", same));
    GA_TRY(ga__study_real(study, "label.node_homophily", ga__ratio(m.homophily, (double)m.nodes)));
    status = ga__study_real(study, "label.assortativity", ga__ratio(same - chance, 1 - chance));
done:
    return status;
}
