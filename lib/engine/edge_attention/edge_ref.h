/* edge_ref.h - message passing in double precision, plain loops: what its two directions share. */
#ifndef GA_LIB_ENGINE_EDGE_REF_H
#define GA_LIB_ENGINE_EDGE_REF_H

#include <math.h>
#include <string.h>

#include "lib/base/workers.h"
#include "lib/engine/edge_attention/edge.h"

enum { GA__REFERENCE_ROWS = 64 }; /* of a unit of work */

typedef struct ga__reference {
    ga_context *context;
    const ga__edge_problem *p;
    const ga__edge_outputs *out; /* forward */
    const ga__edge_slopes *s;    /* backward */
    const ga_transposed *transposed;
    int64_t longest, room; /* edges of the longest row; doubles of a worker */
    double *scratch;
    double *ds, *wm; /* (count, heads): gradient of the score's sum, factor of grad y in the gradient of v */
    double *datt, *dp;  /* (units, heads, width), (units) */
    double *dr, *dmaps; /* (targets, heads): gradient of r; (source units, 2, heads, width_v): of the maps */
    int64_t next, units, rows;
    int status;
} ga__reference;

typedef struct ga__reference_row {
    double *q, *k, *v, *g, *y, *d;             /* rows of features */
    double *score, *raw, *weight, *sum, *most; /* (edges of the row, heads); (heads) */
} ga__reference_row;

static inline ga__reference_row ga__reference_row_at(const ga__reference *r, int worker)
{
    const ga__edge_problem *p = r->p;
    int64_t x = p->heads * p->width, y = p->heads * p->width_v, edges = r->longest * p->heads;
    double *base = r->scratch + worker * r->room;
    ga__reference_row t = { .q = base, .k = base + x };
    t.d = t.k + x;
    t.v = t.d + x;
    t.g = t.v + y;
    t.y = t.g + y;
    t.score = t.y + y;
    t.raw = t.score + edges;
    t.weight = t.raw + edges;
    t.sum = t.weight + edges;
    t.most = t.sum + p->heads;
    return t;
}

static inline double ga__ref_number(const ga__view *view, int64_t at, int64_t column, double otherwise)
{
    return view->data ? ga__view_get(view, 0, 0, at, column) : otherwise;
}

static inline double ga__ref_norm(const double *x, int64_t width)
{
    double sum = 0;
    for (int64_t c = 0; c < width; c++) {
        sum += x[c] * x[c];
    }
    return sqrt(sum) <= 1e-12 ? 0 : 1 / sqrt(sum);
}

static inline double ga__ref_slope(const ga__edge_problem *p, double u)
{
    return u > 0 ? 1 : p->given->slope;
}

static inline bool ga__ref_pairs(const ga__edge_problem *p)
{
    return p->q.data != NULL;
}

static inline double ga__ref_sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static inline double ga__ref_factor(const ga__edge_problem *p, int64_t n)
{
    return p->given->normaliser.length_scale ? log((double)p->width) * log((double)n) : 1;
}

/* tau of the p-Laplacian from the squared distance, and its weight. */
static inline double ga__ref_laplacian(const ga__edge_problem *p, int64_t e, double distance, double *tau)
{
    double w = ga__ref_number(&p->weight, 0, e, 1), power = p->given->p;
    *tau = w * distance + p->given->guard * p->given->guard;
    double m = power == 2 ? w : *tau == 0 ? 0 : w * pow(*tau, (power - 2) / 2);
    return isinf(m) ? 0 : m;
}

static inline double ga__ref_divisor(const ga__edge_problem *p, double sum)
{
    double eps = p->given->normaliser.eps;
    switch (p->given->normaliser.kind) {
    case GA_SOFTMAX:
    case GA_SOFTPLUS: return sum == 0 ? INFINITY : sum;
    case GA_RELU_L1: return sum <= eps ? eps : sum;
    default: return 1;
    }
}

/* What multiplies the finished weight of an edge. */
static inline double ga__ref_mask(const ga__edge_problem *p, int64_t e, int64_t h)
{
    const ga_keep *keep = &p->given->keep_weights;
    double m = ga__ref_number(&p->mask, e, h, 1);
    return !keep->bits ? m : ga__kept(keep->bits, e * p->heads + h) ? m * keep->scale : 0;
}

/* Dropout of the values of source j, or of their gradient. */
static inline void ga__ref_drop(const ga__edge_problem *p, int64_t j, double *v)
{
    const ga_keep *keep = &p->given->keep_values;
    for (int64_t c = 0; keep->bits && c < p->v.columns; c++) {
        v[c] = ga__kept(keep->bits, j * p->v.columns + c) ? v[c] * keep->scale : 0;
    }
}

/* Scores of target i and its weights before division, their sum, most (the shift of softmax). */
void ga__reference_weights(const ga__reference *r, ga__reference_row *t, int64_t i);
/* Room for the scratch of all workers. */
ga_status ga__reference_room(ga__reference *r);
/* body with each row below rows, in units of GA__REFERENCE_ROWS. */
typedef void (*ga__reference_fn)(const ga__reference *r, ga__reference_row *t, int64_t row, int64_t unit);
ga_status ga__reference_run(ga__reference *r, int64_t rows, ga__reference_fn body);

#endif
