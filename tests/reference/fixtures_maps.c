/* fixtures_maps.c - changes of the map, of scores by keys and of heads, by their formulas. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

static const DLDataType u8 = { kDLUInt, 8, 1 };

/* Flags (rows, columns), 1 for about one in four. */
static array *flags(problem *p, const char *name, int64_t rows, int64_t columns, uint64_t *state)
{
    array *a = problem_tensor(p, name, 2, (int64_t[]){ rows, columns });
    p->tensors[p->tensor_count - 1].dtype = u8;
    for (int64_t i = 0; i < array_count(a); i++) {
        a->data[i] = reference_draw(state) > 0.5;
    }
    return a;
}

static bool is_set(const problem *p, const char *name, int64_t row, int64_t column)
{
    const array *a = problem_find(p, name);
    return a->data[row * a->shape[a->ndim - 1] + column] != 0;
}

/* ---- all of them: scores, softmax, a change of the weights, values ---- */

typedef double (*score_fn)(const problem *p, int64_t b, int64_t h, int64_t i, int64_t j, double s);
typedef void (*weights_fn)(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w);

static double product(const problem *p, int64_t b, int64_t h, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t c = 0; c < p->dim; c++) {
        sum += *array_at(&p->q, b, h, i, c) * *array_at(&p->k, b, h / (p->heads / p->kv_heads), j, c);
    }
    return sum * (isnan(p->scale) ? 1 / sqrt((double)p->dim) : p->scale);
}

static int64_t length_of(const problem *p, int64_t i)
{
    int64_t n = p->causal ? i + p->keys - p->queries + 1 : p->keys;
    return n < 0 ? 0 : n < p->keys ? n : p->keys;
}

/* The first n keys, those of [from, to) left out, onto o (dim_v). */
static void row_of(const problem *p, int64_t b, int64_t h, int64_t i, int64_t from, int64_t to,
                   score_fn score, weights_fn change, double *o)
{
    int64_t n = length_of(p, i), g = h / (p->heads / p->kv_heads);
    double *w = calloc((size_t)n + 1, sizeof *w), sum = 0;
    for (int64_t j = 0; j < n; j++) {
        double s = product(p, b, h, i, j);
        w[j] = j >= from && j < to ? 0 : exp(score ? score(p, b, h, i, j, s) : s);
        sum += w[j];
    }
    for (int64_t j = 0; j < n && sum > 0; j++) {
        w[j] /= sum;
    }
    if (change) {
        change(p, b, h, i, n, w);
    }
    for (int64_t c = 0; c < p->dim_v; c++) {
        o[c] = 0;
        for (int64_t j = 0; j < n; j++) {
            o[c] += w[j] * *array_at(&p->v, b, g, j, c);
        }
    }
    free(w);
}

static void all_rows(const problem *p, score_fn score, weights_fn change, array *o)
{
    for (int64_t row = 0; row < p->batch * p->heads * p->queries; row++) {
        int64_t slice = row / p->queries;
        row_of(p, slice / p->heads, slice % p->heads, row % p->queries, 0, 0, score, change,
               o->data + row * p->dim_v);
    }
}

/* ---- var ---- */

static int64_t image_start(const problem *p)
{
    return (int64_t)problem_number(p, "image_start", 0);
}
static int64_t image_end(const problem *p)
{
    return (int64_t)problem_number(p, "image_end", 0);
}

static void set_image(problem *p)
{
    problem_set_number(p, "image_start", (double)(p->keys / 6));
    problem_set_number(p, "image_end", (double)((p->keys + 1) / 2));
}

static void var_make(problem *p, uint64_t seed)
{
    uint64_t state = seed + 17;
    set_image(p);
    problem_set(p, "summ", "0.05");
    problem_set(p, "rho", "0.8");
    problem_set(p, "keep", "0.3");
    if (seed % 2) {
        array *hidden = problem_tensor(p, "hidden", 3, (int64_t[]){ p->batch, p->keys, 5 });
        for (int64_t i = 0; i < array_count(hidden); i++) {
            hidden->data[i] = (double)(float)reference_draw(&state);
        }
        problem_set(p, "tau", "1.3");
        problem_set(p, "sink_dims", "1,3");
    } else {
        array *mask = flags(p, "sink_mask", p->batch, p->keys, &state);
        mask->data[p->keys / 6] = 1;
    }
}

