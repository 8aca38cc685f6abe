/* fixtures_probe.c - selectors that a few rows of the map judge, by their definitions. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

/* Weight of key j in row i over the keys below `keys` that it sees. */
static double weight(const problem *p, int64_t b, int64_t h, int64_t i, int64_t j, int64_t keys)
{
    double sum = 0;
    int64_t end = p->causal && problem_position(p, i) + 1 < keys ? problem_position(p, i) + 1 : keys;
    for (int64_t n = 0; n < end; n++) {
        sum += exp(problem_score(p, b, h, i, n));
    }
    return j < end ? exp(problem_score(p, b, h, i, j)) / sum : 0;
}

static void force(double *x, int64_t first, int64_t last)
{
    for (int64_t i = first; i < last; i++) {
        x[i] = INFINITY;
    }
}

/* ---- vertical-slash ---- */

static void vertical_make(problem *p, uint64_t seed)
{
    p->rows_together = true;
    problem_set_number(p, "columns", (double)(2 + seed % 3));
    problem_set_number(p, "slashes", p->causal ? (double)(3 + seed % 4) : 0);
    problem_set(p, "probe", "4");
    problem_set_number(p, "sinks", (double)(seed % 2));
    problem_set(p, "window", "2");
}

static void vertical_mask(const problem *p, int64_t b, int64_t h, bool *seen)
{
    int64_t n = p->keys,
            first = p->queries > problem_integer(p, "probe") ? p->queries - problem_integer(p, "probe") : 0;
    double *column = reference_numbers(n), *diagonal = reference_numbers(n);
    bool *kept = reference_marks(n), *slash = reference_marks(n);
    for (int64_t r = first; r < p->queries; r++) {
        for (int64_t j = 0; j < n; j++) {
            double w = weight(p, b, h, r, j, n);
            column[j] += w;
            if (p->causal && j <= problem_position(p, r)) {
                diagonal[problem_position(p, r) - j] += w;
            }
        }
    }
    force(column, 0, problem_integer(p, "sinks") < n ? problem_integer(p, "sinks") : n);
    force(diagonal, 0, problem_integer(p, "window") < n ? problem_integer(p, "window") : n);
    reference_best(n, column, problem_integer(p, "columns"), kept);
    reference_best(n, diagonal, problem_integer(p, "slashes"), slash);
    for (int64_t i = 0; i < p->queries; i++) {
        for (int64_t j = 0; j < n; j++) {
            int64_t distance = problem_position(p, i) - j;
            seen[i * n + j] = kept[j] || (p->causal && distance >= 0 && slash[distance]);
        }
    }
    free(column);
    free(diagonal);
    free(kept);
    free(slash);
}

/* ---- flexprefill ---- */

static void flex_make(problem *p, uint64_t seed)
{
    p->rows_together = true;
    problem_set(p, "gamma", "0.6");
    problem_set(p, "tau", seed % 2 ? "0.1" : "0.8");
    problem_set_number(p, "block", p->keys > 100 ? 8 : 3);
    problem_set_number(p, "min_budget", (double)(1 + seed % 5));
    problem_set(p, "max_budget", seed % 3 ? "0" : "24");
}

/* How many of the largest numbers it takes until their sum exceeds mass; at most n. */
static int64_t cover(int64_t n, const double *x, double mass)
{
    bool *taken = reference_marks(n);
    double sum = 0;
    int64_t count = 0;
    for (; count < n && sum <= mass; count++) {
        int64_t at = -1;
        for (int64_t i = 0; i < n; i++) {
            at = !taken[i] && (at < 0 || x[i] > x[at]) ? i : at;
        }
        taken[at] = true;
        sum += x[at];
    }
    free(taken);
    return count;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    x = x > low ? x : low;
    return x < high ? x : high;
}

/* Softmax over the blocks below `blocks` of the mean of rows [first, last) and the means of the keys. */
static void pooled(const problem *p, int64_t b, int64_t h, int64_t first, int64_t last, int64_t blocks,
                   double *out)
{
    int64_t block = problem_integer(p, "block");
    double sum = 0;
    for (int64_t u = 0; u < blocks; u++) {
        int64_t end = (u + 1) * block < p->keys ? (u + 1) * block : p->keys;
        double mean = 0;
        for (int64_t i = first; i < last; i++) {
            for (int64_t j = u * block; j < end; j++) {
                mean += problem_score(p, b, h, i, j) / (double)((last - first) * (end - u * block));
            }
        }
        out[u] = exp(mean);
        sum += out[u];
    }
    for (int64_t u = 0; u < blocks; u++) {
        out[u] /= sum;
    }
}

static double divergence(int64_t n, const double *p, const double *q)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double m = (p[i] + q[i]) / 2;
        sum += (p[i] > 0 ? p[i] * log(p[i] / m) / 2 : 0) + (q[i] > 0 ? q[i] * log(q[i] / m) / 2 : 0);
    }
    return sqrt(sum > 0 ? sum : 0);
}

typedef struct flex {
    int64_t block, blocks, first; /* blocks of keys; first block of queries */
    bool *column, *diagonal;
    bool *tile; /* (query blocks by position, key blocks): by the pooled map */
} flex;

