/* fixtures_vision.c - region, object and probe by their formulas. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

static double scale_of(const problem *p)
{
    return isnan(p->scale) ? 1 / sqrt((double)p->dim) : p->scale;
}

static double dot(const problem *p, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t c = 0; c < p->dim; c++) {
        sum += a[c] * b[c];
    }
    return sum;
}

/* ---- region ---- */

enum { MOST_STARTS = 64, LOW_Y = 2, LOW_X = 3, OWN = 2 };
static const int64_t sides[2] = { 3, 4 }, steps[2] = { 2, 3 };

static void image_of(const problem *p, int64_t shape[2])
{
    shape[0] = p->queries == 70 ? 7 : p->queries == 130 ? 10 : p->queries;
    shape[1] = p->queries / shape[0];
}

/* 0, s, 2 s, ... below L - R, then L - R; their number. *side is R cut to the axis. */
static int64_t starts_of(int64_t length, int axis, int64_t starts[MOST_STARTS], int64_t *side)
{
    int64_t count = 0, last;
    *side = sides[axis] < length ? sides[axis] : length;
    last = length - *side;
    for (int64_t y = 0; y < last; y += steps[axis]) {
        starts[count++] = y;
    }
    starts[count++] = last;
    return count;
}

static int64_t regions_of(const problem *p)
{
    int64_t shape[2], starts[MOST_STARTS], side;
    image_of(p, shape);
    return starts_of(shape[0], 0, starts, &side) * starts_of(shape[1], 1, starts, &side);
}

static void region_make(problem *p, uint64_t seed)
{
    int64_t shape[2];
    uint64_t state = seed + 5;
    image_of(p, shape);
    snprintf(p->text[0], sizeof p->text[0], "%lld,%lld", (long long)shape[0], (long long)shape[1]);
    p->parameters[p->parameter_count++] = (ga_named_text){ "shape", p->text[0] };
    problem_set(p, "region", "3,4");
    problem_set(p, "stride", "2,3");
    problem_set(p, "keep", "0.8");
    problem_set(p, "eps", "0.01");
    problem_set(p, "sinks", seed % 2 ? "0" : "1");
    array *prior = problem_tensor(p, "prior", 3, (int64_t[]){ p->keys, LOW_Y, LOW_X });
    for (int64_t i = 0; i < array_count(prior); i++) {
        prior->data[i] = (double)(float)fabs(reference_draw(&state));
    }
    for (int i = 0; i < 2 && seed % 3 != 0; i++) {
        array *own = problem_tensor(p, i ? "v_region" : "k_region", 4,
                                    (int64_t[]){ regions_of(p), p->kv_heads, OWN, i ? p->dim_v : p->dim });
        for (int64_t k = 0; k < array_count(own); k++) {
            own->data[k] = (double)(float)reference_draw(&state);
        }
    }
}

static double prior_at(const problem *p, int64_t token, int64_t y, int64_t x)
{
    int64_t shape[2];
    const double *map = problem_find(p, "prior")->data + token * LOW_Y * LOW_X;
    double most = 0;
    image_of(p, shape);
    for (int i = 0; i < LOW_Y * LOW_X; i++) {
        most = fmax(most, map[i]);
    }
    if (token < (int64_t)problem_number(p, "sinks", 1)) {
        return 1;
    }
    return most > 0 ? map[y * LOW_Y / shape[0] * LOW_X + x * LOW_X / shape[1]] / most : 0;
}

/* Adds the softmax output of pixel (y, x) in the region at (top, left), number n, to o. */
static void region_add(const problem *p, int64_t b, int64_t h, const int64_t at[2], const int64_t first[2],
                       const int64_t side[2], int64_t n, double *o)
{
    int64_t shape[2], g = h / (p->heads / p->kv_heads), count = 0;
    const array *k_own = problem_find(p, "k_region"), *v_own = problem_find(p, "v_region");
    double *z = calloc((size_t)p->keys + OWN, sizeof *z), sum = 0;
    const double **v = calloc((size_t)p->keys + OWN, sizeof *v), *q;
    image_of(p, shape);
    q = array_at(&p->q, b, h, at[0] * shape[1] + at[1], 0);
    for (int64_t c = 0; c < p->keys; c++) {
        double most = 0;
        for (int64_t i = 0; i < side[0] * side[1]; i++) {
            most = fmax(most, prior_at(p, c, first[0] + i / side[1], first[1] + i % side[1]));
        }
        if (most >= problem_number(p, "keep", 0)) {
            v[count] = array_at(&p->v, b, g, c, 0);
            z[count++] = scale_of(p) * dot(p, q, array_at(&p->k, b, g, c, 0)) +
                         log(fmax(prior_at(p, c, at[0], at[1]), problem_number(p, "eps", 1e-6)));
        }
    }
    for (int64_t j = 0; j < OWN && k_own; j++) {
        v[count] = array_at(v_own, n, g, j, 0);
        z[count++] = scale_of(p) * dot(p, q, array_at(k_own, n, g, j, 0));
    }
    for (int64_t j = 0; j < count; j++) {
        sum += exp(z[j]);
    }
    for (int64_t j = 0; j < count; j++) {
        for (int64_t c = 0; c < p->dim_v; c++) {
            o[c] += exp(z[j]) / sum * v[j][c];
        }
    }
    free(z);
    free(v);
}

