/* fixtures_select.c - selectors by their definitions: which keys every query sees. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

static int64_t number(const problem *p, const char *name, int64_t otherwise)
{
    return (int64_t)problem_number(p, name, (double)otherwise);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* Marks the `count` best of n that are not marked (ties: the lower); never those of score -inf. */
static void mark_best(int64_t n, const double *scores, bool *marked, int64_t count)
{
    for (; count > 0; count--) {
        int64_t best = -1;
        for (int64_t u = 0; u < n; u++) {
            if (!marked[u] && scores[u] > -INFINITY && (best < 0 || scores[u] > scores[best])) {
                best = u;
            }
        }
        if (best < 0) {
            return;
        }
        marked[best] = true;
    }
}

static int64_t count_marked(int64_t n, const bool *marked)
{
    int64_t count = 0;
    for (int64_t u = 0; u < n; u++) {
        count += marked[u];
    }
    return count;
}

/* ---- quest ---- */

static void quest_make(problem *p, uint64_t seed)
{
    static const char *const reduce[] = { "none", "sum", "max", "none" };
    problem_set(p, "block", "3");
    problem_set(p, "budget", seed % 3 ? "10" : "4");
    problem_set(p, "min_pages", "2");
    problem_set(p, "group_reduce", reduce[seed % 4]);
    p->heads_together = seed % 4 % 3 != 0;
}

static double bound(const problem *p, int64_t b, int64_t h, int64_t query, int64_t page)
{
    int64_t block = number(p, "block", 16), g = h / (p->heads / p->kv_heads);
    double sum = 0;
    for (int64_t c = 0; c < p->dim; c++) {
        double q = *array_at(&p->q, b, h, query, c), low = INFINITY, high = -INFINITY;
        for (int64_t j = page * block; j < least((page + 1) * block, p->keys); j++) {
            low = fmin(low, *array_at(&p->k, b, g, j, c));
            high = fmax(high, *array_at(&p->k, b, g, j, c));
        }
        sum += fmax(q * low, q * high);
    }
    return sum;
}

static void quest_mask(const problem *p, int64_t b, int64_t h, bool *seen)
{
    int64_t block = number(p, "block", 16), group = p->heads / p->kv_heads;
    int64_t pages = (p->keys + block - 1) / block;
    int64_t count = most(number(p, "min_pages", 3), number(p, "budget", 1024) / block);
    double *scores = calloc((size_t)pages + 1, sizeof *scores);
    bool *kept = calloc((size_t)pages + 1, sizeof *kept);
    for (int64_t i = 0; i < p->queries; i++) {
        int64_t own = problem_position(p, i) >= 0 ? problem_position(p, i) / block : -1,
                end = p->causal ? own + 1 : pages;
        memset(kept, 0, (size_t)pages);
        for (int64_t u = 0; u < end; u++) {
            scores[u] = problem_is(p, "group_reduce", "max") ? -INFINITY : 0;
            for (int64_t m = h / group * group; m < (h / group + 1) * group; m++) {
                if (problem_is(p, "group_reduce", "max")) {
                    scores[u] = fmax(scores[u], bound(p, b, m, i, u));
                } else if (problem_is(p, "group_reduce", "sum") || m == h) {
                    scores[u] += bound(p, b, m, i, u);
                }
            }
        }
        if (p->causal && own >= 0) {
            kept[own] = true;
        }
        mark_best(end, scores, kept, count - count_marked(pages, kept));
        for (int64_t j = 0; j < p->keys; j++) {
            seen[i * p->keys + j] = kept[j / block];
        }
    }
    free(scores);
    free(kept);
}

/* ---- block-topk ---- */

static void block_make(problem *p, uint64_t seed)
{
    problem_set(p, "block", "4");
    problem_set(p, "block_q", seed % 2 ? "1" : seed % 3 ? "3" : "0");
    problem_set(p, "top_k", "3");
    problem_set(p, "sinks", seed % 3 ? "5" : "0");
    problem_set(p, "local_blocks", seed % 5 ? "1" : "2");
    problem_set(p, "group_reduce", seed % 4 == 1 ? "mean" : "none");
    p->rows_together = seed % 2 == 0;
    p->heads_together = seed % 4 == 1;
}

/* Mean of rows first .. last - 1 of heads from .. to - 1. */
static void mean_of(const array *a, int64_t b, int64_t from, int64_t to, int64_t first, int64_t last,
                    double *mean)
{
    for (int64_t c = 0; c < a->shape[3]; c++) {
        mean[c] = 0;
        for (int64_t h = from; h < to; h++) {
            for (int64_t i = first; i < last; i++) {
                mean[c] += *array_at(a, b, h, i, c) / (double)((to - from) * (last - first));
            }
        }
    }
}

