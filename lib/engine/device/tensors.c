/* tensors.c - copies of tensors on a device and back. */
#include "config.h"

#include "lib/engine/device/device.h"
#include "lib/tensor/tensor.h"

static ga_status count_bytes(ga_context *context, const DLTensor *tensor, int64_t *elements, int *size)
{
    *size = ga__dtype_size(tensor->dtype);
    if (*size == 0) {
        return ga__fail(context, GA_UNSUPPORTED,
                        "tensor: element type (code %d, %d bits, %d lanes) is not supported",
                        tensor->dtype.code, tensor->dtype.bits, tensor->dtype.lanes);
    }
    return ga__count_elements(context, "tensor", tensor->ndim, tensor->shape, *size, elements);
}

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

static const void *data_of(const DLTensor *tensor)
{
    return tensor->data ? (const char *)tensor->data + tensor->byte_offset : NULL;
}

/* A C-contiguous copy on the host of a tensor on the host. Returns owned. */
static ga_status copy_on_host(ga_context *context, const DLTensor *tensor, int64_t elements, int size,
                              DLTensor **out)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    GA_TRY(ga_tensor_create(context, tensor->dtype, tensor->ndim, tensor->shape, &made));
    if (elements > 0) {
        const int64_t *strides = tensor->strides ? tensor->strides : made->strides;
        ga__walk walk = ga__walk_start(data_of(tensor), size, tensor->ndim, tensor->shape, strides);
        ga__walk_copy(&walk, elements, made->data);
    }
    *out = made;
done:
    return status;
}

/* The descriptor of a tensor on the context's device, with memory but no content. Returns owned. */
static ga_status make_on_device(ga_context *context, const DLTensor *like, int64_t bytes, DLTensor **out)
{
    ga_status status = GA_OK;
    ga__device *device = ga__device_of(context);
    void *memory = NULL;
    GA_TRY(ga__device_new(context, bytes, &memory));
    GA_TRY(ga__tensor_wrap(context, like->dtype, like->ndim, like->shape, memory, out));
    memory = NULL;
    (*out)->device.device_type = device->kind == GA_DEVICE_CUDA ? kDLCUDA : kDLExtDev;
    (*out)->device.device_id = device->index;
done:
    ga__device_free(context, ga__device_id(context), memory);
    return status;
}

static ga_status check_place(ga_context *context, const DLTensor *tensor)
{
    if (tensor->device.device_type == kDLCPU) {
        return GA_OK;
    }
    if (!ga__on_device(context, tensor)) {
        return ga__fail(context, GA_UNSUPPORTED, "tensor: it lies on another device than the context's");
    }
    if (!is_contiguous(tensor)) {
        return ga__fail(context, GA_UNSUPPORTED, "tensor: on a device it must be C-contiguous");
    }
    return GA_OK;
}

ga_status ga_tensor_to_device(ga_context *context, const DLTensor *tensor, DLTensor **out)
{
    ga_status status = GA_OK;
    ga__device *device = ga__device_of(context);
    DLTensor *flat = NULL, *made = NULL;
    const void *from = NULL;
    int64_t elements = 0;
    int size = 0;
    ga__begin(context);
    if (!device) {
        GA_TRY(ga__fail(context, GA_INVALID, "tensor: the context works on the CPU"));
    }
    GA_TRY(count_bytes(context, tensor, &elements, &size));
    GA_TRY(check_place(context, tensor));
    from = data_of(tensor);
    if (!is_contiguous(tensor)) {
        GA_TRY(copy_on_host(context, tensor, elements, size, &flat));
        from = flat->data;
    }
    GA_TRY(make_on_device(context, tensor, elements * size, &made));
    if (elements > 0) {
        size_t bytes = (size_t)(elements * size);
        int error = tensor->device.device_type == kDLCPU
                        ? device->table->upload(made->data, from, bytes, device->stream)
                        : device->table->copy(made->data, from, bytes, device->stream);
        GA_TRY(ga__device_check(context, device, "copying to the device", (int64_t)bytes, error));
    }
    *out = made;
    made = NULL;
done:
    ga_tensor_destroy(context, made);
    ga_tensor_destroy(context, flat);
    return status;
}

ga_status ga_tensor_to_host(ga_context *context, const DLTensor *tensor, DLTensor **out)
{
    ga_status status = GA_OK;
    ga__device *device = ga__device_of(context);
    DLTensor *made = NULL;
    int64_t elements = 0;
    int size = 0;
    ga__begin(context);
    GA_TRY(count_bytes(context, tensor, &elements, &size));
    GA_TRY(check_place(context, tensor));
    if (tensor->device.device_type == kDLCPU) {
        return copy_on_host(context, tensor, elements, size, out);
    }
    GA_TRY(ga__device_enter(context, device));
    GA_TRY(ga_tensor_create(context, tensor->dtype, tensor->ndim, tensor->shape, &made));
    if (elements > 0) {
        size_t bytes = (size_t)(elements * size);
        GA_TRY(ga__device_check(context, device, "copying from the device", (int64_t)bytes,
                                device->table->download(made->data, data_of(tensor), bytes, device->stream)));
        GA_TRY(ga__device_check(context, device, "copying from the device", (int64_t)bytes,
                                device->table->synchronise(device->stream)));
    }
    *out = made;
    made = NULL;
done:
    ga_tensor_destroy(context, made);
    return status;
}
