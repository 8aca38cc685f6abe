/* degree_pair.c - two graphs' degree matrices over one list of degrees, and their distances. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "sampling/compare/degree_pair.h"

/* ---- both over the same degrees ---- */

/* Union of two ascending lists of degrees. */
static ga_status unite(ga_context *context, const ga__classes *a, const ga__classes *b, int64_t **degree,
                       int64_t *count, int32_t **map_a, int32_t **map_b)
{
    ga_status status = GA_OK;
    int64_t i = 0, j = 0, kept = 0;
    GA_TRY(GA_NEW(context, a->count + b->count, degree));
    GA_TRY(GA_NEW(context, a->count, map_a));
    GA_TRY(GA_NEW(context, b->count, map_b));
    while (i < a->count || j < b->count) {
        bool first = j == b->count || (i < a->count && a->degree[i] <= b->degree[j]);
        int64_t d = first ? a->degree[i] : b->degree[j];
        if (kept == 0 || (*degree)[kept - 1] != d) {
            (*degree)[kept++] = d;
        }
        if (first) {
            (*map_a)[i++] = (int32_t)(kept - 1);
        } else {
            (*map_b)[j++] = (int32_t)(kept - 1);
        }
    }
    *count = kept;
done:
    return status;
}

static ga_status by_degree(ga_context *context, const ga__cells *cells, const int32_t *row,
                           const int32_t *column, int64_t rows, int64_t columns, ga__tally *tally)
{
    ga_status status = GA_OK;
    GA_TRY(ga__tally_reserve(context, tally, cells->count));
    for (int64_t i = 0; i < cells->count; i++) {
        GA_TRY(ga__tally_add(context, tally, row[cells->row[i]], column[cells->column[i]], cells->entry[i]));
    }
    GA_TRY(ga__tally_sort(context, tally, rows, columns));
done:
    return status;
}

static ga_status count_side(ga_context *context, const ga__degree_pair *pair, const ga_matrices *m,
                            const int32_t *out, const int32_t *in, ga__degree_side *to)
{
    ga_status status = GA_OK;
    to->nodes = m->dcm.total;
    to->edges = m->jdm.total;
    GA_TRY(by_degree(context, &m->jdm, out, in, pair->outs, pair->ins, &to->jdm));
    GA_TRY(by_degree(context, &m->dcm, in, out, pair->ins, pair->outs, &to->dcm));
    GA_TRY(GA_NEW_ZERO(context, pair->outs, &to->out_size));
    GA_TRY(GA_NEW_ZERO(context, pair->ins, &to->in_size));
    for (int64_t i = 0; i < to->dcm.count; i++) {
        to->in_size[to->dcm.row[i]] += to->dcm.entry[i];
        to->out_size[to->dcm.column[i]] += to->dcm.entry[i];
    }
done:
    return status;
}

ga_status ga__degree_pair_open(ga_context *context, const ga_matrices *before, const ga_matrices *after,
                               ga__degree_pair *pair)
{
    ga_status status = GA_OK;
    int32_t *map[4] = { NULL }; /* before out, in, after out, in: class -> rank of degree */
    *pair = (ga__degree_pair){ 0 };
    GA_TRY(unite(context, &before->out, &after->out, &pair->out_degree, &pair->outs, &map[0], &map[2]));
    GA_TRY(unite(context, &before->in, &after->in, &pair->in_degree, &pair->ins, &map[1], &map[3]));
    GA_TRY(count_side(context, pair, before, map[0], map[1], &pair->before));
    GA_TRY(count_side(context, pair, after, map[2], map[3], &pair->after));
done:
    for (int i = 0; i < 4; i++) {
        ga_free(context, map[i]);
    }
    return status;
}

static void clear_side(ga_context *context, ga__degree_side *side)
{
    ga__tally_clear(context, &side->jdm);
    ga__tally_clear(context, &side->dcm);
    ga_free(context, side->out_size);
    ga_free(context, side->in_size);
}

void ga__degree_pair_clear(ga_context *context, ga__degree_pair *pair)
{
    clear_side(context, &pair->before);
    clear_side(context, &pair->after);
    ga_free(context, pair->out_degree);
    ga_free(context, pair->in_degree);
}

/* ---- distances ---- */

/* Sum over all cells of abs(p a - q b). */
static double distance(const ga__tally *a, double p, const ga__tally *b, double q)
{
    double sum = 0;
    int64_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        int order = i == a->count ? 1 : j == b->count ? -1 : 0;
        if (order == 0) {
            order = a->row[i] != b->row[j] ? (a->row[i] > b->row[j]) - (a->row[i] < b->row[j])
                                           : (a->column[i] > b->column[j]) - (a->column[i] < b->column[j]);
        }
        double x = order <= 0 ? p * (double)a->entry[i++] : 0, y = order >= 0 ? q * (double)b->entry[j++] : 0;
        sum += fabs(x - y);
    }
    return sum;
}