static bool var_sink(const problem *p, int64_t b, int64_t j)
{
    const array *hidden = problem_find(p, "hidden");
    if (!hidden) {
        return is_set(p, "sink_mask", b, j);
    }
    const double *x = hidden->data + (b * p->keys + j) * 5;
    double square = 0;
    for (int c = 0; c < 5; c++) {
        square += x[c] * x[c] / 5;
    }
    return fmax(fabs(x[1]), fabs(x[3])) / sqrt(square + 1e-6) > 1.3;
}

static void var_change(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w)
{
    double image = 0, image_sinks = 0, sinks = 0, keep = problem_number(p, "keep", 0.6);
    bool applies = false;
    (void)h;
    for (int64_t j = image_start(p); j < image_end(p); j++) {
        applies = applies || var_sink(p, b, j);
    }
    for (int64_t j = 0; j < n; j++) {
        bool inside = j >= image_start(p) && j < image_end(p);
        image += inside ? w[j] : 0;
        image_sinks += inside && var_sink(p, b, j) ? w[j] : 0;
        sinks += var_sink(p, b, j) ? w[j] : 0;
    }
    double share = image_sinks / (image + 1e-6 * (double)(image_end(p) - image_start(p)));
    if (!applies || i + p->keys - p->queries < image_end(p) || !(share <= problem_number(p, "rho", 0.5)) ||
        !(image >= problem_number(p, "summ", 0.2)) || !(image - image_sinks > 0)) {
        return;
    }
    for (int64_t j = 0; j < n; j++) {
        bool inside = j >= image_start(p) && j < image_end(p);
        if (var_sink(p, b, j)) {
            w[j] *= keep;
        } else if (inside) {
            w[j] += (1 - keep) * sinks * w[j] / (image - image_sinks);
        }
    }
}

static void var_run(const problem *p, array *o)
{
    all_rows(p, NULL, var_change, o);
}

/* ---- act, with means that are given, or its own ---- */

static void act_make(problem *p, uint64_t seed)
{
    uint64_t state = seed + 23;
    problem_set(p, "alpha", "1.25");
    problem_set(p, "beta", "0.3");
    p->rows_together = seed % 2;
    if (!p->rows_together) {
        array *recv = problem_tensor(p, "recv", 3, (int64_t[]){ p->batch, p->heads, p->keys });
        for (int64_t i = 0; i < array_count(recv); i++) {
            recv->data[i] = (double)(float)((1 + reference_draw(&state)) / (double)p->keys);
        }
    }
    if (seed % 3 == 1) {
        array *heads = flags(p, "heads", 1, p->heads, &state);
        heads->ndim = 1;
        heads->shape[0] = p->heads;
        heads->data[0] = 1;
    }
}

/* Of the head at work, (keys): 1 = damped; while its means are gathered, their sums. */
static double *act_keys;

static void act_gather(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w)
{
    (void)p, (void)b, (void)h, (void)i;
    for (int64_t j = 0; j < n; j++) {
        act_keys[j] += w[j];
    }
}

static void act_find(const problem *p, int64_t b, int64_t h, double *o)
{
    const array *given = problem_find(p, "recv"), *heads = problem_find(p, "heads");
    bool found = false;
    memset(act_keys, 0, (size_t)p->keys * sizeof *act_keys);
    for (int64_t i = 0; i < p->queries && !given; i++) {
        row_of(p, b, h, i, 0, 0, NULL, act_gather, o);
    }
    for (int64_t j = 0; j < p->keys; j++) {
        int64_t rows = 0;
        for (int64_t i = 0; i < p->queries; i++) {
            rows += j < length_of(p, i);
        }
        double recv = given ? given->data[(b * p->heads + h) * p->keys + j] : act_keys[j] / (double)rows;
        bool sink = recv > 1.25 / (double)p->keys;
        act_keys[j] = sink && found && (!heads || heads->data[h] != 0);
        found = found || sink;
    }
}

