/* fixtures_session.c - what is computed in parts or in steps, by its definition. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

/* ---- split-kv: dense attention ---- */

static void split_make(problem *p, uint64_t seed)
{
    static const char *const parts[] = { "1", "2", "3", "7", "100" };
    problem_set(p, "parts", parts[seed % 5]);
}

static void split_dense(problem *p)
{
    problem_set(p, "parts", "3");
}

/* ---- recycled: the lists of a key/value head, step by step ---- */

static void recycled_make(problem *p, uint64_t seed)
{
    static const char *const reduces[] = { "max", "mean", "sum" };
    p->rows_together = p->heads_together = true;
    p->forward_only = true;
    problem_set(p, "top_k", seed % 2 ? "3" : "6");
    problem_set(p, "group_reduce", reduces[seed % 3]);
    problem_set(p, "append", seed % 4 == 3 ? "0" : "1");
    if (seed % 5 < 3) {
        problem_set(p, "stride", "4");
    } else {
        problem_set(p, "trigger", "similarity");
        problem_set(p, "check", "2");
        problem_set(p, "similarity", "0.1");
    }
}

static void recycled_dense(problem *p)
{
    problem_set(p, "stride", "1");
}

/* Mean over the heads of the cosine of two queries. */
static double cosine(const problem *p, int64_t b, int64_t i, int64_t last)
{
    double sum = 0;
    for (int64_t h = 0; h < p->heads; h++) {
        double ab = 0, aa = 0, bb = 0;
        for (int64_t c = 0; c < p->dim; c++) {
            double x = *array_at(&p->q, b, h, i, c), y = *array_at(&p->q, b, h, last, c);
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
        sum += aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
    }
    return sum / (double)p->heads;
}

static bool is_full(const problem *p, int64_t b, int64_t i, int64_t last)
{
    int64_t check = (int64_t)problem_number(p, "check", 5);
    if (i == 0) {
        return true;
    }
    return strcmp(problem_text(p, "trigger", "interval"), "interval") == 0
               ? i % (int64_t)problem_number(p, "stride", 50) == 0
               : i % check == 0 && cosine(p, b, i, last) < problem_number(p, "similarity", 0.8);
}

/* Reduced probabilities of the keys that the row sees; -1 for the others. */
static void weigh(const problem *p, int64_t b, int64_t g, int64_t i, const bool *row, double *w)
{
    const char *reduce = problem_text(p, "group_reduce", "max");
    double scale = isnan(p->scale) ? 1 / sqrt((double)p->dim) : p->scale;
    int64_t group = p->heads / p->kv_heads;
    double *s = calloc((size_t)p->keys + 1, sizeof *s);
    for (int64_t j = 0; j < p->keys; j++) {
        w[j] = row[j] ? 0 : -1;
    }
    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        double sum = 0;
        for (int64_t j = 0; j < p->keys; j++) {
            double dot = 0;
            for (int64_t c = 0; c < p->dim; c++) {
                dot += *array_at(&p->q, b, h, i, c) * *array_at(&p->k, b, g, j, c);
            }
            s[j] = row[j] ? exp(scale * dot) : 0;
            sum += s[j];
        }
        for (int64_t j = 0; j < p->keys; j++) {
            double probability = s[j] / sum;
            if (row[j] && strcmp(reduce, "max") == 0) {
                w[j] = probability > w[j] ? probability : w[j];
            } else if (row[j]) {
                w[j] += probability / (strcmp(reduce, "mean") == 0 ? (double)group : 1);
            }
        }
    }
    free(s);
}

/* The cache becomes the top_k best keys of the row (ties: the lower one). */
static void keep_best(const problem *p, const double *w, bool *cache)
{
    int64_t top_k = (int64_t)problem_number(p, "top_k", 4096);
    for (int64_t j = 0; j < p->keys; j++) {
        int64_t before = 0;
        for (int64_t k = 0; k < p->keys; k++) {
            before += w[k] > w[j] || (w[k] == w[j] && k < j);
        }
        cache[j] = w[j] >= 0 && before < top_k;
    }
}

static void drop_least(const problem *p, const double *w, bool *cache)
{
    int64_t count = 0, least = -1;
    for (int64_t j = 0; j < p->keys; j++) {
        count += cache[j];
        least = cache[j] && (least < 0 || w[j] < w[least]) ? j : least;
    }
    if (count > (int64_t)problem_number(p, "top_k", 4096)) {
        cache[least] = false;
    }
}

static void recycled_mask(const problem *p, int64_t b, int64_t h, bool *seen)
{
    int64_t g = h / (p->heads / p->kv_heads), last = 0;
    bool append = problem_number(p, "append", 1) != 0;
    bool *cache = calloc((size_t)p->keys + 1, sizeof *cache);
    double *w = calloc((size_t)p->keys + 1, sizeof *w);
    for (int64_t i = 0; i < p->queries; i++) {
        int64_t position = i + p->keys - p->queries;
        bool *row = seen + i * p->keys, full = is_full(p, b, i, last);
        if (!full && append && position >= 0) {
            cache[position] = true;
        }
        for (int64_t j = 0; j < p->keys; j++) {
            row[j] = full ? j <= position : cache[j];
        }
        weigh(p, b, g, i, row, w);
        if (full) {
            last = i;
            keep_best(p, w, cache);
        } else if (append) {
            drop_least(p, w, cache);
        }
    }
    free(cache);
    free(w);
}

const fixture session_fixtures[] = {
    { .name = "split-kv",
      .make = split_make,
      .make_dense = split_dense,
      .any_queries = true,
      .permutes = true },
    { .name = "recycled",
      .make = recycled_make,
      .make_dense = recycled_dense,
      .mask = recycled_mask,
      .causal_only = true,
      .any_queries = true,
      .query_tensors = true },
    { .name = NULL },
};
