/* row_stats.c - entropy, largest weights, masses of classes and sums of columns of a map, which is given or computed from q
 * and k in the same pass (attention-dynamic part D). */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention/maps/maps.h"

static const ga_parameter parameters[] = {
    { "top_k", GA_PARAMETER_INT, "0", ">= 0", "largest weights that are listed for a row", GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "map", "(B, H, Nq, Nk)", "attention map; or q and k", .optional = true },
    { "q", "(B, H, Nq, d)", "queries, scaled by 1/sqrt(d)", .optional = true },
    { "k", "(B, G, Nk, d)", "keys", .optional = true },
    { "classes", "i64 (Nk)", "labels 0..C-1 of the keys", .optional = true },
    { .name = NULL },
};

typedef struct stats {
    int64_t batch, heads, queries, keys, class_count, top_k;
    int32_t *classes;                                                            /* owned */
    DLTensor *entropy, *argmax, *max, *mass, *columns, *indices, *weights, *lse; /* NULL = not wanted */
    ga__view map;
} stats;

/* ---- inputs and outputs ---- */

static ga_status open_classes(ga__block_run *run, stats *s)
{
    ga_status status = GA_OK;
    int64_t *labels = NULL;
    if (!ga__block_given(run, "classes")) {
        return GA_OK;
    }
    GA_TRY(ga__block_integers(run, "classes", s->keys, &labels));
    GA_TRY(GA_NEW(run->context, s->keys, &s->classes));
    for (int64_t j = 0; j < s->keys; j++) {
        if (labels[j] < 0 || labels[j] >= INT32_MAX) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "classes: %lld for key %lld, expected labels from 0 on",
                            (long long)labels[j], (long long)j));
        }
        s->classes[j] = (int32_t)labels[j];
        s->class_count = ga__max(s->class_count, labels[j] + 1);
    }
done:
    ga_free(run->context, labels);
    return status;
}

static ga_status make_outputs(ga__block_run *run, stats *s)
{
    ga_status status = GA_OK;
    const int64_t rows[] = { s->batch, s->heads, s->queries }, columns[] = { s->batch, s->heads, s->keys };
    const int64_t mass[] = { s->batch, s->heads, s->queries, s->class_count };
    const int64_t top[] = { s->batch, s->heads, s->queries, s->top_k };
    if (ga__block_wants(run, "class_mass") && s->class_count == 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "class_mass needs classes"));
    }
    if ((ga__block_wants(run, "top_indices") || ga__block_wants(run, "top_weights")) && s->top_k == 0) {
        GA_TRY(ga__part_refuse(&run->part, "top_k", ">= 1 for the outputs top_indices and top_weights"));
    }
    GA_TRY(ga__maps_output(run, "entropy", NULL, 3, rows, &s->entropy));
    GA_TRY(ga__maps_output(run, "argmax", &ga__type_i32, 3, rows, &s->argmax));
    GA_TRY(ga__maps_output(run, "max", NULL, 3, rows, &s->max));
    GA_TRY(ga__maps_output(run, "class_mass", NULL, 4, mass, &s->mass));
    GA_TRY(ga__maps_output(run, "column_sum", NULL, 3, columns, &s->columns));
    GA_TRY(ga__maps_output(run, "top_indices", &ga__type_i32, 4, top, &s->indices));
    GA_TRY(ga__maps_output(run, "top_weights", NULL, 4, top, &s->weights));
    GA_TRY(ga__maps_output(run, "lse", NULL, 3, rows, &s->lse));
done:
    return status;
}

/* ---- from q and k ---- */

