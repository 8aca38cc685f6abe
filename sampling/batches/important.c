/* important.c - layers drawn by importance: ladies, fastgcn; the matrix P and the norms of its columns. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "sampling/batches/batches.h"

enum { CHECK = 1 << 12 };

/* ---- P ---- */

static bool symmetric(const ga_batches *all)
{
    const ga__value *norm = ga__part_value(&all->part, "norm");
    return norm->given && norm->integer == GA__NORM_SYM;
}

/* The neighbours and the node itself, ascending. */
static ga_status with_self(ga__batch_worker *w, uint32_t v)
{
    ga_status status = GA_OK;
    int64_t count = w->near.count, at = ga__lower_bound(w->near.nodes, count, v);
    GA_TRY(ga__batch_reserve(w->context, count + 1, sizeof *w->self.buffer, &w->self.room, &w->self.buffer));
    memcpy(w->self.buffer, w->near.nodes, (size_t)at * sizeof *w->self.buffer);
    w->self.buffer[at] = v;
    memcpy(w->self.buffer + at + 1, w->near.nodes + at, (size_t)(count - at) * sizeof *w->self.buffer);
    w->self.count = count + 1;
done:
    return status;
}

ga_status ga__batch_norm_row(ga__batch_worker *w, uint32_t v, ga__norm_row *row)
{
    ga_status status = GA_OK;
    GA_TRY(ga__batch_near(w, v));
    int64_t d = w->near.count, other;
    *row = (ga__norm_row){ w->near.nodes, d, d > 0 ? 1 / (double)d : 0, NULL }; /* d = 0: no entry */
    if (!symmetric(w->all)) {
        goto done;
    }
    GA_TRY(with_self(w, v));
    GA_TRY(ga__batch_reserve(w->context, d + 1, sizeof *w->values, &w->value_room, &w->values));
    for (int64_t i = 0; i <= d; i++) {
        GA_TRY(ga__view_degree(&w->view, w->self.buffer[i], &other));
        w->values[i] = 1 / sqrt(((double)d + 1) * ((double)other + 1));
    }
    *row = (ga__norm_row){ w->self.buffer, d + 1, 0, w->values };
done:
    return status;
}

static double entry(const ga__norm_row *row, int64_t i)
{
    return row->values ? row->values[i] : row->same;
}

ga_status ga__batch_column_norms(ga_batches *all)
{
    ga_status status = GA_OK;
    ga__batch_worker *w = &all->workers[0];
    ga__norm_row row;
    int64_t n = all->graph->nodes;
    GA_TRY(GA_NEW_ZERO(all->context, n, &all->norms));
    GA_TRY(GA_NEW_ZERO(all->context, n + 1, &all->sums));
    for (int64_t v = 0; v < n; v++) {
        GA_TRY(ga__batch_norm_row(w, (uint32_t)v, &row));
        for (int64_t i = 0; i < row.count; i++) {
            all->norms[row.nodes[i]] += entry(&row, i) * entry(&row, i);
        }
        ga__progress(all->context, "norms of columns", v, n);
    }
    for (int64_t v = 0; v < n; v++) {
        all->sums[v + 1] = all->sums[v] + all->norms[v];
    }
done:
    return status;
}

static double law_of(const ga_batches *all, uint32_t u)
{
    double total = all->sums[all->graph->nodes];
    return total > 0 ? all->norms[u] / total : 0;
}

ga_status ga__batch_column_law(ga__batch_worker *w, double **law, int64_t *count)
{
    ga_status status = GA_OK;
    int64_t n = w->all->graph->nodes;
    GA_TRY(GA_NEW(w->context, n, law));
    for (int64_t v = 0; v < n; v++) {
        (*law)[v] = law_of(w->all, (uint32_t)v);
    }
    *count = n;
done:
    return status;
}

