/* grid.c - the rewards of the JDM's cells. */
#include "config.h"

#include <stdlib.h>

#include "sampling/rescale/objective.h"

/* A target: cells sorted, values beside them. */
typedef struct wish {
    ga__tally cells;
    double *value;
} wish;

/* Ratio times the original's cells whose classes the sample has, too. The maps are monotone: cells stay
 * sorted. */
static ga_status scaled_cells(ga_context *context, const ga__draft *draft, const ga__stage *stage, wish *w)
{
    ga_status status = GA_OK;
    const ga_matrices *original = draft->original;
    const ga__cells *jdm = &original->jdm;
    int32_t *row = NULL, *column = NULL;
    GA_TRY(GA_NEW(context, original->out.count, &row));
    GA_TRY(GA_NEW(context, original->in.count, &column));
    ga__side_map(&stage->out, &original->out, row);
    ga__side_map(&stage->in, &original->in, column);
    for (int64_t i = 0; i < jdm->count; i++) {
        if (row[jdm->row[i]] >= 0 && column[jdm->column[i]] >= 0) {
            GA_TRY(
                ga__tally_add(context, &w->cells, row[jdm->row[i]], column[jdm->column[i]], jdm->entry[i]));
        }
    }
    GA_TRY(GA_NEW(context, w->cells.count, &w->value));
    for (int64_t i = 0; i < w->cells.count; i++) {
        w->value[i] = draft->ratio * (double)w->cells.entry[i];
    }
done:
    ga_free(context, row);
    ga_free(context, column);
    return status;
}

/* ---- targets in log2 bins (labelled) ---- */

/* Groups of one side: (log2 bin, label), sorted; the group of every class of the original and of the sample.
 * */
typedef struct groups {
    int64_t count;
    int64_t (*key)[2];
    int32_t *of_old, *of_new;
} groups;

static int compare_keys(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return x[0] != y[0] ? (x[0] > y[0]) - (x[0] < y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

static void set_key(int64_t key[2], int64_t degree, int64_t label)
{
    key[0] = ga__log2_bin(degree);
    key[1] = label;
}

static int32_t find_key(const groups *g, int64_t degree, int64_t label)
{
    int64_t key[2];
    set_key(key, degree, label);
    int64_t(*found)[2] = bsearch(key, g->key, (size_t)g->count, sizeof *g->key, compare_keys);
    return (int32_t)(found - g->key);
}

static ga_status group_classes(ga_context *context, const ga__classes *old, const ga__side *now, groups *g)
{
    ga_status status = GA_OK;
    int64_t kept = 0, all = old->count + now->count;
    GA_TRY(ga_alloc(context, all, sizeof *g->key, &g->key));
    GA_TRY(GA_NEW(context, old->count, &g->of_old));
    GA_TRY(GA_NEW(context, now->count, &g->of_new));
    for (int64_t c = 0; c < all; c++) {
        bool first = c < old->count;
        int64_t at = first ? c : c - old->count, *label = first ? old->label : now->label;
        set_key(g->key[c], first ? old->degree[at] : now->degree[at], label ? label[at] : 0);
    }
    qsort(g->key, (size_t)all, sizeof *g->key, compare_keys);
    for (int64_t i = 0; i < all; i++) {
        if (kept == 0 || compare_keys(g->key[kept - 1], g->key[i]) != 0) {
            g->key[kept][0] = g->key[i][0];
            g->key[kept++][1] = g->key[i][1];
        }
    }
    g->count = kept;
    for (int64_t c = 0; c < old->count; c++) {
        g->of_old[c] = find_key(g, old->degree[c], old->label ? old->label[c] : 0);
    }
    for (int64_t c = 0; c < now->count; c++) {
        g->of_new[c] = find_key(g, now->degree[c], now->label ? now->label[c] : 0);
    }
done:
    return status;
}

static void groups_clear(ga_context *context, groups *g)
{
    ga_free(context, g->key);
    ga_free(context, g->of_old);
    ga_free(context, g->of_new);
}

static ga_status group_stubs(ga_context *context, const groups *g, const ga__side *side, double **sum)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW_ZERO(context, g->count, sum));
    for (int64_t c = 0; c < side->count; c++) {
        (*sum)[g->of_new[c]] += (double)side->stubs[c];
    }
done:
    return status;
}