static double part_of(int64_t whole)
{
    return whole > 0 ? 1 / (double)whole : 0;
}

enum { BINS = 65 }; /* of a degree of 64 bits */

static void add_bins(const ga__tally *t, const int64_t *row_degree, const int64_t *column_degree,
                     double *bins)
{
    for (int64_t i = 0; i < t->count; i++) {
        bins[ga__log2_bin(row_degree[t->row[i]]) * BINS + ga__log2_bin(column_degree[t->column[i]])] +=
            (double)t->entry[i];
    }
}

static ga_status binned_tv(ga_context *context, const ga__tally *a, int64_t all_a, const ga__tally *b,
                           int64_t all_b, const int64_t *row_degree, const int64_t *column_degree, double *tv)
{
    ga_status status = GA_OK;
    double *bins = NULL, sum = 0; /* too much for a small stack */
    GA_TRY(GA_NEW_ZERO(context, 2 * BINS * BINS, &bins));
    add_bins(a, row_degree, column_degree, bins);
    add_bins(b, row_degree, column_degree, bins + BINS * BINS);
    for (int i = 0; i < BINS * BINS; i++) {
        sum += fabs(bins[i] * part_of(all_a) - bins[BINS * BINS + i] * part_of(all_b));
    }
    *tv = sum / 2;
done:
    ga_free(context, bins);
    return status;
}

static double kolmogorov(const int64_t *a, int64_t all_a, const int64_t *b, int64_t all_b, int64_t count)
{
    double worst = 0;
    int64_t x = 0, y = 0;
    for (int64_t i = 0; i < count; i++) {
        x += a[i];
        y += b[i];
        worst = fmax(worst, fabs((double)x * part_of(all_a) - (double)y * part_of(all_b)));
    }
    return worst;
}

/* Nodes of a degree, in and out together. */
typedef struct total {
    int64_t degree, before, after;
} total;

static int by_total(const void *a, const void *b)
{
    const total *x = a, *y = b;
    return (x->degree > y->degree) - (x->degree < y->degree);
}

static ga_status kolmogorov_total(ga_context *context, const ga__degree_pair *pair, double *ks)
{
    ga_status status = GA_OK;
    int64_t count = pair->before.dcm.count + pair->after.dcm.count, kept = 0, x = 0, y = 0;
    total *list = NULL;
    GA_TRY(GA_NEW(context, count, &list));
    for (int side = 0; side < 2; side++) {
        const ga__tally *dcm = side ? &pair->after.dcm : &pair->before.dcm;
        for (int64_t i = 0; i < dcm->count; i++) {
            list[kept++] = (total){ pair->in_degree[dcm->row[i]] + pair->out_degree[dcm->column[i]],
                                    side ? 0 : dcm->entry[i], side ? dcm->entry[i] : 0 };
        }
    }
    qsort(list, (size_t)count, sizeof *list, by_total);
    *ks = 0;
    for (int64_t i = 0; i < count; i++) {
        x += list[i].before;
        y += list[i].after;
        if (i + 1 == count || list[i + 1].degree != list[i].degree) {
            *ks = fmax(
                *ks, fabs((double)x * part_of(pair->before.nodes) - (double)y * part_of(pair->after.nodes)));
        }
    }
done:
    ga_free(context, list);
    return status;
}

ga_status ga__degree_distances_of(ga_context *context, const ga__degree_pair *pair, double ratio,
                                  ga__degree_distances *d)
{
    ga_status status = GA_OK;
    const ga__degree_side *a = &pair->before, *b = &pair->after;
    *d = (ga__degree_distances){
        .ks_in = kolmogorov(a->in_size, a->nodes, b->in_size, b->nodes, pair->ins),
        .ks_out = kolmogorov(a->out_size, a->nodes, b->out_size, b->nodes, pair->outs),
        .jdd_tv = distance(&a->jdm, part_of(a->edges), &b->jdm, part_of(b->edges)) / 2,
        .dcd_tv = distance(&a->dcm, part_of(a->nodes), &b->dcm, part_of(b->nodes)) / 2,
        .jdm_l1 = distance(&a->jdm, ratio, &b->jdm, 1),
        .dcm_l1 = distance(&a->dcm, ratio, &b->dcm, 1),
    };
    GA_TRY(kolmogorov_total(context, pair, &d->ks_total));
    GA_TRY(binned_tv(context, &a->jdm, a->edges, &b->jdm, b->edges, pair->out_degree, pair->in_degree,
                     &d->jdd_tv_log2));
    GA_TRY(binned_tv(context, &a->dcm, a->nodes, &b->dcm, b->nodes, pair->in_degree, pair->out_degree,
                     &d->dcd_tv_log2));
done:
    return status;
}