int64_t ga__batch_draw(const double *sums, int64_t count, ga__random *stream)
{
    double x = ga__random_unit(stream) * sums[count];
    int64_t low = 0, high = count - 1; /* the first whose end lies above x */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sums[middle + 1] > x) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* ---- nodes that were found ---- */

ga_status ga__batch_found(ga__batch_worker *w, uint32_t v, int64_t *number)
{
    ga_status status = GA_OK;
    int64_t *at, rooms[3] = { w->found_room, w->found_room, w->found_room }, next = w->found_count + 1;
    if (w->found_count == w->found_room) {
        GA_TRY(ga__batch_reserve(w->context, next, sizeof *w->nodes, &rooms[0], &w->nodes));
        GA_TRY(ga__batch_reserve(w->context, next, sizeof *w->mass, &rooms[1], &w->mass));
        GA_TRY(ga__batch_reserve(w->context, next, sizeof *w->rest, &rooms[2], &w->rest));
        w->found_room = rooms[0];
    }
    GA_TRY(ga__table_at(&w->found, v, w->found_count, &at));
    *number = *at;
    if (*at == w->found_count) {
        w->nodes[w->found_count] = v;
        w->mass[w->found_count] = 0;
        w->rest[w->found_count++] = 0;
    }
done:
    return status;
}

void ga__batch_found_clear(ga__batch_worker *w)
{
    ga__table_clear(&w->found);
    w->found_count = 0;
}

/* ---- ladies (Zou et al., NeurIPS 2019) ---- */

/* mass: sum over the targets v of P[v][u]^2 for every u with any; *total their sum. */
static ga_status weigh(ga__batch_worker *w, int64_t targets, double *total)
{
    ga_status status = GA_OK;
    ga__norm_row row;
    *total = 0;
    for (int64_t t = 0; t < targets; t++) {
        GA_TRY(ga__batch_norm_row(w, (uint32_t)w->made->nodes[t], &row));
        for (int64_t i = 0; i < row.count; i++) {
            int64_t number;
            GA_TRY(ga__batch_found(w, row.nodes[i], &number));
            w->mass[number] += entry(&row, i) * entry(&row, i);
        }
    }
    for (int64_t i = 0; i < w->found_count; i++) {
        *total += w->mass[i];
    }
done:
    return status;
}

/* Successive draws without replacement: the smallest of -log(U) / mass. rest of those that are drawn becomes s p(u). */
static ga_status choose(ga__batch_worker *w, uint64_t key, int64_t size, double total)
{
    ga_status status = GA_OK;
    ga__keys keys = { .heap = NULL };
    size = ga__min(size, w->found_count);
    GA_TRY(ga__keys_open(w->context, size, &keys));
    for (int64_t i = 0; i < w->found_count; i++) {
        double u = ga__batch_unit(key, w->nodes[i]) + 0x1p-54;
        ga__keys_offer(&keys, -log(u) / w->mass[i], i);
    }
    for (int64_t i = 0; i < keys.count; i++) {
        int64_t number = keys.heap[i].item;
        w->rest[number] = (double)size * w->mass[number] / total;
    }
done:
    ga__keys_clear(w->context, &keys);
    return status;
}

/* The edges of a target to the drawn nodes, their weights divided by their sum. */
static ga_status link_target(ga__batch_worker *w, int64_t target)
{
    ga_status status = GA_OK;
    ga__norm_row row;
    ga__made *m = w->made;
    double sum = 0;
    GA_TRY(ga__batch_norm_row(w, (uint32_t)m->nodes[target], &row));
    for (int64_t pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < row.count; i++) {
            const int64_t *number = ga__table_find(&w->found, row.nodes[i]);
            double share = w->rest[*number] > 0 ? entry(&row, i) / w->rest[*number] : 0;
            if (pass == 0) {
                sum += share;
            } else if (share > 0) {
                GA_TRY(ga__batch_row(w, row.nodes[i], (uint32_t)target, share / sum));
            }
        }
    }
done:
    return status;
}