static void act_change(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w)
{
    double sinks = 0, rest = 0;
    (void)p, (void)b, (void)h, (void)i;
    for (int64_t j = 0; j < n; j++) {
        *(act_keys[j] > 0 ? &sinks : &rest) += w[j];
    }
    for (int64_t j = 0; j < n && rest > 0; j++) {
        w[j] = act_keys[j] > 0 ? 0.3 * w[j] : w[j] + 0.7 * sinks * w[j] / rest;
    }
}

static void act_run(const problem *p, array *o)
{
    act_keys = calloc((size_t)p->keys + 1, sizeof *act_keys);
    for (int64_t slice = 0; slice < p->batch * p->heads; slice++) {
        double *rows = o->data + slice * p->queries * p->dim_v;
        act_find(p, slice / p->heads, slice % p->heads, rows);
        for (int64_t i = 0; i < p->queries; i++) {
            row_of(p, slice / p->heads, slice % p->heads, i, 0, 0, NULL, act_change, rows + i * p->dim_v);
        }
    }
    free(act_keys);
    act_keys = NULL;
}

/* ---- paint, every row ---- */

static void paint_make(problem *p, uint64_t seed)
{
    uint64_t state = seed + 29;
    problem_set(p, "rows", "all");
    problem_set(p, "alpha", "0.8");
    problem_set(p, "beta", "0.5");
    flags(p, "local", p->batch, p->keys, &state);
    flags(p, "summary", p->batch, p->keys, &state);
    if (seed % 2) {
        array *factors = problem_tensor(p, "factors", 1, (int64_t[]){ p->heads });
        for (int64_t h = 0; h < p->heads; h++) {
            factors->data[h] = (double)(float)(1 + reference_draw(&state));
        }
    }
}

static double paint_score(const problem *p, int64_t b, int64_t h, int64_t i, int64_t j, double s)
{
    double gain = is_set(p, "summary", b, j) ? 0.5 : is_set(p, "local", b, j) ? 0.8 : 0;
    (void)i;
    return s + gain * fabs(s) * (problem_find(p, "factors") ? problem_find(p, "factors")->data[h] : 1);
}

static void paint_run(const problem *p, array *o)
{
    all_rows(p, paint_score, NULL, o);
}

/* ---- dara ---- */

static void dara_make(problem *p, uint64_t seed)
{
    uint64_t state = seed + 31;
    problem_set(p, "form", seed % 2 ? "logit" : "prob");
    array *factors = seed % 3 == 1
                         ? problem_tensor(p, "factors", 2, (int64_t[]){ p->heads, p->keys })
                         : problem_tensor(p, "factors", 3, (int64_t[]){ p->batch, p->heads, p->keys });
    for (int64_t i = 0; i < array_count(factors); i++) {
        factors->data[i] = (double)(float)(1 + 0.8 * reference_draw(&state));
    }
}

static double dara_score(const problem *p, int64_t b, int64_t h, int64_t i, int64_t j, double s)
{
    const array *factors = problem_find(p, "factors");
    double f = factors->data[((factors->ndim == 2 ? 0 : b) * p->heads + h) * p->keys + j];
    (void)i;
    return strcmp(problem_text(p, "form", "prob"), "prob") == 0 ? s + log(f) : s * f;
}

static void dara_run(const problem *p, array *o)
{
    all_rows(p, dara_score, NULL, o);
}

/* ---- vhr ---- */

