/* compare.c - ga_compare: distances of two graphs, each with the statistics that it needs. */
#include "config.h"

#include <graphattn/compare.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sampling/compare/degree_pair.h"

enum { MOST_DISTANCES = 32 };

struct ga_comparison {
    double ratio;
    int64_t nodes[2];
    ga_statistics *of[2];
    int64_t count;
    ga_distance distances[MOST_DISTANCES];
};

static void add(ga_comparison *c, const char *name, double value, double seconds)
{
    c->distances[c->count++] = (ga_distance){ name, value, seconds };
}

/* ---- from the matrices ---- */

static ga_status compare_matrices(ga_context *context, const ga_graph *a, const ga_graph *b, ga_comparison *c)
{
    ga_status status = GA_OK;
    double started = ga__now();
    ga_matrices *of_a = NULL, *of_b = NULL;
    ga__degree_pair pair = { 0 };
    ga__degree_distances d;
    GA_TRY(ga_matrices_count(context, a, NULL, &of_a));
    GA_TRY(ga_matrices_count(context, b, NULL, &of_b));
    GA_TRY(ga__degree_pair_open(context, of_a, of_b, &pair));
    GA_TRY(ga__degree_distances_of(context, &pair, c->ratio, &d));
    double spent = ga__now() - started;
    add(c, "ks_in", d.ks_in, spent);
    add(c, "ks_out", d.ks_out, spent);
    add(c, "ks_total", d.ks_total, spent);
    add(c, "jdd_tv", d.jdd_tv, spent);
    add(c, "jdd_l1", 2 * d.jdd_tv, spent);
    add(c, "jdd_tv_log2", d.jdd_tv_log2, spent);
    add(c, "dcd_tv", d.dcd_tv, spent);
    add(c, "dcd_l1", 2 * d.dcd_tv, spent);
    add(c, "dcd_tv_log2", d.dcd_tv_log2, spent);
    add(c, "jdm_l1_counts", d.jdm_l1, spent);
    add(c, "dcm_l1_counts", d.dcm_l1, spent);
done:
    ga__degree_pair_clear(context, &pair);
    ga_matrices_destroy(context, of_b);
    ga_matrices_destroy(context, of_a);
    return status;
}

/* ---- from arrays of statistics ---- */

static double element(const DLTensor *array, int64_t i)
{
    return array->dtype.code == kDLInt ? (double)((const int64_t *)array->data)[i]
                                       : ((const double *)array->data)[i];
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Largest difference of the shares of values up to x. digits: values are factor times the element, rounded to so many
 * digits behind the point, since equal values must compare equal; -1 = taken as they are. */
static ga_status kolmogorov(ga_context *context, const DLTensor *const array[2], const double factor[2],
                            int digits, double *ks)
{
    ga_status status = GA_OK;
    double *sorted[2] = { NULL, NULL }, unit = digits < 0 ? 0 : pow(10, digits);
    int64_t count[2] = { array[0]->shape[0], array[1]->shape[0] }, at[2] = { 0, 0 };
    *ks = count[0] > 0 && count[1] > 0 ? 0 : NAN;
    for (int side = 0; side < 2; side++) {
        GA_TRY(GA_NEW(context, count[side], &sorted[side]));
        for (int64_t i = 0; i < count[side]; i++) {
            double x = factor[side] * element(array[side], i);
            sorted[side][i] = unit > 0 ? round(x * unit) / unit : x;
        }
        qsort(sorted[side], (size_t)count[side], sizeof(double), by_value);
    }
    while (at[0] < count[0] && at[1] < count[1]) {
        double x = fmin(sorted[0][at[0]], sorted[1][at[1]]);
        for (int side = 0; side < 2; side++) {
            while (at[side] < count[side] && sorted[side][at[side]] <= x) {
                at[side]++;
            }
        }
        *ks = fmax(*ks, fabs((double)at[0] / (double)count[0] - (double)at[1] / (double)count[1]));
    }
done:
    ga_free(context, sorted[0]);
    ga_free(context, sorted[1]);
    return status;
}

/* Both graphs' array of a name; false when its group was not chosen. */
static bool arrays_of(const ga_comparison *c, const char *name, const DLTensor *array[2])
{
    array[0] = ga_statistics_array(c->of[0], name);
    array[1] = ga_statistics_array(c->of[1], name);
    return array[0] && array[1];
}

static ga_status compare_laws(ga_context *context, ga_comparison *c)
{
    static const struct {
        const char *array, *name;
        bool times_nodes;
    } laws[] = { { "coreness_all", "ks_coreness_all", false }, { "coreness_in", "ks_coreness_in", false },
                 { "coreness_out", "ks_coreness_out", false }, { "pagerank", "ks_pagerank", true },
                 { "wcc_sizes", "ks_wcc_size", false },        { "scc_sizes", "ks_scc_size", false } };
    ga_status status = GA_OK;
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        double started = ga__now(), ks, factor[2] = { 1, 1 };
        const DLTensor *array[2];
        if (!arrays_of(c, laws[i].array, array)) {
            continue;
        }
        if (laws[i].times_nodes) {
            factor[0] = (double)c->nodes[0];
            factor[1] = (double)c->nodes[1];
        }
        GA_TRY(kolmogorov(context, array, factor, laws[i].times_nodes ? 12 : -1, &ks));
        add(c, laws[i].name, ks, ga__now() - started);
    }
done:
    return status;
}

