/* walk.c - a strided array's elements in C order. */
#include "config.h"

#include "lib/tensor/tensor.h"

#include <string.h>

ga__walk ga__walk_start(const void *data, int size, int ndim, const int64_t *shape, const int64_t *strides)
{
    ga__walk walk = { .base = data, .ndim = ndim, .size = size, .shape = shape };
    for (int i = 0; i < ndim; i++) {
        walk.strides[i] = strides[i] * size;
    }
    return walk;
}

static const unsigned char *place(const ga__walk *walk)
{
    const unsigned char *at = walk->base;
    for (int i = 0; i < walk->ndim; i++) {
        at += walk->index[i] * walk->strides[i];
    }
    return at;
}

/* To the first element of the next row, a row being a run along the last axis. */
static void next_row(ga__walk *walk)
{
    int axis = walk->ndim - 1;
    walk->index[axis] = 0;
    while (--axis >= 0 && ++walk->index[axis] == walk->shape[axis]) {
        walk->index[axis] = 0;
    }
}

static void copy_row(unsigned char *out, const unsigned char *in, int64_t count, int64_t stride, int size)
{
    if (stride == size) {
        memcpy(out, in, (size_t)(count * size));
        return;
    }
    for (int64_t i = 0; i < count; i++, in += stride, out += size) {
        switch (size) { /* constant sizes become single moves */
        case 1: *out = *in; break;
        case 2: memcpy(out, in, 2); break;
        case 4: memcpy(out, in, 4); break;
        default: memcpy(out, in, 8); break;
        }
    }
}

void ga__walk_copy(ga__walk *walk, int64_t count, void *out)
{
    unsigned char *to = out;
    if (walk->ndim == 0) {
        memcpy(to, walk->base, (size_t)(count * walk->size));
        return;
    }
    int last = walk->ndim - 1;
    while (count > 0) {
        int64_t run = ga__min(count, walk->shape[last] - walk->index[last]);
        copy_row(to, place(walk), run, walk->strides[last], walk->size);
        to += run * walk->size;
        count -= run;
        walk->index[last] += run;
        if (walk->index[last] == walk->shape[last]) {
            next_row(walk);
        }
    }
}