/* Blocks that the queries first .. last - 1 keep. */
static void keep_blocks(const problem *p, int64_t b, int64_t h, int64_t first, int64_t last, bool *kept)
{
    int64_t block = number(p, "block", 64), blocks = (p->keys + block - 1) / block;
    int64_t group = p->heads / p->kv_heads, from = h, to = h + 1, end = blocks;
    double *scores = calloc((size_t)blocks + 1, sizeof *scores);
    double *q = calloc((size_t)p->dim, sizeof *q), *k = calloc((size_t)p->dim, sizeof *k);
    if (problem_is(p, "group_reduce", "mean")) {
        from = h / group * group;
        to = from + group;
    }
    mean_of(&p->q, b, from, to, first, last, q);
    for (int64_t u = 0; u < blocks; u++) {
        bool forced = u * block < number(p, "sinks", 1);
        mean_of(&p->k, b, h / group, h / group + 1, u * block, least((u + 1) * block, p->keys), k);
        scores[u] = dot(p->dim, q, k);
        for (int64_t i = first; p->causal && i < last;
             i++) { /* of its position, and local_blocks - 1 before the first */
            int64_t at = problem_position(p, i);
            int64_t own = most(problem_position(p, first), 0) / block;
            forced = forced || (at >= 0 && at / block == u) ||
                     (u <= own && u > own - number(p, "local_blocks", 2));
        }
        kept[u] = forced;
    }
    if (p->causal) {
        end = problem_position(p, last - 1) < 0 ? 0 : problem_position(p, last - 1) / block + 1;
    }
    memset(kept + end, 0, (size_t)(blocks - end));
    mark_best(end, scores, kept, number(p, "top_k", 100) - count_marked(blocks, kept));
    free(scores);
    free(q);
    free(k);
}

static void block_mask(const problem *p, int64_t b, int64_t h, bool *seen)
{
    int64_t block = number(p, "block", 64), block_q = number(p, "block_q", 0);
    bool *kept = calloc((size_t)p->keys + 1, sizeof *kept);
    block_q = block_q ? block_q : block;
    for (int64_t i = 0; i < p->queries; i++) {
        if (i % block_q == 0) {
            keep_blocks(p, b, h, i, least(i + block_q, p->queries), kept);
        }
        for (int64_t j = 0; j < p->keys; j++) {
            seen[i * p->keys + j] = kept[j / block];
        }
    }
    free(kept);
}

/* ---- hip ---- */

static void hip_make(problem *p, uint64_t seed)
{
    problem_set(p, "top_k", seed % 5 ? "5" : "1");
    problem_set(p, "block_q", seed % 2 ? "1" : "4");
    problem_set(p, "stride_q", seed % 3 ? "2" : "1");
    problem_set(p, "block_k", seed % 4 == 3 ? "3" : "2");
    problem_set(p, "stride_k", seed % 4 == 3 ? "2" : "1");
    problem_set(p, "sinks", seed % 3 ? "2" : "0");
    problem_set(p, "window", seed % 7 == 6 ? "0" : "3");
    problem_set(p, "representative", seed % 3 == 1 ? "first" : "center");
    p->rows_together = seed % 2 == 0;
}

typedef struct hip {
    const problem *p;
    int64_t b, h, first, last, lo, hi, units, groups;
    int64_t from[512], to[512];
    double scores[512];
} hip;

static double judge(const hip *x, int64_t unit)
{
    const problem *p = x->p;
    int64_t block = number(p, "block_k", 2), group = p->heads / p->kv_heads;
    double best = -INFINITY;
    for (int64_t i = x->first; i < x->last; i += number(p, "stride_q", 2)) {
        for (int64_t j = x->lo + unit * block; j < least(x->lo + (unit + 1) * block, x->hi);
             j += number(p, "stride_k", 1)) {
            if (!p->causal || j <= problem_position(p, i)) {
                best = fmax(best, dot(p->dim, array_at(&p->q, x->b, x->h, i, 0),
                                      array_at(&p->k, x->b, x->h / group, j, 0)));
            }
        }
    }
    return best;
}

/* One round: every group split, the best halves kept. */
static void halve(hip *x)
{
    int64_t from[1024], to[1024], halves = 0;
    double scores[1024] = { 0 };
    bool kept[1024] = { false };
    for (int64_t g = 0; g < x->groups; g++) {
        int64_t l = x->from[g], h = x->to[g], cut[] = { l, (l + h + 1) / 2, h };
        for (int c = 0; c < 2; c++) {
            if (cut[c] < cut[c + 1]) {
                from[halves] = cut[c];
                to[halves] = cut[c + 1];
                scores[halves++] = judge(
                    x, problem_is(x->p, "representative", "first") ? cut[c] : (cut[c] + cut[c + 1] - 1) / 2);
            }
        }
    }
    mark_best(halves, scores, kept, most(1, number(x->p, "top_k", 512) / number(x->p, "block_k", 2)));
    x->groups = 0;
    for (int64_t c = 0; c < halves; c++) {
        if (kept[c]) {
            x->from[x->groups] = from[c];
            x->to[x->groups++] = to[c];
        }
    }
}

