/* pictures.c - an original and its samples, drawn: degrees, distances, clustering, joint degrees. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/contest.h"

enum { IN_DEGREES, OUT_DEGREES, HOPS, CLUSTERING, CURVES };
enum { MOST_MAPS = 6, GRAPHS = 1 + MOST_SAMPLES };

/* Everything that the panels show. */
struct pictures {
    session *s;
    int count;
    chart_panel panels[CURVES + MOST_MAPS];
    char names[GRAPHS][48], titles[MOST_MAPS][96];
    double *points[CURVES][GRAPHS]; /* owned: the x values of a curve, then its y values */
    chart_box *boxes[MOST_MAPS];    /* owned */
};

static const char *colour_of(int graph)
{
    static const char *const colours[] = { "#222222", "#1f5fa8", "#c2571a", "#3c7a34",
                                           "#8a3fa0", "#0f8a8a", "#b02a4a", "#8a6d1f" };
    return colours[(size_t)graph % (sizeof colours / sizeof *colours)];
}

/* The last part of a path, without what XML and a quoted text of gnuplot would take for something else. */
static void make_name(const char *path, char name[48])
{
    const char *slash = strrchr(path, '/');
    snprintf(name, 48, "%s", strcmp(path, "-") == 0 ? "standard input" : slash ? slash + 1 : path);
    for (char *c = name; *c; c++) {
        if (strchr("<>&\"'\\", *c) || (unsigned char)*c < 32 || (unsigned char)*c > 126) {
            *c = ' ';
        }
    }
}

/* ---- curves ---- */

/* A curve of a panel with room for count points; it shows none until its count is set. */
static ga_status new_curve(pictures *p, int panel, int graph, int64_t count, double **x, double **y)
{
    ga_status status = GA_NEW(p->s->context, 2 * count, &p->points[panel][graph]);
    if (status == GA_OK) {
        *x = p->points[panel][graph];
        *y = *x + count;
        p->panels[panel].curves[graph] =
            (chart_curve){ .name = p->names[graph], .colour = colour_of(graph), .x = *x, .y = *y };
        p->panels[panel].curve_count = graph + 1;
    }
    return status;
}

/* The share of nodes of at least each degree from 1 on that occurs. */
static ga_status draw_degrees(pictures *p, int panel, int graph, const uint32_t *degree, int64_t nodes)
{
    ga_status status = GA_OK;
    int64_t *number = NULL, above = nodes, kept = 0;
    uint32_t most = 0;
    double *x, *y;
    for (int64_t v = 0; v < nodes; v++) {
        most = degree[v] > most ? degree[v] : most;
    }
    GA_TRY(GA_NEW_ZERO(p->s->context, (int64_t)most + 1, &number));
    for (int64_t v = 0; v < nodes; v++) {
        number[degree[v]]++;
    }
    GA_TRY(new_curve(p, panel, graph, ga__min((int64_t)most + 1, nodes), &x, &y));
    for (int64_t d = 0; d <= (int64_t)most; d++) {
        if (d > 0 && number[d] > 0) {
            x[kept] = (double)d;
            y[kept++] = (double)above / (double)nodes;
        }
        above -= number[d];
    }
    p->panels[panel].curves[graph].count = kept;
done:
    ga_free(p->s->context, number);
    return status;
}

static ga_status draw_both_degrees(pictures *p, int graph, const ga_graph *g)
{
    ga_status status = GA_OK;
    uint32_t *out = NULL, *in = NULL;
    int64_t nodes = ga_graph_nodes(g);
    GA_TRY(GA_NEW(p->s->context, nodes, &out));
    GA_TRY(GA_NEW(p->s->context, nodes, &in));
    GA_TRY(ga_graph_degrees(p->s->context, g, out, in));
    GA_TRY(draw_degrees(p, IN_DEGREES, graph, in, nodes));
    GA_TRY(draw_degrees(p, OUT_DEGREES, graph, out, nodes));
done:
    ga_free(p->s->context, out);
    ga_free(p->s->context, in);
    return status;
}

/* The share of the connected pairs that are within a distance. */
static ga_status draw_hops(pictures *p, int graph, const DLTensor *plot)
{
    double *x, *y;
    int64_t count = plot->shape[0];
    const double *pairs = plot->data;
    ga_status status = new_curve(p, HOPS, graph, count, &x, &y);
    if (status == GA_OK) {
        for (int64_t h = 0; h < count; h++) {
            x[h] = (double)h;
            y[h] = pairs[h] / pairs[count - 1];
        }
        p->panels[HOPS].curves[graph].count = count;
    }
    return status;
}

/* The mean local clustering of the nodes of each degree from 2 on, degrees in bins that grow by an eighth. */
static ga_status draw_clustering(pictures *p, int graph, const DLTensor *local, const DLTensor *degree)
{
    enum { BINS = 512 };
    ga_status status = GA_OK;
    struct bin {
        double nodes, degrees, clustering;
    } *bins = NULL;
    double *x, *y;
    int64_t kept = 0;
    GA_TRY(GA_NEW_ZERO(p->s->context, BINS, &bins));
    GA_TRY(new_curve(p, CLUSTERING, graph, BINS, &x, &y));
    for (int64_t v = 0; v < local->shape[0]; v++) {
        double d = (double)((const int64_t *)degree->data)[v];
        if (d >= 2) {
            struct bin *bin = &bins[(int)fmin(BINS - 1, d < 16 ? d : floor(log(d / 16) / log(1.125)) + 16)];
            bin->nodes++;
            bin->degrees += d;
            bin->clustering += ((const double *)local->data)[v];
        }
    }
    for (int i = 0; i < BINS; i++) {
        if (bins[i].clustering > 0) {
            x[kept] = bins[i].degrees / bins[i].nodes;
            y[kept++] = bins[i].clustering / bins[i].nodes;
        }
    }
    p->panels[CLUSTERING].curves[graph].count = kept;
done:
    ga_free(p->s->context, bins);
    return status;
}