static ga_status from_scores(ga__block_run *run, stats *s)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    ga_attention problem = GA_ATTENTION_INIT;
    const DLTensor *q = ga__block_tensor(run, "q"), *k = ga__block_tensor(run, "k");
    int64_t dim = ga__axis_from_last(q, 0);
    ga_row_statistics wanted = { .entropy = s->entropy,
                                 .argmax = s->argmax,
                                 .max = s->max,
                                 .classes = s->classes,
                                 .class_count = s->class_count,
                                 .class_mass = s->mass,
                                 .column_sum = s->columns,
                                 .top_k = s->top_k,
                                 .top_indices = s->indices,
                                 .top_weights = s->weights };
    bool any = s->entropy || s->argmax || s->max || s->mass || s->columns || s->indices || s->weights;
    const ga_attention_result result = { .lse = s->lse, .statistics = any ? &wanted : NULL };
    GA_TRY(ga_pattern_full(run->context, s->queries, s->keys, run->call->causal, &pattern));
    problem.q = q;
    problem.k = problem.v = k;
    problem.pattern = pattern;
    problem.score.scale = dim > 0 ? 1 / sqrt((double)dim) : 1;
    status = ga_attention_forward(run->context, &problem, GA_FAMILY_AUTO, &result, NULL);
done:
    ga_pattern_destroy(run->context, pattern);
    return status;
}

/* ---- from a map ---- */

/* Of equal weights the lower key goes first. */
static bool goes_before(const double *w, int64_t a, int64_t b)
{
    return w[a] > w[b] || (w[a] == w[b] && a < b);
}

/* The top_k largest weights above 0 as a heap of keys whose root goes last; returns their number. */
static int64_t find_top(const stats *s, const double *w, int32_t *heap)
{
    int64_t count = 0;
    for (int64_t j = 0; j < s->keys; j++) {
        int64_t at;
        if (!(w[j] > 0) || (count == s->top_k && !goes_before(w, j, heap[0]))) {
            continue;
        }
        if (count < s->top_k) {
            for (at = count++; at > 0 && goes_before(w, heap[(at - 1) / 2], j); at = (at - 1) / 2) {
                heap[at] = heap[(at - 1) / 2];
            }
        } else {
            at = 0;
            for (int64_t child; (child = 2 * at + 1) < count; at = child) {
                child += child + 1 < count && goes_before(w, heap[child], heap[child + 1]);
                if (!goes_before(w, j, heap[child])) {
                    break;
                }
                heap[at] = heap[child];
            }
        }
        heap[at] = (int32_t)j;
    }
    return count;
}

static int by_key(const void *a, const void *b)
{
    return *(const int32_t *)a < *(const int32_t *)b ? -1 : 1;
}

static void store_top(const stats *s, int64_t row, const double *w, int32_t *heap)
{
    int64_t count = find_top(s, w, heap);
    qsort(heap, (size_t)count, sizeof *heap, by_key);
    for (int64_t i = 0; i < s->top_k; i++) {
        if (s->indices) {
            ga__i32_of(s->indices)[row * s->top_k + i] = i < count ? heap[i] : -1;
        }
        if (s->weights) {
            ga__set_element(s->weights, row * s->top_k + i, i < count ? w[heap[i]] : 0);
        }
    }
}

/* A row of zeros sees nothing: its argmax is -1. */
static void store_row(const stats *s, int64_t row, const double *w, double *mass)
{
    double entropy = 0, most = -INFINITY;
    bool empty = true;
    int64_t at = -1;
    memset(mass, 0, (size_t)s->class_count * sizeof *mass);
    for (int64_t j = 0; j < s->keys; j++) {
        empty = empty && w[j] == 0;
        entropy -= w[j] == 0 ? 0 : w[j] * log(w[j]);
        if (w[j] > most || (isnan(w[j]) && !isnan(most))) {
            most = w[j];
            at = j;
        }
        if (s->mass) {
            mass[s->classes[j]] += w[j];
        }
    }
    if (s->entropy) {
        ga__set_element(s->entropy, row, entropy);
    }
    if (s->argmax) {
        ga__i32_of(s->argmax)[row] = empty ? -1 : (int32_t)at;
    }
    if (s->max) {
        ga__set_element(s->max, row, at < 0 ? 0 : most);
    }
    for (int64_t c = 0; c < s->class_count && s->mass; c++) {
        ga__set_element(s->mass, row * s->class_count + c, mass[c]);
    }
}