static bool done(const hip *x)
{
    for (int64_t g = 0; g < x->groups; g++) {
        if (x->to[g] - x->from[g] > 1) {
            return false;
        }
    }
    return true;
}

static void hip_search(hip *x)
{
    const problem *p = x->p;
    int64_t window = number(p, "window", 256), block = number(p, "block_k", 2);
    int64_t keep = most(1, number(p, "top_k", 512) / block);
    x->lo = least(number(p, "sinks", 16), p->keys);
    x->hi = p->causal ? most(x->lo, problem_position(p, x->last) - window) : p->keys;
    x->units = (x->hi - x->lo + block - 1) / block;
    x->groups = least(x->units, keep);
    for (int64_t g = 0; g < x->groups; g++) {
        x->from[g] = x->units * g / x->groups;
        x->to[g] = x->units * (g + 1) / x->groups;
    }
    while (!done(x)) {
        halve(x);
    }
}

static void hip_mask(const problem *p, int64_t b, int64_t h, bool *seen)
{
    int64_t block_q = number(p, "block_q", 64), block = number(p, "block_k", 2);
    hip *x = calloc(1, sizeof *x);
    for (int64_t i = 0; i < p->queries; i++) {
        bool *row = seen + i * p->keys;
        if (i % block_q == 0) {
            *x = (hip){ .p = p, .b = b, .h = h, .first = i, .last = least(i + block_q, p->queries) };
            hip_search(x);
        }
        for (int64_t g = 0; g < x->groups; g++) {
            for (int64_t j = x->lo + x->from[g] * block; j < least(x->lo + x->to[g] * block, x->hi); j++) {
                row[j] = true;
            }
        }
        for (int64_t j = 0; j < p->keys; j++) {
            row[j] = row[j] || j < number(p, "sinks", 16) ||
                     (p->causal && j > problem_position(p, i) - number(p, "window", 256));
        }
    }
    free(x);
}

/* ---- dhsa ---- */

static void dhsa_make(problem *p, uint64_t seed)
{
    p->rows_together = true;
    problem_set(p, "block_q", "4");
    problem_set(p, "budget", seed % 3 ? "7" : "4");
    problem_set(p, "window", seed % 4 ? "2" : "5");
    problem_set(p, "chunk_norm", seed % 2 ? "mean" : "sqrt");
    problem_set(p, "select", seed % 3 == 1 ? "head" : "shared");
    p->heads_together = seed % 3 != 1;
    if (seed % 2) {
        int64_t chunks = (p->keys + 4) / 5;
        array *cuts = problem_tensor(p, "boundaries", 1, (int64_t[]){ chunks + 1 });
        p->tensors[p->tensor_count - 1].dtype = (DLDataType){ kDLUInt, 8, 1 };
        for (int64_t c = 0; c <= chunks; c++) {
            cuts->data[c] = (double)least(5 * c, p->keys);
        }
        return;
    }
    problem_set(p, "boundary_window", "2");
    problem_set(p, "nms", "3");
    problem_set(p, "theta", "1.02");
}

/* Row r of the softmax map, mean over the heads. */
static void mean_row(const problem *p, int64_t b, int64_t r, double *a)
{
    int64_t n = p->causal ? most(problem_position(p, r) + 1, 0) : p->keys, group = p->heads / p->kv_heads;
    double *s = calloc((size_t)p->keys + 1, sizeof *s);
    memset(a, 0, (size_t)p->keys * sizeof *a);
    for (int64_t h = 0; h < p->heads; h++) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++) {
            s[j] = exp(dot(p->dim, array_at(&p->q, b, h, r, 0), array_at(&p->k, b, h / group, j, 0)) /
                       sqrt((double)p->dim));
            sum += s[j];
        }
        for (int64_t j = 0; j < n; j++) {
            a[j] += s[j] / sum / (double)p->heads;
        }
    }
    free(s);
}

/* ratio[c] of every gap, 0 where it is not valid. */
static void ratios(const problem *p, int64_t b, double *ratio)
{
    int64_t w = number(p, "boundary_window", 4);
    double *a = calloc((size_t)p->keys + 1, sizeof *a);
    double *past = calloc((size_t)p->keys + 1, sizeof *past),
           *future = calloc((size_t)p->keys + 1, sizeof *a);
    for (int64_t r = 0; r < p->queries; r++) {
        if ((p->queries - 1 - r) % number(p, "probe_stride", 1) != 0) {
            continue;
        }
        mean_row(p, b, r, a);
        for (int64_t c = w - 1; c <= p->keys - 2 - w && problem_position(p, r) > c + w; c++) {
            for (int64_t t = 0; t < w; t++) {
                past[c] += a[c - t];
                future[c] += a[c + 1 + t];
            }
        }
    }
    for (int64_t c = 0; c < p->keys; c++) {
        bool valid = c >= w - 1 && c <= p->keys - 2 - w;
        ratio[c] = valid ? (fmax(past[c], future[c]) + 1e-6) / (fmin(past[c], future[c]) + 1e-6) : 0;
    }
    free(a);
    free(past);
    free(future);
}

