/* write.c - the elements of a tensor as bytes. */
#include "config.h"

#include "lib/tensor/tensor.h"

static bool is_contiguous(const DLTensor *tensor)
{
    int64_t step = 1;
    for (int i = tensor->ndim - 1; tensor->strides && i >= 0; i--) {
        if (tensor->shape[i] > 1 && tensor->strides[i] != step) {
            return false;
        }
        step *= tensor->shape[i];
    }
    return true;
}

ga_status ga__tensor_write(ga_context *context, ga__output *output, const DLTensor *tensor)
{
    enum { PIECE = 1 << 15 };
    ga_status status = GA_OK;
    unsigned char *buffer = NULL;
    int size = ga__dtype_size(tensor->dtype);
    int64_t elements = size > 0;
    for (int i = 0; i < tensor->ndim; i++) {
        elements *= tensor->shape[i];
    }
    const unsigned char *data = (const unsigned char *)tensor->data + tensor->byte_offset;
    if (elements == 0) {
        goto done;
    }
    if (is_contiguous(tensor)) {
        status = ga__output_write(context, output, data, elements * size);
        goto done;
    }
    GA_TRY(ga_alloc(context, PIECE, (size_t)size, &buffer));
    ga__walk walk = ga__walk_start(data, size, tensor->ndim, tensor->shape, tensor->strides);
    for (int64_t at = 0, piece; at < elements; at += piece) {
        piece = ga__min(elements - at, PIECE);
        ga__walk_copy(&walk, piece, buffer);
        GA_TRY(ga__output_write(context, output, buffer, piece * size));
    }
done:
    ga_free(context, buffer);
    return status;
}