static ga_status make_ladies(ga__batch_worker *w, int64_t number)
{
    ga_status status = GA_OK;
    const ga__value *sizes = ga__part_value(&w->all->part, "layer_size");
    double total;
    GA_TRY(ga__batch_seeds(w, number));
    for (int64_t i = 0; i < sizes->count; i++) {
        int64_t targets = w->made->node_count;
        ga__batch_found_clear(w);
        ga__batch_layer(w, i + 1);
        GA_TRY(weigh(w, targets, &total));
        GA_TRY(choose(w, ga__batch_key(w->all, GA__RANDOM_BATCH, number, i + 1), sizes->list[i], total));
        for (int64_t t = 0; t < targets; t++) {
            GA_TRY(link_target(w, t));
        }
    }
done:
    ga__batch_found_clear(w);
    return status;
}

static ga_status ladies_law(ga__batch_worker *w, double **law, int64_t *count)
{
    ga_status status = GA_OK;
    double total, *made = NULL;
    GA_TRY(ga__batch_seeds(w, 0));
    GA_TRY(weigh(w, w->made->node_count, &total));
    GA_TRY(GA_NEW_ZERO(w->context, w->all->graph->nodes, &made));
    for (int64_t i = 0; i < w->found_count; i++) {
        made[w->nodes[i]] = w->mass[i] / total;
    }
    *law = made;
    *count = w->all->graph->nodes;
done:
    ga__batch_found_clear(w);
    return status;
}
const struct ga__batch_maker ga__ladies_batches = { NULL, make_ladies, ladies_law };

/* ---- fastgcn (Chen, Ma, Xiao, ICLR 2018) ---- */

/* mass: how often each node was drawn. */
static ga_status draw_layer(ga__batch_worker *w, uint64_t key, int64_t size)
{
    ga_status status = GA_OK;
    const ga_batches *all = w->all;
    ga__random stream = ga__batch_stream(key, 0);
    int64_t number, n = all->graph->nodes;
    for (int64_t i = 0; i < size && all->sums[n] > 0; i++) {
        if (i % CHECK == CHECK - 1) {
            GA_TRY(ga__check(w->context));
        }
        GA_TRY(ga__batch_found(w, (uint32_t)ga__batch_draw(all->sums, n, &stream), &number));
        w->mass[number]++;
    }
done:
    return status;
}

/* One row for every draw of a source. */
static ga_status link_draws(ga__batch_worker *w, int64_t target, int64_t size)
{
    ga_status status = GA_OK;
    ga__norm_row row;
    GA_TRY(ga__batch_norm_row(w, (uint32_t)w->made->nodes[target], &row));
    for (int64_t i = 0; i < row.count; i++) {
        const int64_t *number = ga__table_find(&w->found, row.nodes[i]);
        for (double draws = number ? w->mass[*number] : 0; draws > 0; draws--) {
            double weight = entry(&row, i) / ((double)size * law_of(w->all, row.nodes[i]));
            GA_TRY(ga__batch_row(w, row.nodes[i], (uint32_t)target, weight));
        }
    }
done:
    return status;
}

static ga_status make_fastgcn(ga__batch_worker *w, int64_t number)
{
    ga_status status = GA_OK;
    const ga__value *sizes = ga__part_value(&w->all->part, "layer_size");
    GA_TRY(ga__batch_seeds(w, number));
    for (int64_t i = 0; i < sizes->count; i++) {
        int64_t targets = w->made->node_count;
        ga__batch_found_clear(w);
        ga__batch_layer(w, i + 1);
        GA_TRY(draw_layer(w, ga__batch_key(w->all, GA__RANDOM_BATCH, number, i + 1), sizes->list[i]));
        for (int64_t t = 0; t < targets; t++) {
            GA_TRY(link_draws(w, t, sizes->list[i]));
        }
    }
done:
    ga__batch_found_clear(w);
    return status;
}
const struct ga__batch_maker ga__fastgcn_batches = { ga__batch_column_norms, make_fastgcn,
                                                     ga__batch_column_law };
