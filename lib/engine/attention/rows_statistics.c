/* rows_statistics.c - statistics of the weights of a row. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "lib/engine/attention/rows.h"

static void put(const ga__view *view, const ga__row *row, double value)
{
    if (view->data) {
        ga__view_set(view, 0, row->batch, row->head, row->query, value);
    }
}

/* -sum w ln w, 0 ln 0 = 0; weights below 0 have no logarithm and do not count. */
static void store_entropy(const ga__attention *a, const ga__row *row, const ga__view *view)
{
    double sum = 0;
    for (int64_t t = 0; view->data && t < row->count; t++) {
        double w = row->weight[t];
        if (ga__rows_key(a, row->place[t]) >= 0 && !(w <= 0)) {
            sum -= w * log(w);
        }
    }
    put(view, row, sum);
}

/* What is not a number is never the largest; where nothing else is there, it is the maximum. */
static void store_largest(const ga__attention *a, const ga__row *row, const ga__statistics *s)
{
    double most = -INFINITY, other = 0;
    int64_t at = -1;
    for (int64_t t = 0; t < row->count; t++) {
        int64_t key = ga__rows_key(a, row->place[t]);
        if (key >= 0 && (row->weight[t] > most || (at < 0 && row->weight[t] >= most))) {
            most = row->weight[t];
            at = key;
        } else if (key >= 0 && isnan(row->weight[t])) {
            other = NAN;
        }
    }
    put(&s->argmax, row, (double)at);
    put(&s->max, row, at >= 0 ? most : other);
}

static void store_mass(const ga__attention *a, const ga__row *row, const ga__statistics *s)
{
    for (int64_t c = 0; c < s->class_mass.columns; c++) {
        double mass = 0;
        for (int64_t t = 0; t < row->count; t++) {
            int64_t key = ga__rows_key(a, row->place[t]);
            if (key >= 0 && s->wanted->classes[key] == c) {
                mass += row->weight[t];
            }
        }
        ga__view_set(&s->class_mass, row->batch, row->head, row->query, c, mass);
    }
}

/* ---- the k largest: a heap whose root is the one to give way first ---- */

/* Smaller weights go first, of equal ones the higher key. */
static bool goes_first(const ga__row *row, int64_t a, int64_t b)
{
    return row->weight[a] < row->weight[b] || (row->weight[a] == row->weight[b] && a > b);
}

static void sink(const ga__row *row, int64_t *heap, int64_t count, int64_t at)
{
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && goes_first(row, heap[child + 1], heap[child])) {
            child++;
        }
        if (goes_first(row, heap[at], heap[child])) {
            return;
        }
        int64_t kept = heap[at];
        heap[at] = heap[child];
        heap[child] = kept;
    }
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Places (their numbers in the row) of the k largest positive weights of real keys, ascending; returns how
 * many. */
static int64_t select_top(const ga__attention *a, const ga__row *row, int64_t k)
{
    int64_t count = 0, *heap = row->heap;
    k = ga__min(k, row->count);
    for (int64_t t = 0; t < row->count; t++) {
        if (!(row->weight[t] > 0) || ga__rows_key(a, row->place[t]) < 0) {
            continue;
        }
        if (count < k) {
            heap[count++] = t;
            for (int64_t at = count / 2; count == k && at-- > 0;) {
                sink(row, heap, count, at);
            }
        } else if (goes_first(row, heap[0], t)) {
            heap[0] = t;
            sink(row, heap, count, 0);
        }
    }
    qsort(heap, (size_t)count, sizeof *heap, ascending);
    return count;
}

static void store_top(const ga__attention *a, const ga__row *row, const ga__statistics *s)
{
    int64_t k = s->wanted->top_k, count = select_top(a, row, k);
    for (int64_t c = 0; c < k; c++) {
        int64_t t = c < count ? row->heap[c] : -1;
        if (s->top_indices.data) {
            ga__view_set(&s->top_indices, row->batch, row->head, row->query, c,
                         t < 0 ? -1 : (double)ga__rows_key(a, row->place[t]));
        }
        if (s->top_weights.data) {
            ga__view_set(&s->top_weights, row->batch, row->head, row->query, c, t < 0 ? 0 : row->weight[t]);
        }
    }
}

void ga__rows_statistics_row(const ga__rows *rows, ga__row *row, const ga__statistics *s, double *columns)
{
    const ga__attention *a = rows->a;
    store_entropy(a, row, &s->entropy);
    store_largest(a, row, s);
    if (s->class_mass.data) {
        store_mass(a, row, s);
    }
    for (int64_t t = 0; columns && t < row->count; t++) {
        int64_t key = ga__rows_key(a, row->place[t]);
        if (key >= 0) {
            columns[key] += row->weight[t];
        }
    }
    if (s->top_indices.data || s->top_weights.data) {
        store_top(a, row, s);
    }
}
