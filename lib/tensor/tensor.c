/* tensor.c - making and destroying tensors. */
#include "config.h"

#include "lib/tensor/tensor.h"

#include "lib/base/workers.h"

#include <stdio.h>
#include <string.h>

/* The descriptor and what it points to, but for the data. */
typedef struct owned {
    DLTensor tensor;
    int64_t extents[]; /* shape, then strides */
} owned;

int ga__dtype_size(DLDataType dtype)
{
    bool known = false;
    switch (dtype.code) {
    case kDLFloat: known = dtype.bits == 16 || dtype.bits == 32 || dtype.bits == 64; break;
    case kDLBfloat: known = dtype.bits == 16; break;
    case kDLInt: known = dtype.bits == 32 || dtype.bits == 64; break;
    case kDLUInt:
    case GA_DL_BOOL: known = dtype.bits == 8; break;
    default: break;
    }
    return known && dtype.lanes == 1 ? dtype.bits / 8 : 0;
}

ga_status ga__count_elements(ga_context *context, const char *name, int ndim, const int64_t *shape, int size,
                             int64_t *elements)
{
    int64_t count = 1, reach = size; /* reach counts an empty axis as 1, so that every stride fits too */
    if (ndim < 0 || ndim > GA__MAX_AXES) {
        return ga__fail(context, GA_INVALID, "%s: 0 to %d axes are possible, not %d", name, GA__MAX_AXES,
                        ndim);
    }
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 0) {
            return ga__fail(context, GA_INVALID, "%s: axis %d has a negative extent: %lld", name, i,
                            (long long)shape[i]);
        }
        if (!ga__mul(reach, ga__max(shape[i], 1), &reach)) {
            return ga__fail(context, GA_OVERFLOW, "%s: the product of the extents is too large", name);
        }
        count *= shape[i];
    }
    *elements = count;
    return GA_OK;
}

ga_status ga__tensor_wrap(ga_context *context, DLDataType dtype, int ndim, const int64_t *shape, void *data,
                          DLTensor **out)
{
    ga_status status = GA_OK;
    owned *made = NULL;
    GA_TRY(ga_alloc(context, (int64_t)(sizeof *made + 2 * (size_t)ndim * sizeof(int64_t)), 1, &made));
    int64_t *own_shape = made->extents, *strides = made->extents + ndim, step = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        own_shape[i] = shape[i];
        strides[i] = step;
        step *= ga__max(shape[i], 1);
    }
    made->tensor = (DLTensor){
        .data = data,
        .device = { .device_type = kDLCPU, .device_id = 0 },
        .ndim = ndim,
        .dtype = dtype,
        .shape = own_shape,
        .strides = strides,
        .byte_offset = 0,
    };
    *out = &made->tensor;
done:
    return status;
}

ga_status ga_tensor_create(ga_context *context, DLDataType dtype, int ndim, const int64_t *shape,
                           DLTensor **out)
{
    ga_status status = GA_OK;
    void *data = NULL;
    int64_t elements = 0;
    int size = ga__dtype_size(dtype);
    ga__begin(context);
    if (size == 0) {
        GA_TRY(ga__fail(context, GA_UNSUPPORTED, "element type (code %d, %d bits, %d lanes) is not supported",
                        dtype.code, dtype.bits, dtype.lanes));
    }
    GA_TRY(ga__count_elements(context, "tensor", ndim, shape, size, &elements));
    GA_TRY(ga_alloc(context, elements, (size_t)size, &data));
    ga__advise_large(data, elements * size);
    GA_TRY(ga__tensor_wrap(context, dtype, ndim, shape, data, out));
    data = NULL;
done:
    ga_free(context, data);
    return status;
}

void ga_tensor_destroy(ga_context *context, DLTensor *tensor)
{
    if (tensor) {
        if (tensor->device.device_type == kDLCPU) {
            ga_free(context, tensor->data);
        } else {
            ga__release_elsewhere(context, (int)tensor->device.device_type, tensor->device.device_id,
                                  tensor->data);
        }
        ga_free(context, tensor); /* the first member of what was allocated */
    }
}

/* "(2, 5, *)" */
static void write_shape(char *text, size_t size, int count, const int64_t *axes)
{
    size_t used = (size_t)snprintf(text, size, "(");
    for (int i = 0; i < count && used < size; i++) {
        const char *comma = i ? ", " : "";
        used +=
            (size_t)(axes[i] < 0 ? snprintf(text + used, size - used, "%s*", comma)
                                 : snprintf(text + used, size - used, "%s%lld", comma, (long long)axes[i]));
    }
    if (used < size) {
        snprintf(text + used, size - used, ")");
    }
}

ga_status ga__tensor_fits(ga_context *context, const char *name, const DLTensor *tensor, int count,
                          const int64_t *axes)
{
    int missing = count - tensor->ndim;
    bool fits = missing >= 0;
    for (int i = 0; fits && i < count; i++) {
        int64_t found = i < missing ? 1 : tensor->shape[i - missing];
        fits = axes[i] < 0 || found == axes[i];
    }
    if (!fits) {
        char found[128], wanted[128];
        write_shape(found, sizeof found, tensor->ndim, tensor->shape);
        write_shape(wanted, sizeof wanted, count, axes);
        return ga__fail(context, GA_INVALID, "%s: shape %s, expected %s", name, found, wanted);
    }
    return GA_OK;
}