static void region_run(const problem *p, array *o)
{
    int64_t shape[2], starts[2][MOST_STARTS], side[2], count[2];
    image_of(p, shape);
    for (int a = 0; a < 2; a++) {
        count[a] = starts_of(shape[a], a, starts[a], &side[a]);
    }
    for (int64_t row = 0; row < p->batch * p->heads * p->queries; row++) {
        int64_t i = row % p->queries, at[] = { i / shape[1], i % shape[1] }, covering = 0;
        double *sum = o->data + row * p->dim_v;
        for (int64_t n = 0; n < count[0] * count[1]; n++) {
            int64_t first[] = { starts[0][n / count[1]], starts[1][n % count[1]] };
            if (at[0] >= first[0] && at[0] < first[0] + side[0] && at[1] >= first[1] &&
                at[1] < first[1] + side[1]) {
                region_add(p, row / p->queries / p->heads, row / p->queries % p->heads, at, first, side, n,
                           sum);
                covering++;
            }
        }
        for (int64_t c = 0; c < p->dim_v; c++) {
            sum[c] /= (double)covering;
        }
    }
}

/* ---- object, without the ghost ---- */

enum { PLACES = 2 };
static const DLDataType u8 = { kDLUInt, 8, 1 };

static void object_make(problem *p, uint64_t seed)
{
    uint64_t state = seed + 9;
    problem_set(p, "stop", "0");
    problem_set(p, "sigma", "1.5");
    problem_set(p, "gain", "0.75");
    for (int i = 0; i < 2 && seed % 3 != 1; i++) {
        array *places =
            problem_tensor(p, i ? "k_pos" : "q_pos", 2, (int64_t[]){ i ? p->keys : p->queries, PLACES });
        p->tensors[p->tensor_count - 1].dtype = u8;
        for (int64_t k = 0; k < array_count(places); k++) {
            places->data[k] = floor(3 + 3 * reference_draw(&state));
        }
    }
    if (seed % 2) {
        array *valid = problem_tensor(p, "valid", 2, (int64_t[]){ p->batch, p->keys });
        p->tensors[p->tensor_count - 1].dtype = u8;
        for (int64_t k = 0; k < array_count(valid); k++) {
            valid->data[k] = k % p->keys % 3 != 1 ? 7 : 0;
        }
    }
}

static bool object_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    (void)head, (void)query;
    return !problem_find(p, "valid") || problem_find(p, "valid")->data[key] != 0;
}

static double object_bias(const problem *p, int64_t head, int64_t query, int64_t key)
{
    const array *q = problem_find(p, "q_pos"), *k = problem_find(p, "k_pos");
    double sum = 0;
    (void)head;
    for (int a = 0; a < PLACES && q; a++) {
        double d = q->data[query * PLACES + a] - k->data[key * PLACES + a];
        sum += exp(-d * d / (2 * 1.5 * 1.5));
    }
    return scale_of(p) * 0.75 * sum;
}

/* ---- probe: value j of a token is as wide as all outputs together ---- */

static void probe_make(problem *p, uint64_t seed)
{
    uint64_t state = seed + 3;
    array_free(&p->v);
    p->v = array_random(4, (int64_t[]){ p->batch, 1, p->keys, p->dim_v * p->queries }, &state);
}

static void probe_run(const problem *p, array *o)
{
    double *a = calloc((size_t)p->keys + 1, sizeof *a);
    for (int64_t row = 0; row < p->batch * p->queries; row++) {
        int64_t b = row / p->queries, m = row % p->queries;
        double sum = 0;
        for (int64_t n = 0; n < p->keys; n++) {
            a[n] = exp(scale_of(p) * dot(p, array_at(&p->q, b, 0, m, 0), array_at(&p->k, b, 0, n, 0)));
            sum += a[n];
        }
        for (int64_t c = 0; c < p->dim_v; c++) {
            for (int64_t n = 0; n < p->keys; n++) {
                *array_at(o, b, 0, m, c) += a[n] / sum * *array_at(&p->v, b, 0, n, m * p->dim_v + c);
            }
        }
    }
    free(a);
}

const fixture vision_fixtures[] = {
    { .name = "region", .make = region_make, .run = region_run, .any_queries = true, .query_tensors = true },
    { .name = "object",
      .make = object_make,
      .visible = object_visible,
      .bias = object_bias,
      .any_queries = true,
      .query_tensors = true },
    { .name = "probe", .make = probe_make, .run = probe_run, .any_queries = true, .one_head = true },
    { .name = NULL },
};