/* Chunk of every key; returns the number of chunks. */
static int64_t chunks_of(const problem *p, int64_t b, int64_t *chunk)
{
    const array *given = problem_find(p, "boundaries");
    bool *cut = calloc((size_t)p->keys + 1, sizeof *cut);
    double *ratio = calloc((size_t)p->keys + 1, sizeof *ratio);
    int64_t chunks = 0;
    if (given) {
        for (int64_t c = 0; c < given->shape[0]; c++) {
            cut[(int64_t)given->data[c]] = true;
        }
    } else {
        ratios(p, b, ratio);
        cut[0] = true;
        for (int64_t n = 1; number(p, "chunks", 0) == 0 || n < number(p, "chunks", 0); n++) {
            int64_t best = 0;
            for (int64_t c = 1; c < p->keys; c++) {
                best = ratio[c] > ratio[best] ? c : best;
            }
            if (!(ratio[best] > problem_number(p, "theta", 1.1))) {
                break;
            }
            cut[best + 1] = true;
            for (int64_t c = 0; c < p->keys; c++) {
                ratio[c] = llabs(c - best) < number(p, "nms", 8) ? 0 : ratio[c];
            }
        }
    }
    for (int64_t j = 0; j < p->keys; j++) {
        chunks += cut[j];
        chunk[j] = chunks - 1;
    }
    free(cut);
    free(ratio);
    return chunks;
}

/* Scores of the keys for queries first .. last - 1: those of their chunks. */
static void chunk_scores(const problem *p, int64_t b, int64_t h, int64_t first, int64_t last,
                         const int64_t *chunk, double *scores)
{
    bool shared = !problem_is(p, "select", "head");
    int64_t group = p->heads / p->kv_heads, g = h / group;
    double *q = calloc((size_t)p->dim, sizeof *q), *k = calloc((size_t)p->dim, sizeof *k);
    mean_of(&p->q, b, shared ? 0 : h, shared ? p->heads : h + 1, first, last, q);
    for (int64_t j = 0; j < p->keys;) {
        int64_t end = j;
        while (end < p->keys && chunk[end] == chunk[j]) {
            end++;
        }
        mean_of(&p->k, b, shared ? 0 : g, shared ? p->kv_heads : g + 1, j, end, k);
        double score = dot(p->dim, q, k) * sqrt((double)(last - first)) *
                       (problem_is(p, "chunk_norm", "mean") ? 1 : sqrt((double)(end - j)));
        for (; j < end; j++) {
            scores[j] = score;
        }
    }
    free(q);
    free(k);
}

static void dhsa_mask(const problem *p, int64_t b, int64_t h, bool *seen)
{
    int64_t block_q = number(p, "block_q", 64), budget = number(p, "budget", 1024);
    int64_t *chunk = calloc((size_t)p->keys + 1, sizeof *chunk);
    double *scores = calloc((size_t)p->keys + 1, sizeof *scores);
    bool *kept = calloc((size_t)p->keys + 1, sizeof *kept);
    chunks_of(p, b, chunk);
    for (int64_t i = 0; i < p->queries; i++) {
        if (i % block_q == 0) {
            int64_t last = least(i + block_q, p->queries);
            int64_t end = p->causal ? most(problem_position(p, last - 1) + 1, 0) : p->keys;
            int64_t recent = most(0, end - least(number(p, "window", 64), budget));
            chunk_scores(p, b, h, i, last, chunk, scores);
            for (int64_t j = 0; j < p->keys; j++) {
                kept[j] = j >= recent && j < end;
            }
            mark_best(recent, scores, kept, budget - (end - recent));
        }
        for (int64_t j = 0; j < p->keys; j++) {
            seen[i * p->keys + j] = kept[j] || (p->causal && j == problem_position(p, i));
        }
    }
    free(chunk);
    free(scores);
    free(kept);
}

const fixture select_fixtures[] = {
    { .name = "quest", .make = quest_make, .mask = quest_mask, .any_queries = true },
    { .name = "block-topk", .make = block_make, .mask = block_mask, .any_queries = true },
    { .name = "hip", .make = hip_make, .mask = hip_mask, .any_queries = true },
    { .name = "dhsa", .make = dhsa_make, .mask = dhsa_mask, .any_queries = true, .query_tensors = true },
    { .name = NULL },
};
