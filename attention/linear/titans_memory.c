/* titans_memory.c - the nets of titans: reading, and one step of gradient descent with momentum and forgetting. */
#include "config.h"

#include <string.h>

#include "attention/linear/titans.h"

bool ga__add_product(int64_t *sum, int64_t a, int64_t b)
{
    int64_t product;
    return ga__mul(a, b, &product) && ga__add(*sum, product, sum);
}

bool ga__memory_size(ga__memory *memory, int64_t d, int64_t e, int64_t f, int64_t chunk)
{
    *memory = (ga__memory){ .kernels = memory->kernels, .d = d, .e = e, .f = f, .chunk = chunk };
    if (f == 0) {
        return ga__add_product(&memory->size, d, e);
    }
    return ga__add_product(&memory->size, f, d) && ga__add_product(&memory->size, e, f);
}

/* h (f), a (f), back (f), err (e). */
int64_t ga__memory_room(const ga__memory *memory)
{
    return 3 * memory->f + memory->e;
}

/* h = W1 x, a = silu(h), y = W2 a. */
static void through(const ga__memory *memory, const double *weights, const double *x, double *h, double *a,
                    double *y)
{
    memory->kernels->from_right(memory->f, memory->d, weights, x, h);
    for (int64_t j = 0; j < memory->f; j++) {
        a[j] = h[j] * ga__logistic(h[j]);
    }
    memory->kernels->from_right(memory->e, memory->f, weights + memory->f * memory->d, a, y);
}

void ga__memory_read(const ga__memory *memory, const double *x, double *y)
{
    if (memory->f == 0) {
        memory->kernels->from_left(memory->d, memory->e, x, memory->m, y);
    } else {
        through(memory, memory->m, x, memory->room, memory->room + memory->f, y);
    }
}

/* The gradient is k' err: (d, e). */
static void learn_linear(ga__memory *memory, const double *k, const double *v, const double rate[3])
{
    double *err = memory->room;
    memory->kernels->from_left(memory->d, memory->e, k, memory->frozen, err);
    for (int64_t c = 0; c < memory->e; c++) {
        err[c] = 2 * (err[c] - v[c]);
    }
    memory->kernels->descend(memory->d, memory->e, k, err, rate, memory->m, memory->s);
}

/* The gradients are err a' (e, f) and ((W2' err) * silu'(h)) k' (f, d), silu' = sigma (1 + h (1 - sigma)). */
static void learn_mlp(ga__memory *memory, const double *k, const double *v, const double rate[3])
{
    int64_t f = memory->f, first = f * memory->d;
    double *h = memory->room, *a = h + f, *back = a + f, *err = back + f;
    through(memory, memory->frozen, k, h, a, err);
    for (int64_t c = 0; c < memory->e; c++) {
        err[c] = 2 * (err[c] - v[c]);
    }
    memory->kernels->from_left(memory->e, f, err, memory->frozen + first, back);
    for (int64_t j = 0; j < f; j++) {
        double s = ga__logistic(h[j]);
        back[j] *= s * (1 + h[j] * (1 - s));
    }
    memory->kernels->descend(f, memory->d, back, k, rate, memory->m, memory->s);
    memory->kernels->descend(memory->e, f, err, a, rate, memory->m + first, memory->s + first);
}

void ga__memory_learn(ga__memory *memory, int64_t place, const double *k, const double *v, double theta,
                      double eta, double alpha)
{
    const double rate[] = { theta, eta, 1 - alpha };
    if (memory->frozen != memory->m && place % memory->chunk == 0) {
        memcpy(memory->frozen, memory->m, (size_t)memory->size * sizeof *memory->m);
    }
    if (memory->f == 0) {
        learn_linear(memory, k, v, rate);
    } else {
        learn_mlp(memory, k, v, rate);
    }
}