/* A block's edges are spread over its cells in proportion to both stubs. */
static ga_status spread_block(ga_context *context, const ga__stage *stage, const groups *out,
                              const groups *in, const ga__tally *block, const int64_t *first,
                              const double *out_sum, const double *in_sum, int64_t k, double **value,
                              ga__tally *cells)
{
    ga_status status = GA_OK;
    int64_t g = out->of_new[k];
    for (int64_t l = 0; l < stage->in.count; l++) {
        int64_t low = first[g], high = first[g + 1];
        while (low < high) {
            int64_t middle = low + (high - low) / 2;
            if (block->column[middle] < in->of_new[l]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        double stubs = (double)stage->out.stubs[k] * (double)stage->in.stubs[l];
        if (low == first[g + 1] || block->column[low] != in->of_new[l] || stubs == 0) {
            continue;
        }
        int64_t room = cells->room;
        GA_TRY(ga__tally_add(context, cells, k, l, 1));
        if (cells->room != room || !*value) {
            GA_TRY(ga__resize(context, cells->count - 1, cells->room, sizeof **value, value));
        }
        (*value)[cells->count - 1] = (double)block->entry[low] * stubs / (out_sum[g] * in_sum[in->of_new[l]]);
    }
done:
    return status;
}

static ga_status binned_cells(ga_context *context, const ga__draft *draft, const ga__stage *stage, wish *w)
{
    ga_status status = GA_OK;
    const ga__cells *jdm = &draft->original->jdm;
    groups out = { 0 }, in = { 0 };
    ga__tally block = { 0 };
    int64_t *first = NULL;
    double *out_sum = NULL, *in_sum = NULL;
    GA_TRY(group_classes(context, &draft->original->out, &stage->out, &out));
    GA_TRY(group_classes(context, &draft->original->in, &stage->in, &in));
    GA_TRY(group_stubs(context, &out, &stage->out, &out_sum));
    GA_TRY(group_stubs(context, &in, &stage->in, &in_sum));
    for (int64_t i = 0; i < jdm->count; i++) {
        GA_TRY(ga__tally_add(context, &block, out.of_old[jdm->row[i]], in.of_old[jdm->column[i]],
                             jdm->entry[i]));
    }
    GA_TRY(ga__tally_sort(context, &block, out.count, in.count));
    GA_TRY(GA_NEW(context, out.count + 1, &first));
    ga__tally_rows(&block, out.count, first);
    for (int64_t k = 0; k < stage->out.count; k++) {
        GA_TRY(ga__check(context));
        GA_TRY(
            spread_block(context, stage, &out, &in, &block, first, out_sum, in_sum, k, &w->value, &w->cells));
    }
    for (int64_t i = 0; i < w->cells.count; i++) {
        w->value[i] *= draft->ratio;
    }
done:
    groups_clear(context, &out);
    groups_clear(context, &in);
    ga__tally_clear(context, &block);
    ga_free(context, first);
    ga_free(context, out_sum);
    ga_free(context, in_sum);
    return status;
}

/* ---- the grid ---- */

static ga_status set_caps(ga_context *context, const ga__stage *stage, ga__grid *grid)
{
    ga_status status = GA_OK;
    int64_t *room = NULL, at = 0;
    GA_TRY(GA_NEW(context, stage->in.count, &room));
    while (at < grid->count) {
        int32_t k = grid->row[at];
        ga__stage_caps(stage, k, room);
        for (; at < grid->count && grid->row[at] == k; at++) {
            grid->cap[at] = room[grid->column[at]];
        }
    }
done:
    ga_free(context, room);
    return status;
}

static bool before(const ga__tally *a, int64_t i, const ga__tally *b, int64_t j)
{
    return a->row[i] != b->row[j] ? a->row[i] < b->row[j] : a->column[i] < b->column[j];
}

static void merge(const wish *w, const ga__tally *plan, ga__grid *grid)
{
    int64_t a = 0, b = 0;
    while (a < w->cells.count || b < plan->count) {
        bool first = b == plan->count || (a < w->cells.count && !before(plan, b, &w->cells, a));
        bool second = a == w->cells.count || (b < plan->count && !before(&w->cells, a, plan, b));
        grid->row[grid->count] = first ? w->cells.row[a] : plan->row[b];
        grid->column[grid->count] = first ? w->cells.column[a] : plan->column[b];
        grid->target[grid->count] = first ? w->value[a++] : 0;
        grid->plan[grid->count++] = second ? plan->entry[b++] : 0;
    }
}

ga_status ga__grid_make(ga_context *context, const ga__draft *draft, const ga__stage *stage,
                        const ga__tally *plan, ga__grid *grid)
{
    ga_status status = GA_OK;
    wish w = { 0 };
    GA_TRY((draft->options->label_bins_log2 ? binned_cells : scaled_cells)(context, draft, stage, &w));
    int64_t most = w.cells.count + plan->count;
    GA_TRY(GA_NEW(context, most, &grid->row));
    GA_TRY(GA_NEW(context, most, &grid->column));
    GA_TRY(GA_NEW(context, most, &grid->target));
    GA_TRY(GA_NEW(context, most, &grid->plan));
    GA_TRY(GA_NEW(context, most, &grid->cap));
    merge(&w, plan, grid);
    GA_TRY(set_caps(context, stage, grid));
done:
    ga__tally_clear(context, &w.cells);
    ga_free(context, w.value);
    return status;
}

void ga__grid_clear(ga_context *context, ga__grid *grid)
{
    ga_free(context, grid->row);
    ga_free(context, grid->column);
    ga_free(context, grid->target);
    ga_free(context, grid->plan);
    ga_free(context, grid->cap);
    *grid = (ga__grid){ 0 };
}

double ga__grid_value(const ga__grid *grid, double lambda, const ga__tally *jdm)
{
    double value = 0;
    int64_t g = 0;
    for (int64_t i = 0; i < jdm->count; i++) {
        while (g < grid->count && (grid->row[g] < jdm->row[i] ||
                                   (grid->row[g] == jdm->row[i] && grid->column[g] < jdm->column[i]))) {
            g++;
        }
        if (g < grid->count && grid->row[g] == jdm->row[i] && grid->column[g] == jdm->column[i]) {
            double x = (double)jdm->entry[i], t = grid->target[g], m = (double)grid->plan[g];
            value += 2 * (x < t ? x : t) + lambda * (x < m ? x : m);
        }
    }
    return value;
}