/* Query blocks by position that are in the call, from block u on; one row of the pooled map each. */
static void flex_tiles(const problem *p, int64_t b, int64_t h, flex *f)
{
    double *map = reference_numbers(f->blocks * f->blocks);
    bool *taken = reference_marks(f->blocks * f->blocks);
    int64_t rows = 0, off = p->keys - p->queries;
    for (int64_t i = 0; i < f->blocks * f->blocks; i++) {
        map[i] = -1;
    }
    for (int64_t u = f->first > 0 ? f->first : 0; u < f->blocks; u++, rows++) {
        int64_t from = u * f->block - off, to = (u + 1) * f->block - off;
        pooled(p, b, h, from > 0 ? from : 0, to < p->queries ? to : p->queries, u + 1, map + u * f->blocks);
    }
    int64_t count = 0; /* the -1 are never among those that cover */
    for (double sum = 0; sum <= problem_number(p, "gamma", 0) * (double)rows;) {
        int64_t at = -1;
        for (int64_t i = 0; i < f->blocks * f->blocks; i++) {
            at = !taken[i] && map[i] >= 0 && (at < 0 || map[i] > map[at]) ? i : at;
        }
        if (at < 0) {
            break;
        }
        taken[at] = true;
        sum += map[at];
        count++;
    }
    memcpy(f->tile, taken, (size_t)(f->blocks * f->blocks) * sizeof *taken);
    free(map);
    free(taken);
}

static void sum_blocks(const problem *p, const double *x, double *out)
{
    int64_t block = problem_integer(p, "block");
    memset(out, 0, (size_t)((p->keys + block - 1) / block) * sizeof *out);
    for (int64_t j = 0; j < p->keys; j++) {
        out[j / block] += x[j];
    }
}

static void flex_judge(const problem *p, int64_t b, int64_t h, flex *f)
{
    int64_t n = p->keys, rows = f->block < p->queries ? f->block : p->queries, first = p->queries - rows;
    double *column = reference_numbers(n), *diagonal = reference_numbers(n),
           *of_blocks = reference_numbers(n), *guess = reference_numbers(n);
    double gamma = problem_number(p, "gamma", 0);
    int64_t low = (problem_integer(p, "min_budget") + f->block - 1) / f->block,
            high = problem_integer(p, "max_budget");
    high = high ? (high + f->block - 1) / f->block : f->blocks;
    for (int64_t r = first; r < p->queries; r++) {
        for (int64_t j = 0; j < n && j <= problem_position(p, r); j++) {
            double w = weight(p, b, h, r, j, n) / (double)rows;
            column[j] += w;
            diagonal[problem_position(p, r) - j] += w;
        }
    }
    pooled(p, b, h, first, p->queries, f->blocks, guess);
    sum_blocks(p, column, of_blocks);
    bool aware = divergence(f->blocks, guess, of_blocks) < problem_number(p, "tau", 0);
    reference_best(f->blocks, of_blocks,
                   aware ? low : clamp(cover(n, column, gamma) / f->block + 1, low, high), f->column);
    sum_blocks(p, diagonal, of_blocks);
    reference_best(f->blocks, of_blocks,
                   aware ? low : clamp(cover(n, diagonal, gamma) / f->block + 1, low, high), f->diagonal);
    if (aware) {
        flex_tiles(p, b, h, f);
    }
    free(column);
    free(diagonal);
    free(of_blocks);
    free(guess);
}

static void flex_mask(const problem *p, int64_t b, int64_t h, bool *seen)
{
    int64_t block = problem_integer(p, "block"), dense = 2 * block > problem_integer(p, "min_budget")
                                                             ? 2 * block
                                                             : problem_integer(p, "min_budget");
    flex f = { .block = block, .blocks = (p->keys + block - 1) / block };
    f.first = problem_position(p, 0) >= 0 ? problem_position(p, 0) / block : 0;
    f.column = reference_marks(f.blocks);
    f.diagonal = reference_marks(f.blocks);
    f.tile = reference_marks(f.blocks * f.blocks);
    if (p->queries > dense) {
        flex_judge(p, b, h, &f);
    }
    for (int64_t i = 0; i < p->queries; i++) {
        for (int64_t j = 0; j < p->keys && problem_position(p, i) >= 0; j++) {
            int64_t row = problem_position(p, i) / block, u = j / block;
            seen[i * p->keys + j] = u <= row && (p->queries <= dense || u == 0 || u == row || f.column[u] ||
                                                 f.diagonal[row - u] || f.tile[row * f.blocks + u]);
        }
    }
    free(f.column);
    free(f.diagonal);
    free(f.tile);
}

/* ---- snapkv, ada-snapkv ---- */

static void snap_make(problem *p, uint64_t seed)
{
    static const char *const words[] = { "none", "mean", "sum", "max" };
    p->rows_together = true;
    problem_set(p, "budget", "5");
    problem_set(p, "window", "2");
    problem_set(p, "kernel", "3");
    problem_set_number(p, "prompt", (double)(p->keys > 2 ? p->keys - 2 : 1));
    problem_set_number(p, "sinks", (double)(seed % 2));
    problem_set(p, "group_reduce", words[seed % 4]);
}