/* Statistics that only the pictures need. */
static ga_status draw_statistics(pictures *p, int graph, ga_graph *g)
{
    ga_status status = GA_OK;
    ga_statistics *found = NULL;
    ga_statistics_options options = GA_STATISTICS_OPTIONS_INIT;
    options.metrics = "hop_plot,clustering";
    GA_TRY(ga_statistics_compute(p->s->context, g, &options, &found));
    GA_TRY(draw_hops(p, graph, ga_statistics_array(found, "hop_plot")));
    GA_TRY(draw_clustering(p, graph, ga_statistics_array(found, "local_clustering"),
                           ga_statistics_array(found, "undirected_degree")));
done:
    ga_statistics_destroy(p->s->context, found);
    return status;
}

/* ---- joint degrees ---- */

/* Edges of a joint degree matrix by degrees in powers of two; the depth is the logarithm of their share, from one in a
 * million to one in ten. */
static ga_status draw_joint_degrees(pictures *p, int map, int graph, const ga_graph *g)
{
    enum { BINS = 33, CELLS = BINS * BINS }; /* degrees of 32 bits, none of them 0 */
    ga_status status = GA_OK;
    ga_matrices *matrices = NULL;
    double *sums = NULL;
    chart_panel *panel = &p->panels[CURVES + map];
    char name[sizeof p->names[graph]];
    memcpy(name, p->names[graph], sizeof name);
    snprintf(p->titles[map], sizeof p->titles[map], "joint degrees: %s", name);
    *panel = (chart_panel){ .title = p->titles[map],
                            .x_label = "out-degree of the source",
                            .y_label = "in-degree of the target",
                            .log_x = true,
                            .log_y = true,
                            .mark = NAN };
    GA_TRY(ga_matrices_count(p->s->context, g, NULL, &matrices));
    GA_TRY(GA_NEW_ZERO(p->s->context, CELLS, &sums));
    GA_TRY(GA_NEW(p->s->context, CELLS, &p->boxes[map]));
    ga_matrix_view jdm = ga_matrices_jdm(matrices);
    for (int64_t i = 0; i < jdm.cells; i++) {
        int row = (int)log2((double)jdm.row_degree[jdm.row[i]]);
        int column = (int)log2((double)jdm.column_degree[jdm.column[i]]);
        sums[row * BINS + column] += (double)jdm.count[i] / (double)jdm.total;
    }
    panel->boxes = p->boxes[map];
    for (int cell = 0; cell < CELLS; cell++) {
        if (sums[cell] > 0) {
            double x = ldexp(1, cell / BINS), y = ldexp(1, cell % BINS);
            p->boxes[map][panel->box_count++] =
                (chart_box){ x, y, 2 * x, 2 * y, (log10(sums[cell]) + 6) / 5 };
        }
    }
    p->count = CURVES + map + 1;
done:
    ga_free(p->s->context, sums);
    ga_matrices_destroy(p->s->context, matrices);
    return status;
}

/* ---- all ---- */

static void name_panels(pictures *p)
{
    p->panels[IN_DEGREES] = (chart_panel){ .title = "in-degrees",
                                           .x_label = "degree d",
                                           .y_label = "share of nodes of degree d or more",
                                           .log_x = true,
                                           .log_y = true,
                                           .mark = NAN };
    p->panels[OUT_DEGREES] = p->panels[IN_DEGREES];
    p->panels[OUT_DEGREES].title = "out-degrees";
    p->panels[HOPS] = (chart_panel){ .title = "distances",
                                     .x_label = "steps h",
                                     .y_label = "share of connected pairs within h",
                                     .whole_x = true,
                                     .from_zero = true,
                                     .key_below = true,
                                     .mark = NAN };
    p->panels[CLUSTERING] = (chart_panel){ .title = "clustering",
                                           .x_label = "neighbours",
                                           .y_label = "mean clustering",
                                           .log_x = true,
                                           .log_y = true,
                                           .mark = NAN };
    p->count = CURVES;
}

ga_status pictures_make(const contest *c, pictures **made)
{
    ga_status status = GA_OK;
    pictures *p = NULL;
    GA_TRY(GA_NEW_ZERO(c->s->context, 1, &p));
    p->s = c->s;
    name_panels(p);
    for (int graph = 0; graph <= c->samples; graph++) {
        make_name(c->paths[graph], p->names[graph]);
        GA_TRY(draw_both_degrees(p, graph, c->graphs[graph]));
        GA_TRY(draw_statistics(p, graph, c->graphs[graph]));
    }
    for (int map = 0; map < MOST_MAPS && map <= c->samples; map++) {
        int graph = map == 0 ? 0 : c->order[map - 1] + 1; /* the nearest ones */
        GA_TRY(draw_joint_degrees(p, map, graph, c->graphs[graph]));
    }
    *made = p;
    p = NULL;
done:
    pictures_destroy(c->s, p);
    return status;
}

const chart_panel *pictures_panels(const pictures *p, int *count)
{
    *count = p->count;
    return p->panels;
}

void pictures_destroy(session *s, pictures *p)
{
    for (int panel = 0; p && panel < CURVES; panel++) {
        for (int graph = 0; graph < GRAPHS; graph++) {
            ga_free(s->context, p->points[panel][graph]);
        }
    }
    for (int map = 0; p && map < MOST_MAPS; map++) {
        ga_free(s->context, p->boxes[map]);
    }
    ga_free(s->context, p);
}