static void vhr_make(problem *p, uint64_t seed)
{
    uint64_t state = seed + 37;
    problem_set(p, "alpha", "1.5");
    p->rows_together = true;
    if (seed % 2) {
        set_image(p);
        return;
    }
    array *reference = problem_tensor(p, "reference", 3, (int64_t[]){ p->batch, p->heads, p->dim_v });
    for (int64_t i = 0; i < array_count(reference); i++) {
        reference->data[i] = (double)(float)reference_draw(&state);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Above mean + deviation, by more than rounding. */
static bool sticks_out(const double *x, int64_t n, int64_t i)
{
    double mean = 0, square = 0;
    for (int64_t k = 0; k < n; k++) {
        mean += x[k] / (double)n;
    }
    for (int64_t k = 0; k < n; k++) {
        square += (x[k] - mean) * (x[k] - mean) / (double)n;
    }
    return x[i] > (mean + sqrt(square)) * (1 + 1e-12);
}

static void vhr_gates(const problem *p, int64_t b, const array *o, double *gate)
{
    int64_t n = p->heads, last = p->queries - 1;
    const array *reference = problem_find(p, "reference");
    double *far = calloc((size_t)n, sizeof *far), *size = calloc((size_t)n, sizeof *size),
           *sorted = calloc((size_t)n, sizeof *sorted), *row = calloc((size_t)p->dim_v + 1, sizeof *row);
    for (int64_t h = 0; h < n; h++) {
        row_of(p, b, h, last, image_start(p), image_end(p), NULL, NULL, row);
        for (int64_t c = 0; c < p->dim_v; c++) {
            double y = reference ? reference->data[(b * n + h) * p->dim_v + c] : row[c];
            double x = *array_at(o, b, h, last, c);
            far[h] += (x - y) * (x - y);
            size[h] += y * y;
        }
        far[h] = sqrt(far[h]);
    }
    for (int64_t h = 0; h < n; h++) {
        gate[h] = sticks_out(far, n, h) && sticks_out(size, n, h) ? 0 : far[h];
    }
    memcpy(sorted, gate, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    double median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    for (int64_t h = 0; h < n; h++) {
        gate[h] = gate[h] > median ? 1.5 : 1;
    }
    free(far);
    free(size);
    free(sorted);
    free(row);
}

static void vhr_run(const problem *p, array *o)
{
    double *gate = calloc((size_t)p->heads + 1, sizeof *gate);
    all_rows(p, NULL, NULL, o);
    for (int64_t b = 0; b < p->batch; b++) {
        vhr_gates(p, b, o, gate);
        for (int64_t i = 0; i < p->heads * p->queries * p->dim_v; i++) {
            array_at(o, b, 0, 0, 0)[i] *= gate[i / p->dim_v / p->queries];
        }
    }
    free(gate);
}

/* ---- head-mask ---- */

static void head_mask_make(problem *p, uint64_t seed)
{
    array *modes = problem_tensor(p, "modes", 1, (int64_t[]){ p->heads });
    p->tensors[p->tensor_count - 1].dtype = u8;
    for (int64_t h = 0; h < p->heads; h++) {
        modes->data[h] = (double)(((uint64_t)h + seed) % 3);
    }
}

static void head_mask_change(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w)
{
    int mode = (int)problem_find(p, "modes")->data[h];
    (void)b, (void)i;
    for (int64_t j = 0; j < n && mode > 0; j++) {
        w[j] = mode == 1 ? 1 / (double)n : 0;
    }
}

static void head_mask_run(const problem *p, array *o)
{
    all_rows(p, NULL, head_mask_change, o);
}

const fixture maps_fixtures[] = {
    { .name = "var", .make = var_make, .run = var_run, .any_queries = true },
    { .name = "act", .make = act_make, .run = act_run, .any_queries = true },
    { .name = "paint", .make = paint_make, .run = paint_run, .any_queries = true },
    { .name = "dara", .make = dara_make, .run = dara_run, .any_queries = true },
    { .name = "vhr", .make = vhr_make, .run = vhr_run, .any_queries = true, .map_alone = true },
    { .name = "head-mask", .make = head_mask_make, .run = head_mask_run, .any_queries = true },
    { .name = NULL },
};