static void ada_make(problem *p, uint64_t seed)
{
    static const char *const words[] = { "max", "mean", "sum" };
    p->rows_together = p->heads_together = true;
    problem_set(p, "budget", "5");
    problem_set(p, "window", "3");
    problem_set(p, "kernel", "1");
    problem_set_number(p, "prompt", (double)(p->keys > 2 ? p->keys - 2 : 1));
    problem_set_number(p, "sinks", (double)(seed % 2));
    problem_set(p, "recent", seed % 3 ? "1" : "-1");
    problem_set(p, "floor", "0.5");
    problem_set(p, "group_reduce", words[seed % 3]);
}

/* Importance of the prompt keys below n for query heads [h, end): rows summed, or their maximum. */
static void importance(const problem *p, int64_t b, int64_t h, int64_t end, int64_t n, bool most, double *out)
{
    int64_t prompt = problem_integer(p, "prompt"),
            first = prompt - problem_integer(p, "window") - (p->keys - p->queries);
    int64_t half = problem_integer(p, "kernel") / 2;
    double *all = reference_numbers(n);
    for (int64_t j = 0; j < n; j++) {
        for (int64_t head = h; head < end; head++) {
            double one = 0;
            for (int64_t r = first; r < first + problem_integer(p, "window"); r++) {
                double w = weight(p, b, head, r, j, prompt);
                one = most ? fmax(one, w) : one + w;
            }
            all[j] = problem_is(p, "group_reduce", "max") ? fmax(all[j], one) : all[j] + one;
        }
        all[j] /= problem_is(p, "group_reduce", "mean") ? (double)(end - h) : 1;
    }
    for (int64_t j = 0; j < n; j++) {
        out[j] = 0;
        for (int64_t i = j - half; i <= j + half; i++) {
            out[j] += i >= 0 && i < n ? all[i] / (double)problem_integer(p, "kernel") : 0;
        }
    }
    free(all);
}

static void snap_rows(const problem *p, const bool *kept, bool *seen)
{
    int64_t prompt = problem_integer(p, "prompt");
    for (int64_t i = 0; i < p->queries; i++) {
        for (int64_t j = 0; j < p->keys; j++) {
            seen[i * p->keys + j] = problem_position(p, i) < prompt ||
                                    prompt <= problem_integer(p, "budget") || kept[j] || j >= prompt;
        }
    }
}

static void snap_mask(const problem *p, int64_t b, int64_t h, bool *seen)
{
    int64_t prompt = problem_integer(p, "prompt"), n = prompt - problem_integer(p, "window"),
            group = p->heads / p->kv_heads;
    bool *kept = reference_marks(p->keys), shared = !problem_is(p, "group_reduce", "none");
    double *x = reference_numbers(p->keys);
    if (prompt > problem_integer(p, "budget")) {
        int64_t from = shared ? h / group * group : h;
        importance(p, b, from, shared ? from + group : h + 1, n, false, x);
        force(x, 0, problem_integer(p, "sinks"));
        reference_best(n, x, problem_integer(p, "budget") - problem_integer(p, "window"), kept);
        memset(kept + n, true, (size_t)problem_integer(p, "window") * sizeof *kept);
    }
    snap_rows(p, kept, seen);
    free(kept);
    free(x);
}

static void ada_mask(const problem *p, int64_t b, int64_t h, bool *seen)
{
    int64_t n = problem_integer(p, "prompt"), group = p->heads / p->kv_heads,
            budget = problem_integer(p, "budget");
    int64_t recent =
        problem_integer(p, "recent") < 0 ? problem_integer(p, "window") : problem_integer(p, "recent");
    int64_t least = (int64_t)floor(problem_number(p, "floor", 0) * (double)budget);
    bool *kept = reference_marks(p->kv_heads * p->keys);
    double *x = reference_numbers(p->kv_heads * p->keys);
    least = least > recent + problem_integer(p, "sinks") ? least : recent + problem_integer(p, "sinks");
    for (int64_t g = 0; g < p->kv_heads && n > budget; g++) {
        double *of = x + g * n;
        importance(p, b, g * group, (g + 1) * group, n, true, of);
        force(of, 0, problem_integer(p, "sinks"));
        force(of, n - recent, n);
        reference_best(n, of, least, kept + g * n);
    }
    if (n > budget) {
        reference_best(p->kv_heads * n, x, p->kv_heads * (budget - least), kept);
    }
    snap_rows(p, kept + h / group * n, seen);
    free(kept);
    free(x);
}

const fixture probe_fixtures[] = {
    { .name = "vertical-slash", .make = vertical_make, .mask = vertical_mask, .any_queries = true },
    { .name = "flexprefill", .make = flex_make, .mask = flex_mask, .any_queries = true, .causal_only = true },
    { .name = "snapkv", .make = snap_make, .mask = snap_mask, .any_queries = true, .causal_only = true },
    { .name = "ada-snapkv", .make = ada_make, .mask = ada_mask, .any_queries = true, .causal_only = true },
    { .name = NULL },
};
