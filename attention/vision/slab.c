/* slab.c - parts of a tensor, and arrays, as tensors that the engine takes. */
#include "config.h"

#include "attention/vision/slab.h"

#include <string.h>

static const DLDataType types[] = {
    { kDLFloat, 32, 1 }, { kDLBfloat, 16, 1 }, { kDLFloat, 16, 1 }, { kDLFloat, 64, 1 },
    { kDLInt, 32, 1 },   { kDLInt, 64, 1 },    { kDLUInt, 8, 1 },
};

int64_t ga__slab_size(ga__type type)
{
    return types[type].bits / 8;
}

static void describe(ga__slab *slab, void *data, ga__type type)
{
    slab->tensor = (DLTensor){ .data = data,
                               .device = { .device_type = kDLCPU },
                               .ndim = 4,
                               .dtype = types[type],
                               .shape = slab->shape,
                               .strides = slab->strides };
}

void ga__slab_open(ga__slab *slab, const ga__view *view)
{
    const int64_t shape[] = { view->batch, view->heads, view->rows, view->columns };
    const int64_t strides[] = { view->stride_batch, view->stride_head, view->stride_row, 1 };
    memcpy(slab->shape, shape, sizeof shape);
    memcpy(slab->strides, strides, sizeof strides);
    describe(slab, view->data, view->type);
}

void ga__slab_cut(ga__slab *slab, int axis, int64_t first, int64_t count)
{
    int64_t bytes = slab->tensor.dtype.bits / 8;
    slab->tensor.data = (char *)slab->tensor.data + first * slab->strides[axis] * bytes;
    slab->shape[axis] = count;
}

void ga__slab_repeat(ga__slab *slab, int axis, int64_t count)
{
    if (slab->shape[axis] == 1) {
        slab->shape[axis] = count;
        slab->strides[axis] = 0;
    }
}

void ga__slab_over_type(ga__slab *slab, void *data, ga__type type, const int64_t shape[4])
{
    int64_t step = 1;
    for (int i = 3; i >= 0; i--) {
        slab->shape[i] = shape[i];
        slab->strides[i] = step;
        step *= shape[i];
    }
    describe(slab, data, type);
}

void ga__slab_over(ga__slab *slab, float *data, const int64_t shape[4])
{
    ga__slab_over_type(slab, data, GA__F32, shape);
}

void ga__slab_gather(const ga__view *from, int64_t first_batch, int64_t batches, int64_t count,
                     const int64_t *order, int64_t room, void *to)
{
    int64_t row = from->columns * ga__slab_size(from->type);
    for (int64_t b = first_batch; b < first_batch + batches; b++) {
        for (int64_t h = 0; h < from->heads; h++) {
            char *at = (char *)to + ((b - first_batch) * from->heads + h) * room * row;
            for (int64_t i = 0; i < count; i++) {
                memcpy(at + i * row, ga__view_row(from, b, h, order ? order[i] : i), (size_t)row);
            }
        }
    }
}
