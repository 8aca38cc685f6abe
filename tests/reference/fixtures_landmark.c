/* fixtures_landmark.c - landmark attention by its definition. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

static void landmark_make(problem *p, uint64_t seed)
{
    static const char *const words[] = { "token", "shared", "head" };
    problem_set(p, "block", "3");
    problem_set(p, "mode", seed % 2 ? "retrieve" : "train");
    problem_set(p, "top_k", "2");
    problem_set(p, "chunk", seed % 3 == 0 ? "0" : "5");
    problem_set(p, "select", words[seed % 3]);
    p->rows_together = seed % 2 && seed % 3 == 2;
    p->heads_together = seed % 2 && seed % 3 == 1;
    if (seed % 4 == 2) {
        array *flags = problem_tensor(p, "is_landmark", 1, &p->keys);
        p->tensors[p->tensor_count - 1].dtype = (DLDataType){ kDLUInt, 8, 1 };
        for (int64_t j = 0; j < p->keys; j++) {
            flags->data[j] = j % 5 == 2 || j % 7 == 3; /* now and then without an ordinary key between them */
        }
        p->rows_together = true; /* a token more or less has other flags */
    }
}

static bool is_landmark(const problem *p, int64_t j)
{
    const array *flags = problem_find(p, "is_landmark");
    return flags ? flags->data[j] != 0 : j % (problem_integer(p, "block") + 1) == problem_integer(p, "block");
}

static int64_t block_of(const problem *p, int64_t j)
{
    int64_t count = 0;
    for (int64_t i = 0; i < j; i++) {
        count += is_landmark(p, i);
    }
    return count;
}

/* Landmark of block c; -1 for a block that is ignored or open. */
static int64_t mark_of(const problem *p, int64_t c)
{
    bool ordinary = false;
    for (int64_t j = 0; j < p->keys; j++) {
        if (block_of(p, j) == c && is_landmark(p, j)) {
            return ordinary ? j : -1;
        }
        ordinary |= block_of(p, j) == c;
    }
    return -1;
}

static int64_t start_of(const problem *p, int64_t i)
{
    int64_t chunk = problem_integer(p, "chunk");
    return chunk > 0 ? problem_position(p, i) / chunk * chunk : INT64_MAX;
}

/* What the choice of row i is made by, for block c with landmark m. */
static double worth(const problem *p, int64_t b, int64_t h, int64_t i, const int64_t *mark, int64_t m)
{
    double most = -INFINITY;
    if (problem_is(p, "select", "token")) {
        return problem_score(p, b, h, i, m);
    }
    if (problem_is(p, "select", "shared")) {
        for (int64_t head = 0; head < p->heads; head++) {
            most = fmax(most, problem_score(p, b, head, i, m));
        }
        return most;
    }
    for (int64_t r = 0; r < p->queries; r++) {
        double sum = 0;
        if (problem_position(p, r) < 0 || start_of(p, r) != start_of(p, i)) {
            continue;
        }
        for (int64_t c = 0; c < p->keys; c++) {
            int64_t other = mark[c];
            sum += other >= 0 && other < start_of(p, i) ? exp(problem_score(p, b, h, r, other)) : 0;
        }
        most = fmax(most, exp(problem_score(p, b, h, r, m)) / sum);
    }
    return most;
}

/* Marks the blocks of row i. */
static void chosen(const problem *p, int64_t b, int64_t h, int64_t i, const int64_t *mark, bool *blocks)
{
    int64_t own = block_of(p, problem_position(p, i));
    double *x = reference_numbers(p->keys);
    int64_t candidates = 0;
    memset(blocks, 0, (size_t)p->keys * sizeof *blocks);
    for (int64_t c = 0; c < own; c++) {
        bool near = mark[c] >= start_of(p, i);
        x[c] = -INFINITY;
        if (mark[c] >= 0 && !near && problem_is(p, "mode", "retrieve")) {
            x[c] = worth(p, b, h, i, mark, mark[c]);
            candidates++;
        }
    }
    candidates = candidates < problem_integer(p, "top_k") ? candidates : problem_integer(p, "top_k");
    reference_best(own, x, candidates, blocks);
    for (int64_t c = 0; c < own; c++) {
        blocks[c] |= mark[c] >= 0 && (problem_is(p, "mode", "train") || mark[c] >= start_of(p, i));
    }
    free(x);
}

static void landmark_row(const problem *p, int64_t b, int64_t h, int64_t i, const int64_t *mark,
                         const int64_t *bid, bool *blocks, double *w)
{
    int64_t at = problem_position(p, i), own = block_of(p, at);
    double outer = 0;
    chosen(p, b, h, i, mark, blocks);
    memset(w, 0, (size_t)p->keys * sizeof *w);
    for (int64_t j = 0; j <= at; j++) {
        bool local = bid[j] == own && !is_landmark(p, j), memory = is_landmark(p, j) && blocks[bid[j]];
        outer += local || memory ? exp(problem_score(p, b, h, i, j)) : 0;
    }
    for (int64_t j = 0; j <= at; j++) {
        double inner = 0, a = exp(problem_score(p, b, h, i, j)) / outer;
        if (is_landmark(p, j) || (bid[j] != own && !blocks[bid[j]])) {
            continue;
        }
        if (bid[j] != own) {
            for (int64_t n = 0; n < p->keys; n++) {
                inner += bid[n] == bid[j] && !is_landmark(p, n) ? exp(problem_score(p, b, h, i, n)) : 0;
            }
            a = exp(problem_score(p, b, h, i, mark[bid[j]])) / outer * exp(problem_score(p, b, h, i, j)) /
                inner;
        }
        w[j] = a;
    }
}

static void landmark_run(const problem *p, array *o)
{
    int64_t *mark = calloc((size_t)p->keys + 1, sizeof *mark),
            *bid = calloc((size_t)p->keys + 1, sizeof *bid);
    bool *blocks = reference_marks(p->keys);
    double *w = reference_numbers(p->keys);
    for (int64_t j = 0; j < p->keys; j++) {
        mark[j] = mark_of(p, j);
        bid[j] = block_of(p, j);
    }
    for (int64_t row = 0; row < p->batch * p->heads * p->queries; row++) {
        int64_t i = row % p->queries, h = row / p->queries % p->heads, b = row / p->queries / p->heads;
        if (problem_position(p, i) < 0) {
            continue;
        }
        landmark_row(p, b, h, i, mark, bid, blocks, w);
        for (int64_t j = 0; j < p->keys; j++) {
            for (int64_t c = 0; c < p->dim_v; c++) {
                *array_at(o, b, h, i, c) += w[j] * *array_at(&p->v, b, h / (p->heads / p->kv_heads), j, c);
            }
        }
    }
    free(mark);
    free(bid);
    free(blocks);
    free(w);
}

const fixture landmark_fixtures[] = {
    { .name = "landmark",
      .make = landmark_make,
      .run = landmark_run,
      .any_queries = true,
      .causal_only = true },
    { .name = NULL },
};
