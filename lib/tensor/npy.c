/* npy.c - reading and writing NumPy files. */
#include "config.h"

#include "lib/tensor/npy.h"

#include <string.h>

#include "lib/tensor/content.h"

/* ---- reading ---- */

typedef struct reading {
    ga__content from;
    ga__npy npy;
    int64_t elements;
    int size; /* of an element */
    unsigned char *data;
} reading;

static ga_status read_header(reading *r, bool u2_is_bf16)
{
    enum { MOST = 1 << 20 };
    ga_status status = GA_OK;
    unsigned char start[8], length[4] = { 0 };
    char *text = NULL;
    GA_TRY(ga__content_read(&r->from, start, sizeof start, "magic number"));
    if (memcmp(start, "\x93NUMPY", 6) != 0) {
        GA_TRY(ga__fail(r->from.context, GA_FORMAT, "%s: is no npy file", r->from.name));
    }
    if (start[6] < 1 || start[6] > 3) {
        GA_TRY(ga__fail(r->from.context, GA_UNSUPPORTED,
                        "%s: npy version %d.%d is not supported, only 1 to 3", r->from.name, start[6],
                        start[7]));
    }
    GA_TRY(ga__content_read(&r->from, length, start[6] == 1 ? 2 : 4, "header"));
    int64_t size = length[0] | length[1] << 8 | length[2] << 16 | (int64_t)length[3] << 24;
    if (size > MOST) {
        GA_TRY(ga__fail(r->from.context, GA_FORMAT, "%s: npy header of %lld bytes", r->from.name,
                        (long long)size));
    }
    GA_TRY(ga_alloc(r->from.context, size, 1, &text));
    GA_TRY(ga__content_read(&r->from, text, size, "header"));
    GA_TRY(ga__npy_parse(r->from.context, r->from.name, text, size, u2_is_bf16, &r->npy));
    r->size = ga__dtype_size(r->npy.dtype);
    status =
        ga__count_elements(r->from.context, r->from.name, r->npy.ndim, r->npy.shape, r->size, &r->elements);
done:
    ga_free(r->from.context, text);
    return status;
}

static void swap_bytes(unsigned char *data, int64_t elements, int size)
{
    for (int64_t i = 0; i < elements; i++, data += size) {
        for (int low = 0, high = size - 1; low < high; low++, high--) {
            unsigned char byte = data[low];
            data[low] = data[high];
            data[high] = byte;
        }
    }
}

/* Fortran order to C order. */
static ga_status reorder(reading *r)
{
    ga_status status = GA_OK;
    unsigned char *ordered = NULL;
    int64_t strides[GA__MAX_AXES], step = 1;
    int axes = 0;
    for (int i = 0; i < r->npy.ndim; i++) {
        strides[i] = step;
        step *= ga__max(r->npy.shape[i], 1);
        axes += r->npy.shape[i] > 1;
    }
    if (axes < 2 || r->elements == 0) {
        goto done;
    }
    GA_TRY(ga_alloc(r->from.context, r->elements, (size_t)r->size, &ordered));
    ga__walk walk = ga__walk_start(r->data, r->size, r->npy.ndim, r->npy.shape, strides);
    for (int64_t at = 0, piece; at < r->elements; at += piece) {
        piece = ga__min(r->elements - at, 1 << 20);
        ga__walk_copy(&walk, piece, ordered + at * r->size);
        GA_TRY(ga__check(r->from.context));
    }
    ga_free(r->from.context, r->data);
    r->data = ordered;
    ordered = NULL;
done:
    ga_free(r->from.context, ordered);
    return status;
}

static ga_status check_booleans(reading *r)
{
    for (int64_t i = 0; r->npy.dtype.code == GA_DL_BOOL && i < r->elements; i++) {
        if (r->data[i] > 1) {
            return ga__fail(r->from.context, GA_FORMAT, "%s: element %lld is no boolean: %d", r->from.name,
                            (long long)i, r->data[i]);
        }
    }
    return GA_OK;
}

ga_status ga_npy_read(ga_context *context, const char *path, bool u2_is_bf16, DLTensor **out)
{
    ga_status status = GA_OK;
    reading r = { .from.context = context };
    ga__begin(context);
    GA_TRY(ga__input_open(context, path, true, &r.from.input));
    r.from.name = ga__input_name(r.from.input);
    GA_TRY(read_header(&r, u2_is_bf16));
    GA_TRY(ga__content_take(&r.from, r.elements * r.size, &r.data));
    GA_TRY(ga__content_end(&r.from));
    GA_TRY(check_booleans(&r));
    if (r.npy.swapped) {
        swap_bytes(r.data, r.elements, r.size);
    }
    if (r.npy.fortran) {
        GA_TRY(reorder(&r));
    }
    GA_TRY(ga__tensor_wrap(context, r.npy.dtype, r.npy.ndim, r.npy.shape, r.data, out));
    r.data = NULL;
done:
    ga_free(context, r.data);
    ga__input_close(context, r.from.input);
    return status;
}

/* ---- writing ---- */

ga_status ga_npy_write(ga_context *context, const DLTensor *tensor, const char *path)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    int64_t elements = 0;
    char header[GA__NPY_ROOM];
    int size = ga__dtype_size(tensor->dtype);
    ga__begin(context);
    if (size == 0) {
        GA_TRY(ga__fail(context, GA_UNSUPPORTED, "%s: this element type cannot be written as npy", path));
    }
    if (tensor->device.device_type != kDLCPU) {
        GA_TRY(
            ga__fail(context, GA_UNSUPPORTED, "%s: only tensors in the CPU's memory can be written", path));
    }
    GA_TRY(ga__count_elements(context, path, tensor->ndim, tensor->shape, size, &elements));
    GA_TRY(ga__output_open(context, path, true, &output));
    GA_TRY(ga__output_write(context, output, header,
                            ga__npy_format(tensor->dtype, tensor->ndim, tensor->shape, header)));
    GA_TRY(ga__tensor_write(context, output, tensor));
    status = ga__output_commit(context, output);
    output = NULL;
done:
    ga__output_abort(context, output);
    return status;
}