/* All rows of a (batch, head). room: a row, sums of the columns, masses, a heap. */
static void do_head(void *user, int64_t unit, double *room)
{
    const stats *s = user;
    double *w = room, *sum = w + s->keys, *mass = sum + s->keys;
    int32_t *heap = (int32_t *)(void *)(mass + s->class_count);
    memset(sum, 0, (size_t)s->keys * sizeof *sum);
    for (int64_t r = 0; r < s->queries; r++) {
        int64_t row = unit * s->queries + r;
        ga__view_load_f64(&s->map, unit / s->heads, unit % s->heads, r, w);
        store_row(s, row, w, mass);
        if (s->indices || s->weights) {
            store_top(s, row, w, heap);
        }
        for (int64_t j = 0; j < s->keys; j++) {
            sum[j] += w[j];
        }
    }
    for (int64_t j = 0; j < s->keys && s->columns; j++) {
        ga__set_element(s->columns, unit * s->keys + j, sum[j]);
    }
}

/* ---- the analysis ---- */

static ga_status open_sizes(ga__block_run *run, stats *s)
{
    ga_status status = GA_OK;
    const DLTensor *map = ga__block_given(run, "map"), *q = ga__block_given(run, "q"),
                   *k = ga__block_given(run, "k");
    ga__view of_q, of_k;
    if (map ? q || k : !q || !k) {
        return ga__fail(run->context, GA_INVALID, "row-stats needs a map, or q and k");
    }
    if (map) {
        GA_TRY(ga__maps_view(run, "map", &s->map));
        s->batch = s->map.batch;
        s->heads = s->map.heads;
        s->queries = s->map.rows;
        s->keys = s->map.columns;
        if (run->call->causal) {
            GA_TRY(
                ga__fail(run->context, GA_INVALID, "row-stats: causal goes with q and k; a map is as it is"));
        }
        if (ga__block_wants(run, "lse")) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "lse: only from q and k"));
        }
    } else {
        GA_TRY(ga__maps_view(run, "q", &of_q));
        GA_TRY(ga__maps_view(run, "k", &of_k));
        GA_TRY(ga__view_expect(run->context, "k", &of_k, of_q.batch, -1, -1, of_q.columns));
        s->batch = of_q.batch;
        s->heads = of_q.heads;
        s->queries = of_q.rows;
        s->keys = of_k.rows;
    }
    s->top_k = ga__block_integer(run, "top_k");
    status = open_classes(run, s);
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    stats s = { .batch = 0 };
    int64_t room = 0;
    GA_TRY(open_sizes(run, &s));
    GA_TRY(make_outputs(run, &s));
    if (s.map.data) {
        int64_t heap = ga__min(s.top_k, s.keys);
        if (!ga__mul(s.keys, 2, &room) || !ga__add(room, s.class_count + heap, &room)) {
            GA_TRY(ga__fail(run->context, GA_OVERFLOW, "row-stats: rows are too long"));
        }
        GA_TRY(ga__units(run->context, s.batch * s.heads, room, do_head, &s));
    } else {
        GA_TRY(from_scores(run, &s));
    }
    ga__report_integer(run, "maps", s.batch * s.heads);
    ga__report_integer(run, "queries", s.queries);
    ga__report_integer(run, "keys", s.keys);
done:
    ga_free(run->context, s.classes);
    return status;
}

static const ga__block_ops ops = { .causal = true, .forward = forward };

const ga_block ga__analysis_row_stats = {
    .name = "row-stats",
    .summary = "entropy, largest weights, class masses and column sums of a map, or of q and k without one",
    .source = "statistics that every method on maps asks for",
    .plan = "over the rows of a map, or in the passes that softmax of q and k takes anyway; no map is stored",
    .outputs = "entropy, argmax, max, class_mass, column_sum, top_indices, top_weights, lse",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};

/* The same by another name. */
const ga_block ga__analysis_statistics = {
    .name = "statistics",
    .summary = "the same as row-stats",
    .source = "statistics that every method on maps asks for",
    .plan = "that of row-stats",
    .outputs = "entropy, argmax, max, class_mass, column_sum, top_indices, top_weights, lse",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
