/* object_kernel.c - the Gaussian kernel on positions as a bias of dense attention.
 *
 * An axis gives a term that depends on the distance alone: a table. Queries of a block that share a position on an axis
 * share its line of terms, as the tokens of a grid do; lines are added up. */
#include "config.h"

#include "attention/vision/object.h"

#include <stdlib.h>
#include <string.h>

#include "attention/linear/rows.h"
#include "lib/engine/rowwise/rowwise.h"

enum { MOST_TABLE = 1 << 16 };

static uint64_t distance_of(int64_t a, int64_t b)
{
    return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

static double term(const ga__object_kernel *k, double distance)
{
    return distance == 0 ? k->factor : k->factor * exp(-distance * distance / k->width);
}

/* The table ends where the largest distance of any axis does, where the term rounds to 0, or where it is large enough. */
static ga_status make_table(ga__object_kernel *k)
{
    ga_status status = GA_OK;
    uint64_t most = 0;
    for (int64_t a = 0; a < k->axes; a++) {
        int64_t low = INT64_MAX, high = INT64_MIN;
        for (int64_t i = 0; i < k->queries; i++) {
            low = ga__min(low, k->query[a * k->queries + i]);
            high = ga__max(high, k->query[a * k->queries + i]);
        }
        for (int64_t j = 0; j < k->keys; j++) {
            low = ga__min(low, k->key[a * k->keys + j]);
            high = ga__max(high, k->key[a * k->keys + j]);
        }
        most = low <= high && distance_of(high, low) > most ? distance_of(high, low) : most;
    }
    k->reach = most < MOST_TABLE ? (int64_t)most + 1 : MOST_TABLE;
    GA_TRY(GA_NEW(k->run->context, k->reach, &k->table));
    for (int64_t d = 0; d < k->reach; d++) {
        k->table[d] = (float)term(k, (double)d);
        if (k->table[d] == 0) { /* and so are all behind it */
            k->reach = d + 1;
            k->whole = true;
        }
    }
done:
    return status;
}

static ga_status read_positions(const ga__view *view, int64_t axes, int64_t count, const int64_t *order,
                                ga_context *context, int64_t **out)
{
    int64_t size = 0;
    if (!ga__mul(axes, count, &size)) {
        return ga__fail(context, GA_OVERFLOW, "object: too many positions");
    }
    ga_status status = GA_NEW(context, size, out);
    for (int64_t a = 0; status == GA_OK && a < axes; a++) {
        for (int64_t i = 0; i < count; i++) {
            (*out)[a * count + i] = ga__view_get_integer(view, 0, order ? order[i] : i, a);
        }
    }
    return status;
}

ga_status ga__object_kernel_open(ga__job *run, const ga__object *t, int64_t keys, const int64_t *order,
                                 int64_t rows, ga__object_kernel *kernel)
{
    ga_status status = GA_OK;
    int64_t cells = 0;
    *kernel = (ga__object_kernel){ .run = run,
                                   .axes = t->q_pos.columns,
                                   .queries = run->queries,
                                   .keys = keys,
                                   .factor = run->scale * t->gain,
                                   .width = t->width };
    if (!t->q_pos.data) {
        goto done;
    }
    if (!ga__mul(rows, keys, &cells)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "object: too many pairs"));
    }
    GA_TRY(read_positions(&t->q_pos, kernel->axes, run->queries, NULL, run->context, &kernel->query));
    GA_TRY(read_positions(&t->k_pos, kernel->axes, keys, order, run->context, &kernel->key));
    GA_TRY(make_table(kernel));
    GA_TRY(GA_NEW(run->context, rows, &kernel->places));
    GA_TRY(GA_NEW(run->context, rows, &kernel->row));
    GA_TRY(GA_NEW(run->context, cells, &kernel->lines));
done:
    return status;
}

void ga__object_kernel_close(ga__object_kernel *kernel)
{
    ga_context *context = kernel->run->context;
    ga_free(context, kernel->query);
    ga_free(context, kernel->key);
    ga_free(context, kernel->table);
    ga_free(context, kernel->places);
    ga_free(context, kernel->row);
    ga_free(context, kernel->lines);
}

/* ---- a block ---- */

typedef struct block {
    const ga__object_kernel *kernel;
    const ga__rowwise_kernels *rowwise;
    int64_t axis;
    float *bias;
} block;

static void fill_line(void *user, int64_t none, int64_t of, int64_t place, double *room)
{
    const block *b = user;
    const ga__object_kernel *k = b->kernel;
    const int64_t *key = k->key + b->axis * k->keys;
    float *line = k->lines + place * k->keys;
    int64_t at = k->places[place];
    (void)none;
    (void)of;
    (void)room;
    for (int64_t j = 0; j < k->keys; j++) {
        uint64_t distance = distance_of(at, key[j]);
        line[j] = distance < (uint64_t)k->reach ? k->table[distance]
                  : k->whole                    ? 0
                                                : (float)term(k, (double)distance);
    }
}

static void add_line(void *user, int64_t none, int64_t of, int64_t row, double *room)
{
    const block *b = user;
    const ga__object_kernel *k = b->kernel;
    (void)none;
    (void)of;
    (void)room;
    b->rowwise->combine[0](k->keys, 1, k->lines + k->row[row] * k->keys, b->axis > 0,
                           b->bias + row * k->keys);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Fills places and row; the number of places. */
static int64_t find_places(ga__object_kernel *k, const int64_t *positions, int64_t rows)
{
    int64_t count = 0;
    memcpy(k->places, positions, (size_t)rows * sizeof *positions);
    qsort(k->places, (size_t)rows, sizeof *k->places, compare);
    for (int64_t i = 0; i < rows; i++) {
        if (i == 0 || k->places[i] != k->places[count - 1]) {
            k->places[count++] = k->places[i];
        }
    }
    for (int64_t i = 0; i < rows; i++) {
        const int64_t *found = bsearch(&positions[i], k->places, (size_t)count, sizeof *k->places, compare);
        k->row[i] = found - k->places;
    }
    return count;
}

ga_status ga__object_kernel_fill(ga__object_kernel *kernel, int64_t first, int64_t rows, float *bias)
{
    ga_status status = GA_OK;
    block b = { .kernel = kernel, .rowwise = GA__CHOOSE(kernel->run->context, ga__rowwise), .bias = bias };
    if (kernel->axes == 0) {
        memset(bias, 0, (size_t)(rows * kernel->keys) * sizeof *bias);
    }
    for (b.axis = 0; b.axis < kernel->axes; b.axis++) {
        int64_t places = find_places(kernel, kernel->query + b.axis * kernel->queries + first, rows);
        GA_TRY(ga__rows(kernel->run, 1, 1, places, 0, fill_line, &b));
        GA_TRY(ga__rows(kernel->run, 1, 1, rows, 0, add_line, &b));
    }
done:
    return status;
}