/* Pairs within h steps, as a share of all that are connected; the last entry stands for all longer distances. */
static double share_within(const DLTensor *plot, int64_t h)
{
    int64_t last = plot->shape[0] - 1;
    return element(plot, ga__min(h, last)) / element(plot, last);
}

static void compare_hop_plots(ga_comparison *c)
{
    double started = ga__now(), worst = NAN;
    const DLTensor *plot[2];
    if (!arrays_of(c, "hop_plot", plot)) {
        return;
    }
    if (c->nodes[0] > 0 && c->nodes[1] > 0) {
        worst = 0;
        for (int64_t h = 0; h < ga__max(plot[0]->shape[0], plot[1]->shape[0]); h++) {
            worst = fmax(worst, fabs(share_within(plot[0], h) - share_within(plot[1], h)));
        }
    }
    add(c, "ks_hop_plot", worst, ga__now() - started);
}

static void compare_spectra(ga_comparison *c)
{
    double started = ga__now(), sum = 0;
    const DLTensor *values[2];
    if (!arrays_of(c, "singular_values", values)) {
        return;
    }
    for (int64_t i = 0; i < 5; i++) {
        double share[2];
        for (int side = 0; side < 2; side++) {
            double first = values[side]->shape[0] > 0 ? element(values[side], 0) : 0;
            share[side] = first > 0 && i < values[side]->shape[0] ? element(values[side], i) / first : 0;
        }
        sum += (share[0] - share[1]) * (share[0] - share[1]);
    }
    add(c, "scree_l2", sqrt(sum), ga__now() - started);
}

static void compare_triads(ga_comparison *c)
{
    static const char *const connected[] = { "021D", "021U", "021C", "111D", "111U", "030T", "030C",
                                             "201",  "120D", "120U", "120C", "210",  "300" };
    enum { TYPES = sizeof connected / sizeof *connected };
    double started = ga__now(), number[2][TYPES], all[2] = { 0, 0 }, sum = 0;
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < TYPES; i++) {
            char name[32];
            snprintf(name, sizeof name, "triad_census.%s", connected[i]);
            const ga_statistic *found = ga_statistics_find(c->of[side], name);
            if (!found) {
                return;
            }
            number[side][i] = found->value;
            all[side] += found->value;
        }
    }
    for (int i = 0; i < TYPES; i++) {
        sum += fabs(number[0][i] / all[0] - number[1][i] / all[1]);
    }
    add(c, "triad_tv", sum / 2, ga__now() - started);
}

/* ---- the call ---- */

static ga_status check(ga_context *context, const ga_graph *a, const ga_graph *b,
                       const ga_compare_options *options)
{
    if (!a || !b) {
        return ga__fail(context, GA_INVALID, "two graphs are needed");
    }
    if (!(options->ratio >= 0 && isfinite(options->ratio))) {
        return ga__fail(context, GA_INVALID, "ratio: %g is not a finite number from 0", options->ratio);
    }
    if (options->statistics.labels) {
        return ga__fail(context, GA_INVALID, "labels: the two graphs cannot share them");
    }
    return GA_OK;
}

ga_status ga_compare(ga_context *context, ga_graph *a, ga_graph *b, const ga_compare_options *options,
                     ga_comparison **comparison)
{
    static const ga_compare_options initial = GA_COMPARE_OPTIONS_INIT;
    ga_status status = GA_OK;
    ga_comparison *c = NULL;
    ga__begin(context);
    options = options ? options : &initial;
    GA_TRY(check(context, a, b, options));
    GA_TRY(GA_NEW_ZERO(context, 1, &c));
    c->nodes[0] = ga_graph_nodes(a);
    c->nodes[1] = ga_graph_nodes(b);
    c->ratio = options->ratio > 0 ? options->ratio
               : c->nodes[0] > 0  ? (double)c->nodes[1] / (double)c->nodes[0]
                                  : 1;
    GA_TRY(compare_matrices(context, a, b, c));
    GA_TRY(ga_statistics_compute(context, a, &options->statistics, &c->of[0]));
    GA_TRY(ga_statistics_compute(context, b, &options->statistics, &c->of[1]));
    GA_TRY(compare_laws(context, c));
    compare_hop_plots(c);
    compare_spectra(c);
    compare_triads(c);
    *comparison = c;
    c = NULL;
done:
    ga_comparison_destroy(context, c);
    return status;
}

void ga_comparison_destroy(ga_context *context, ga_comparison *c)
{
    if (c) {
        ga_statistics_destroy(context, c->of[0]);
        ga_statistics_destroy(context, c->of[1]);
        ga_free(context, c);
    }
}

int64_t ga_comparison_count(const ga_comparison *c)
{
    return c->count;
}

const ga_distance *ga_comparison_distance(const ga_comparison *c, int64_t index)
{
    return index >= 0 && index < c->count ? &c->distances[index] : NULL;
}

const ga_distance *ga_comparison_find(const ga_comparison *c, const char *name)
{
    for (int64_t i = 0; i < c->count; i++) {
        if (strcmp(c->distances[i].name, name) == 0) {
            return &c->distances[i];
        }
    }
    return NULL;
}

double ga_comparison_ratio(const ga_comparison *c)
{
    return c->ratio;
}

const ga_statistics *ga_comparison_statistics(const ga_comparison *c, int side)
{
    return side == 0 || side == 1 ? c->of[side] : NULL;
}
