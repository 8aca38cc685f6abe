/* dense.h - statistics by their definitions, on adjacency matrices: what the library's are compared with. */
#ifndef TEST_DENSE_H
#define TEST_DENSE_H

#include <math.h>

#include "tests/unit/check_sampling.h"

enum { SIZE = 14, FAR = 1000 };

typedef struct dense {
    int n;
    int edge[SIZE][SIZE], distance[SIZE][SIZE];
} dense;

static inline dense dense_of(const ga_graph *g)
{
    dense d = { .n = (int)g->nodes };
    for (int v = 0; v < d.n; v++) {
        for (int w = 0; w < d.n; w++) {
            d.distance[v][w] = v == w ? 0 : FAR;
        }
        for (int64_t e = g->out_offsets[v]; e < g->out_offsets[v + 1]; e++) {
            d.edge[v][g->out_targets[e]] = 1;
            d.distance[v][g->out_targets[e]] = 1;
        }
    }
    for (int k = 0; k < d.n; k++) {
        for (int v = 0; v < d.n; v++) {
            for (int w = 0; w < d.n; w++) {
                int by = d.distance[v][k] + d.distance[k][w];
                d.distance[v][w] = by < d.distance[v][w] ? by : d.distance[v][w];
            }
        }
    }
    return d;
}

static inline int dense_out(const dense *d, int v)
{
    int sum = 0;
    for (int w = 0; w < d->n; w++) {
        sum += d->edge[v][w];
    }
    return sum;
}

static inline int dense_in(const dense *d, int v)
{
    int sum = 0;
    for (int w = 0; w < d->n; w++) {
        sum += d->edge[w][v];
    }
    return sum;
}

static inline int dense_near(const dense *d, int v, int w)
{
    return v != w && (d->edge[v][w] || d->edge[w][v]);
}

/* The kind of three nodes: pairs joined both ways, one way, not at all, and a letter where that does not say all. */
static inline const char *dense_triad(const dense *d, int a, int b, int c)
{
    int node[3] = { a, b, c }, both = 0, one = 0, out[3] = { 0 }, in[3] = { 0 }, mutual[3] = { 0 };
    for (int i = 0; i < 3; i++) {
        for (int j = i + 1; j < 3; j++) {
            int to = d->edge[node[i]][node[j]], from = d->edge[node[j]][node[i]];
            both += to && from;
            one += to + from == 1;
            mutual[i] += to && from;
            mutual[j] += to && from;
            out[i] += to && !from;
            in[j] += to && !from;
            out[j] += from && !to;
            in[i] += from && !to;
        }
    }
    int most_out = 0, most_in = 0, third = 0; /* third: the node outside the only mutual pair */
    for (int i = 0; i < 3; i++) {
        most_out = out[i] > most_out ? out[i] : most_out;
        most_in = in[i] > most_in ? in[i] : most_in;
        third = mutual[i] == 0 ? i : third;
    }
    if (both == 0) {
        return one == 0        ? "003"
               : one == 1      ? "012"
               : one == 2      ? most_out == 2  ? "021D"
                                 : most_in == 2 ? "021U"
                                                : "021C"
               : most_out == 2 ? "030T"
                               : "030C";
    }
    if (both == 1) {
        return one == 0          ? "102"
               : one == 1        ? out[third] ? "111D" : "111U"
               : out[third] == 2 ? "120D"
               : in[third] == 2  ? "120U"
                                 : "120C";
    }
    return both == 3 ? "300" : one ? "210" : "201";
}

/* Largest k such that v is among nodes of which each has k or more edges from or to the others, or both. */
static inline int dense_coreness(const dense *d, int v, bool in, bool out)
{
    int best = 0;
    for (int k = 1; k <= 2 * d->n; k++) {
        bool alive[SIZE], changed = true;
        for (int u = 0; u < d->n; u++) {
            alive[u] = true;
        }
        while (changed) {
            changed = false;
            for (int u = 0; u < d->n; u++) {
                int degree = 0;
                for (int w = 0; w < d->n; w++) {
                    degree += alive[w] ? in * d->edge[w][u] + out * d->edge[u][w] : 0;
                }
                if (alive[u] && degree < k) {
                    alive[u] = false;
                    changed = true;
                }
            }
        }
        best = alive[v] ? k : best;
    }
    return best;
}

/* Pearson's correlation over edges. */
static inline double dense_correlation(const dense *d, int (*at_source)(const dense *, int),
                                       int (*at_target)(const dense *, int))
{
    double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int v = 0; v < d->n; v++) {
            for (int w = 0; w < d->n; w++) {
                if (d->edge[v][w] && pass == 0) {
                    n++;
                    x += at_source(d, v);
                    y += at_target(d, w);
                } else if (d->edge[v][w]) {
                    double dx = at_source(d, v) - x / n, dy = at_target(d, w) - y / n;
                    xx += dx * dx;
                    yy += dy * dy;
                    xy += dx * dy;
                }
            }
        }
    }
    return xx > 1e-9 && yy > 1e-9 ? xy / sqrt(xx * yy) : NAN;
}

/* Eigenvalues of a symmetric matrix by Jacobi's rotations, descending; destroys it. */
static inline void dense_eigenvalues(double a[SIZE][SIZE], int n, double *values)
{
    for (int sweep = 0; sweep < 60; sweep++) {
        for (int p = 0; p < n; p++) {
            for (int q = p + 1; q < n; q++) {
                double angle = 0.5 * atan2(2 * a[p][q], a[q][q] - a[p][p]), c = cos(angle), s = sin(angle);
                for (int k = 0; k < n; k++) {
                    double x = a[k][p], y = a[k][q];
                    a[k][p] = c * x - s * y;
                    a[k][q] = s * x + c * y;
                }
                for (int k = 0; k < n; k++) {
                    double x = a[p][k], y = a[q][k];
                    a[p][k] = c * x - s * y;
                    a[q][k] = s * x + c * y;
                }
            }
        }
    }
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && values[at - 1] < a[i][i]; at--) {
            values[at] = values[at - 1];
        }
        values[at] = a[i][i];
    }
}

#endif
